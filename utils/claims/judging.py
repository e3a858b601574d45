"""From one value per network to a verdict: what is compared, which premises and variants it must
survive, and why.

A row has one or two readings (protocol 6.1): *as stated*, the paper's own statistic on this system,
and *specific*, the same beyond its null. Each is a conjunction of inequalities, weighed by
:mod:`utils.claims.weighing`; it is INCONCLUSIVE where a premise fails or its criterion has not been
simulated. Verdicts are pure data: the same numbers give the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from .. import stats
from . import criteria
from .case import Case, Parts
from .concluding import outcome_of, rejudge
from .registry import Protocol, Threshold
from .verdict import PartResult, Premise, Reading, VariantResult, Verdict, plain
from .weighing import p_values

__all__ = ["judge"]


def _premises(
    case: Case, parts: Sequence[PartResult], accuracy: Any, uncertified: float | None, given: bool
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


def _accuracy(case: Case, accuracy: Any) -> Premise:
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


def _check_variants(case: Case, given: Mapping[str, Parts], uncertified: float | None) -> None:
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
        decision=outcome_of(parts, protocol.alpha),
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
    case = Case(
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
