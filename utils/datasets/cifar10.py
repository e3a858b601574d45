"""CIFAR-10 (Krizhevsky 2009) from the data cache: torchvision's batches or lossless WebP mosaics of
the same pixels.

``cifar-10-batches-py`` holds pickles. Each must have the md5 that torchvision lists for it, and is
then read by the arrays-only reader, so nothing from outside is ever unpickled in the usual sense.
``cifar10`` holds one lossless WebP per batch (100 tiles of 32 x 32 a row) with ``labels.npz``; its
test part has 9,500 of the 10,000 images.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np

from .. import paths
from .base import DamagedData, Raw, Source, Split, checked_bytes
from .pickled import load_arrays_only

__all__ = ["CIFAR10"]

_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
_MEND = "Delete it, then `reproduce data cifar10` downloads the set again."
_BATCHES = "cifar-10-batches-py"
_MOSAICS = "cifar10"

_ARCHIVE_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
# The md5 sums of torchvision.datasets.CIFAR10.train_list and .test_list (importing it costs
# seconds; a test compares).
_BATCH_MD5 = {
    "train": {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    "test": {"test_batch": "40351d587109b95175f43aff81a1287e"},
}
_MOSAIC_SHA256 = {
    "train": {
        "train_1.webp": "33ee1170f92bf498b555fd84884f47b0fd5cf861cd8906ba0494510ca02d8860",
        "train_2.webp": "f0cd79b244135a07833be96f5a711f71baf12b52ebbb0558a5e2b87a0fb99d41",
        "train_3.webp": "0fc8b7a37cf952720a4edb4401b27e0ac02fc6d8ec3b7a3fc7e7065e74fb0ea8",
        "train_4.webp": "3b94be3871dce4b7effe0bd85d7fea95d53946968481a5d323db7a3fbeb0ea3e",
        "train_5.webp": "864b5f2f1384951903533f09e5daec38734f154bc6ec7267a7e8fb6008e3942d",
    },
    "test": {"test.webp": "dba7d60a77e31f6bba95c9d841af57cc3d60c25cb66dcc1f363d4abdad0b1fd1"},
}
_LABELS_SHA256 = "98565fb139f906ccaf6ba72c1c6dd0deb7df3e2fbbbcd00a2a175ce5deb0ed19"


def _find() -> Path | None:
    for folder, files in (
        (paths.data_cache() / _BATCHES, _BATCH_MD5),
        (paths.data_cache() / _MOSAICS, _MOSAIC_SHA256),
    ):
        if all((folder / name).is_file() for names in files.values() for name in names):
            return folder
    return None


def _read(folder: Path, split: Split) -> Raw:
    return _read_batches(folder, split) if folder.name == _BATCHES else _read_mosaics(folder, split)


def _read_batches(folder: Path, split: Split) -> Raw:
    images, labels = [], []
    for name, md5 in _BATCH_MD5[split].items():
        content = (folder / name).read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != md5:
            raise DamagedData(
                f"{folder / name} does not have the md5 of the original batch. {_MEND}"
            )
        batch = load_arrays_only(content)
        images.append(batch["data"].reshape(-1, 3, 32, 32))
        labels += batch["labels"]
    return Raw(np.concatenate(images), np.asarray(labels), np.arange(len(labels)))


def _read_mosaics(folder: Path, split: Split) -> Raw:
    if not (folder / "labels.npz").is_file():
        raise DamagedData(f"{folder} has the images but not labels.npz. {_MEND}")
    with np.load(
        io.BytesIO(checked_bytes(folder / "labels.npz", _LABELS_SHA256, _MEND)), allow_pickle=False
    ) as stored:
        labels = stored[f"{split}_labels"]
        ids = stored["test_index"] if split == "test" else np.arange(len(labels))
    images = np.concatenate(
        [
            _mosaic(checked_bytes(folder / name, sha256, _MEND))
            for name, sha256 in _MOSAIC_SHA256[split].items()
        ]
    )
    if len(images) != len(labels):
        raise DamagedData(
            f"{folder}: {len(images)} {split} images, but {len(labels)} labels. {_MEND}"
        )
    return Raw(images, labels, ids)


def _mosaic(content: bytes) -> np.ndarray:
    """uint8 (N, 3, 32, 32) of one mosaic, tiles row by row."""
    from PIL import Image

    pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    tiles = pixels.reshape(pixels.shape[0] // 32, 32, pixels.shape[1] // 32, 32, 3).swapaxes(1, 2)
    return tiles.reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)


def _download(cache: Path) -> None:
    # torchvision's own CIFAR10 class would unpickle the batches when it opens them: only its
    # downloader is used.
    from torchvision.datasets.utils import download_url

    archive = cache / Path(_ARCHIVE_URL).name
    download_url(_ARCHIVE_URL, str(cache), archive.name)
    with tarfile.open(fileobj=io.BytesIO(checked_bytes(archive, _ARCHIVE_SHA256, _MEND))) as tar:
        tar.extractall(cache, filter="data")
    archive.unlink()


# As with MNIST, the test set is in circulation whole and in part.
CIFAR10 = Source(
    "cifar10",
    _CLASSES,
    (3, 32, 32),
    _find,
    _read,
    _download,
    sha256={"train": ("fe3ea7b47d942ee5ef62e4da6650fb58149a1de0e3af80665086d445678939e4",)},
)
