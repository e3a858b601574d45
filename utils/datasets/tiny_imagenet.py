"""Tiny ImageNet (Stanford CS231n 2015): 64x64 images of 200 of ImageNet's classes, and a part of
it, 300 training images of 20 of them.

Read as they are, from the archive in its original layout: ``tiny-imagenet-200.zip`` (what the
course published) or ``tiny-imagenet-20.zip`` (the part) in ``tiny-imagenet`` of the data cache. The
archive's test images have no labels, so that its validation images are the test split. Images of
ImageNet, for non-commercial research only: nothing of them may be published.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from .. import paths
from .base import DamagedData, Raw, Source, Split

__all__ = ["TINY_IMAGENET", "TINY_IMAGENET_20"]

_ROOT = "tiny-imagenet-200"
_URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
_WHOLE, _PART = "tiny-imagenet-200.zip", "tiny-imagenet-20.zip"
# Of the whole archive only the md5 is published.
_KNOWN: dict[str, tuple[Callable, str]] = {
    _WHOLE: (partial(hashlib.md5, usedforsecurity=False), "90528d7ca1a48142e341f4ef8d21d0de"),
    _PART: (hashlib.sha256, "d2f7fd7028221f7db4d146542ac744b06674513ac6c5aabdb56f20e99f1dd783"),
}
_MEND = (
    "Delete it, then `reproduce data tiny_imagenet` downloads the whole set; the part of 20 "
    "classes is described in data/README.md."
)
_OF_20 = {
    "n01443537": "goldfish",
    "n01641577": "bullfrog",
    "n01698640": "American alligator",
    "n01774750": "tarantula",
    "n01910747": "jellyfish",
    "n02056570": "king penguin",
    "n02099601": "golden retriever",
    "n02124075": "Egyptian cat",
    "n02129165": "lion",
    "n02279972": "monarch",
    "n02504458": "African elephant",
    "n02814860": "beacon",
    "n04146614": "school bus",
    "n04285008": "sports car",
    "n04311004": "steel arch bridge",
    "n04398044": "teapot",
    "n07747607": "orange",
    "n07753592": "banana",
    "n07873807": "pizza",
    "n07920052": "espresso",
}
_TRAIN_OF_20 = 300
"""Training images of each class in the part: those numbered 0 … 299."""


def _find(*names: str) -> Path | None:
    folder = paths.data_cache() / "tiny-imagenet"
    return folder if any((folder / name).is_file() for name in names) else None


def _archive(folder: Path, *names: str) -> zipfile.ZipFile:
    """The first of ``names`` that is there, after its checksum has been found right."""
    path = next(folder / name for name in names if (folder / name).is_file())
    digest, known = _KNOWN[path.name]
    content = path.read_bytes()
    if digest(content).hexdigest() != known:
        raise DamagedData(f"{path} is damaged or another version (its checksum differs). {_MEND}")
    return zipfile.ZipFile(io.BytesIO(content))


def _read(
    folder: Path, split: Split, *, names: tuple[str, ...], wnids: tuple[str, ...], most: int
) -> Raw:
    """Training images ``most`` of each class, class by class; validation images by number.

    wnids: the classes, by their numbers in WordNet; none: all that the archive names.
    ids: of a training image its class's number in WordNet times 1000 and its own number, of a
    validation image its number, in the original set whichever part is there.
    """
    with _archive(folder, *names) as archive:
        classes = wnids or tuple(sorted(archive.read(f"{_ROOT}/wnids.txt").decode().split()))
        files = _train(classes, most) if split == "train" else _val(archive, classes)
        pixels = np.stack([_pixels(archive.read(f"{_ROOT}/{name}")) for name, _, _ in files])
    return Raw(pixels, *(np.array([file[k] for file in files]) for k in (1, 2)))


def _train(classes: tuple[str, ...], most: int) -> list[tuple[str, int, int]]:
    """File, label and id of every training image."""
    return [
        (f"train/{wnid}/images/{wnid}_{k}.JPEG", label, int(wnid[1:]) * 1000 + k)
        for label, wnid in enumerate(classes)
        for k in range(most)
    ]


def _val(archive: zipfile.ZipFile, classes: tuple[str, ...]) -> list[tuple[str, int, int]]:
    """File, label and id of every validation image of ``classes``."""
    lines = archive.read(f"{_ROOT}/val/val_annotations.txt").decode().splitlines()
    found = [line.split("\t")[:2] for line in lines if line]
    numbered = [(int(name[4:].removesuffix(".JPEG")), name, wnid) for name, wnid in found]
    return [
        (f"val/images/{name}", classes.index(wnid), number)
        for number, name, wnid in sorted(numbered)
        if wnid in classes
    ]


def _pixels(content: bytes) -> np.ndarray:
    """uint8 (3, 64, 64); a grey image has three equal channels."""
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).transpose(2, 0, 1)


def _download(cache: Path) -> None:
    # torchvision takes seconds to import and is needed here only.
    from torchvision.datasets.utils import download_url

    download_url(_URL, str(cache / "tiny-imagenet"), _WHOLE, _KNOWN[_WHOLE][1])


# Cut from whichever archive is there, so that it is the same set on every machine.
TINY_IMAGENET_20 = Source(
    "tiny_imagenet_20",
    tuple(_OF_20.values()),
    (3, 64, 64),
    partial(_find, _PART, _WHOLE),
    partial(_read, names=(_PART, _WHOLE), wnids=tuple(_OF_20), most=_TRAIN_OF_20),
    _download,
    sha256={
        "train": ("1857de478544f0092f1e38d3f13fe369a6daea556b275c0d542344337accbc71",),
        "test": ("36864954ab90a5bcd91befb52b46d299ab577bda666f2efc772e93b832103bca",),
    },
)
# Its classes are numbered as their names in WordNet are sorted. The archive's own checksum is all
# that is known of it; a training split of 100,000 images is 5 GB in memory.
TINY_IMAGENET = Source(
    "tiny_imagenet",
    tuple(str(k) for k in range(200)),
    (3, 64, 64),
    partial(_find, _WHOLE),
    partial(_read, names=(_WHOLE,), wnids=(), most=500),
    _download,
)
