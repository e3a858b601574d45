"""Twenty birds of CUB-200-2011 (Wah et al. 2011) whose body parts others marked: pictures to
explain.

Images of 224x224 pixels, resized and cropped, and eight marked parts each, by the authors of
sjtu-xai-lab/interaction-concept, who use them as players. It is no set to train on: all are birds,
of seventeen species, and both splits are these twenty. The data set is for non-commercial research
only: nothing of its pictures may be published.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from .. import paths
from .base import Raw, Source, Split, checked_bytes

__all__ = ["CUB200"]

_FILE = "cub_birds_20.npz"
_SHA256 = "4fbe77ef50acd7e5bd282064559358d4372307168bf2e582a706d12b95d101cb"
_MEND = "data/README.md says where it comes from."
_BIRD = 1


def _find() -> Path | None:
    folder = paths.data_cache() / "cub200_sample"
    return folder if (folder / _FILE).is_file() else None


def _read(folder: Path, split: Split) -> Raw:
    """parts (20, 224 * 224): 0 … 7 the marked part of each pixel, -1 none. ids: the number that
    ends a picture's name, that of the photograph."""
    content = checked_bytes(folder / _FILE, _SHA256, _MEND)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        images, parts, names = (stored[name] for name in ("images", "players", "image_name"))
    ids = np.array([int(Path(name).stem.rpartition("_")[2]) for name in names.tolist()])
    pixels = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
    return Raw(pixels, np.full(len(ids), _BIRD), ids, parts.reshape(len(ids), -1).astype(np.int64))


def _download(cache: Path) -> None:
    raise OSError("the marked parts are published with code, not as a file of their own")


CUB200 = Source(
    "cub200",
    ("no bird", "bird"),
    (3, 224, 224),
    _find,
    _read,
    _download,
    sha256={
        "train": ("7ff5d895fdc0764a98d2afed750af3db975a384b2170ba533376ce6abd554b0f",),
        "test": ("7ff5d895fdc0764a98d2afed750af3db975a384b2170ba533376ce6abd554b0f",),
    },
)
