"""From one value per network to a verdict: what is compared, which premises and variants it must
survive, and why.

A row has one or two readings (protocol 6.1): *as stated*, the paper's own statistic on this system,
and *specific*, the same beyond its null. Each is a conjunction of inequalities, weighed by
:mod:`utils.claims.weighing`; it is INCONCLUSIVE where a premise fails or its criterion has not been
simulated. Verdicts are pure data: the same numbers give the same bytes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .. import stats
from . import criteria
from .registry import Protocol, ReadingName, Registry, Row, Threshold, load, sha256
from .verdict import (
    JUDGED,
    Outcome,
    Part,
    PartResult,
    Premise,
    Reading,
    VariantResult,
    Verdict,
    headline,
    plain,
)
from .weighing import decide, p_values, weigh

__all__ = [
    "criterion",
    "demonstrate",
    "describe",
    "judge",
    "judge_identity",
    "judge_numerical",
    "rejudge",
    "unjudged",
]

Parts = Sequence[Part]
_RESERVED = ("premises", "criterion", "seeds", "not judged")
_FUNCTION = {
    "empirical": "judge",
    "identity": "judge_identity",
    "numerical": "judge_numerical",
    "described": "describe",
    "demonstration": "demonstrate",
}


@dataclass(frozen=True)
class _Case:
    """What is judged: a row of a registry on one system, and the words that go into the verdict."""

    row: str
    system: str
    scope: str
    control: Mapping[str, Any] | None
    figure: str | None
    claims: Path | str | None
    kind: str
    floor: float | None = None
    measure: str = "test accuracy"

    def __post_init__(self) -> None:
        if self.entry.kind != self.kind:
            raise ValueError(
                f"{self.row} is a row of kind {self.entry.kind}: use {_FUNCTION[self.entry.kind]}()"
            )
        if not re.fullmatch(r"[a-z0-9.+_-]+(/[a-z0-9.+_-]+)+", self.system) or "__" in self.system:
            raise ValueError(
                f"a system is written network/data, e.g. lenet/mnist_part, got {self.system!r}"
            )
        if not self.scope.strip():
            raise ValueError(
                "scope= must say for what the verdict speaks, e.g. 'these 5 seeds of LeNet, "
                "MNIST part'"
            )
        taken = sorted(set(self.control or {}) & set(_RESERVED))
        if taken:
            raise ValueError(
                f"control= may not use the names {taken}: they are written by the judge"
            )

    @functools.cached_property
    def registry(self) -> Registry:
        return load(self.claims)

    @property
    def entry(self) -> Row:
        return self.registry.row(self.row)

    @property
    def protocol(self) -> Protocol:
        return self.registry.protocol

    def thresholds(self, given: Sequence[str]) -> dict[str, Threshold]:
        """The thresholds for this system, each named exactly once in ``given``: a forgotten null is
        an error."""
        found = self.entry.thresholds_for(self.system)
        if not found:
            raise ValueError(
                f"{self.row} has no threshold for {self.system}: register one in claims.yaml "
                "before the run"
            )
        if sorted(given) != sorted(found):
            text = f"{self.row} on {self.system} is decided by {sorted(found)}, got {sorted(given)}"
            raise ValueError(f"{text}: give each of them once")
        return found

    def weigh(
        self, parts: Parts, seeds: Sequence[int], given: bool
    ) -> dict[ReadingName, list[PartResult]]:
        """All inequalities of the row, in the registry's order, by the reading that they belong
        to."""
        thresholds = self.thresholds([part.name for part in parts])
        named = {part.name: part for part in parts}
        found: dict[ReadingName, list[PartResult]] = {
            name: [] for name in self.entry.readings(self.system)
        }
        for name, threshold in thresholds.items():
            found[threshold.reading].append(
                weigh(named[name], threshold, self.protocol, len(seeds), given)
            )
        return found

    def verdict(
        self,
        deciding: list[PartResult],
        outcome: str,
        reason: str,
        extra: Mapping[str, Any],
        **rest: Any,
    ) -> Verdict:
        """Registry fields, the deciding part's numbers, and everything it was compared with."""
        return Verdict(
            row=self.row,
            system=self.system,
            kind=self.entry.kind,
            status=JUDGED,
            paper=_citation(self.registry, self.entry),
            figure=self.figure or self.entry.figure,
            verdict=outcome,
            level=self.protocol.level,
            control={
                **(self.control or {}),
                **extra,
                "criterion": criterion(self.registry, self.row, self.system, self.floor),
            },
            reason=reason,
            scope=self.scope,
            claims_sha256=sha256(self.claims),
            **_shown(deciding),
            **rest,
        )

    def shown(self, statement: str, n: int, status: str) -> Verdict:
        """A row without thresholds: what was seen, in a sentence."""
        return Verdict(
            row=self.row,
            system=self.system,
            kind=self.entry.kind,
            status=status,
            paper=_citation(self.registry, self.entry),
            figure=self.figure or self.entry.figure,
            verdict=None,
            statistic=self.entry.statistic,
            level=self.protocol.level,
            method=f"{status}, no test",
            n=n,
            control=plain(
                {
                    **(self.control or {}),
                    "criterion": criterion(self.registry, self.row, self.system, self.floor),
                }
            ),
            reason=statement,
            scope=self.scope,
            claims_sha256=sha256(self.claims),
        )


