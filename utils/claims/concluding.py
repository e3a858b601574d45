"""From weighed parts and corrected p values to the outcome of each reading: stored numbers only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import criteria
from .registry import ReadingName
from .verdict import Outcome, PartResult, Reading, Verdict, headline, plain
from .weighing import decide, p_values
from .wording import explain, notes

__all__ = ["outcome_of", "rejudge"]


def outcome_of(parts: Sequence[PartResult], alpha: float) -> Outcome:
    """The decision of one analysis alone, before any correction."""
    return decide(*p_values([parts]), alpha)


def _conclude(
    v: Verdict,
    name: ReadingName,
    corrected: tuple[float, float],
    holm: tuple[float, float],
    family: int,
) -> Reading:
    """A reading from its weighed parts, variants, premises and corrected p values: nothing else."""
    r, alpha = v.readings[name], (1 - v.level) / 2
    alone, decided = decide(r.p_claim, r.p_not, alpha), decide(*corrected, alpha)
    main = outcome_of(r.parts, alpha)
    failed = [
        p["reason"] for p in v.control["premises"] if not p["ok"] and p["reading"] in (None, name)
    ]
    differing = [
        f"with {other} it is {x.decision}" for other, x in r.variants.items() if x.decision != main
    ]
    cause, to_settle = None, None
    if failed:
        outcome, cause, reason = "INCONCLUSIVE", "premise", f"{'; '.join(failed)}."
        to_settle = "what the premise names"
    elif decided != "INCONCLUSIVE":
        outcome, reason = decided, f"{explain(r.parts, decided, alpha)}."
    elif differing and main != "INCONCLUSIVE":
        outcome, cause = "INCONCLUSIVE", "not identified"
        reason = (
            f"not identified: {main} in the main analysis "
            f"({explain(r.parts, main, alpha)}), but {', '.join(differing)}."
        )
        to_settle = "no number of networks or images: the analyses disagree"
    else:
        outcome, cause = "INCONCLUSIVE", "power"
        reason = f"{explain(r.parts, 'INCONCLUSIVE', alpha)}."
        if alone != "INCONCLUSIVE":
            reason = f"{alone} alone, but not after the correction over {family} systems."
        elif differing:
            reason += f" Its variants: {', '.join(differing)}."
        cause, to_settle = criteria.settle(r.simulated)
    rest = {
        "outcome": outcome,
        "cause": cause,
        "to_settle": to_settle,
        "reason": reason + notes(r.parts, r.reported, outcome),
        "p_claim_corrected": corrected[0],
        "p_not_corrected": corrected[1],
        "family": family,
        "holm": "INCONCLUSIVE" if failed else decide(*holm, alpha),
    }
    return r.model_copy(update=plain(rest))


def rejudge(
    v: Verdict,
    corrected: Mapping[ReadingName, tuple[float, float]],
    holm: Mapping[ReadingName, tuple[float, float]],
    family: Mapping[ReadingName, int],
) -> Verdict:
    """The verdict under a correction over its family, from stored numbers only: idempotent."""
    readings = {
        name: _conclude(v, name, corrected[name], holm[name], family[name]) for name in v.readings
    }
    stated, specific = (
        readings[name].outcome if name in readings else None for name in ("as_stated", "specific")
    )
    reason = " ".join(f"{_READS[name]}: {r.outcome}. {r.reason}" for name, r in readings.items())
    reason += "".join(
        f" {_READS[name]}: not judged, {why}."
        for name, why in v.control.get("not judged", {}).items()
    )
    found = {
        **v.model_dump(),
        "verdict": headline(stated, specific),
        "as_stated": stated,
        "specific": specific,
        "readings": readings,
        "reason": reason,
    }
    again = Verdict(**found)
    again._units = v._units
    return again


_READS = {"as_stated": "As stated", "specific": "Specific"}
