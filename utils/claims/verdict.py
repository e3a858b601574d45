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

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
import torch
from numpy.typing import ArrayLike
from pydantic import Field

from .. import io, stats
from .registry import Kind, Protocol, Registry, Row, RowId, System, Threshold, load, sha256

__all__ = [
    "Part",
    "PartResult",
    "Premise",
    "VariantResult",
    "Verdict",
    "criterion",
    "judge",
    "judge_identity",
    "judge_numerical",
    "rejudge",
    "unjudged",
]

Outcome = Literal["REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE"]
JUDGED = "judged"
_DIGITS = 12  # sums in another order differ in the last digits; a verdict must be the same bytes on every rerun
_RESERVED = ("premises", "reported", "criterion", "holm", "seeds")


@dataclass(frozen=True)
class Part:
    """Values for one inequality of a row: ``name`` as in claims.yaml, whence bound, direction and unit come.

    values ``(seeds,)``: one number per trained network, NaN where a seed has none (dropped and counted). For a threshold
    ``by: p`` give ``pvalue`` (one-sided towards the claim, from a test with its own null) and the observed
    ``estimate`` instead.
    """

    name: str
    values: ArrayLike | None = None
    pvalue: float | None = None
    estimate: float | None = None


@dataclass(frozen=True)
class Premise:
    """Something a claim presupposes. ``reason`` says, for the reader, what is missing and which number is needed."""

    name: str
    ok: bool
    reason: str


class _Data(pydantic.BaseModel):
    """Plain data: floats rounded to 12 digits, NaN and infinities are None."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _rounded(cls, data: Any) -> Any:
        return _plain(data)


class PartResult(_Data):
    """One inequality, weighed. ``clears``: its interval clears the bound; ``fails``: it lies wholly on the other side."""

    name: str
    statistic: str
    unit: str
    threshold: str
    direction: Literal["above", "below"]
    bound: float
    estimate: float | None
    interval: tuple[float | None, float | None] | None
    n: int
    dropped: int
    method: str
    p_value: float | None
    decision: Literal["clears", "fails", "open"]


class VariantResult(_Data):
    """The same row under another analysis, decided by its intervals; ``spread``: change of each part's estimate."""

    decision: Outcome
    parts: list[PartResult]
    spread: dict[str, float | None]


class Verdict(_Data):
    """One row judged on one system; science only (no clock, host or commit), as written to ``verdict.json``.

    estimate, interval, n, unit, threshold and statistic are those of the part with the largest p (the one that decides);
    all parts stand in ``parts``. ``interval`` ends may be None (unbounded).
    """

    row: RowId
    system: System | None
    kind: Kind
    status: str
    paper: str
    figure: str
    verdict: Outcome | Literal["EXACT", "BROKEN"] | None
    statistic: str
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    level: float
    method: str
    n: int
    unit: str | None = None
    threshold: str | None = None
    control: dict[str, Any]
    reason: str
    scope: str
    claims_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    p_value: Annotated[float, Field(ge=0, le=1)] | None = None
    p_holm: Annotated[float, Field(ge=0, le=1)] | None = None
    parts: list[PartResult] = []
    variants: dict[str, VariantResult] = {}

    @pydantic.model_validator(mode="after")
    def _judged_or_not(self) -> Verdict:
        if (self.status == JUDGED) != (self.verdict is not None):
            raise ValueError("a verdict stands exactly where the status is 'judged'")
        if self.verdict is not None and (self.verdict in ("EXACT", "BROKEN")) != (self.kind == "identity"):
            raise ValueError(f"a row of kind {self.kind} cannot be {self.verdict}")
        return self

    def to_json(self) -> str:
        """Canonical JSON text: the same verdict is the same bytes."""
        return io.canonical_json(self.model_dump(mode="json"))


