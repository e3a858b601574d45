"""From one value per seed to a verdict: what is compared, which premises and variants it must survive, and why.

A row is a conjunction of inequalities (its thresholds). Each becomes a t interval across seeds. The row is

- INCONCLUSIVE where a premise fails (too few seeds, accuracy, certificates, a premise of its own), or where a variant
  of the analysis (the other end of the face of optima, uncertified games left out) decides otherwise,
- NOT REPRODUCED where some inequality's interval lies wholly on the other side of its bound,
- REPRODUCED where every interval clears its bound and Holm's correction over the paper's rows rejects as well,
- INCONCLUSIVE otherwise.

The p value that enters Holm is the largest of all parts, those of the variants included, since the verdict claims all
of them (an intersection-union test). Verdicts are pure data: the same numbers give the same bytes.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from .. import stats
from .registry import Protocol, Registry, Row, Threshold, load, sha256
from .verdict import DESCRIBED, JUDGED, Outcome, Part, PartResult, Premise, VariantResult, Verdict, plain

__all__ = ["criterion", "describe", "judge", "judge_identity", "judge_numerical", "rejudge", "unjudged"]

Parts = Sequence[Part]
_RESERVED = ("premises", "reported", "criterion", "holm", "seeds")
_FUNCTION = {"empirical": "judge", "identity": "judge_identity", "numerical": "judge_numerical", "qualitative": "describe"}


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

    def __post_init__(self) -> None:
        if self.entry.kind != self.kind:
            raise ValueError(f"{self.row} is a row of kind {self.entry.kind}: use {_FUNCTION[self.entry.kind]}()")
        if not re.fullmatch(r"[a-z0-9.+_-]+(/[a-z0-9.+_-]+)+", self.system) or "__" in self.system:
            raise ValueError(f"a system is written network/data, e.g. lenet/mnist_part, got {self.system!r}")
        if not self.scope.strip():
            raise ValueError("scope= must say for what the verdict speaks, e.g. 'these 5 seeds of LeNet, MNIST part'")
        taken = sorted(set(self.control or {}) & set(_RESERVED))
        if taken:
            raise ValueError(f"control= may not use the names {taken}: they are written by the judge")

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
        """The thresholds for this system, each named exactly once in ``given``: a forgotten null is an error."""
        found = self.entry.thresholds_for(self.system)
        if not found:
            raise ValueError(
                f"{self.row} has no threshold for {self.system}: register one in claims.yaml before the run"
            )
        if sorted(given) != sorted(found):
            text = f"{self.row} on {self.system} is decided by {sorted(found)}, got {sorted(given)}"
            raise ValueError(f"{text}: give each of them once")
        return found

    def weigh(self, parts: Parts, seeds: Sequence[int]) -> list[PartResult]:
        """All inequalities of the row, in the registry's order."""
        thresholds = self.thresholds([part.name for part in parts])
        given = {part.name: part for part in parts}
        return [_weigh(given[name], threshold, self.protocol, seeds) for name, threshold in thresholds.items()]

    def verdict(self, parts: list[PartResult], outcome: str, reason: str, extra: Mapping[str, Any]) -> Verdict:
        """Registry fields, the deciding part's numbers, and everything it was compared with."""
        worst = _deciding(parts)
        return Verdict(
            row=self.row,
            system=self.system,
            kind=self.entry.kind,
            status=JUDGED,
            paper=_citation(self.registry, self.entry),
            figure=self.figure or self.entry.figure,
            verdict=outcome,
            statistic=f"{worst.name}: {worst.statistic}",
            estimate=worst.estimate,
            interval=worst.interval,
            level=self.protocol.level,
            method=worst.method,
            n=worst.n,
            unit=worst.unit,
            threshold=worst.threshold,
            control={**(self.control or {}), **extra, "criterion": criterion(self.registry, self.row, self.system)},
            reason=reason,
            scope=self.scope,
            claims_sha256=sha256(self.claims),
            parts=parts,
        )


