"""What every notebook does, one call each: take its parameters, show exactness, say how it came
about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from IPython.display import display

from . import figures, params, places, provenance, runtime, start
from .evidence import exactness
from .jobs.games import CertifiedGames

__all__ = ["begin", "footer", "show_exactness"]

_SHOWN = ("commit", "dirty", "cpu", "threads", "versions", "clocks", "parameters_sha256")


def begin(name: str, cell: Mapping[str, Any]) -> Any:
    """The settings of notebook ``name`` from its globals ``cell``, checked before anything is
    computed; threads and figure style are set, and what an earlier run left in this one's place is
    removed. ParameterError says what is accepted."""
    p = params.from_notebook(name, cell)
    start.require(p)
    provenance.check_utils()
    places.forget(places.of(p), name)
    runtime.set_threads()
    figures.use_style()
    return p


def show_exactness(name: str, accuracy: Sequence[float], *games: CertifiedGames) -> None:
    """Test accuracies, certified gaps by checkpoint and the identities of the AND-OR model.

    ArithmeticError where an identity fails: a bug, and nothing below may be believed.
    """
    print(f"{name}: test accuracy", ", ".join(f"{value:.3f}" for value in accuracy))
    for e in games:
        display(e.certificates())
        exactness.require_duality(e)


def footer(p: params.Common, clock: provenance.Clock | None = None) -> pd.DataFrame:
    """How this page came about: versions, machine, times and the hash of its parameters."""
    facts = provenance.collect(parameters=p.model_dump(mode="json"), clock=clock)
    return pd.Series({name: str(facts[name]) for name in _SHOWN}).to_frame("value")
