"""What the figures of layers draw: strengths per order and layer, courses over layers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..jobs.layered import Layered, Trio
from ..metrics import layers, salience
from .layer_change import FIRST, Kind, change_of, strengths
from .layer_statistics import high_share

__all__ = [
    "bar_table",
    "bars_and_courses",
    "course",
    "course_table",
    "high_share_table",
    "pooled_table",
    "total_course",
]


def bar_table(x: Layered, kind: Kind, rule: salience.Rule) -> pd.DataFrame:
    """Strength per order at every layer that is forgotten later, shared with the final layer, not
    yet learnt: Fig. 3a.

    Summed within a sample, averaged over images and seeds.
    """
    change = change_of(x, kind, rule)
    forget, overlap, new = (
        part.nanmean((0, 2)).numpy() for part in (change.forget, change.overlap, change.new)
    )
    orders = range(1, x.e.found.n + 1)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "kind": kind,
                    "layer": name,
                    "order": orders,
                    "forget": forget[c],
                    "overlap": overlap[c],
                    "new": new[c],
                }
            )
            for c, name in enumerate(x.layers)
        ],
        ignore_index=True,
    )


def bars_and_courses(x: Trio, rule: salience.Rule) -> tuple[pd.DataFrame, pd.DataFrame]:
    """L11's figure: bars and courses of AND interactions."""
    return bar_table(x.trained, "and", rule), course_table(x, "and", rule)


def course_table(x: Trio, kind: Kind, rule: salience.Rule) -> pd.DataFrame:
    """Completeness and redundancy of every layer, per order and in all: Fig. 3b. Means over seeds,
    95 % t intervals.

    The output layer, where they are 1 and 0 by definition, is drawn for the network alone.
    """
    ours, rows = x.trained, []
    change = change_of(ours, kind, rule)
    nulls = {name: change_of(null, kind, rule) for name, null in x.nulls.items()}
    for metric, (function, part) in _RATIOS.items():
        for order in range(FIRST[kind], ours.e.found.n + 1):
            one, target = (y[..., order - 1] for y in (getattr(change, part), change.target))
            values = function(one, target.expand_as(one))
            rows += course(metric, f"order {order}", ours.layers, values, band=False)
        rows += total_course(metric, "all orders", change, ours.layers)
        for name, null in nulls.items():
            rows += total_course(metric, name, null, ours.probed)
    return pd.DataFrame(rows)


_RATIOS = {
    "completeness": (layers.completeness, "overlap"),
    "redundancy": (layers.redundancy, "forget"),
}


def total_course(
    metric: str, curve: str, change: layers.Change, names: Sequence[str]
) -> list[dict[str, object]]:
    """Completeness or redundancy of all orders together, as :func:`course`."""
    function, part = _RATIOS[metric]
    target = change.target.expand_as(change.own).sum(-1)
    values = function(getattr(change, part).sum(-1), target)
    return course(metric, curve, names, values, band=True)


def course(
    metric: str, curve: str, names: Sequence[str], values: torch.Tensor, band: bool
) -> list[dict[str, object]]:
    """values (R, C) → a row per layer; NaN seeds are left out, a layer without any value has
    none."""
    rows = []
    for name, column in zip(names, values.T.numpy(), strict=False):
        finite = column[np.isfinite(column)]
        span = stats.t_interval(finite) if band and len(finite) > 1 else None
        rows.append(
            {
                "metric": metric,
                "curve": curve,
                "layer": name,
                "value": finite.mean() if len(finite) else np.nan,
                "low": span.low if span else np.nan,
                "high": span.high if span else np.nan,
            }
        )
    return rows


def high_share_table(x: Trio) -> pd.DataFrame:
    """L16: share of the orders above n/2 in the strength of all AND interactions, by layer;
    shuffled-label probes too."""
    rows = []
    for name, one in (("trained", x.trained), ("shuffled labels", x.shuffled)):
        share = torch.from_numpy(np.nanmean(high_share(strengths(one, "and")), axis=2))
        rows += course("share of orders > n/2", name, one.layers, share, band=True)
    return pd.DataFrame(rows)


def pooled_table(x: Layered, rule: salience.Rule) -> pd.DataFrame:
    """L17: completeness of AND interactions of orders 1-2 and of orders ≥ 4 pooled, by layer
    (ratios of sums)."""
    change = change_of(x, "and", rule)
    rows = []
    for name, picked in (("orders 1-2", slice(0, 2)), ("orders ≥ 4", slice(3, None))):
        overlap, target = (part[..., picked].sum(-1) for part in (change.overlap, change.target))
        values = layers.completeness(overlap, target.expand_as(overlap))
        rows += course("completeness", name, x.layers, values, band=True)
    return pd.DataFrame(rows)
