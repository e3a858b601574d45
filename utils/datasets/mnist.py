"""MNIST (LeCun, Cortes, Burges): the part embedded in this repository, and the whole set from the
data cache.

Both are the original pixels in the original order. The whole set is read from ``MNIST/raw`` of the
cache folder, gzipped or plain IDX, which is torchvision's own layout; every file's content must
have the checksum of the original.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path

import numpy as np

from .. import paths
from . import idx
from .base import DamagedData, Raw, Source, Split, checked_bytes

__all__ = ["MNIST", "MNIST_PART"]

_CLASSES = tuple("0123456789")
_SHAPE = (1, 28, 28)
_PREFIX = {"train": "train", "test": "t10k"}
_MEND_PART = (
    "It is part of the repository: `git checkout -- data/mnist_part "
    "data/manifest.json` restores it."
)
_MEND_WHOLE = "Delete it, then `reproduce data mnist` downloads it again."

# sha256 of the uncompressed content: of the original files, and of the 9,500-image part of the test
# set that some offline copies hold (50 images of each digit left out; t10k_original_index.npy
# beside it says which are there).
_ORIGINAL = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_TEST_PART = {
    "t10k-images-idx3-ubyte": "dcc9c673f658e49da453e3127aeba4e87d4d67ac77e167db1554ae5752f16eaf",
    "t10k-labels-idx1-ubyte": "a40f66ce7969b28efa88cc24d9279ec8e93e14470e60fd278ffc33d4572991b6",
}
_TEST_PART_INDEX = (
    "t10k_original_index.npy",
    "e0cacc732d568e4ee1cdcda3fd3afd5b4eb22b56f569e03f0512f25cd2f64e74",
)


def _names(split: Split) -> tuple[str, str]:
    return f"{_PREFIX[split]}-images-idx3-ubyte", f"{_PREFIX[split]}-labels-idx1-ubyte"


def _raw(images: bytes, labels: bytes, ids: np.ndarray | None) -> Raw:
    pixels, classes = idx.parse(images)[:, None], idx.parse(labels)
    ids = np.arange(len(classes)) if ids is None else ids
    if not len(pixels) == len(classes) == len(ids):
        raise DamagedData(
            f"MNIST: {len(pixels)} images, {len(classes)} labels, {len(ids)} indices do not match"
        )
    return Raw(pixels, classes, ids)


# The embedded part --------------------------------------------------------------------------------


def _find_part() -> Path | None:
    folder = paths.EMBEDDED / "mnist_part"
    return folder if folder.is_dir() else None


def _read_part(folder: Path, split: Split) -> Raw:
    try:
        files = json.loads((folder.parent / "manifest.json").read_text(encoding="utf-8"))[
            "mnist_part"
        ]["files"]
        images, labels, index = (
            _embedded(folder / f"{name}", files)
            for name in (
                *(f"{n}.gz" for n in _names(split)),
                f"{_PREFIX[split]}_original_index.npy",
            )
        )
    except (KeyError, json.JSONDecodeError, FileNotFoundError) as error:
        raise DamagedData(
            f"the embedded MNIST part in {folder} is incomplete ({error!r}). {_MEND_PART}"
        ) from error
    return _raw(images, labels, np.load(io.BytesIO(index), allow_pickle=False))


def _embedded(path: Path, files: dict) -> bytes:
    content = checked_bytes(path, files[path.name]["sha256"], _MEND_PART)
    return idx.gunzip(content, path, _MEND_PART)


# The whole set ------------------------------------------------------------------------------------


def _find_whole() -> Path | None:
    folder = paths.data_cache() / "MNIST" / "raw"
    return folder if all(idx.find(folder, name) for name in _ORIGINAL) else None


def _read_whole(folder: Path, split: Split) -> Raw:
    contents, known = [], []
    for name in _names(split):
        path = idx.find(folder, name)
        content = idx.gunzip(path.read_bytes(), path, _MEND_WHOLE)
        found = hashlib.sha256(content).hexdigest()
        if found not in (_ORIGINAL[name], _TEST_PART.get(name)):
            raise DamagedData(
                f"{path} is not the original MNIST file (content sha256 {found[:16]}…). "
                f"{_MEND_WHOLE}"
            )
        contents.append(content)
        known.append(found == _ORIGINAL[name])
    return _raw(*contents, None if all(known) else _test_part_ids(folder))


def _test_part_ids(folder: Path) -> np.ndarray:
    name, sha256 = _TEST_PART_INDEX
    path = next((p for p in (folder / name, folder.parent / name) if p.is_file()), None)
    if path is None:
        raise DamagedData(
            f"{folder} holds 9,500 of the 10,000 test images, but {name} that says which ones is "
            "missing "
            f"(expected there or one folder up). Copy it there, or: {_MEND_WHOLE}"
        )
    return np.load(io.BytesIO(checked_bytes(path, sha256, _MEND_WHOLE)), allow_pickle=False)


def _download(cache: Path) -> None:
    # torchvision takes seconds to import and is needed here only.
    from torchvision import datasets

    datasets.MNIST(str(cache), download=True)


MNIST_PART = Source(
    "mnist_part",
    _CLASSES,
    _SHAPE,
    _find_part,
    _read_part,
    sha256={
        "train": ("161d75e182a7b927cd71f21675bdfffcba0ee542741308029f7db087dd9eb031",),
        "test": ("69b22b1d4b570b4dbd43aa2f868395b0c6ca91f3fa3db65974d76b2933171daf",),
    },
)
# The test set is in circulation whole and in part, so that its checksum is that of what is there;
# either way its files are known by their own.
MNIST = Source(
    "mnist",
    _CLASSES,
    _SHAPE,
    _find_whole,
    _read_whole,
    _download,
    sha256={"train": ("b582d2f5e7c97275e0537d6651d4bd3ee0b998dd754acff28f38f37486325d84",)},
)
