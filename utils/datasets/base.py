"""What every data set hands over: images with their original indices and a checksum of exactly what
was used.

A table is carried in the same form: a row is an "image" of shape (columns, 1, 1), float32, each
column in its own unit. A network then standardises a column as it does a channel, and players mask
columns as they mask patches.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

__all__ = [
    "DamagedData",
    "Images",
    "MissingData",
    "Raw",
    "Source",
    "Split",
    "balanced",
    "checked_bytes",
]

Split = Literal["train", "test"]


class MissingData(FileNotFoundError):
    """The data set is not on this machine; the message names the one command that gets it."""


class DamagedData(ValueError):
    """A data file is not the one that was published; the message names the file and how to mend
    it."""


class Raw(NamedTuple):
    """One split as stored: ``images`` uint8 (N, C, H, W), or float32 (N, columns, 1, 1) for a
    table; ``labels`` and ``ids`` integers (N,)."""

    images: np.ndarray
    labels: np.ndarray
    ids: np.ndarray


@dataclass(frozen=True)
class Source:
    """One data set of the registry.

    ``find`` tells the folder that holds the files (None when they are absent), ``read`` verifies
    and reads one split from it, ``download`` fetches the files into a cache folder (None for a set
    that is embedded in the repository or comes with a package, ``package``). ``columns``: of a
    table, the names of its columns, in order; empty for images.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    find: Callable[[], Path | None]
    read: Callable[[Path, Split], Raw]
    download: Callable[[Path], None] | None = None
    package: str | None = None
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Images:
    """One split (or the first ``limit`` images of it) of a data set.

    images   float32 (N, C, H, W) in [0, 1]: pixel / 255, nothing else done to them; of a table, its
             columns (N, columns, 1, 1) in their own units
    labels   int64 (N,)
    ids      int64 (N,): index of each image in the *original* data set's split, whatever part of it
             is loaded
    sha256   of pixels (or columns), labels and ids: two objects with the same checksum hold the
             same data
    columns  of a table, the names of its columns
    """

    images: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor
    name: str
    split: Split
    classes: tuple[str, ...]
    sha256: str
    columns: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of one image."""
        return tuple(self.images.shape[1:])

    @functools.cached_property
    def mean(self) -> torch.Tensor:
        """The training mean per pixel (C, H, W) float32: the papers' baseline (Cheng et al. 2024,
        Section 3).

        ValueError on a test split: a baseline must not be computed from the images that are judged.
        """
        if self.split != "train":
            raise ValueError(
                f"the mean image is that of the training images: use load({self.name!r}, "
                "'train').mean"
            )
        return self.images.mean(dim=0, dtype=torch.float64).float()

    @classmethod
    def from_raw(cls, raw: Raw, source: Source, split: Split) -> Images:
        """uint8 pixels to float32 in [0, 1], float32 columns as they are, with the checksum of the
        content as stored."""
        labels, ids = raw.labels.astype(np.int64), raw.ids.astype(np.int64)
        digest = hashlib.sha256(repr(raw.images.shape).encode())
        for array in (raw.images, labels, ids):
            digest.update(np.ascontiguousarray(array))
        if raw.images.dtype not in (np.uint8, np.float32):
            raise TypeError(
                f"{source.name}: images are uint8 and tables float32, got {raw.images.dtype}"
            )
        images = torch.from_numpy(raw.images.astype(np.float32))
        if raw.images.dtype == np.uint8:
            images.div_(255)
        return cls(
            images,
            torch.from_numpy(labels),
            torch.from_numpy(ids),
            source.name,
            split,
            source.classes,
            digest.hexdigest(),
            source.columns,
        )


def balanced(labels: np.ndarray, limit: int) -> np.ndarray:
    """Positions (limit,) of a class-balanced first part, ascending: the first ``limit / classes``
    of every class.

    Images are ranked by (how many of their class came before, class) and the first ``limit`` of
    that order are kept, so that a smaller part is contained in every larger one and ``limit = N``
    is everything.
    """
    occurrence = np.empty(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        of_class = labels == label
        occurrence[of_class] = np.arange(of_class.sum())
    return np.sort(np.lexsort((labels, occurrence))[:limit])


def checked_bytes(path: Path, sha256: str, mend: str) -> bytes:
    """The file's bytes, after their sha256 has been found right; DamagedData with ``mend``
    otherwise."""
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        detail = f"sha256 {found[:16]}…, expected {sha256[:16]}…"
        raise DamagedData(f"{path} is damaged or another version ({detail}). {mend}")
    return content