def criterion(registry: Registry, row: str, system: str) -> dict[str, Any]:
    """Everything in claims.yaml that can change this verdict: thresholds, accuracy, protocol. Kept in each verdict."""
    entry = registry.row(row)
    accuracy = entry.min_accuracy.get(system)
    return plain(
        {
            "thresholds": [t.model_dump(exclude={"systems"}) for t in entry.thresholds_for(system).values()],
            "min_accuracy": accuracy.value if accuracy else None,
            "protocol": registry.protocol.model_dump(exclude={"note"}),
            "uses_split": entry.uses_split,
            "order_based": entry.order_based,
        }
    )


def _citation(registry: Registry, entry: Row) -> str:
    return f"{entry.paper}: {registry.papers[entry.paper].citation}"


def _deciding(parts: Sequence[PartResult]) -> PartResult:
    """The part nearest to failing: a failed one first, then an open one, then the largest p; ties: file order."""
    rank = {"fails": 2, "open": 1, "clears": 0}
    return max(parts, key=lambda p: (rank[p.decision], p.p_value if p.p_value is not None else 0.0))


def _weigh(part: Part, threshold: Threshold, protocol: Protocol, seeds: Sequence[int]) -> PartResult:
    """One inequality: interval, directed p and whether it clears its bound."""
    if threshold.by == "p":
        return _weigh_test(part, threshold, protocol, seeds)
    if part.values is None or part.pvalue is not None:
        raise ValueError(f"part {part.name!r} needs values= (one per seed) and no pvalue=")
    values = _seed_values(part, seeds)
    n = int(np.isfinite(values).sum())
    rest = {"n": n, "dropped": len(values) - n, "method": f"t interval across seeds, {protocol.level:.0%}"}
    if n == 0:
        return _result(threshold, **rest, estimate=None, interval=None, p_value=1.0, decision="open")
    found = stats.t_interval(values, protocol.level)
    p = stats.directed_pvalue(values, threshold.bound, threshold.direction, threshold.inclusive)
    decision = _decision(found, threshold) if n >= protocol.min_seeds else "open"
    interval = (found.low, found.high)
    return _result(threshold, **rest, estimate=found.estimate, interval=interval, p_value=p, decision=decision)


def _weigh_test(part: Part, threshold: Threshold, protocol: Protocol, seeds: Sequence[int]) -> PartResult:
    """A test with its own null either rejects or leaves the question open: it never speaks against the claim."""
    if part.pvalue is None or part.values is not None or not 0 <= part.pvalue <= 1:
        raise ValueError(f"part {part.name!r} is a test with its own null: give pvalue= in [0, 1] and no values=")
    decision = "clears" if part.pvalue <= threshold.bound and len(seeds) >= protocol.min_seeds else "open"
    rest = {"interval": None, "n": len(seeds), "dropped": 0, "method": "test with its own null"}
    return _result(threshold, **rest, estimate=part.estimate, p_value=part.pvalue, decision=decision)


def _result(threshold: Threshold, **rest: Any) -> PartResult:
    common = {key: getattr(threshold, key) for key in ("name", "statistic", "unit", "direction", "bound")}
    return PartResult(**common, threshold=threshold.text(), **rest)


def _seed_values(part: Part, seeds: Sequence[int]) -> np.ndarray:
    values = np.asarray(part.values, dtype=np.float64)
    if values.shape != (len(seeds),):
        raise ValueError(
            f"part {part.name!r} has shape {values.shape}, but there are {len(seeds)} seeds: give one value per seed "
            "(aggregate over samples first; the seed axis is the unit of replication)"
        )
    if np.isinf(values).any():
        raise ValueError(f"part {part.name!r} is infinite at seed {seeds[int(np.flatnonzero(np.isinf(values))[0])]}")
    return values


