"""L18 and L15's heat map: how alike the interactions of every two layers are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from ..claims import Part
from ..jobs.layered import Layered, Trio
from ..metrics import layers, salience
from . import layer_statistics as statistics
from .layer_change import change_of, left, salient_masks
from .layer_tables import course, total_course

__all__ = [
    "neighbours",
    "pair_similarities",
    "pair_tables",
    "salient_similarities",
    "sharing_tables",
]


def neighbours(x: Trio) -> list[Part]:
    """L18: similarity of layers one apart minus of those further apart; it has no null."""
    return statistics.neighbour_parts(pair_similarities(x.trained))


def pair_similarities(x: Layered) -> np.ndarray:
    """Weighted Jaccard of *all* interactions of every two probed layers per image, AND and OR
    together: (S, P, P, X); NaN: an uncertified image left out."""
    unit = layers.normalised(x.e.merged, x.e.v)
    values = torch.cat([unit.and_[..., 1:], unit.or_[..., 1:]], -1)[:, :-1]
    count = values.shape[1]
    found = torch.ones(len(values), count, count, values.shape[2], dtype=torch.float64)
    for i in range(count):
        for j in range(i):
            a, b = values[:, i], values[:, j]
            lesser = torch.where(a * b > 0, torch.minimum(a.abs(), b.abs()), 0.0).sum(-1)
            # Σ max over the signed parts: where the signs differ both magnitudes count
            larger = a.abs().sum(-1) + b.abs().sum(-1) - lesser
            found[:, i, j] = found[:, j, i] = lesser / torch.where(larger > 0, larger, torch.nan)
    return torch.where(left(x)[:, None, None], found, torch.nan).numpy()


def salient_similarities(x: Layered, rule: salience.Rule) -> np.ndarray:
    """Weighted Jaccard of the salient interactions of every two layers, AND and OR together: (R, C,
    C)."""
    unit = layers.normalised(x.e.merged, x.e.v)
    # AND and OR of a sample side by side are one longer vector; order 0 of either is never salient.
    values, mask = torch.cat([unit.and_, unit.or_], -1), torch.cat(salient_masks(x, rule), -1)
    count = values.shape[1]
    result = np.empty((len(values), count, count))
    for i in range(count):
        for j in range(count):
            alike = layers.similarity(values[:, i], values[:, j], mask[:, i], mask[:, j])
            result[:, i, j] = alike.numpy()
    return result


def sharing_tables(x: Trio, rule: salience.Rule) -> tuple[pd.DataFrame, pd.DataFrame]:
    """L15's figure: overlap / all of the final layer, of the network and its control; similarity of
    every two layers, over the seeds that have a value."""
    ours, null = x.trained, x.shuffled
    rows = total_course("completeness", "trained", change_of(ours, "both", rule), ours.layers)
    rows += total_course(
        "completeness", "shuffled labels", change_of(null, "both", rule), null.probed
    )
    mean = torch.from_numpy(salient_similarities(ours, rule)).nanmean(0).numpy()
    return pd.DataFrame(rows), pd.DataFrame(mean, index=ours.layers, columns=ours.layers)


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
        rows += course("similarity", name, x.probed, torch.tensor(values), band=True)
    return pd.DataFrame(rows), pd.DataFrame(between.mean(0), index=x.probed, columns=x.probed)
