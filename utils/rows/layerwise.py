"""L3, L4, L8a, L8b, L11, L13, L15-L18: what a layer shares with the final layer, forgets, has yet
to learn."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from ..claims import Part, Premise
from ..jobs.layered import Analyses, Layered, Trio
from ..jobs.study import System, scope
from ..metrics import layers, orders, salience
from ..params.layerwise import Layerwise
from . import layerwise_statistics as statistics

__all__ = [
    "FIRST",
    "Kind",
    "Orders",
    "by_orders",
    "case",
    "certificates",
    "change_of",
    "changes",
    "control_of",
    "enough_layers",
    "layer_scope",
    "pair_similarities",
    "probe_table",
    "probes_converged",
    "rank_correlations",
    "row_parts",
    "signal",
    "similarities",
    "totals",
]

Kind = Literal["and", "or", "both"]
FIRST = {"and": 1, "or": 2, "both": 1}
"""The lowest order that counts: first-order OR terms are merged into the AND terms."""


def change_of(x: Layered, kind: Kind, rule: salience.Rule, *, merged: bool = True) -> layers.Change:
    """Normalised salient strength per order and its decomposition at every layer: each (R seeds, C
    layers, X, n).

    merged: first-order OR terms into AND.
    """
    found = x.e.merged if merged else x.e.found
    salient = found.salient(
        salience.threshold(found, x.e.v, rule).clamp(min=torch.finfo(torch.float64).tiny)
    )
    unit = layers.normalised(found, x.e.v)
    parts = [
        layers.change(values, values[:, -1:], mask, mask[:, -1:])
        for values, mask in zip(
            _of_kind((unit.and_, unit.or_), kind), _of_kind(salient, kind), strict=True
        )
    ]
    fields = ("own", "target", "overlap", "forget", "new")
    return layers.Change(*(sum(getattr(part, name) for part in parts) for name in fields))


def _of_kind(pair: Sequence[torch.Tensor], kind: Kind) -> list[torch.Tensor]:
    return [pair[k] for k in {"and": (0,), "or": (1,), "both": (0, 1)}[kind]]


def changes(x: Layered, kind: Kind, rule: salience.Rule = "max_per_sample") -> layers.Change:
    """What the figures draw: :func:`change_of` after the first-order merge."""
    return change_of(x, kind, rule)


def totals(change: layers.Change) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """overlap, forget and the final layer's strength of the probed layers, all orders together: (R,
    P, X)."""
    target = change.target.expand_as(change.own).sum(-1)
    return change.overlap.sum(-1)[:, :-1], change.forget.sum(-1)[:, :-1], target[:, :-1]


@dataclasses.dataclass(frozen=True)
class Orders:
    """Arrays of one kind of interaction. strength (S, C, X, n) of *all* terms; the decomposition
    counts salient ones only.

    overlap, forget (S, P, X, n) of the probed layers; target (S, X, n) of the output. NaN: an
    uncertified image left out.
    """

    strength: np.ndarray
    overlap: np.ndarray
    forget: np.ndarray
    target: np.ndarray


def by_orders(
    x: Layered, kind: Kind, rule: salience.Rule, certified_only: bool = False, merged: bool = True
) -> Orders:
    """The arrays that the statistics take; certified_only: an image counts only where all its
    layers are certified."""
    found = change_of(x, kind, rule, merged=merged)
    every = x.e.merged if merged else x.e.found
    unit = layers.normalised(every, x.e.v)
    strength = sum(orders.by_order(part.abs()) for part in _of_kind((unit.and_, unit.or_), kind))
    whole = x.e.converged.all(1) if certified_only else torch.ones_like(x.e.converged[:, 0])
    left = torch.where(whole, 1.0, torch.nan).double()[:, None, :, None]  # (S, 1, X, 1)
    return Orders(
        (strength * left).numpy(),
        (found.overlap * left)[:, :-1].numpy(),
        (found.forget * left)[:, :-1].numpy(),
        (found.target * left)[:, 0].numpy(),
    )


def pair_similarities(x: Layered, certified_only: bool = False) -> np.ndarray:
    """Weighted Jaccard of *all* interactions of every two probed layers per image, AND and OR
    together: (S, P, P, X)."""
    unit = layers.normalised(x.e.merged, x.e.v)
    values = torch.cat([unit.and_[..., 1:], unit.or_[..., 1:]], -1)[:, :-1]
    whole = x.e.converged.all(1) if certified_only else torch.ones_like(x.e.converged[:, 0])
    count = values.shape[1]
    found = torch.ones(len(values), count, count, values.shape[2], dtype=torch.float64)
    for i in range(count):
        for j in range(i):
            a, b = values[:, i], values[:, j]
            lesser = torch.where(a * b > 0, torch.minimum(a.abs(), b.abs()), 0.0).sum(-1)
            # Σ max over the signed parts: where the signs differ both magnitudes count
            larger = a.abs().sum(-1) + b.abs().sum(-1) - lesser
            found[:, i, j] = found[:, j, i] = lesser / torch.where(larger > 0, larger, torch.nan)
    return torch.where(whole[:, None, None], found, torch.nan).numpy()


def similarities(
    x: Layered, rule: salience.Rule = "max_per_sample", kinds: Sequence[str] = ("and", "or")
) -> np.ndarray:
    """Weighted Jaccard of the salient interactions of every two layers, AND and OR together: (R, C,
    C)."""
    found = x.e.merged
    masks = found.salient(
        salience.threshold(found, x.e.v, rule).clamp(min=torch.finfo(torch.float64).tiny)
    )
    unit = layers.normalised(found, x.e.v)
    values = torch.cat(
        [v for v, k in zip((unit.and_, unit.or_), ("and", "or"), strict=True) if k in kinds], -1
    )
    # AND and OR of a sample side by side are one longer vector; order 0 of either is never salient.
    mask = torch.cat([m for m, k in zip(masks, ("and", "or"), strict=True) if k in kinds], -1)
    count = values.shape[1]
    result = np.empty((len(values), count, count))
    for i in range(count):
        for j in range(count):
            result[:, i, j] = layers.similarity(
                values[:, i], values[:, j], mask[:, i], mask[:, j]
            ).numpy()
    return result


# What the claims presuppose -----------------------------------------------------------------------


def enough_layers(x: Layered) -> Premise:
    """A rise and a fall need an inner layer."""
    return Premise(
        "enough layers",
        len(x.probed) >= 3,
        f"a rise and fall over layers needs at least 3 probed layers, there are {len(x.probed)}",
    )


def probes_converged(x: Layered) -> Premise:
    """A probe that was still learning says nothing of its layer."""
    failed = x.reports[~x.reports["converged"]]
    where = [
        f"{layer} (seeds {', '.join(map(str, part['seed']))}; the last quarter of the steps "
        "changed the loss by up to "
        f"{part['decrease'].abs().max():.1%} of its fall below chance)"
        for layer, part in failed.groupby("layer", sort=False)
    ]
    return Premise(
        "every probe converged",
        not where,
        f"probes did not converge: {'; '.join(where)}: raise probe_steps",
    )


def signal(x: Layered, factor: float = 10.0) -> Premise:
    """The games must stand out of rounding: at every layer, E_x |v(N) - v(∅)| ≥ factor x the
    rounding of its scores."""
    strength = (x.e.v[..., -1] - x.e.v[..., 0]).abs().mean(-1)
    rounding = x.e.noise_floor / 2 ** (x.e.found.n / 2)
    weak = [
        name
        for name, ok in zip(x.layers, (strength >= factor * rounding).all(0).tolist(), strict=True)
        if not ok
    ]
    return Premise(
        "the games stand out of rounding",
        not weak,
        f"at {', '.join(weak)} the mean of |v(N) - v(∅)| is below {factor:g} times the rounding "
        "of the scores",
    )


# What goes with a verdict -------------------------------------------------------------------------


def layer_scope(p: Layerwise, system: System) -> str:
    """For what a verdict on ``system`` speaks."""
    rate = p.probe_lr[system.jobs[0].config.model]
    text = scope(p, system)
    if p.dataset == p.tabular:
        text = (
            text.replace("images", "rows")
            .replace("patches", "columns")
            .replace("baseline: mean image", "baseline: training mean")
        )
    return (
        f"{text}; probes by {p.probe_steps} steps of SGD (lr {rate:g}, momentum 0.9, "
        "batch 256) on standardised features"
    )


def control_of(x: Layered, kind: Kind, rule: salience.Rule) -> dict[str, object]:
    """Completeness, redundancy and strength of every layer, means over seeds, and how the probes
    ended."""
    change = changes(x, kind, rule)
    target = change.target.expand_as(change.own)
    return {
        "completeness": layers.completeness(change.overlap.sum(-1), target.sum(-1))
        .nanmean(0)
        .tolist(),
        "redundancy": layers.redundancy(change.forget.sum(-1), target.sum(-1)).nanmean(0).tolist(),
        "strength per order, final layer": change.own[:, -1].mean((0, 1)).tolist(),
        "low minus high by layer, salient": statistics.balance(
            change.own.mean((0, 2)).numpy(), FIRST[kind]
        ).tolist(),
        "probes": _probe_summary(x),
    }


def _probe_summary(x: Layered) -> dict[str, object]:
    by = x.reports.groupby("layer", sort=False)
    return {
        "training loss": by["loss"].mean().tolist(),
        "training accuracy": by["accuracy"].mean().tolist(),
        "largest change in the last quarter": by["decrease"]
        .apply(lambda d: d.abs().max())
        .tolist(),
        "converged": by["converged"].sum().tolist(),
        "of": by["converged"].size().tolist(),
    }


def probe_table(analyses: Mapping[str, Layered]) -> pd.DataFrame:
    """How the probes ended, a row per analysis and layer: means over seeds, the largest decrease,
    how many converged."""
    rows = []
    for name, x in analyses.items():
        by = x.reports.groupby("layer", sort=False)
        found = (
            by[["loss", "accuracy"]]
            .mean()
            .assign(
                decrease=by["decrease"].max(), converged=by["converged"].sum(), probes=by.size()
            )
        )
        rows.append(found.reset_index().assign(labels=name))
    return pd.concat(rows, ignore_index=True).set_index(["labels", "layer"])


def certificates(x: Layered) -> pd.DataFrame:
    """The certificates of the splits, a row per layer."""
    return x.e.certificates().assign(step=list(x.layers)).rename(columns={"step": "layer"})


# The rows -----------------------------------------------------------------------------------------

_KIND: dict[str, Kind] = {
    "L3": "and",
    "L4": "and",
    "L8a": "or",
    "L8b": "or",
    "L11": "and",
    "L15": "both",
    "L16": "and",
    "L17": "and",
    "L18": "both",
}
_SALIENT = ("L4", "L8b", "L11", "L15", "L17")
"""Rows whose statistic counts salient interactions: another rule of salience is another
criterion."""


def row_parts(
    row: str,
    a: Trio,
    rule: salience.Rule,
    *,
    kind: Kind | None = None,
    only: Sequence[int] | None = None,
    **how: bool,
) -> list[Part]:
    """The parts of a row, as claims.yaml names them, both readings. only: orders of L4, given
    instead of chosen."""
    kind = kind or _KIND[row]
    if row == "L18":
        return statistics.neighbour_parts(pair_similarities(a.main, **how))
    x = by_orders(a.main, kind, rule, **how)

    def of(other: Layered) -> Orders:
        return by_orders(other, kind, rule, **how)

    def low_high() -> list[Part]:
        first = FIRST[kind]
        return statistics.low_minus_high_parts(
            statistics.balance(x.strength[:, :-1], first),
            statistics.balance(of(a.untrained).strength[:, :-1], first),
        )

    def completeness_slope() -> list[Part]:
        return statistics.slope_parts(
            "completeness_slope", _completeness(x), _completeness(of(a.shuffled))
        )

    if row in ("L3", "L8a"):
        return low_high()
    if row in ("L4", "L8b"):
        return statistics.redundancy_parts(x.forget, x.target, of(a.shuffled).forget, only)
    if row == "L15":
        return completeness_slope()
    if row == "L16":
        return statistics.slope_parts(
            "high_share_slope",
            statistics.high_share(x.strength[:, :-1]),
            statistics.high_share(of(a.shuffled).strength[:, :-1]),
        )
    if row == "L17":
        return statistics.order_gap_parts(x.overlap[:, -1], x.target)
    if row == "L11":
        return [
            *low_high(),
            *completeness_slope(),
            statistics.largest_part(x.forget.sum(-1), x.target.sum(-1)),
        ]
    raise ValueError(f"row must be one of {', '.join(_KIND)}, got {row!r}")


def _completeness(x: Orders) -> np.ndarray:
    """overlap / target of every image and probed layer, (S, P, X); an output's largest term is
    salient, so it has one."""
    target = x.target.sum(-1)[:, None]
    return np.divide(
        x.overlap.sum(-1), target, out=np.full(x.overlap.shape[:-1], np.nan), where=target > 0
    )


def rank_correlations(x: Layered, rule: salience.Rule) -> list[float]:
    """L15, shown: per seed, Spearman's correlation of the mean completeness with the layer."""
    mean = np.nanmean(_completeness(by_orders(x, "both", rule)), axis=2)
    return [layers.depth_correlation(row) for row in mean]