def _decision(found: stats.Interval, threshold: Threshold) -> Literal["clears", "fails", "open"]:
    flip = 1.0 if threshold.direction == "above" else -1.0
    low, high = sorted((flip * found.low, flip * found.high))
    bound = flip * threshold.bound
    if low > bound or (threshold.inclusive and low == bound):
        return "clears"
    return "fails" if high < bound else "open"


def _outcome(parts: Sequence[PartResult]) -> Outcome:
    """The decision by intervals alone, before any correction."""
    if any(part.decision == "fails" for part in parts):
        return "NOT REPRODUCED"
    return "REPRODUCED" if all(part.decision == "clears" for part in parts) else "INCONCLUSIVE"


def _number(x: float | None) -> str:
    return "none" if x is None else f"{x:.4g}"


def _span(part: PartResult) -> str:
    if part.interval is None:
        return f"estimate {_number(part.estimate)}, p = {_number(part.p_value)}"
    low, high = part.interval
    return f"[{'-inf' if low is None else _number(low)}, {'inf' if high is None else _number(high)}]"


def _explain(parts: Sequence[PartResult], outcome: Outcome) -> str:
    wanted = {"NOT REPRODUCED": "fails", "INCONCLUSIVE": "open", "REPRODUCED": "clears"}[outcome]
    verb = {"fails": "lies wholly on the other side of", "open": "does not clear", "clears": "clears"}[wanted]
    return "; ".join(f"{p.name} {_span(p)} {verb} {p.threshold}" for p in parts if p.decision == wanted)


def _notes(v: Verdict, outcome: Outcome) -> str:
    """What a reader must know beside the decision: seeds without a value, draws that would decide otherwise."""
    missing = [f" {p.name}: {p.dropped} of {p.n + p.dropped} seeds gave no value." for p in v.parts if p.dropped]
    other = [
        f" With {name} it would be {r['decision']} (reported, not a gate)."
        for name, r in v.control["reported"].items()
        if r["decision"] != outcome
    ]
    return "".join(missing + other)


def _conclude(v: Verdict, p_holm: float, family: int) -> tuple[Outcome, str]:
    """Verdict and reason from the weighed parts, the variants, the premises and the corrected p: nothing else."""
    outcome, alpha = _outcome(v.parts), 1 - v.level
    failed = [p["reason"] for p in v.control["premises"] if not p["ok"]]
    differing = [f"with {name} it is {r.decision}" for name, r in v.variants.items() if r.decision != outcome]
    notes = _notes(v, outcome)
    if failed:
        return "INCONCLUSIVE", f"{'; '.join(failed)}.{notes}"
    if differing:
        main = f"{outcome} in the main analysis ({_explain(v.parts, outcome)})"
        return "INCONCLUSIVE", f"not identified: {main}, but {', '.join(differing)}.{notes}"
    if outcome == "REPRODUCED" and p_holm > alpha + 1e-12:
        text = f"every interval clears its bound, but Holm's p over {family} tests of this paper is {p_holm:.3g}"
        return "INCONCLUSIVE", f"{text} > {alpha:.2g}.{notes}"
    return outcome, f"{_explain(v.parts, outcome)}.{notes}"


def rejudge(v: Verdict, p_holm: float, family: int) -> Verdict:
    """The verdict under Holm's correction over ``family`` tests, from stored numbers only: idempotent."""
    corrected = plain(float(p_holm))
    outcome, reason = _conclude(v, corrected, family)
    control = {**v.control, "holm": {"tests_of_this_paper_in_this_run": family}}
    return Verdict(**{**v.model_dump(), "verdict": outcome, "reason": reason, "p_holm": corrected, "control": control})