def _plain(value: Any) -> Any:
    """``value`` as JSON data: dataclasses and models as dicts, arrays as lists, floats to 12 significant digits."""
    if isinstance(value, pydantic.BaseModel):
        return _plain(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        return _plain(value.tolist())
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}") + 0.0 if math.isfinite(value) else None  # + 0.0: no negative zero
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def criterion(registry: Registry, row: str, system: str) -> dict[str, Any]:
    """Everything in claims.yaml that can change this verdict: thresholds, accuracy, protocol. Kept in each verdict."""
    entry, protocol = registry.row(row), registry.protocol
    accuracy = entry.min_accuracy.get(system)
    return _plain(
        {
            "thresholds": [t.model_dump() for t in entry.thresholds_for(system).values()],
            "min_accuracy": accuracy.value if accuracy else None,
            "protocol": protocol.model_dump(exclude={"note"}),
            "uses_split": entry.uses_split,
            "order_based": entry.order_based,
        }
    )


def _number(x: float | None) -> str:
    return "none" if x is None else f"{x:.4g}"


def _span(part: PartResult) -> str:
    if part.interval is None:
        return f"estimate {_number(part.estimate)}, p = {_number(part.p_value)}"
    low, high = part.interval
    return f"[{'-inf' if low is None else _number(low)}, {'inf' if high is None else _number(high)}]"


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


def _weigh(part: Part, threshold: Threshold, protocol: Protocol, seeds: Sequence[int]) -> PartResult:
    """One inequality: interval, directed p and whether it clears its bound."""
    common = {key: getattr(threshold, key) for key in ("name", "statistic", "unit", "direction", "bound")}
    common["threshold"] = threshold.text()
    if threshold.by == "p":
        if part.pvalue is None or part.values is not None or not 0 <= part.pvalue <= 1:
            raise ValueError(f"part {part.name!r} is a test with its own null: give pvalue= in [0, 1] and no values=")
        decision = "clears" if part.pvalue <= threshold.bound and len(seeds) >= protocol.min_seeds else "open"
        rest = {"estimate": part.estimate, "interval": None, "n": len(seeds), "dropped": 0, "p_value": part.pvalue}
        return PartResult(**common, **rest, method="test with its own null", decision=decision)
    if part.values is None or part.pvalue is not None:
        raise ValueError(f"part {part.name!r} needs values= (one per seed) and no pvalue=")
    values = _seed_values(part, seeds)
    n = int(np.isfinite(values).sum())
    rest = {"n": n, "dropped": len(values) - n, "method": f"t interval across seeds, {protocol.level:.0%}"}
    if n == 0:
        return PartResult(**common, **rest, estimate=None, interval=None, p_value=1.0, decision="open")
    found = stats.t_interval(values, protocol.level)
    return PartResult(
        **common,
        **rest,
        estimate=found.estimate,
        interval=(found.low, found.high),
        p_value=stats.directed_pvalue(values, threshold.bound, threshold.direction, threshold.inclusive),
        decision=_decision(found, threshold) if n >= protocol.min_seeds else "open",
    )


def _decision(found: stats.Interval, threshold: Threshold) -> Literal["clears", "fails", "open"]:
    flip = 1.0 if threshold.direction == "above" else -1.0
    low, high = sorted((flip * found.low, flip * found.high))
    bound = flip * threshold.bound
    if low > bound or (threshold.inclusive and low == bound):
        return "clears"
    return "fails" if high < bound else "open"


def _weigh_all(parts: Sequence[Part], row: str, system: str, registry: Registry, seeds: Sequence[int]) -> list[PartResult]:
    """All inequalities of the row, each exactly once: a forgotten null or an invented one is an error."""
    thresholds = registry.row(row).thresholds_for(system)
    names = [part.name for part in parts]
    if not thresholds:
        raise ValueError(f"{row} has no threshold for {system}: register one in claims.yaml before the run")
    if sorted(names) != sorted(thresholds):
        raise ValueError(f"{row} on {system} is decided by {sorted(thresholds)}, got {sorted(names)}: give each of them once")
    given = {part.name: part for part in parts}
    return [_weigh(given[name], threshold, registry.protocol, seeds) for name, threshold in thresholds.items()]