def _reported(row: str, a: Analyses, rule: salience.Rule) -> dict[str, list[Part]]:
    """Analyses that are shown without gating."""
    found = {name: row_parts(row, x, rule) for name, x in a.second.items()}
    if row in _SALIENT:
        found |= {
            f"salience rule {r}": row_parts(row, a.trio, r) for r in salience.RULES if r != rule
        }
    if row == "L4":
        found["order 1 alone"] = row_parts(row, a.trio, rule, only=[1])
    if row == "L8a":
        found["first-order terms not merged"] = row_parts(row, a.trio, rule, merged=False)
    if row == "L11":
        found["OR"] = row_parts(row, a.trio, rule, kind="or")
    if row == "L15":
        found["AND alone"] = row_parts(row, a.trio, rule, kind="and")
        found |= {name: row_parts(row, x, rule) for name, x in a.orders.items()}
    return found


def case(p: Layerwise, system: System, a: Analyses, row: str) -> dict[str, Any]:
    """Everything that ``claims.judge(row, system.id, **case)`` needs: parts, premises, variants,
    controls."""
    rule = p.salience
    variants = {"uncertified games dropped": row_parts(row, a.trio, rule, certified_only=True)}
    if row not in ("L15", "L18"):  # no statements on orders
        variants |= {name: row_parts(row, x, rule) for name, x in a.orders.items()}
    judged = [a.trio, *a.orders.values()]
    kind = _KIND[row]
    changed = (
        f"salience rule {rule} in place of max_per_sample"
        if row in _SALIENT and rule != "max_per_sample"
        else None
    )
    return {
        "parts": row_parts(row, a.trio, rule),
        "seeds": p.seeds,
        "scope": layer_scope(p, system),
        "premises": [signal(a.main), enough_layers(a.main), probes_converged(a.main)],
        "accuracy": a.accuracies,
        "uncertified": max(
            x.e.uncertified for t in judged for x in (t.main, t.shuffled, t.untrained)
        ),
        "variants": variants,
        "reported": _reported(row, a, rule),
        "changed": changed,
        "control": {
            "layers": list(a.main.layers),
            "salience rule": rule,
            **(
                {"rank correlation of completeness and layer": rank_correlations(a.main, rule)}
                if row == "L15"
                else {}
            ),
            **{
                name: control_of(x, kind, rule)
                for name, x in (
                    ("network", a.main),
                    ("shuffled labels", a.shuffled),
                    ("untrained network", a.untrained),
                )
            },
        },
    }
