"""Why a reading is decided as it is, in words made of its numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .verdict import Outcome, PartResult, VariantResult

__all__ = ["deciding", "explain", "notes", "number"]


def number(x: float | None) -> str:
    return "none" if x is None else f"{x:.4g}"


def _span(part: PartResult) -> str:
    if part.interval is None:
        return f"estimate {number(part.estimate)}, p = {number(part.p_value)}"
    low, high = part.interval
    return f"[{'-inf' if low is None else number(low)}, {'inf' if high is None else number(high)}]"


def explain(parts: Sequence[PartResult], outcome: Outcome, alpha: float) -> str:
    wanted = {"NOT REPRODUCED": "fails", "INCONCLUSIVE": "open", "REPRODUCED": "clears"}[outcome]
    shown = [p for p in parts if p.decision == wanted] or [deciding(parts)]
    return "; ".join(f"{p.name} {_span(p)} {_verb(p, wanted, alpha)}" for p in shown)


def _verb(p: PartResult, wanted: str, alpha: float) -> str:
    if p.decision != wanted:
        return f"leaves {p.threshold} undecided"
    if wanted == "clears":
        return f"clears {p.threshold}"
    if wanted == "open":
        return f"does not decide {p.threshold}"
    if p.form != "effect":
        return f"lies outside {p.threshold}"
    present = p.p_claim is not None and p.p_claim <= alpha
    return f"excludes an effect of {number(p.smallest)} or more" + (
        ": present, but smaller than half of the paper's" if present else ""
    )


def notes(
    parts: Sequence[PartResult], reported: Mapping[str, VariantResult], outcome: Outcome
) -> str:
    """What a reader must know beside the decision: networks without a value, draws that would
    decide otherwise."""
    missing = [
        f" {p.name}: {p.dropped} of {p.n + p.dropped} networks gave no value."
        for p in parts
        if p.dropped
    ]
    other = [
        f" With {name} it would be {r.decision} (reported, not a gate)."
        for name, r in reported.items()
        if r.decision != outcome
    ]
    return "".join(missing + other)


def deciding(parts: Sequence[PartResult]) -> PartResult:
    """The part nearest to failing: a failed one first, then an open one, then the largest p; ties:
    file order."""
    rank = {"fails": 2, "open": 1, "clears": 0}
    return max(parts, key=lambda p: (rank[p.decision], p.p_claim if p.p_claim is not None else 0.0))