def _premises(case: _Case, parts: Sequence[PartResult], accuracy: Any, uncertified: float | None) -> list[Premise]:
    """Those that every row has: seeds, certificates, accuracy."""
    fewest, protocol = min(parts, key=lambda p: p.n), case.protocol
    text = f"at least {protocol.min_seeds} seeds are needed, {fewest.name} has {fewest.n}"
    found = [Premise("seeds", fewest.n >= protocol.min_seeds, text)]
    if case.entry.uses_split:
        if uncertified is None or not 0 <= uncertified <= 1:
            raise ValueError("uncertified= is needed: the share (0 to 1) of games that the split left above tolerance")
        text = f"{uncertified:.1%} of the games are uncertified, at most {protocol.uncertified_limit:.0%} may be"
        found.append(Premise("certified", bool(uncertified <= protocol.uncertified_limit), text))
    if case.entry.min_accuracy:
        found.append(_accuracy(case, accuracy))
    return found


def _accuracy(case: _Case, accuracy: Any) -> Premise:
    if accuracy is None:
        raise ValueError("accuracy= is needed: the test accuracy of each seed's network (0 to 1)")
    values = np.asarray(accuracy, dtype=np.float64).reshape(-1)
    if not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"accuracies must lie in [0, 1], got {values}")
    needed = case.entry.min_accuracy.get(case.system)
    if needed is None:
        text = (
            f"no min_accuracy is registered for {case.system}: add it to claims.yaml, with its source, before the run"
        )
        return Premise("accuracy", False, text)
    text = f"the lowest test accuracy is {values.min():.3f}, at least {needed.value:.3f} is needed"
    return Premise("accuracy", bool(values.min() >= needed.value), text)


def _check_variants(case: _Case, given: Mapping[str, Parts], uncertified: float | None) -> None:
    protocol = case.protocol
    if case.entry.order_based and protocol.order_variant not in given:
        text = f"variants= must have {protocol.order_variant!r} (the other end of the face of optima)"
        raise ValueError(f"{case.row} is based on orders: {text}")
    if case.entry.uses_split and uncertified and protocol.certified_variant not in given:
        raise ValueError(f"some games are uncertified: variants= must have {protocol.certified_variant!r}")


def _variants(
    case: _Case, given: Mapping[str, Parts], seeds: Sequence[int], main: Sequence[PartResult]
) -> dict[str, VariantResult]:
    found = {}
    for name, parts in given.items():
        weighed = case.weigh(parts, seeds)
        pairs = [
            (a, b) for a, b in zip(weighed, main, strict=True) if a.estimate is not None and b.estimate is not None
        ]
        spread = {a.name: a.estimate - b.estimate for a, b in pairs}
        found[name] = VariantResult(decision=_outcome(weighed), parts=weighed, spread=spread)
    return found


