"""Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, MIT licence): ten kinds of clothes in the format
and the numbers of MNIST.

Read from ``FashionMNIST/raw`` of the data cache (torchvision's layout, gzipped or plain IDX), else
from where Debian's package ``dataset-fashion-mnist`` puts it; every file's content must have the
checksum of the original.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from .. import paths
from . import idx
from .base import DamagedData, Raw, Source, Split

__all__ = ["FASHION_MNIST"]

_CLASSES = (
    "T-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
_DEBIAN = Path("/usr/share/datasets/fashion-mnist")
_PREFIX = {"train": "train", "test": "t10k"}
_MEND = (
    "Delete it, then `reproduce data fashion_mnist` downloads it; on Debian, `apt-get install "
    "--reinstall dataset-fashion-mnist` brings it back."
)
# sha256 of the uncompressed content.
_SHA256 = {
    "train-images-idx3-ubyte": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train-labels-idx1-ubyte": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "t10k-images-idx3-ubyte": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "t10k-labels-idx1-ubyte": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}


def _find() -> Path | None:
    for folder in (paths.data_cache() / "FashionMNIST" / "raw", _DEBIAN):
        if all(idx.find(folder, name) for name in _SHA256):
            return folder
    return None


def _read(folder: Path, split: Split) -> Raw:
    images, labels = (
        idx.parse(_content(folder, f"{_PREFIX[split]}-{what}-ubyte"))
        for what in ("images-idx3", "labels-idx1")
    )
    return Raw(images[:, None], labels, np.arange(len(labels)))


def _content(folder: Path, name: str) -> bytes:
    path = idx.find(folder, name)
    content = idx.gunzip(path.read_bytes(), path, _MEND)
    found = hashlib.sha256(content).hexdigest()
    if found != _SHA256[name]:
        raise DamagedData(
            f"{path} is not the original Fashion-MNIST file (content sha256 {found[:16]}…). {_MEND}"
        )
    return content


def _download(cache: Path) -> None:
    # torchvision takes seconds to import and is needed here only.
    from torchvision import datasets

    datasets.FashionMNIST(str(cache), download=True)


FASHION_MNIST = Source(
    "fashion_mnist",
    _CLASSES,
    (1, 28, 28),
    _find,
    _read,
    _download,
    sha256={
        "train": ("dc04f96cefe8ad274cd776f87c77fab66e861e69d5186e2c913f5f4ad7bc8e03",),
        "test": ("806051f93c04aca94693cea57508ab2069bfdd74ce528bb2a61abccf82b84522",),
    },
)
