"""O1 to O5: what the papers' objective leaves open, and what their optimiser makes of it. Ours."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from .. import claims, sparsify, stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..jobs.identified import Compared, loop_cells, optimum_name
from ..jobs.study import System, scope
from ..metrics import identification, orders, salience, sparsity
from ..params import Identified

__all__ = [
    "STATEMENTS",
    "apart_parts",
    "changed_rule",
    "convergence",
    "described",
    "excess_parts",
    "excess_table",
    "exchange",
    "exchange_table",
    "face_controls",
    "face_parts",
    "face_table",
    "jaccard_parts",
    "jaccard_table",
    "loop_scope",
    "other_rules",
    "published",
    "ratio_parts",
    "share_table",
    "statements",
    "uncertified",
]

CONVERGED = 0.01
"""Excess over the certified optimum below which an answer of the published optimiser is called
converged, as in O2."""

Both = tuple[CertifiedGames, CertifiedGames]


# O1 -----------------------------------------------------------------------------------------------


def _planted(n: int, games: int = 16) -> torch.Tensor:
    return 0.5 + torch.rand(
        games, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )


def exchange(p: Identified) -> tuple[dict[str, float], dict[str, object]]:
    """O1: the errors of the identity, and the mean orders of both explanations and of the split's
    two ends."""
    pair = identification.additive_pair(_planted(p.n_players))
    games = [found.reconstruct() for found in pair]
    least = (games[0][:, -1] - games[0][:, 0]).abs()
    errors = {
        "exchange": identification.exchange_error(p.n_players),
        "same_game": float(((games[0] - games[1]).abs().amax(-1) / games[0].abs().amax(-1)).max()),
        "both_optimal": max(
            float((identification.strength(x) / least - 1).abs().max()) for x in pair
        ),
    }
    control = {
        f"mean order of the explanation {name}": float(orders.mean_order(x))
        for name, x in zip(("by single players", "by exchanged pairs"), pair, strict=True)
    }
    for weight in p.order_weights:
        got = sparsify.split(games[0], kappa=0.0, order_weight=weight, tol=p.tol)
        found = Interactions(got.sparse_and, got.sparse_or).merge_first_order()
        control[f"split at order weight {weight:+g}: mean order"] = float(orders.mean_order(found))
        control[f"split at order weight {weight:+g}: strength over the least possible"] = float(
            (got.l1 / least).mean()
        )
    return errors, control


def exchange_table(p: Identified) -> pd.DataFrame:
    """Strength per order of one planted additive game: both explanations, and what the split
    reports at each end."""
    weights = _planted(p.n_players, 1)
    pair = identification.additive_pair(weights)
    cases = {"single players": pair[0], "exchanged pairs": pair[1]}
    for weight in p.order_weights:
        got = sparsify.split(pair[0].reconstruct(), kappa=0.0, order_weight=weight, tol=p.tol)
        cases[f"split, {weight:+g}"] = Interactions(
            got.sparse_and, got.sparse_or
        ).merge_first_order()
    rows = []
    for label, found in cases.items():
        positive, negative = orders.strength_by_order(found)
        rows.append(
            pd.DataFrame(
                {
                    "game": "additive game",
                    "explanation": label,
                    "order": range(1, p.n_players + 1),
                    "positive": positive[0].numpy(),
                    "negative": negative[0].numpy(),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


# O2 -----------------------------------------------------------------------------------------------


def published(p: Identified) -> Premise:
    """What is judged must be the published loop: not fewer iterations than the public code runs."""
    short = [name for name, loop in p.loops.items() if loop.iterations < 10_000]
    return Premise(
        "published settings",
        not short,
        f"the setting(s) {', '.join(short)} run fewer than the published 10000 iterations",
    )


def uncertified(*splits: Compared | CertifiedGames) -> float:
    """Largest share of games above the tolerance among certified splits."""
    return max(float((~split.converged).double().mean()) for split in splits)


def _judged(p: Identified, ways: Mapping[str, Compared]) -> dict[str, Compared]:
    return {name: ways[name] for name, loop in p.loops.items() if loop.kappa == p.kappa}


def excess_parts(
    p: Identified, ways: Mapping[str, Compared], certified_only: bool = False
) -> list[Part]:
    """O2, per seed: the best published setting of each game against the certified optimum of the
    same objective."""
    optimum = ways[optimum_name(p, p.kappa)]
    best = torch.stack([way.strength for way in _judged(p, ways).values()]).amin(0)
    keep = optimum.converged if certified_only else torch.ones_like(optimum.converged)
    return ratio_parts(*((x * keep).sum(1).numpy() for x in (best, optimum.strength)))


def ratio_parts(best: np.ndarray, optimum: np.ndarray) -> list[Part]:
    """O2 from arrays (S, X), strengths summed over checkpoints: the ratio of their sums over
    images, minus 1."""

    def excess(keep: np.ndarray) -> np.ndarray:
        return best[:, keep].sum(1) / optimum[:, keep].sum(1) - 1

    return [Part.jackknifed("excess", excess, best.shape[1])]


def _references(p: Identified, ways: Mapping[str, Compared]) -> list[Compared]:
    """The certified points of the face that ``ways`` holds: what the published answers are compared
    with."""
    return [way for name, way in ways.items() if not way.loop and way.kappa == p.kappa]


def _nearest(way: Compared, references: list[Compared], rule: salience.Rule) -> dict[str, float]:
    """Likeness of an explanation and the certified one most like it: a wide face must not count
    against an optimiser."""
    found = way.found.merge_first_order()
    own, likeness, distance = salience.threshold(found, way.v, rule), [], []
    for other in references:
        theirs = other.found.merge_first_order()
        tau = salience.threshold(theirs, other.v, rule)
        likeness.append(float(identification.salient_jaccard(found, theirs, own, tau).nanmean()))
        shares = (orders.order_shares(x) for x in (found, theirs))
        distance.append(float(orders.total_variation(*shares).mean()))
    return {
        "Jaccard of salient sets, nearest certified": max(likeness),
        "total variation of order shares, nearest certified": min(distance),
    }


def convergence(p: Identified, ways: Mapping[str, Compared]) -> pd.DataFrame:
    """A row per published setting: excess of its answers, share that is converged or worse than the
    start, a label.

    Also how far its salient sets and order shares are from the nearest certified explanation at
    this notebook's kappa.
    """
    rows = []
    for name, loop in p.loops.items():
        way, optimum = ways[name], ways[optimum_name(p, loop.kappa)]
        excess = way.strength / optimum.strength - 1
        worse = float((way.strength > way.start).double().mean())
        near = float((excess < CONVERGED).double().mean())
        label = "diverges" if worse > 0.5 else "converges" if near >= 0.95 else "stops early"
        rows.append(
            {
                "setting": name,
                "learning rate": loop.learning_rate,
                "iterations": loop.iterations,
                "kappa": loop.kappa,
                "excess": float(way.strength.sum() / optimum.strength.sum() - 1),
                "excess, last iterate as it is": float(way.raw.sum() / optimum.strength.sum() - 1),
                "excess of the start": float(way.start.sum() / optimum.strength.sum() - 1),
                "share within 1 %": near,
                "share worse than the start": worse,
                "it": label,
                **_nearest(way, _references(p, ways), p.salience),
            }
        )
    return pd.DataFrame(rows)


def excess_table(
    p: Identified, ways: Mapping[str, Compared], steps: np.ndarray, name: str
) -> pd.DataFrame:
    """Excess over the certified optimum by checkpoint: mean over seeds with its 95 % t interval;
    start and settings."""
    optimum = ways[optimum_name(p, p.kappa)]
    cases = {"start (γ = δ = 0)": (optimum.start, optimum)}
    cases |= {
        label: (ways[label].strength, ways[optimum_name(p, loop.kappa)])
        for label, loop in p.loops.items()
    }
    rows, steps = [], steps[list(loop_cells(p))]
    for label, (strength, best) in cases.items():
        ratio = (strength.sum(-1) / best.strength.sum(-1)).numpy()
        rows.append(_course(ratio, steps, label).assign(panel=name))
    return pd.concat(rows, ignore_index=True)


def _course(values: np.ndarray, steps: np.ndarray, label: str) -> pd.DataFrame:
    """Values (R, C) as a curve over the checkpoints: mean over seeds and its t interval; a column
    of NaN stays NaN."""
    spans = [stats.t_interval(x) if np.isfinite(x).any() else None for x in values.T]
    facts = [(s.estimate, s.low, s.high) if s else (np.nan,) * 3 for s in spans]
    return pd.DataFrame(facts, columns=["value", "low", "high"]).assign(curve=label, step=steps)


def share_table(p: Identified, ways: Mapping[str, Compared], steps: np.ndarray) -> pd.DataFrame:
    """Share of strength in each order under every way of splitting, at the checkpoints that all of
    them split."""
    rows = []
    for name, way in ways.items():
        share = orders.order_shares(way.found.merge_first_order()).mean(0)
        rows += [
            pd.DataFrame(
                {
                    "split": name,
                    "step": f"step {step}",
                    "order": range(1, share.shape[-1] + 1),
                    "share": share[c].numpy(),
                }
            )
            for c, step in enumerate(steps[list(loop_cells(p))])
        ]
    return pd.concat(rows, ignore_index=True)


# O3, O4 -------------------------------------------------------------------------------------------


def _kept(both: Both, certified_only: bool) -> torch.Tensor:
    """(R, C, X) bool: after initialisation, and certified at both ends if asked."""
    low, high = both
    later = torch.as_tensor(low.steps > 0)[None, :, None].expand(low.l1.shape)
    return later & low.converged & high.converged if certified_only else later


def _mean_orders(e: CertifiedGames, keep: torch.Tensor | None = None) -> torch.Tensor:
    """Mean order (R, C), a ratio of sums over (the kept) images; NaN where there is none."""
    weighted, strength = e.moments()
    if keep is not None:
        weighted, strength = weighted * keep, strength * keep
    return weighted.sum(-1) / strength.sum(-1)


def face_parts(both: Both, certified_only: bool = False) -> list[Part]:
    """O3: how far each image's mean order moves between the ends of the face after initialisation,
    and the strength."""
    keep = _kept(both, certified_only)
    low, high = (weighted / strength for weighted, strength in (e.moments() for e in both))
    moved = torch.where(keep, high - low, torch.nan).nanmean(1).numpy()
    return apart_parts(moved, *((e.l1 * keep).sum(1).numpy() for e in both))


def apart_parts(moved: np.ndarray, one: np.ndarray, other: np.ndarray) -> list[Part]:
    """O3 from arrays (S, X): mean order at the high minus the low end, and both ends' strengths
    summed over checkpoints."""

    def unequal(keep: np.ndarray) -> np.ndarray:
        a, b = one[:, keep].sum(1), other[:, keep].sum(1)
        least = np.minimum(a, b)  # 0 where no game is left that counts
        return np.divide(np.abs(a - b), least, out=np.full_like(a, np.nan), where=least > 0)

    return [Part.of("mean_order", moved), Part.jackknifed("equal_strength", unequal, one.shape[1])]


def _jaccard(both: Both, rule: salience.Rule) -> torch.Tensor:
    """Jaccard similarity (R, C, X) of the merged salient sets of both ends, each by its own
    threshold."""
    one, other = both
    taus = [salience.threshold(e.merged, e.v, rule) for e in both]
    return identification.salient_jaccard(one.merged, other.merged, *taus)


def jaccard_parts(both: Both, rule: salience.Rule, certified_only: bool = False) -> list[Part]:
    """O4: each image's mean over the checkpoints after initialisation; pairs of empty sets do not
    count."""
    keep = _kept(both, certified_only)
    return [
        Part.of("jaccard", torch.where(keep, _jaccard(both, rule), torch.nan).nanmean(1).numpy())
    ]


def changed_rule(p: Identified) -> str | None:
    """What makes a run's O4 another statistic than the registered one, in words; None: nothing."""
    return None if p.salience == "mean_output" else f"salience {p.salience} instead of mean_output"


