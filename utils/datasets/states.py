"""What ``reproduce data`` lists: of every set and value table its size, its licence, and where it
is or how to get it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from . import licences, loading, values
from .base import Source
from .values import Values

__all__ = ["State", "states"]


class State(NamedTuple):
    """One line of the list: name; samples: how many, in words; bytes: of its folder, None where
    that is not there or is a package's; licence; state: embedded, package, cached, or missing;
    where: its folder, or what to do."""

    name: str
    samples: str
    bytes: int | None
    licence: str
    state: str
    where: str


def states() -> list[State]:
    """Of every data set of the package, then of every value table; no set is read."""
    commands = loading.available()
    sets = [_state(name, loading.find(name), commands[name]) for name in loading.names()]
    tables = [_state(name, table, values.missing(table)) for name, table in values.tables().items()]
    return sorted(sets) + sorted(tables)


def _state(name: str, of: Source | Values, how: str) -> State:
    folder, licence = of.find(), licences.of(name)
    package = getattr(of, "package", None)
    if folder is None:
        state, size = "missing", None
    elif package is not None:
        state, size = f"with {package}", None
    else:
        inside = isinstance(of, Source) and of.download is None
        state, size = "embedded" if inside else "cached", _size(folder)
    where = how if folder is None else str(folder)
    return State(name, licence.samples, size, licence.words, state, where)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