def _shown(parts: Sequence[PartResult]) -> dict[str, Any]:
    worst = _deciding(parts)
    return {
        "statistic": f"{worst.name}: {worst.statistic}",
        "estimate": worst.estimate,
        "interval": worst.interval,
        "method": worst.method,
        "n": worst.n,
        "n_units": worst.n_units,
        "unit": worst.unit,
        "threshold": worst.threshold,
    }


def criterion(registry: Registry, row: str, system: str, floor: float | None) -> dict[str, Any]:
    """Everything in claims.yaml that can change this verdict, kept in each: thresholds and, where
    intervals decide, the protocol and the ``floor`` of the system below which nothing is
    concluded."""
    entry = registry.row(row)
    found: dict[str, Any] = {
        "thresholds": [
            t.model_dump(exclude={"systems"}) for t in entry.thresholds_for(system).values()
        ]
    }
    if entry.kind == "empirical":
        found |= {
            "min_accuracy": floor if entry.needs_accuracy else None,
            "protocol": registry.protocol.model_dump(exclude={"note"}),
            "uses_split": entry.uses_split,
            "order_based": entry.order_based,
            "seen": entry.seen,
        }
    return plain(found)


def _citation(registry: Registry, entry: Row) -> str:
    return f"{entry.paper}: {registry.papers[entry.paper].citation}"


def _deciding(parts: Sequence[PartResult]) -> PartResult:
    """The part nearest to failing: a failed one first, then an open one, then the largest p; ties:
    file order."""
    rank = {"fails": 2, "open": 1, "clears": 0}
    return max(parts, key=lambda p: (rank[p.decision], p.p_claim if p.p_claim is not None else 0.0))


def _outcome(parts: Sequence[PartResult], alpha: float) -> Outcome:
    """The decision of one analysis alone, before any correction."""
    return decide(*p_values([parts]), alpha)


def _number(x: float | None) -> str:
    return "none" if x is None else f"{x:.4g}"


def _span(part: PartResult) -> str:
    if part.interval is None:
        return f"estimate {_number(part.estimate)}, p = {_number(part.p_value)}"
    low, high = part.interval
    return (
        f"[{'-inf' if low is None else _number(low)}, {'inf' if high is None else _number(high)}]"
    )


def _explain(parts: Sequence[PartResult], outcome: Outcome, alpha: float) -> str:
    wanted = {"NOT REPRODUCED": "fails", "INCONCLUSIVE": "open", "REPRODUCED": "clears"}[outcome]
    shown = [p for p in parts if p.decision == wanted] or [_deciding(parts)]
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
    return f"excludes an effect of {_number(p.smallest)} or more" + (
        ": present, but smaller than half of the paper's" if present else ""
    )