def face_controls(both: Both) -> dict[str, object]:
    """By checkpoint: mean order and strength of both ends, and the distance of their order
    shares."""
    low, high = both
    apart = orders.total_variation(
        orders.order_shares(low.merged), orders.order_shares(high.merged)
    )
    return {
        "step": low.steps.tolist(),
        "mean order, low end": _mean_orders(low).mean(0).tolist(),
        "mean order, high end": _mean_orders(high).mean(0).tolist(),
        "total variation of order shares": apart.mean(0).tolist(),
        "strength, low end": low.l1.mean((0, 2)).tolist(),
        "strength, high end": high.l1.mean((0, 2)).tolist(),
    }


def face_table(p: Identified, both: Both) -> pd.DataFrame:
    """Mean order at both ends, and the distance of their order shares, by checkpoint."""
    courses = [
        _course(_mean_orders(e).numpy(), e.steps, f"order weight {w:+g}").assign(panel="mean order")
        for e, w in zip(both, sorted(p.order_weights[:2], reverse=True), strict=True)
    ]
    shares = [orders.order_shares(e.merged) for e in both]
    apart = _course(orders.total_variation(*shares).numpy(), both[0].steps, "between both ends")
    return pd.concat(
        [*courses, apart.assign(panel="total variation of order shares")], ignore_index=True
    )