def _outcome(parts: Sequence[PartResult]) -> Outcome:
    """The decision by intervals alone, before any correction."""
    if any(part.decision == "fails" for part in parts):
        return "NOT REPRODUCED"
    return "REPRODUCED" if all(part.decision == "clears" for part in parts) else "INCONCLUSIVE"


def _explain(parts: Sequence[PartResult], outcome: Outcome) -> str:
    wanted = {"NOT REPRODUCED": "fails", "INCONCLUSIVE": "open", "REPRODUCED": "clears"}[outcome]
    verb = {"fails": "lies wholly on the other side of", "open": "does not clear", "clears": "clears"}[wanted]
    return "; ".join(f"{p.name} {_span(p)} {verb} {p.threshold}" for p in parts if p.decision == wanted)


def _conclude(v: Verdict, p_holm: float, family: int) -> tuple[Outcome, str]:
    """Verdict and reason from the weighed parts, the variants, the premises and the corrected p: nothing else."""
    failed = [p["reason"] for p in v.control["premises"] if not p["ok"]]
    outcome = _outcome(v.parts)
    differing = {name: r.decision for name, r in v.variants.items() if r.decision != outcome}
    notes = "".join(
        f" With {name} it would be {r['decision']} (reported, not a gate)."
        for name, r in v.control["reported"].items()
        if r["decision"] != outcome
    )
    dropped = "".join(f" {p.name}: {p.dropped} of {p.n + p.dropped} seeds gave no value." for p in v.parts if p.dropped)
    if failed:
        return "INCONCLUSIVE", "; ".join(failed) + "." + dropped
    if differing:
        others = ", ".join(f"with {name} it is {decision}" for name, decision in differing.items())
        return "INCONCLUSIVE", f"not identified: {outcome} in the main analysis, but {others}.{dropped}{notes}"
    if outcome == "REPRODUCED" and p_holm > 1 - v.level:
        text = f"every interval clears its bound, but Holm's p over {family} tests of this paper is {p_holm:.3g}"
        return "INCONCLUSIVE", f"{text} > {1 - v.level:.2g}.{dropped}{notes}"
    return outcome, f"{_explain(v.parts, outcome)}.{dropped}{notes}"


def rejudge(v: Verdict, p_holm: float, family: int) -> Verdict:
    """The verdict under Holm's correction over ``family`` tests; depends on stored numbers only, so it is idempotent."""
    p_holm = _plain(float(p_holm))
    outcome, reason = _conclude(v, p_holm, family)
    control = {**v.control, "holm": {"tests_of_this_paper_in_this_run": family}}
    return Verdict(**{**v.model_dump(), "verdict": outcome, "reason": reason, "p_holm": p_holm, "control": control})


def _premises(
    entry: Row, system: str, protocol: Protocol, parts: Sequence[PartResult], accuracy: Any, uncertified: float | None
) -> list[Premise]:
    """Those that every row has: seeds, certificates, accuracy."""
    found = []
    fewest = min(parts, key=lambda p: p.n)
    text = f"at least {protocol.min_seeds} seeds are needed, {fewest.name} has {fewest.n}"
    found.append(Premise("seeds", fewest.n >= protocol.min_seeds, text))
    if entry.uses_split:
        if uncertified is None or not 0 <= uncertified <= 1:
            raise ValueError("uncertified= is needed: the share (0 to 1) of games that the split left above its tolerance")
        text = f"{uncertified:.1%} of the games are uncertified, at most {protocol.uncertified_limit:.0%} may be"
        found.append(Premise("certified", uncertified <= protocol.uncertified_limit, text))
    if entry.min_accuracy:
        found.append(_accuracy_premise(entry, system, accuracy))
    return found


