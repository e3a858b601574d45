"""Rows without networks as a sample: identities, computed grids, descriptions, demonstrations, and
rows that are not judged."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .case import Case, citation
from .registry import Threshold, load, sha256
from .verdict import PartResult, Verdict
from .wording import number

__all__ = ["demonstrate", "describe", "judge_identity", "judge_numerical", "unjudged"]


def judge_identity(
    row: str,
    system: str,
    errors: Mapping[str, ArrayLike],
    *,
    scope: str,
    control: Mapping[str, Any] | None = None,
    figure: str | None = None,
    claims: Path | str | None = None,
) -> Verdict:
    """EXACT where the largest absolute error of every threshold is below its bound, else BROKEN (a
    bug, not science).

    errors: threshold name -> array of errors of any shape (all games, all masks). A NaN is BROKEN.
    Outside every tally and correction.
    """
    case = Case(row, system, scope, control, figure, claims, "identity")
    parts = [_largest(t, errors[name]) for name, t in case.thresholds(list(errors)).items()]
    broken = [p for p in parts if p.decision == "fails"]
    shown = "; ".join(
        f"{p.name}: largest error {number(p.estimate)} ({p.threshold})" for p in broken or parts
    )
    return case.verdict(parts, "BROKEN" if broken else "EXACT", f"{shown}.", {}, parts=parts)


def _largest(threshold: Threshold, errors: ArrayLike) -> PartResult:
    values = np.abs(np.asarray(errors, dtype=np.float64)).reshape(-1)
    if not len(values):
        raise ValueError(f"no errors were given for {threshold.name!r}")
    return _point(
        threshold, float(values.max()), len(values), "largest absolute error"
    )  # NaN if any is: BROKEN


def _point(threshold: Threshold, estimate: float, n: int, method: str) -> PartResult:
    holds = (
        estimate > threshold.bound if threshold.direction == "above" else estimate < threshold.bound
    )
    decision = (
        "clears" if holds or (threshold.inclusive and estimate == threshold.bound) else "fails"
    )
    names = ("name", "reading", "form", "statistic", "unit", "direction", "bound")
    common = {key: getattr(threshold, key) for key in names}
    return PartResult(
        **common,
        threshold=threshold.text(),
        estimate=estimate,
        interval=None,
        n=n,
        dropped=0,
        method=method,
        decision=decision,
    )


def judge_numerical(
    row: str,
    system: str,
    values: Mapping[str, float],
    statement: str,
    *,
    n: int,
    scope: str,
    control: Mapping[str, Any] | None = None,
    figure: str | None = None,
    claims: Path | str | None = None,
) -> Verdict:
    """A statement about numbers that were computed, not sampled: REPRODUCED where every inequality
    holds on the grid.

    values: threshold name -> number; statement: the sentence generated from the grid (what was
    computed and what holds there), n: grid points. No interval, no p value, outside the correction.
    A number that is not finite: ValueError.
    """
    case = Case(row, system, scope, control, figure, claims, "numerical")
    thresholds = case.thresholds(list(values))
    if not all(math.isfinite(float(x)) for x in values.values()):
        raise ValueError(f"{row}: every value must be finite, got {dict(values)}")
    parts = [
        _point(t, float(values[name]), n, "computed on the stated grid")
        for name, t in thresholds.items()
    ]
    outcome = "REPRODUCED" if all(p.decision == "clears" for p in parts) else "NOT REPRODUCED"
    return case.verdict(parts, outcome, statement, {}, parts=parts)


def describe(
    row: str,
    system: str,
    statement: str,
    *,
    n: int,
    scope: str,
    control: Mapping[str, Any] | None = None,
    figure: str | None = None,
    claims: Path | str | None = None,
) -> Verdict:
    """A described row on one system: what was seen, in a sentence made from the numbers in
    ``control``; no verdict.

    n: how many networks or samples the description rests on.
    """
    return Case(row, system, scope, control, figure, claims, "described").shown(
        statement, n, "described"
    )


def demonstrate(
    row: str,
    system: str,
    statement: str,
    *,
    n: int,
    scope: str,
    control: Mapping[str, Any] | None = None,
    figure: str | None = None,
    claims: Path | str | None = None,
) -> Verdict:
    """A demonstration on a system made for it: what was planted and whether it was found, outside
    every tally."""
    return Case(row, system, scope, control, figure, claims, "demonstration").shown(
        statement, n, "demonstration"
    )


def unjudged(row: str, claims: Path | str | None = None) -> Verdict:
    """A row without a verdict: its status says what it needs, or that it was not run."""
    registry = load(claims)
    entry = registry.row(row)
    return Verdict(
        row=row,
        system=None,
        kind=entry.kind,
        status=entry.status,
        paper=citation(registry, entry),
        figure=entry.figure,
        verdict=None,
        statistic=entry.statistic,
        level=registry.protocol.level,
        method="none",
        n=0,
        control={},
        reason=entry.status,
        scope=f"none; the paper: {entry.paper_systems}",
        claims_sha256=sha256(claims),
    )