def jaccard_table(both: Both) -> pd.DataFrame:
    """Jaccard similarity of the salient sets at both ends by checkpoint, for every salience
    rule."""
    return pd.concat(
        [
            _course(_jaccard(both, rule).nanmean(-1).numpy(), both[0].steps, rule)
            for rule in salience.RULES
        ],
        ignore_index=True,
    ).assign(panel="salient sets of both ends")


# O5 -----------------------------------------------------------------------------------------------


def _fall_and_rise(way: Compared) -> tuple[np.ndarray, np.ndarray]:
    """Per seed mu_first - mu_low and mu_last - mu_low: ``low`` is the inner checkpoint that the
    *other* seeds choose."""
    weighted, strength = orders.order_moments(way.found.merge_first_order())
    mu = (weighted.sum(-1) / strength.sum(-1)).numpy()
    if len(mu) < 2:
        return np.full(1, np.nan), np.full(1, np.nan)
    falls, rises = [], []
    for seed, course in enumerate(mu):
        low = 1 + int(np.delete(mu, seed, 0).mean(0)[1:-1].argmin())
        falls.append(course[0] - course[low])
        rises.append(course[-1] - course[low])
    return np.array(falls), np.array(rises)


def _low_minus_high(way: Compared) -> np.ndarray:
    """L3 at the output: share of salient AND strength in orders below n/2 minus that above, at the
    last checkpoint."""
    found = way.found.merge_first_order()[:, -1]
    tau = salience.threshold(found, way.v[:, -1], "max_per_sample")
    conj = torch.where(found.salient(tau)[0], found.and_.abs(), 0.0).sum(1)
    low, high = (
        conj[:, side].sum(-1) for side in (found.order < found.n / 2, found.order > found.n / 2)
    )
    return ((low - high) / conj.sum(-1)).numpy()


