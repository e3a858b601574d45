"""From numbers to a decision: one inequality, one reading, one family. Pure and fast: the
simulations run through it.

Each inequality gives two one-sided p values: ``p_claim`` of "the claim does not hold here",
``p_not`` of "an effect worth the claim is there". A reading is a conjunction, and must survive its
variants (the other end of the face of optima, certified games only), so it has the largest p_claim
of all; it fails with its clearest failure, so p_not is the smallest of the k parts times k, and the
largest of that over the variants. Both are corrected over the systems of the family, and

    NOT REPRODUCED where p_not ≤ alpha, else REPRODUCED where p_claim ≤ alpha, else INCONCLUSIVE.

An effect that is there but smaller than the smallest one worth the claim is therefore NOT
REPRODUCED, and says so.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from .. import stats
from .registry import Protocol, Threshold
from .verdict import Outcome, Part, PartResult

__all__ = ["Family", "correct", "decide", "p_values", "smallest_effect", "weigh"]

Family = Mapping[Hashable, tuple[float, float]]
"""System → (p_claim, p_not) of one reading of one row."""


def smallest_effect(threshold: Threshold, scale: float | None) -> float | None:
    """e of an effect in its unit; None for other forms. ValueError where it is a share of a spread
    that was not given."""
    effect = threshold.effect
    if effect is None:
        return None
    if effect.smallest is not None:
        return effect.smallest
    if scale is None or not np.isfinite(scale) or scale <= 0:
        raise ValueError(
            f"part {threshold.name!r} counts effects in standard deviations across images: give "
            "scale= (above 0), "
            f"got {scale}"
        )
    return float(effect.sd * scale)


def weigh(
    part: Part, threshold: Threshold, protocol: Protocol, networks: int, given: bool = False
) -> PartResult:
    """One inequality: estimate, interval, both p values.

    networks: how many there are; too few values (``protocol.min_seeds``; ``given``: too few units)
    leave it open. ValueError for values that are not one per network, infinite ones, or the wrong
    kind of part.
    """
    if threshold.form == "test":
        return _weigh_test(part, threshold, protocol, networks)
    if part.values is None or part.pvalue is not None:
        raise ValueError(f"part {part.name!r} needs values= (one per network) and no pvalue=")
    values = np.asarray(part.values, dtype=np.float64)
    if values.shape != (networks,):
        raise ValueError(
            f"part {part.name!r} has shape {values.shape}, but there are {networks} networks: "
            "give one value per "
            "network (aggregate over units first, and give without= for the spread over units)"
        )
    if np.isinf(values).any():
        raise ValueError(
            f"part {part.name!r} is infinite for network {int(np.flatnonzero(np.isinf(values))[0])}"
        )
    if np.isnan(values).all():
        none = {
            "n": 0,
            "dropped": networks,
            "method": "no value",
            "p_claim": 1.0,
            "p_not": 1.0,
            "p_value": None,
        }
        return _result(
            threshold, None, estimate=None, interval=None, decision="open", values=values, **none
        )
    found = stats.crossed(
        values, part.without, unit_variance=part.unit_variance, n_units=part.n_units, given=given
    )
    smallest = smallest_effect(threshold, part.scale)
    claim, fails = _one_sided(found, threshold, smallest)
    if found.n_units < protocol.min_units_given if given else found.n < protocol.min_seeds:
        claim = fails = 1.0
    span = found.interval(protocol.level)
    return _result(
        threshold,
        smallest,
        estimate=found.estimate,
        interval=(span.low, span.high),
        n=found.n,
        n_units=found.n_units,
        dropped=found.dropped,
        df=found.df,
        variance={"networks": found.networks, "units": found.units},
        values=values,
        method=f"{span.method}, {protocol.level:.0%}",
        p_claim=claim,
        p_not=fails,
        decision=_decision(claim, fails, protocol),
    )


def _one_sided(found: stats.Crossed, t: Threshold, smallest: float | None) -> tuple[float, float]:
    """p_claim and p_not of an effect or a size."""
    if t.form == "effect":
        if t.direction == "above":
            return found.p_above(t.bound, t.inclusive), found.p_below(t.bound + smallest)
        return found.p_below(t.bound, t.inclusive), found.p_above(t.bound - smallest)
    inside = [found.p_above(t.low, t.inclusive)] if t.low is not None else []
    inside += [found.p_below(t.high, t.inclusive)] if t.high is not None else []
    outside = [found.p_below(t.low)] if t.low is not None else []
    outside += [found.p_above(t.high)] if t.high is not None else []
    return max(inside), min(outside)


def _weigh_test(part: Part, threshold: Threshold, protocol: Protocol, networks: int) -> PartResult:
    """A test with its own null rejects, or leaves the question open: it never speaks against the
    claim.

    Its p is rescaled, so that its own bound is the level of the other inequalities.
    """
    if part.pvalue is None or part.values is not None or not 0 <= part.pvalue <= 1:
        raise ValueError(
            f"part {part.name!r} is a test with its own null: give pvalue= in [0, 1] and no values="
        )
    claim = (
        min(1.0, part.pvalue * protocol.alpha / threshold.bound)
        if networks >= protocol.min_seeds
        else 1.0
    )
    return _result(
        threshold,
        None,
        estimate=part.estimate,
        interval=None,
        n=networks,
        dropped=0,
        method="test with its own null",
        p_claim=claim,
        p_not=1.0,
        p_value=part.pvalue,
        decision=_decision(claim, 1.0, protocol),
    )


def _result(threshold: Threshold, smallest: float | None, **rest: Any) -> PartResult:
    names = ("name", "reading", "form", "statistic", "unit", "direction", "bound", "low", "high")
    common = {key: getattr(threshold, key) for key in names}
    return PartResult(**common, threshold=threshold.text(smallest), smallest=smallest, **rest)


def _decision(claim: float, fails: float, protocol: Protocol) -> Literal["clears", "fails", "open"]:
    found = decide(claim, fails, protocol.alpha)
    return {"REPRODUCED": "clears", "NOT REPRODUCED": "fails", "INCONCLUSIVE": "open"}[found]


def decide(p_claim: float, p_not: float, alpha: float) -> Outcome:
    """The outcome of a reading from its (corrected) p values. At alpha itself a test rejects, but
    for rounding."""
    if p_not <= alpha + 1e-12:
        return "NOT REPRODUCED"
    return "REPRODUCED" if p_claim <= alpha + 1e-12 else "INCONCLUSIVE"


def p_values(analyses: Sequence[Sequence[PartResult]]) -> tuple[float, float]:
    """(p_claim, p_not) of a reading from its parts under every analysis that it must survive, the
    main one included."""
    claim = max(part.p_claim for parts in analyses for part in parts)
    fails = max(min(1.0, len(parts) * min(part.p_not for part in parts)) for parts in analyses)
    return claim, fails


def correct(
    family: Family, method: Literal["benjamini-hochberg", "holm"] = "benjamini-hochberg"
) -> dict[Hashable, tuple[float, float]]:
    """The same pairs, each direction corrected over the systems of the family."""
    adjust = stats.benjamini_hochberg if method == "benjamini-hochberg" else stats.holm
    columns = [adjust({system: pair[k] for system, pair in family.items()}) for k in (0, 1)]
    return {system: (columns[0][system], columns[1][system]) for system in family}
