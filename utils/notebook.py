"""What every notebook does, one call each: take its parameters, show exactness, pick the systems
that a row speaks of, say how it came about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

import pandas as pd
from IPython.display import display

from . import figures, params, places, provenance, runtime, start
from .evidence import exactness
from .jobs.games import CertifiedGames
from .studies import feasible

__all__ = ["begin", "footer", "judged", "show_exactness"]

_SHOWN = ("commit", "dirty", "cpu", "threads", "versions", "clocks", "parameters_sha256")


def begin(name: str, cell: Mapping[str, Any]) -> Any:
    """The settings of notebook ``name`` from its globals ``cell``, checked before anything is
    computed; threads and figure style are set, and what an earlier run left in this one's place is
    removed. ParameterError says what is accepted."""
    p = params.from_notebook(name, cell)
    start.require(p)
    for line in feasible.notes(p):
        print(line)
    provenance.check_utils()
    places.forget(places.of(p), name)
    runtime.set_threads()
    figures.use_style()
    return p


def show_exactness(
    name: str, accuracy: Sequence[float], *games: CertifiedGames, measure: str = "test accuracy"
) -> None:
    """Test accuracies (of a regression another ``measure``), certified gaps by checkpoint and the
    identities of the AND-OR model.

    ArithmeticError where an identity fails: a bug, and nothing below may be believed.
    """
    print(f"{name}: {measure}", ", ".join(f"{value:.3f}" for value in accuracy))
    for e in games:
        display(e.certificates())
        exactness.require_duality(e)


class Subject(Protocol):
    """What may be judged: a study of one system, or of a pair."""

    def why_not(self, row: str) -> str | None: ...


S = TypeVar("S", bound=Subject)


def judged(row: str, studies: Iterable[S]) -> list[S]:
    """Those of ``studies`` that ``row`` speaks of; the others are named with the reason."""
    found = []
    for study in studies:
        why = study.why_not(row)
        if why is None:
            found.append(study)
        else:
            print(f"{row} is not judged here: {why}.")
    return found


def footer(p: params.Common, clock: provenance.Clock | None = None) -> pd.DataFrame:
    """How this page came about: versions, machine, times and the hash of its parameters."""
    facts = provenance.collect(parameters=p.model_dump(mode="json"), clock=clock)
    return pd.Series({name: str(facts[name]) for name in _SHOWN}).to_frame("value")