def _salient_count(way: Compared) -> np.ndarray:
    found = way.found.merge_first_order()[:, -1]
    tau = salience.threshold(found, way.v[:, -1], "max_over_samples")
    return salience.salient_counts(found, tau).double().mean(-1).numpy()


def _mass(way: Compared) -> np.ndarray:
    return sparsity.mass_fraction(way.found.merge_first_order()[:, -1]).mean(-1).numpy()


@dataclasses.dataclass(frozen=True)
class Statement:
    """A sentence of the papers as an inequality on one number per seed; bounds (low, high), None
    where open."""

    text: str
    values: Callable[[Compared], np.ndarray]
    bounds: Callable[[str], tuple[float | None, float | None]]


def _bounds(row: str, name: str) -> Callable[[str], tuple[float | None, float | None]]:
    """The registered size of a row's threshold for a system, whichever of its names (``count``,
    ``count_cifar``) applies."""

    def found(system: str) -> tuple[float | None, float | None]:
        t = next(
            t
            for k, t in claims.load().row(row).thresholds_for(system).items()
            if k.startswith(name)
        )
        return t.low, t.high

    return found


STATEMENTS = (
    Statement("D3: mean order falls", lambda way: _fall_and_rise(way)[0], lambda _: (0.0, None)),
    Statement(
        "D3: mean order rises again", lambda way: _fall_and_rise(way)[1], lambda _: (0.0, None)
    ),
    Statement("L3: low minus high orders, output", _low_minus_high, lambda _: (0.0, None)),
    Statement("L2: salient interactions", _salient_count, _bounds("L2", "count")),
    Statement("D2: share that holds 90 %", _mass, _bounds("D2", "mass90")),
)
"""What is asked of every way of splitting; D3 with the turning point chosen on the other seeds, as
few images are split."""


