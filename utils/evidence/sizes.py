"""M9: how many interactions fall into each group, and how that differs between two networks, or
between two data sets (Table 3)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..claims import Part
from ..metrics import groups
from .both import Both
from .courses import Courses, enough_checkpoints
from .group_statistics import size_parts

__all__ = ["bar_table", "contrasts", "margin_table", "pair_table", "paper_layout", "told"]


def contrasts(across_data: bool = False) -> Callable[[Both[Courses]], list[Part]]:
    """M9's statistic of a pair: differences of shares with the signs that Table 3 gives them.

    across_data: of one network on two data sets, of which the table says no sign of the forgotten
    ones: MNIST has fewer with VGG-11 and more with ResNet-20. Of certified games only, of images
    that are certified in both: those of two data sets are not the same, and each is left out with
    the one that stands at its place.
    """

    def parts(x: Both[Courses]) -> list[Part]:
        kept = x.first.kept & x.second.kept if x.first.certified_only else None
        found = size_parts(x.first.shares(kept), x.second.shares(kept))
        return [part for part in found if not (across_data and part.name == "more_forgotten")]

    return parts


def told(x: Both[Courses]) -> dict[str, Any]:
    """M9's premise, and how far both are from every row of Table 3."""
    control = {}
    for name, c in x.each:
        own = np.nanmean(groups.shares(c.top.at()[0]), axis=(0, 1))
        for other, row in groups.PAPER_COUNTS.items():
            apart = np.abs(own - np.array(row) / sum(row)).sum()
            control[f"L1 distance of the shares of {name} to {other} in Table 3"] = float(apart)
    return {"premises": [enough_checkpoints(x.first)], "control": control}


def _counts(labels: np.ndarray) -> np.ndarray:
    """Mean number per image in each group, per seed: (R, X, T) → (R, 5)."""
    return groups.counts(labels).mean(1)


def margin_table(c: Courses, name: str) -> pd.DataFrame:
    """Mean number per image in each group at every margin, network and walks: mean and range over
    seeds."""
    pieces = []
    for margin in c.top.walks:
        own, null = c.top.at(margin)
        found = {"network": _counts(own), "random walks": groups.counts(null).mean((1, 2))}
        for label, values in found.items():
            pieces.append(
                pd.DataFrame(
                    {
                        "system": name,
                        "margin": f"$\\eta$ = {margin:g}",
                        "curves": label,
                        "group": groups.GROUPS,
                        "count": values.mean(0),
                        "low": values.min(0),
                        "high": values.max(0),
                    }
                )
            )
    return pd.concat(pieces, ignore_index=True)


def bar_table(c: Courses, name: str) -> pd.DataFrame:
    """Table 3: the network and its walks at margin 0.1 beside the paper's rows (per 100
    interactions)."""
    own = margin_table(c, name)
    own = own[own["margin"] == f"$\\eta$ = {groups.MARGIN:g}"]
    own = own.assign(panel=name).drop(columns="margin")
    theirs = [
        pd.DataFrame(
            {
                "system": "Table 3 of the paper",
                "curves": other,
                "group": groups.GROUPS,
                "count": row,
                "low": row,
                "high": row,
                "panel": "the paper's networks",
            }
        )
        for other, row in groups.PAPER_COUNTS.items()
    ]
    return pd.concat([own, *theirs], ignore_index=True)


def pair_table(x: Both[Courses]) -> pd.DataFrame:
    """Both networks and their walks beside the rows of Table 3."""
    tables = [bar_table(c, name) for name, c in x.each]
    return pd.concat(tables, ignore_index=True).drop_duplicates()


def paper_layout(c: Courses, name: str, widths: Sequence[int]) -> pd.DataFrame:
    """Table 3's layout: a row per margin and width, the mean number of interactions in each group
    per image."""
    rows = {
        (name, margin, width): _counts(groups.classify(c.curves, margin, width)).mean(0)
        for margin, width in itertools.product(c.top.own, widths)
    }
    table = pd.DataFrame(rows, index=list(groups.GROUPS)).T.round(1)
    return table.rename_axis(["network", "margin", "width"])
