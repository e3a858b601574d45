"""M10: do interactions of high order fluctuate, or come and go, more than those of low order?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..claims import Part, Premise
from ..metrics import groups
from .courses import PER_ORDER, Courses, enough_checkpoints
from .group_statistics import FEWEST, HIGH, LOW, SIDE, contrast_parts, counted, ratio

__all__ = ["enough_orders", "high_minus_low", "order_table", "tally", "told"]

_RESTLESS = [groups.GROUPS.index(name) for name in ("withdrawn", "fluctuating")]


def tally(labels: np.ndarray, order: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Fluctuating or withdrawn curves, and all curves, of each order 1..n: labels (..., K), order
    (K,) → twice (..., n)."""
    place = (order[:, None] == np.arange(1, n + 1)).astype(float)
    return np.isin(labels, _RESTLESS) @ place, (labels >= 0) @ place


def high_minus_low(margin: float = groups.MARGIN) -> Callable[[Courses], list[Part]]:
    """M10 as a statistic of courses: high minus low orders in the share that fluctuates or is
    withdrawn; specific: minus the same of random walks."""

    def statistic(c: Courses) -> list[Part]:
        own, walks = (tally(x, c.order, c.n) for x in c.each.at(margin, c.counting))
        return contrast_parts(own, walks)

    return statistic


def enough_orders(c: Courses) -> Premise:
    """Both sides of the contrast need orders with curves in every network."""
    _, total = tally(c.each.at()[0], c.order, c.n)
    orders, number = counted(total), np.arange(1, c.n + 1)
    high, low = (int((orders & side).sum()) for side in (number >= HIGH, number <= LOW))
    fewest = ", ".join(str(int(count)) for count in total.sum(1).min(0))
    return Premise(
        "orders",
        min(high, low) >= SIDE,
        f"{high} orders of {HIGH} or more and {low} of {LOW} or less have {FEWEST} curves in every "
        f"network ({SIDE} of each are needed; fewest curves of orders 1 to {c.n}: {fewest})",
    )


def told(c: Courses) -> dict[str, Any]:
    """M10's premises and controls, and beside it the same at the other margins."""
    labels = dict(zip(("network", "random walks"), c.each.at(), strict=True))
    _, total = tally(labels["network"], c.order, c.n)
    control: dict[str, Any] = {
        "fewest curves of each order in a network": total.sum(1).min(0).astype(int).tolist(),
        "strongest of each order": PER_ORDER,
    }
    for name, one in labels.items():
        hit, every = (x.sum(axis=tuple(range(x.ndim - 1))) for x in tally(one, c.order, c.n))
        share = ratio(hit, every).tolist()
        control[f"share that fluctuates or is withdrawn by order, {name}"] = share
    others = [m for m in c.each.walks if m != groups.MARGIN]
    return {
        "premises": [enough_checkpoints(c), enough_orders(c)],
        "control": control,
        "beside": {f"margin {m:g}": high_minus_low(m)(c) for m in others},
    }


def order_table(c: Courses, name: str) -> pd.DataFrame:
    """Fig. 7: mean number per image of each order in each group, network and walks, averaged over
    seeds."""
    pieces = []
    names, numbers = ("network", "random walks"), (c.orders, c.walk_orders)
    for label, labels, orders in zip(names, c.top.at(), numbers, strict=True):
        games = labels.size / labels.shape[-1]
        for k, group in enumerate(groups.GROUPS):
            number = np.bincount(orders[labels == k], minlength=c.n + 1)[1:]
            pieces.append(
                pd.DataFrame(
                    {
                        "system": name,
                        "curves": label,
                        "group": group,
                        "order": range(1, c.n + 1),
                        "count": number / games,
                    }
                )
            )
    return pd.concat(pieces, ignore_index=True)
