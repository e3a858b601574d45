"""Tables of the figures of M7 and M10: curves in their groups, orders in their groups."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..jobs.components import Analysis
from ..metrics import groups
from ..params import FiveGroups
from .courses import Selections
from .five_groups import fits

__all__ = ["curve_table", "fit_table", "order_table"]


def curve_table(p: FiveGroups, a: Analysis, found: Selections, most: int = 30) -> pd.DataFrame:
    """Curves of the first seed, up to ``most`` of each group, the strongest first, each divided by
    its maximum (Fig. 6)."""
    chosen = found.main
    curves = chosen.curves[0].reshape(-1, chosen.curves.shape[-1])
    labels, peak = chosen.top.at()[0][0].ravel(), np.abs(curves).max(-1)
    share, walk = (
        np.nanmean(groups.shares(x), axis=tuple(range(x.ndim - 1))) for x in chosen.top.at()
    )
    pieces = []
    for k, name in enumerate(
        groups.GROUPS
    ):  # a group without curves keeps its panel, by a row without a value
        members = [i for i in np.argsort(-peak, kind="stable") if labels[i] == k][:most]
        title = f"{name}: {share[k]:.0%} (walks {walk[k]:.0%})"
        pieces += [
            pd.DataFrame(
                {
                    "system": a.system.name,
                    "panel": title,
                    "group": name,
                    "curve": i,
                    "step": chosen.steps,
                    "value": curves[i] / peak[i],
                }
            )
            for i in members
        ] or [
            pd.DataFrame(
                {
                    "system": a.system.name,
                    "panel": [title],
                    "group": name,
                    "curve": -1,
                    "step": chosen.steps[:1],
                    "value": np.nan,
                }
            )
        ]
    return pd.concat(pieces, ignore_index=True)


def fit_table(a: Analysis, found: Selections) -> pd.DataFrame:
    """M8: share of the curves that fit none, one, several of the printed definitions; the same for
    independent noise."""
    curves = found.main.curves
    cases = {
        "network": curves,
        "independent noise": np.random.default_rng(0).standard_normal(curves.shape),
    }
    return pd.concat(
        [
            pd.DataFrame(
                {"system": a.system.name, "curves": label, "definitions": name, "share": [share]}
            )
            for label, x in cases.items()
            for name, share in fits(x).items()
        ],
        ignore_index=True,
    )


def order_table(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Fig. 7: mean number per image of each order in each group, network and walks, averaged over
    seeds."""
    chosen = found.main
    pieces = []
    names, numbers = ("network", "random walks"), (chosen.orders, chosen.walk_orders)
    for label, labels, orders in zip(names, chosen.top.at(), numbers, strict=True):
        games = labels.size / labels.shape[-1]
        for k, name in enumerate(groups.GROUPS):
            number = np.bincount(orders[labels == k], minlength=p.n_players + 1)[1:]
            pieces.append(
                pd.DataFrame(
                    {
                        "system": a.system.name,
                        "curves": label,
                        "group": name,
                        "order": range(1, p.n_players + 1),
                        "count": number / games,
                    }
                )
            )
    return pd.concat(pieces, ignore_index=True)