def _accuracy_premise(entry: Row, system: str, accuracy: Any) -> Premise:
    if accuracy is None:
        raise ValueError("accuracy= is needed: the test accuracy of each seed's network (0 to 1)")
    values = np.asarray(accuracy, dtype=np.float64).reshape(-1)
    if not len(values) or not ((values >= 0) & (values <= 1)).all():
        raise ValueError(f"accuracies must lie in [0, 1], got {values}")
    needed = entry.min_accuracy.get(system)
    if needed is None:
        text = f"no min_accuracy is registered for {system}: add it to claims.yaml, with its source, before the run"
        return Premise("accuracy", False, text)
    text = f"the lowest test accuracy is {values.min():.3f}, at least {needed.value:.3f} is needed"
    return Premise("accuracy", bool(values.min() >= needed.value), text)


def _check_variants(entry: Row, row: str, protocol: Protocol, given: Mapping[str, Any], uncertified: float | None) -> None:
    if entry.order_based and protocol.order_variant not in given:
        raise ValueError(f"{row} is based on orders: variants= must have {protocol.order_variant!r} (other end of the face)")
    if uncertified and protocol.certified_variant not in given:
        raise ValueError(f"some games are uncertified: variants= must have {protocol.certified_variant!r}")


def _spread(parts: Sequence[PartResult], main: Sequence[PartResult]) -> dict[str, float | None]:
    pairs = zip(parts, main, strict=True)
    return {a.name: None if a.estimate is None or b.estimate is None else a.estimate - b.estimate for a, b in pairs}