def judge(
    row: str,
    system: str,
    parts: Parts,
    *,
    seeds: Sequence[int],
    scope: str,
    accuracy: ArrayLike | None = None,
    uncertified: float | None = None,
    variants: Mapping[str, Parts] | None = None,
    reported: Mapping[str, Parts] | None = None,
    premises: Sequence[Premise] = (),
    control: Mapping[str, Any] | None = None,
    figure: str | None = None,
    claims: Path | str | None = None,
) -> Verdict:
    """Judge one empirical row on one system (network/data).

    parts: one :class:`Part` per threshold of the row that applies to ``system``, each with one value per seed.
    seeds: the seeds, in the order of the values. accuracy: test accuracy per seed (rows with ``min_accuracy``).
    uncertified: share of games above the split's tolerance (rows with ``uses_split``).
    variants: the same parts under analyses that must agree (claims.yaml names those required). reported: the same parts
    under analyses whose spread is shown without gating (a second draw of players). premises: the row's own.
    control: what the claim was compared with (null estimates, settings), any plain data. scope: for what it speaks.

    Holm here is over this row alone; :func:`utils.claims.finalise` corrects over a whole run. Raises ValueError for a
    missing or unknown part, a required variant left out, values that are not one per seed, a row of another kind.
    """
    case = _Case(row, system, scope, control, figure, claims, "empirical")
    if len(set(seeds)) != len(seeds) or not len(seeds):
        raise ValueError(f"seeds must be distinct and at least one, got {list(seeds)}")
    main = case.weigh(parts, seeds)
    _check_variants(case, variants or {}, uncertified)
    gates = _variants(case, variants or {}, seeds, main)
    extra = {
        "premises": [*_premises(case, main, accuracy, uncertified), *premises],
        "reported": _variants(case, reported or {}, seeds, main),
        "seeds": [int(seed) for seed in seeds],
    }
    p_value = max(p.p_value for p in [*main, *(p for r in gates.values() for p in r.parts)])
    weighed = case.verdict(main, "INCONCLUSIVE", "not concluded", extra)
    return rejudge(weighed.model_copy(update={"p_value": p_value, "variants": gates}), p_value, 1)


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
    """EXACT where the largest absolute error of every threshold is below its bound, else BROKEN (a bug, not science).

    errors: threshold name -> array of errors of any shape (all games, all masks). A NaN is BROKEN. Outside every tally
    and correction.
    """
    case = _Case(row, system, scope, control, figure, claims, "identity")
    parts = [_largest(t, errors[name]) for name, t in case.thresholds(list(errors)).items()]
    broken = [p for p in parts if p.decision == "fails"]
    shown = "; ".join(f"{p.name}: largest error {_number(p.estimate)} ({p.threshold})" for p in broken or parts)
    return case.verdict(parts, "BROKEN" if broken else "EXACT", f"{shown}.", {})


def _largest(threshold: Threshold, errors: ArrayLike) -> PartResult:
    values = np.abs(np.asarray(errors, dtype=np.float64)).reshape(-1)
    if not len(values):
        raise ValueError(f"no errors were given for {threshold.name!r}")
    return _point(threshold, float(values.max()), len(values), "largest absolute error")  # NaN if any is: BROKEN


def _point(threshold: Threshold, estimate: float, n: int, method: str) -> PartResult:
    holds = estimate > threshold.bound if threshold.direction == "above" else estimate < threshold.bound
    decision = "clears" if holds or (threshold.inclusive and estimate == threshold.bound) else "fails"
    rest = {"interval": None, "dropped": 0, "p_value": None, "method": method, "decision": decision}
    return _result(threshold, estimate=estimate, n=n, **rest)


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
    """A statement about numbers that were computed, not sampled: REPRODUCED where every inequality holds on the grid.

    values: threshold name -> number; statement: the sentence generated from the grid (what was computed and what holds
    there), n: grid points. No interval, no p value, outside the correction. A number that is not finite: ValueError.
    """
    case = _Case(row, system, scope, control, figure, claims, "numerical")
    thresholds = case.thresholds(list(values))
    if not all(math.isfinite(float(x)) for x in values.values()):
        raise ValueError(f"{row}: every value must be finite, got {dict(values)}")
    parts = [_point(t, float(values[name]), n, "computed on the stated grid") for name, t in thresholds.items()]
    outcome = "REPRODUCED" if all(p.decision == "clears" for p in parts) else "NOT REPRODUCED"
    return case.verdict(parts, outcome, statement, {})


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
    """A qualitative row on one system: what was seen, in a sentence made from the numbers in ``control``; no verdict.

    n: how many networks or samples the description rests on.
    """
    case = _Case(row, system, scope, control, figure, claims, "qualitative")
    return Verdict(
        row=row,
        system=system,
        kind=case.entry.kind,
        status=DESCRIBED,
        paper=_citation(case.registry, case.entry),
        figure=case.figure or case.entry.figure,
        verdict=None,
        statistic=case.entry.statistic,
        level=case.protocol.level,
        method="description, no test",
        n=n,
        control=dict(case.control or {}),
        reason=statement,
        scope=scope,
        claims_sha256=sha256(case.claims),
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
