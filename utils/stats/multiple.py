"""Many tests at once: Benjamini and Hochberg's false discovery rate decides, Holm's family-wise
error is shown beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["benjamini_hochberg", "holm"]


def _checked(pvalues: Mapping[Any, float]) -> list[Any]:
    """The names by rising p; ValueError for what is no p value."""
    for name, p in pvalues.items():
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"p value of {name!r} is {p}, not a number in [0, 1]")
    return sorted(pvalues, key=lambda name: pvalues[name])


def holm(pvalues: Mapping[Any, float]) -> dict[Any, float]:
    """Holm's step-down adjusted p values, same keys in the same order (Holm 1979); reject where
    they are <= alpha."""
    ranked = _checked(pvalues)
    adjusted: dict[Any, float] = {}
    running = 0.0
    for rank, name in enumerate(ranked):
        running = max(running, min(1.0, (len(ranked) - rank) * float(pvalues[name])))
        adjusted[name] = running
    return {name: adjusted[name] for name in pvalues}


def benjamini_hochberg(pvalues: Mapping[Any, float]) -> dict[Any, float]:
    """Step-up adjusted p values (Benjamini and Hochberg 1995), same keys in the same order; reject
    where <= alpha.

    Of the rejected hypotheses an expected share of at most alpha is true, for independent and
    positively dependent tests.
    """
    ranked = _checked(pvalues)
    adjusted: dict[Any, float] = {}
    running = 1.0
    for rank, name in reversed(list(enumerate(ranked, 1))):
        running = min(running, len(ranked) / rank * float(pvalues[name]))
        adjusted[name] = running
    return {name: adjusted[name] for name in pvalues}