def judge(
    row: str,
    system: str,
    parts: Sequence[Part],
    *,
    seeds: Sequence[int],
    scope: str,
    accuracy: ArrayLike | None = None,
    uncertified: float | None = None,
    variants: Mapping[str, Sequence[Part]] | None = None,
    reported: Mapping[str, Sequence[Part]] | None = None,
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
    registry = load(claims)
    entry, protocol = registry.row(row), registry.protocol
    _require(entry, row, "empirical", scope)
    if len(set(seeds)) != len(seeds) or not seeds:
        raise ValueError(f"seeds must be distinct and at least one, got {list(seeds)}")
    _check_variants(entry, row, protocol, variants or {}, uncertified)
    main = _weigh_all(parts, row, system, registry, seeds)

    def other(given: Mapping[str, Sequence[Part]] | None) -> dict[str, VariantResult]:
        weighed = {name: _weigh_all(p, row, system, registry, seeds) for name, p in (given or {}).items()}
        return {k: VariantResult(decision=_outcome(p), parts=p, spread=_spread(p, main)) for k, p in weighed.items()}

    gates = other(variants)
    p_value = max(p.p_value for p in [*main, *(p for r in gates.values() for p in r.parts)])
    all_premises = [*_premises(entry, system, protocol, main, accuracy, uncertified), *premises]
    extra = {"premises": all_premises, "reported": other(reported), "seeds": [int(s) for s in seeds]}
    verdict = _assemble(
        row, system, registry, claims, main, control, extra, scope, figure, "INCONCLUSIVE", "not yet concluded"
    )
    return rejudge(verdict.model_copy(update={"p_value": _plain(p_value), "variants": gates}), p_value, 1)


def _require(entry: Row, row: str, kind: str, scope: str) -> None:
    if entry.kind != kind:
        function = {"empirical": "judge", "identity": "judge_identity", "numerical": "judge_numerical"}[entry.kind]
        raise ValueError(f"{row} is a row of kind {entry.kind}: use {function}()")
    if not scope.strip():
        raise ValueError("scope= must say for what the verdict speaks, e.g. 'these 5 seeds of LeNet on an MNIST part'")


def _assemble(
    row: str,
    system: str,
    registry: Registry,
    claims: Path | str | None,
    parts: list[PartResult],
    control: Mapping[str, Any] | None,
    extra: dict[str, Any],
    scope: str,
    figure: str | None,
    outcome: str,
    reason: str,
) -> Verdict:
    """Registry fields, the deciding part's numbers, and everything it was compared with."""
    entry = registry.row(row)
    taken = sorted(set(control or {}) & set(_RESERVED))
    if taken:
        raise ValueError(f"control= may not use the names {taken}: they are written by the judge")
    worst = _deciding(parts)
    return Verdict(
        row=row,
        system=system,
        kind=entry.kind,
        status=JUDGED,
        paper=_citation(registry, entry),
        figure=figure or entry.figure,
        verdict=outcome,
        statistic=f"{worst.name}: {worst.statistic}",
        estimate=worst.estimate,
        interval=worst.interval,
        level=registry.protocol.level,
        method=worst.method,
        n=worst.n,
        unit=worst.unit,
        threshold=worst.threshold,
        control={**(control or {}), **extra, "criterion": criterion(registry, row, system)},
        reason=reason,
        scope=scope,
        claims_sha256=sha256(claims),
        parts=parts,
    )


def _deciding(parts: Sequence[PartResult]) -> PartResult:
    """The part nearest to failing: a failed one first, then an open one, then the largest p; ties: file order."""
    rank = {"fails": 2, "open": 1, "clears": 0}
    return max(parts, key=lambda p: (rank[p.decision], p.p_value if p.p_value is not None else 0.0))


def _citation(registry: Registry, entry: Row) -> str:
    return f"{entry.paper}: {registry.papers[entry.paper].citation}"


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
    registry = load(claims)
    entry = registry.row(row)
    _require(entry, row, "identity", scope)
    parts = [_bounded(t, errors) for t in _exactly(entry, row, system, errors).values()]
    broken = [p for p in parts if p.decision == "fails"]
    shown = "; ".join(f"{p.name}: largest error {_number(p.estimate)} ({p.threshold})" for p in broken or parts)
    return _assemble(
        row, system, registry, claims, parts, control, {}, scope, figure, "BROKEN" if broken else "EXACT", shown + "."
    )


def _exactly(entry: Row, row: str, system: str, given: Mapping[str, Any]) -> dict[str, Threshold]:
    thresholds = entry.thresholds_for(system)
    if not thresholds or set(given) != set(thresholds):
        raise ValueError(f"{row} on {system} is decided by {sorted(thresholds)}, got {sorted(given)}: give each of them")
    return thresholds


def _bounded(threshold: Threshold, errors: Mapping[str, ArrayLike]) -> PartResult:
    values = np.abs(np.asarray(errors[threshold.name], dtype=np.float64)).reshape(-1)
    if not len(values):
        raise ValueError(f"no errors were given for {threshold.name!r}")
    largest = float(values.max())  # NaN if any is: no comparison with NaN holds, hence BROKEN
    return _point(threshold, largest, len(values), "largest absolute error")


def _point(threshold: Threshold, estimate: float, n: int, method: str) -> PartResult:
    holds = estimate > threshold.bound if threshold.direction == "above" else estimate < threshold.bound
    holds = holds or (threshold.inclusive and estimate == threshold.bound)
    common = {key: getattr(threshold, key) for key in ("name", "statistic", "unit", "direction", "bound")}
    rest = {"interval": None, "dropped": 0, "p_value": None, "method": method}
    decision = "clears" if holds else "fails"
    return PartResult(**common, **rest, threshold=threshold.text(), estimate=estimate, n=n, decision=decision)


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
    registry = load(claims)
    entry = registry.row(row)
    _require(entry, row, "numerical", scope)
    thresholds = _exactly(entry, row, system, values)
    if not all(math.isfinite(float(x)) for x in values.values()):
        raise ValueError(f"{row}: every value must be finite, got {dict(values)}")
    parts = [_point(t, float(values[name]), n, "computed on the stated grid") for name, t in thresholds.items()]
    outcome = "REPRODUCED" if all(p.decision == "clears" for p in parts) else "NOT REPRODUCED"
    return _assemble(row, system, registry, claims, parts, control, {}, scope, figure, outcome, statement)


def unjudged(row: str, registry: Registry, claims: Path | str | None = None) -> Verdict:
    """A row without a verdict: its status says what it needs, or that it was not run."""
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
