"""What every data set hands over: samples with their original indices and a checksum of exactly
what was used.

Images, rows of a table, sentences and clouds of points all come as :class:`Samples`; what a network
or a kind of players must know of them beyond that stands in their :class:`About`.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

__all__ = [
    "NOUNS",
    "About",
    "DamagedData",
    "Kind",
    "MissingData",
    "Raw",
    "Samples",
    "Source",
    "Split",
    "balanced",
    "checked_bytes",
]

Split = Literal["train", "test"]
Kind = Literal["image", "table", "text", "points", "values"]
"""What a sample is; ``values``: a game itself, v on all masks, of a network that is not there."""

NOUNS: dict[Kind, str] = {
    "image": "images",
    "table": "rows",
    "text": "sentences",
    "points": "objects",
    "values": "games",
}


class MissingData(FileNotFoundError):
    """The data set is not on this machine; the message names the one command that gets it."""


class DamagedData(ValueError):
    """A data file is not the one that was published; the message names the file and how to mend
    it."""


class Raw(NamedTuple):
    """One split as stored: ``x`` (N, *shape), uint8 pixels, float32 numbers or int64 tokens;
    ``labels`` (N,), integers or, of a regression, floats; ``ids`` integers (N,); ``parts`` (N,
    points) integers, of clouds whose points are annotated."""

    x: np.ndarray
    labels: np.ndarray
    ids: np.ndarray
    parts: np.ndarray | None = None

    def at(self, positions: np.ndarray) -> Raw:
        """The same for some of the samples."""
        return Raw(*(None if part is None else part[positions] for part in self))


@dataclass(frozen=True)
class About:
    """What is known of a set beyond its numbers.

    columns: of a table, their names; groups: columns that are one variable (a one-hot code), by
    index. vocabulary: of sentences, the word of each token; mask, pad: tokens that stand for an
    absent word and for none; special: tokens that are never masked.
    """

    columns: tuple[str, ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    vocabulary: tuple[str, ...] = ()
    mask: int | None = None
    pad: int | None = None
    special: tuple[int, ...] = ()


@dataclass(frozen=True)
class Source:
    """One data set.

    ``kind``: what a sample is; ``classes``: their names, none of a regression; ``shape`` of one
    sample. ``find`` tells the folder that holds the files (None when they are absent), ``read``
    verifies and reads one split from it, ``download`` fetches the files into a cache folder (None
    for a set that is embedded in the repository or comes with a package, ``package``). ``sha256``:
    of each whole split, as :class:`Samples` say it; several where copies in circulation differ.
    """

    name: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    find: Callable[[], Path | None]
    read: Callable[[Path, Split], Raw]
    download: Callable[[Path], None] | None = None
    package: str | None = None
    kind: Kind = "image"
    about: About = About()
    sha256: Mapping[Split, tuple[str, ...]] = field(default_factory=dict, hash=False)

    @property
    def noun(self) -> str:
        """What its samples are called, in the plural."""
        return NOUNS[self.kind]


@dataclass(frozen=True, eq=False)
class Samples:
    """One split (or the first ``limit`` samples of it) of a data set.

    x        (N, *shape): float32 pixels in [0, 1] and nothing else done to them, float32 columns or
             coordinates in their own units, int64 tokens
    labels   int64 (N,), classes; of a regression float32 (N,), targets
    ids      int64 (N,): index of each sample in the *original* data set's split, whatever part of
             it is loaded
    source   the set that they are of
    sha256   of all of it: two objects with the same checksum hold the same data
    parts    int64 (N, points): the part that each point belongs to, where that is annotated
    """

    x: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor
    source: Source
    split: Split
    sha256: str
    parts: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def name(self) -> str:
        """The set's name."""
        return self.source.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes; none of a regression."""
        return self.source.classes

    @property
    def kind(self) -> Kind:
        """What a sample is."""
        return self.source.kind

    @property
    def about(self) -> About:
        """What is known beyond the numbers."""
        return self.source.about

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one sample."""
        return tuple(self.x.shape[1:])

    def key(self, i: int) -> str:
        """``mnist/test/17``: sample ``i`` wherever it is loaded, for draws by hash."""
        return f"{self.name}/{self.split}/{int(self.ids[i])}"

    @functools.cached_property
    def mean(self) -> torch.Tensor:
        """The training mean per pixel, column or coordinate (*shape) float32: the papers' baseline
        (Cheng et al. 2024, Section 3).

        ValueError on a test split: a baseline must not be computed from the samples that are
        judged; TypeError for tokens, which have no mean.
        """
        if self.split != "train":
            raise ValueError(
                f"the mean is that of the training {self.source.noun}: use load({self.name!r}, "
                "'train').mean"
            )
        if not self.x.is_floating_point():
            raise TypeError(f"{self.name}: tokens have no mean; their baseline is a mask token")
        # By numpy, row after row: torch's sum over the first axis takes fifty times as long.
        total = np.add.reduce(self.x.numpy(), axis=0, dtype=np.float64)
        return torch.from_numpy(np.asarray(total / len(self), dtype=np.float32))

    @classmethod
    def from_raw(cls, raw: Raw, source: Source, split: Split) -> Samples:
        """uint8 pixels to float32 in [0, 1], the rest as it is, with the checksum of the content as
        stored. TypeError for another dtype, ValueError for what the source does not allow."""
        _check(raw, source)
        digest = hashlib.sha256(repr(raw.x.shape).encode())
        labels = raw.labels.astype(np.int64 if source.classes else np.float32)
        ids = raw.ids.astype(np.int64)
        for array in (raw.x, labels, ids, *([] if raw.parts is None else [raw.parts])):
            digest.update(np.ascontiguousarray(array))
        x = torch.from_numpy(raw.x.astype(np.int64 if raw.x.dtype == np.int64 else np.float32))
        if raw.x.dtype == np.uint8:
            x.div_(255)
        return cls(
            x,
            torch.from_numpy(labels),
            torch.from_numpy(ids),
            source,
            split,
            digest.hexdigest(),
            None if raw.parts is None else torch.from_numpy(raw.parts.astype(np.int64)),
        )


def _check(raw: Raw, source: Source) -> None:
    """TypeError for another dtype; ValueError for another shape, a label that is no class, a
    missing number."""
    if raw.x.dtype not in (np.uint8, np.float32, np.int64):
        raise TypeError(
            f"{source.name}: pixels are uint8, numbers float32 and tokens int64, got {raw.x.dtype}"
        )
    if raw.x.shape[1:] != tuple(source.shape):
        raise ValueError(
            f"{source.name}: a sample has the shape {tuple(source.shape)}, read was "
            f"{raw.x.shape[1:]}"
        )
    known = range(len(source.classes))
    strange = set(np.unique(raw.labels).tolist()) - set(known) if source.classes else ()
    if strange:
        raise ValueError(
            f"{source.name}: labels are 0 … {known[-1]}, read was {sorted(strange)[0]}"
        )
    for what, numbers in (("x", raw.x), ("labels", raw.labels)):
        if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
            raise ValueError(f"{source.name}: {what} holds NaN or infinity")


def balanced(labels: np.ndarray, limit: int) -> np.ndarray:
    """Positions (limit,) of a class-balanced first part, ascending: the first ``limit / classes``
    of every class.

    Samples are ranked by (how many of their class came before, class) and the first ``limit`` of
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
