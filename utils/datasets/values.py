"""Value tables: games that others played with a network that is not here, v on all masks."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from ..discovery import defined_in, load_file, modules_of, nearest
from .base import DamagedData, Kind, MissingData

__all__ = ["Table", "Values", "find", "load", "missing", "tables"]


@dataclass(frozen=True)
class Values:
    """Games of one network on one set of samples, all between n players.

    name: of the set, ``imagenet_n14``; network, title: in a system's id and in print; unit,
    masked_by: what players are and what stands for an absent one; accuracy: of the network, as
    ``source`` says, which also names who played the games. ``find`` tells the folder that holds the
    file (None: absent), ``read`` the games: v (N, 2^n) float64, bit i of a mask set = player i
    kept, and their ids (N,). sha256: of v's bytes and shape (:func:`load` says it where it
    differs). probabilities: what ``read`` gives, and the checksum is of, are the network's
    probabilities of the class that is explained; v is their log-odds.
    """

    name: str
    network: str
    title: str
    n: int
    unit: str
    masked_by: str
    accuracy: float
    source: str
    sha256: str
    find: Callable[[], Path | None]
    read: Callable[[Path], tuple[np.ndarray, np.ndarray]]
    kind: Kind = "values"
    noun: str = "games"
    classes: tuple[str, ...] = ()
    download: None = None
    probabilities: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """v (N, 2^n) float64 and ids (N,) int64, as read."""

    v: np.ndarray
    ids: np.ndarray

    def __len__(self) -> int:
        return len(self.v)


def find(name: str, file: str | None = None) -> Values:
    """The table called ``network/name``, in a user's ``file`` or among those of the package;
    ValueError with the nearest name."""
    known = tables(file)
    if name not in known:
        raise ValueError(f"there is no value table {name!r}{nearest(name, known)}")
    return known[name]


def tables(file: str | None = None) -> dict[str, Values]:
    """The value tables of the package, or of a user's ``file``, by network/name."""
    return dict(_of_package()) if file is None else _tables_in([load_file(file)])


@functools.cache
def _of_package() -> dict[str, Values]:
    return _tables_in(modules_of(__package__))


def _tables_in(modules: Iterable[ModuleType]) -> dict[str, Values]:
    return {f"{x.network}/{x.name}": x for m in modules for x in defined_in(m, Values)}


def load(values: Values) -> Table:
    """The games; MissingData, or DamagedData for another content than the checksum says, another
    shape than 2^n, numbers that are not finite or probabilities of 0 or 1.

    The log-odds are log p - log1p(-p). A logarithm's last bit is not the same on every machine, so
    the checksum is of the probabilities as they were read, and of the fact that they are such."""
    folder = values.find()
    if folder is None:
        raise MissingData(missing(values))
    v, ids = values.read(folder)
    v = np.ascontiguousarray(v, dtype=np.float64)
    if v.ndim != 2 or v.shape[1] != 1 << values.n or not np.isfinite(v).all():
        raise DamagedData(
            f"{values.network}/{values.name}: v must be (N, 2^{values.n}) finite numbers, got "
            f"{v.shape}"
        )
    kind = b"log-odds of" if values.probabilities else b""
    found = hashlib.sha256(kind + repr(v.shape).encode() + v.tobytes()).hexdigest()
    if found != values.sha256:
        raise DamagedData(
            f"{values.network}/{values.name} has the sha256 {found}, expected {values.sha256}: it "
            "is damaged or another version"
        )
    if values.probabilities:
        v = _log_odds(v, values)
    return Table(v, np.asarray(ids, dtype=np.int64))


def missing(values: Values) -> str:
    """What is said of a table that is not on this machine."""
    return (
        f"the value table {values.network}/{values.name} is not on this machine ("
        f"{values.source}): put it where data/README.md says and set INTERACTIONS_DATA to it"
    )


def _log_odds(p: np.ndarray, values: Values) -> np.ndarray:
    certain = np.argwhere((p <= 0) | (p >= 1))
    if len(certain):
        game, mask = certain[0]
        raise DamagedData(
            f"{values.network}/{values.name}: the log-odds of game {game} on mask {mask} are not "
            f"finite; a probability must be between 0 and 1, got {p[game, mask]}"
        )
    return np.log(p) - np.log1p(-p)
