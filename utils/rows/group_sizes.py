"""M9: how many interactions fall into each group, and how that differs between two networks (Table
3)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from .. import stats
from ..claims import Part
from ..jobs.components import Analysis
from ..metrics import groups
from ..params import FiveGroups
from .components import basis, certified
from .courses import Courses, Selections, changed, enough_checkpoints

__all__ = [
    "bar_table",
    "margin_table",
    "pair_case",
    "pair_table",
    "pairs",
    "paper_layout",
    "size_parts",
]

Pair, Both = tuple[Analysis, Analysis], tuple[Selections, Selections]

SIGNS = {
    "more_reliable": ("reliable", 1),
    "more_forgotten": ("forgotten", 1),
    "fewer_betraying": ("betraying", -1),
    "fewer_fluctuating": ("fluctuating", -1),
}


def pairs(
    p: FiveGroups, found: Sequence[Analysis], chosen: Sequence[Selections]
) -> Iterator[tuple[str, Pair, Both]]:
    """The contrast that Table 3 makes between networks, where both were asked for: id, analyses,
    their courses."""
    names = [a.system.jobs[0].config.model for a in found]
    if {"resnet20", "vgg11"} <= set(names):
        one, two = (names.index(name) for name in ("resnet20", "vgg11"))
        yield f"resnet20+vgg11/{p.dataset}", (found[one], found[two]), (chosen[one], chosen[two])


def size_parts(first: np.ndarray, second: np.ndarray) -> list[Part]:
    """M9 from shares (S, E, X, 5) of two networks at E margins, network i with network i: each
    contrast at its least margin.

    The margin is chosen on other networks and other images.
    """
    found = []
    for name, (group, sign) in SIGNS.items():
        options = sign * (first - second)[..., groups.GROUPS.index(group)]
        found.append(Part.of(name, stats.chosen(options, stats.cross_chosen(options, np.argmin))))
    return found


def _shares(chosen: Courses, kept: np.ndarray | None) -> np.ndarray:
    return np.stack(
        [groups.shares(chosen.top.own_at(margin, kept)) for margin in chosen.top.own], axis=1
    )


def pair_case(p: FiveGroups, pair: Pair, chosen: Both) -> dict[str, Any]:
    """M9 on two networks: differences of shares with the signs that Table 3 gives them."""

    def parts(only: bool) -> list[Part]:
        kept = chosen[0].main.kept & chosen[1].main.kept if only else None
        return size_parts(*(_shares(one.main, kept) for one in chosen))

    one, two = (basis(p, a, a.main, *a.others.values()) for a in pair)
    control = {
        f"L1 distance of the shares of {a.system.name} to {name} in Table 3": float(
            np.abs(
                np.nanmean(groups.shares(c.main.top.at()[0]), axis=(0, 1))
                - np.array(row) / sum(row)
            ).sum()
        )
        for a, c in zip(pair, chosen, strict=True)
        for name, row in groups.PAPER_COUNTS.items()
    }
    shared = {
        "accuracy": np.minimum(one["accuracy"], two["accuracy"]).tolist(),
        "scope": f"{one['scope']}; against {two['scope']}",
        "uncertified": max(one["uncertified"], two["uncertified"]),
    }
    return {
        **certified(parts),
        "premises": [enough_checkpoints(p)],
        "control": control,
        "changed": changed(p),
        **one,
        **shared,
    }


def _counts(labels: np.ndarray) -> np.ndarray:
    """Mean number per image in each group, per seed: (R, X, T) → (R, 5)."""
    return groups.counts(labels).mean(1)


def margin_table(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Mean number per image in each group at every margin, network and walks: mean and range over
    seeds."""
    pieces = []
    for margin in p.margins:
        own, null = found.main.top.at(margin)
        for label, values in (
            ("network", _counts(own)),
            ("random walks", groups.counts(null).mean((1, 2))),
        ):
            pieces.append(
                pd.DataFrame(
                    {
                        "system": a.system.name,
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


def bar_table(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Table 3: the network and its walks at margin 0.1 beside the paper's rows (per 100
    interactions)."""
    own = margin_table(p, a, found)
    own = (
        own[own["margin"] == f"$\\eta$ = {groups.MARGIN:g}"]
        .assign(panel=a.system.name)
        .drop(columns="margin")
    )
    theirs = [
        pd.DataFrame(
            {
                "system": "Table 3 of the paper",
                "curves": name,
                "group": groups.GROUPS,
                "count": row,
                "low": row,
                "high": row,
                "panel": "the paper's networks",
            }
        )
        for name, row in groups.PAPER_COUNTS.items()
    ]
    return pd.concat([own, *theirs], ignore_index=True)


def pair_table(p: FiveGroups, pair: Pair, chosen: Both) -> pd.DataFrame:
    """Both networks and their walks beside the rows of Table 3."""
    return pd.concat(
        [bar_table(p, a, c) for a, c in zip(pair, chosen, strict=True)], ignore_index=True
    ).drop_duplicates()


def paper_layout(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Table 3's layout: a row per margin and width, the mean number of interactions in each group
    per image."""
    rows = {
        (a.system.name, margin, width): _counts(
            groups.classify(found.main.curves, margin, width)
        ).mean(0)
        for margin, width in itertools.product(p.margins, p.widths)
    }
    table = pd.DataFrame(rows, index=list(groups.GROUPS)).T.round(1)
    return table.rename_axis(["network", "margin", "width"])
