"""What the figures of the layerwise study draw: strengths per order and layer, courses over layers,
similarities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..jobs.layered import Analyses, Layered
from ..metrics import layers, salience
from .layerwise import FIRST, Kind, by_orders, changes, pair_similarities, similarities, totals
from .layerwise_statistics import high_share

__all__ = [
    "bar_table",
    "behaviour",
    "behaviour_control",
    "behaviour_table",
    "course_table",
    "high_share_table",
    "pair_tables",
    "pooled_table",
    "sharing_tables",
]


def bar_table(x: Layered, kind: Kind, rule: salience.Rule) -> pd.DataFrame:
    """Strength per order at every layer that is forgotten later, shared with the final layer, not
    yet learnt: Fig. 3a.

    Summed within a sample, averaged over images and seeds.
    """
    change = changes(x, kind, rule)
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


def course_table(
    x: Layered, kind: Kind, rule: salience.Rule, nulls: Mapping[str, Layered] | None = None
) -> pd.DataFrame:
    """Completeness and redundancy of every layer, per order and in all: Fig. 3b. Means over seeds,
    95 % t intervals.

    The output layer, where they are 1 and 0 by definition, is drawn for the network alone.
    """
    change = changes(x, kind, rule)
    rows = []
    for metric, function, part in (
        ("completeness", layers.completeness, change.overlap),
        ("redundancy", layers.redundancy, change.forget),
    ):
        for order in range(FIRST[kind], x.e.found.n + 1):
            values = function(
                part[..., order - 1], change.target[..., order - 1].expand_as(change.own[..., 0])
            )
            rows += _course(metric, f"order {order}", x.layers, values, band=False)
        rows += _total_course(metric, "all orders", change, x.layers)
        for name, null in (nulls or {}).items():
            rows += _total_course(metric, name, changes(null, kind, rule), null.probed)
    return pd.DataFrame(rows)


def _total_course(
    metric: str, curve: str, change: layers.Change, names: Sequence[str]
) -> list[dict[str, object]]:
    target = change.target.expand_as(change.own).sum(-1)
    values = (
        layers.completeness(change.overlap.sum(-1), target)
        if metric == "completeness"
        else layers.redundancy(change.forget.sum(-1), target)
    )
    return _course(metric, curve, names, values, band=True)


def _course(
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


def sharing_tables(
    x: Layered, shuffled: Layered, rule: salience.Rule
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """L15's figure: overlap / all of the final layer, of the network and its control; similarity of
    every two layers."""
    rows = _total_course("completeness", "trained", changes(x, "both", rule), x.layers)
    rows += _total_course(
        "completeness", "shuffled labels", changes(shuffled, "both", rule), shuffled.probed
    )
    matrix = pd.DataFrame(_mean_similarity(x, rule), index=x.layers, columns=x.layers)
    return pd.DataFrame(rows), matrix


def _mean_similarity(x: Layered, rule: salience.Rule) -> np.ndarray:
    """Over the seeds that have a value, (C, C)."""
    return torch.from_numpy(similarities(x, rule)).nanmean(0).numpy()


def high_share_table(a: Analyses, rule: salience.Rule) -> pd.DataFrame:
    """L16: share of the orders above n/2 in the strength of all AND interactions, by layer;
    shuffled-label probes too."""
    rows = []
    for name, x in (("trained", a.main), ("shuffled labels", a.shuffled)):
        share = np.nanmean(high_share(by_orders(x, "and", rule).strength), axis=2)
        rows += _course("share of orders > n/2", name, x.layers, torch.from_numpy(share), band=True)
    return pd.DataFrame(rows)


def pooled_table(x: Layered, rule: salience.Rule) -> pd.DataFrame:
    """L17: completeness of AND interactions of orders 1-2 and of orders ≥ 4 pooled, by layer
    (ratios of sums)."""
    change = changes(x, "and", rule)
    rows = []
    for name, picked in (("orders 1-2", slice(0, 2)), ("orders ≥ 4", slice(3, None))):
        overlap, target = (part[..., picked].sum(-1) for part in (change.overlap, change.target))
        rows += _course(
            "completeness",
            name,
            x.layers,
            layers.completeness(overlap, target.expand_as(overlap)),
            band=True,
        )
    return pd.DataFrame(rows)


def pair_tables(x: Layered) -> tuple[pd.DataFrame, pd.DataFrame]:
    """L18: mean similarity of each probed layer to the next one and to those further on; similarity
    of every two layers."""
    between = np.nanmean(pair_similarities(x), axis=3)
    rows = []
    for name, apart in (
        ("one apart", range(1, 2)),
        ("two or more apart", range(2, between.shape[1])),
    ):
        values = [
            [
                np.mean([one[i, i + d] for d in apart if i + d < len(one)] or [np.nan])
                for i in range(len(one))
            ]
            for one in between
        ]
        rows += _course("similarity", name, x.probed, torch.tensor(values), band=True)
    return pd.DataFrame(rows), pd.DataFrame(between.mean(0), index=x.probed, columns=x.probed)


# L13 ----------------------------------------------------------------------------------------------


def behaviour_table(
    x: Layered, rule: salience.Rule, untrained: Layered | None = None
) -> pd.DataFrame:
    """Per probed layer, AND and OR together: completeness, redundancy, share of high orders in what
    will be forgotten."""
    rows = []
    for games, one in {
        "trained": x,
        **({"untrained": untrained} if untrained is not None else {}),
    }.items():
        change = changes(one, "both", rule)
        n = one.e.found.n
        high = [m - 1 for m in range(1, n + 1) if 2 * m > n]
        overlap, forget, target = totals(change)
        of_high = change.forget[:, :-1][..., high].sum(-1)
        curves = {
            "completeness": layers.completeness(overlap, target),
            "redundancy": layers.redundancy(forget, target),
            "forgotten: share of orders above n/2": layers.redundancy(of_high, forget),
        }
        for metric, values in curves.items():
            rows += [
                row | {"curve": games}
                for row in _course(metric, games, one.probed, values, band=True)
            ]
    return pd.DataFrame(rows)


def behaviour(table: pd.DataFrame) -> str:
    """L13 in a sentence made from the numbers of :func:`behaviour_table`."""
    ours = table[table["curve"] == "trained"]
    share, extra, high = (
        ours[ours["metric"] == metric] for metric in dict.fromkeys(ours["metric"])
    )
    if extra["value"].notna().sum() == 0:
        return "no layer has a salient interaction"
    peak = extra.loc[extra["value"].idxmax()]
    first, last = share.iloc[0], share.iloc[-1]
    redundant, gone = extra["value"], high["value"]
    return (
        f"completeness is {first['value']:.2f} at {first['layer']} and {last['value']:.2f} at "
        f"{last['layer']}; "
        f"redundancy is {redundant.iloc[0]:.2f} at {first['layer']}, largest at {peak['layer']} "
        f"({peak['value']:.2f}) "
        f"and {redundant.iloc[-1]:.2f} at {last['layer']}; of what {last['layer']} encodes and "
        "the output forgets, "
        f"{gone.iloc[-1]:.0%} is of order above n/2 ({gone.iloc[0]:.0%} at {first['layer']})"
    )


def behaviour_control(table: pd.DataFrame) -> dict[str, dict[str, list[float]]]:
    """The numbers that the sentence rests on: games → metric → value per probed layer."""
    return {
        games: {
            metric: part["value"].tolist() for metric, part in one.groupby("metric", sort=False)
        }
        for games, one in table.groupby("curve", sort=False)
    }