def _decided(values: np.ndarray, bounds: tuple[float | None, float | None]) -> dict[str, object]:
    """Holds where the interval lies within the bounds, fails where it lies outside of one, else
    open."""
    if not np.isfinite(values).any():
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "decision": "open"}
    span = stats.t_interval(values)
    low, high = (
        x if x is not None else end for x, end in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    decision = (
        "holds"
        if low < span.low and span.high < high
        else "fails"
        if span.high < low or span.low > high
        else "open"
    )
    return {"estimate": span.estimate, "low": span.low, "high": span.high, "decision": decision}


def statements(
    p: Identified, system: System, ways: Mapping[str, Compared], both: Both
) -> pd.DataFrame:
    """Every statement under every way of splitting: estimate, t interval across seeds, and whether
    it holds."""
    weights = sorted(p.order_weights[:2], reverse=True)
    everything = {
        f"all games, order weight {w:+g}": Compared.of(e)
        for w, e in zip(weights, both, strict=True)
    }
    return pd.DataFrame(
        [
            {"statement": s.text, "way": name, **_decided(s.values(way), s.bounds(system.id))}
            for s in STATEMENTS
            for name, way in {**everything, **ways}.items()
        ]
    )


def described(p: Identified, table: pd.DataFrame) -> str:
    """O5 in a sentence, made from the table: what holds at both ends, what the published settings
    decide otherwise."""
    grid = table.pivot(index="statement", columns="way", values="decision").loc[
        [s.text for s in STATEMENTS]
    ]
    low, high = (
        grid[f"all games, order weight {w:+g}"] for w in sorted(p.order_weights[:2], reverse=True)
    )
    own = grid[f"certified, order weight {max(p.order_weights[:2]):+g}"]
    both, one = grid.index[(low == "holds") & (high == "holds")], grid.index[(low != high)]
    other = {name: grid.index[(grid[name] != own)].tolist() for name in p.loops}
    found = [
        f"holding at both ends of the face: {'; '.join(both) or 'none'}",
        f"decided differently at the two ends: {'; '.join(one) or 'none'}",
    ]
    found += [
        f"decided differently by the published optimiser ({name}): {'; '.join(rows) or 'none'}"
        for name, rows in other.items()
    ]
    return ". ".join(found) + "."


def other_rules(p: Identified) -> list[salience.Rule]:
    """The salience rules that are reported beside the one judged."""
    return [rule for rule in salience.RULES if rule != p.salience]


def loop_scope(p: Identified, system: System) -> str:
    """For what a comparison of ways of splitting speaks."""
    return (
        f"{scope(p, system)}; of these, {p.loop_images} images at {p.loop_checkpoints} "
        "checkpoints per network"
    )
