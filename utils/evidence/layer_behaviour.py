"""L13: how each network behaves over its layers, in numbers and a sentence."""

from __future__ import annotations

import pandas as pd
import torch

from ..jobs.layered import Layered, Trio
from ..metrics import layers, salience
from .layer_change import change_of, totals
from .layer_tables import course

__all__ = ["behaviour", "behaviour_control", "behaviour_table"]


def behaviour_table(x: Trio, rule: salience.Rule) -> pd.DataFrame:
    """Per probed layer, AND and OR together: completeness, redundancy, share of high orders in what
    will be forgotten."""
    rows = []
    for games, one in (("trained", x.trained), ("untrained", x.untrained)):
        for metric, values in _curves(one, rule).items():
            rows += course(metric, games, one.probed, values, band=True)
    return pd.DataFrame(rows)


def _curves(x: Layered, rule: salience.Rule) -> dict[str, torch.Tensor]:
    """Metric → (R, P)."""
    change, n = change_of(x, "both", rule), x.e.found.n
    high = [m - 1 for m in range(1, n + 1) if 2 * m > n]
    overlap, forget, target = totals(change)
    of_high = change.forget[:, :-1][..., high].sum(-1)
    return {
        "completeness": layers.completeness(overlap, target),
        "redundancy": layers.redundancy(forget, target),
        "forgotten: share of orders above n/2": layers.redundancy(of_high, forget),
    }


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