def _notes(
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
    main = _outcome(r.parts, alpha)
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
        outcome, reason = decided, f"{_explain(r.parts, decided, alpha)}."
    elif differing and main != "INCONCLUSIVE":
        outcome, cause = "INCONCLUSIVE", "not identified"
        reason = (
            f"not identified: {main} in the main analysis "
            f"({_explain(r.parts, main, alpha)}), but {', '.join(differing)}."
        )
        to_settle = "no number of networks or images: the analyses disagree"
    else:
        outcome, cause = "INCONCLUSIVE", "power"
        reason = f"{_explain(r.parts, 'INCONCLUSIVE', alpha)}."
        if alone != "INCONCLUSIVE":
            reason = f"{alone} alone, but not after the correction over {family} systems."
        elif differing:
            reason += f" Its variants: {', '.join(differing)}."
        cause, to_settle = criteria.settle(r.simulated)
    rest = {
        "outcome": outcome,
        "cause": cause,
        "to_settle": to_settle,
        "reason": reason + _notes(r.parts, r.reported, outcome),
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


def _premises(
    case: _Case, parts: Sequence[PartResult], accuracy: Any, uncertified: float | None, given: bool
) -> list[Premise]:
    """Those that every row has: networks (or units), certificates, accuracy."""
    fewest, protocol = min(parts, key=lambda p: p.n), case.protocol
    if given:
        units = min(p.n_units for p in parts)
        text = (
            f"at least {protocol.min_units_given} units are needed for one given "
            f"network, there are {units}"
        )
        found = [Premise("units", units >= protocol.min_units_given, text)]
    else:
        text = f"at least {protocol.min_seeds} networks are needed, {fewest.name} has {fewest.n}"
        found = [Premise("seeds", fewest.n >= protocol.min_seeds, text)]
    if case.entry.uses_split:
        if uncertified is None or not 0 <= uncertified <= 1:
            raise ValueError(
                "uncertified= is needed: the share (0 to 1) of games that the split left above "
                "tolerance"
            )
        text = (
            f"{uncertified:.1%} of the games are uncertified, at most "
            f"{protocol.uncertified_limit:.0%} may be"
        )
        found.append(Premise("certified", bool(uncertified <= protocol.uncertified_limit), text))
    if case.entry.needs_accuracy:
        found.append(_accuracy(case, accuracy))
    return found


def _accuracy(case: _Case, accuracy: Any) -> Premise:
    if accuracy is None:
        raise ValueError(f"accuracy= is needed: the {case.measure} of each seed's network")
    values = np.asarray(accuracy, dtype=np.float64).reshape(-1)
    if not len(values) or not (values <= 1).all():
        raise ValueError(f"accuracies must be at most 1, got {values}")
    if case.floor is None:
        raise ValueError(
            f"floor= is needed: the {case.measure} below which {case.row} concludes nothing on "
            f"{case.system}"
        )
    text = f"the lowest {case.measure} is {values.min():.3f}, at least {case.floor:.3f} is needed"
    return Premise("accuracy", bool(values.min() >= case.floor), text)


def _check_variants(case: _Case, given: Mapping[str, Parts], uncertified: float | None) -> None:
    protocol = case.protocol
    if case.entry.order_based and protocol.order_variant not in given:
        text = (
            f"variants= must have {protocol.order_variant!r} (the other end of the face of optima)"
        )
        raise ValueError(f"{case.row} is based on orders: {text}")
    if case.entry.uses_split and uncertified and protocol.certified_variant not in given:
        raise ValueError(
            f"some games are uncertified: variants= must have {protocol.certified_variant!r}"
        )


def _variant(
    parts: Sequence[PartResult], main: Sequence[PartResult], protocol: Protocol
) -> VariantResult:
    pairs = [
        (a, b)
        for a, b in zip(parts, main, strict=True)
        if a.estimate is not None and b.estimate is not None
    ]
    return VariantResult(
        decision=_outcome(parts, protocol.alpha),
        parts=list(parts),
        spread={a.name: a.estimate - b.estimate for a, b in pairs},
    )


def _units_table(
    parts: Parts, thresholds: Mapping[str, Threshold], seeds: Sequence[int]
) -> pd.DataFrame:
    """Each network's value of each unit (a pseudo-value where the statistic is no mean), for the
    figure's twin."""
    pieces = []
    for part in parts:
        if part.without is not None:
            table = stats.pseudo_values(part.values, part.without)
            networks, units = table.shape
            pieces.append(
                pd.DataFrame(
                    {
                        "reading": thresholds[part.name].reading,
                        "part": part.name,
                        "seed": np.repeat(list(seeds), units),
                        "unit": np.tile(np.arange(units), networks),
                        "value": table.reshape(-1),
                    }
                )
            )
    columns = ["reading", "part", "seed", "unit", "value"]
    return pd.concat(pieces, ignore_index=True) if pieces else pd.DataFrame(columns=columns)


def judge(
    row: str,
    system: str,
    parts: Parts,
    *,
    seeds: Sequence[int],
    scope: str,
    accuracy: ArrayLike | None = None,
    floor: float | None = None,
    measure: str = "test accuracy",
    system_sha256: str | None = None,
    uncertified: float | None = None,
    variants: Mapping[str, Parts] | None = None,
    reported: Mapping[str, Parts] | None = None,
    premises: Sequence[Premise] = (),
    control: Mapping[str, Any] | None = None,
    figure: str | None = None,
    given: bool = False,
    changed: str | None = None,
    claims: Path | str | None = None,
) -> Verdict:
    """Judge one empirical row on one system (network/data), both readings.

    parts: one :class:`Part` per threshold of the row that applies to ``system``, whichever reading
    it belongs to. seeds: the seeds, in the order of the values. accuracy: test accuracy per seed
    (rows that need it), ``measure`` in words; floor: below it nothing is concluded; both are of the
    system. uncertified: share of games above the split's tolerance (rows with ``uses_split``).
    variants: the same parts under analyses that must agree (claims.yaml names those required).
    reported: the same parts under analyses whose spread is shown without gating (a second draw of
    players). premises: the row's own. control: what the claim was compared with (null estimates,
    settings), any plain data. scope: for what it speaks. given: the networks are not a sample of
    trainings (weights from others): the units alone are. changed: a parameter that changes the
    registered statistic, in words ("mass 0.5 instead of 0.9"): the numbers are a sensitivity then
    and get no verdict.

    The correction here is over this system alone; :func:`utils.claims.finalise` corrects over a
    whole run. A reading whose criterion was not simulated, or failed its simulation, is not judged.
    Raises ValueError for a missing or unknown part, a required variant left out, values that are
    not one per seed, a row of another kind.
    """
    case = _Case(
        *(row, system, scope, control, figure, claims, "empirical"),
        *(floor, measure),
    )
    if len(set(seeds)) != len(seeds) or not len(seeds):
        raise ValueError(f"seeds must be distinct and at least one, got {list(seeds)}")
    main = case.weigh(parts, seeds, given)
    _check_variants(case, variants or {}, uncertified)
    gates = {name: case.weigh(p, seeds, given) for name, p in (variants or {}).items()}
    shown = {name: case.weigh(p, seeds, given) for name, p in (reported or {}).items()}
    every = [p for weighed in main.values() for p in weighed]
    extra = {
        "premises": [*_premises(case, every, accuracy, uncertified, given), *premises],
        "seeds": [int(seed) for seed in seeds],
    }
    if changed:
        numbers = {
            p.name: {"estimate": p.estimate, "interval": p.interval, "unit": p.unit} for p in every
        }
        found = case.shown(
            f"A sensitivity, not the row's verdict: {changed}.", len(seeds), "criterion: changed"
        )
        return found.model_copy(
            update={
                "control": plain({**found.control, **extra, "numbers": numbers, "changed": changed})
            }
        )
    unfit = {
        name: why for name, (ok, why) in ((n, criteria.fit(row, n, claims)) for n in main) if not ok
    }
    if unfit:
        extra["not judged"] = unfit
    if "as_stated" in unfit:
        return case.shown(f"Not judged: {unfit['as_stated']}.", len(seeds), "not judged")
    readings = {}
    for name, weighed in main.items():
        if name in unfit:
            continue
        p_claim, p_not = p_values([weighed, *(g[name] for g in gates.values())])
        readings[name] = Reading(
            outcome="INCONCLUSIVE",
            reason="not concluded",
            parts=weighed,
            p_claim=p_claim,
            p_not=p_not,
            variants={g: _variant(w[name], weighed, case.protocol) for g, w in gates.items()},
            reported={g: _variant(w[name], weighed, case.protocol) for g, w in shown.items()},
            simulated=criteria.simulated(row, name, claims),
        )
    found = case.verdict(
        main["as_stated"],
        "INCONCLUSIVE",
        "not concluded",
        extra,
        readings=readings,
        as_stated="INCONCLUSIVE",
    )
    found._units = _units_table(parts, case.thresholds([part.name for part in parts]), seeds)
    alone = {name: (r.p_claim, r.p_not) for name, r in readings.items()}
    return rejudge(found, alone, alone, {name: 1 for name in readings})


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
    case = _Case(row, system, scope, control, figure, claims, "identity")
    parts = [_largest(t, errors[name]) for name, t in case.thresholds(list(errors)).items()]
    broken = [p for p in parts if p.decision == "fails"]
    shown = "; ".join(
        f"{p.name}: largest error {_number(p.estimate)} ({p.threshold})" for p in broken or parts
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
    case = _Case(row, system, scope, control, figure, claims, "numerical")
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
    return _Case(row, system, scope, control, figure, claims, "described").shown(
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
    return _Case(row, system, scope, control, figure, claims, "demonstration").shown(
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
        paper=_citation(registry, entry),
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
