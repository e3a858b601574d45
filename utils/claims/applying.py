"""Which rows speak of which systems, before anything is computed."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ..datasets import Kind
from .registry import Row, load

__all__ = ["Subject", "rows_of", "why_not"]

_WORDS = {
    "half_depth": "a layer at half depth",
    "read_at": "a layer that a probe reads",
    "probes": "the training of its probes",
    "memorising": "a training on wrong labels",
}


class Subject(Protocol):
    """What a row must know of a system, see :class:`utils.systems.System`."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> Kind: ...


def why_not(
    row: str, system: Subject, claims: Path | str | None = None, *, pair: str | None = None
) -> str | None:
    """Why ``row`` is not judged on ``system``, in words; None where it is.

    pair: the id of the pair that the system is one of, where the row speaks of pairs.
    """
    entry: Row = load(claims).row(row)
    if entry.kind == "demonstration":
        return "it is a demonstration on a system made for it"
    if system.kind not in entry.applies:
        return f"it speaks of {', '.join(entry.applies)}; {system.id} is of kind {system.kind}"
    missing = [name for name in entry.needs if getattr(system, name) is None]
    if missing:
        return f"{system.id} does not name {_WORDS[missing[0]]} ({missing[0]})"
    of = pair or system.id
    stated = "as_stated" in entry.readings(of) if entry.kind == "empirical" else True
    if entry.thresholds and not (stated and entry.thresholds_for(of)):
        return f"claims.yaml has no threshold of its statement for {of}"
    return None


def rows_of(notebook: str, system: Subject, claims: Path | str | None = None) -> list[str]:
    """The rows of ``notebook`` that are judged on ``system``."""
    rows = load(claims).rows
    return [
        name
        for name, row in rows.items()
        if row.notebook == notebook and why_not(name, system, claims) is None
    ]
