"""What is shown beside D12 and D16: certificates of the games behind the class means, the papers'
curves, and likeness over training."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from ..jobs.class_means import GROUPS
from .class_similarity import ClassCourse, Classes, established, jaccard, products, ratios
from .exactness import require_identities
from .order_curves import curve

__all__ = [
    "certificates",
    "require_model",
    "table",
    "table_in_time",
]


def require_model(x: Classes) -> None:
    """ArithmeticError where the AND-OR duality fails or the model leaves kappa: a bug, then."""
    require_identities(
        *(max(float(getattr(one, name)) for one in x.networks) for name in ("duality", "excess"))
    )


def certificates(x: Classes) -> pd.DataFrame:
    """One row per group of images: games, uncertified ones, median and largest gap, share of
    saturated scores."""
    gap, done, flat = (
        torch.stack([getattr(one, name) for one in x.networks], 1).flatten(1)
        for name in ("gap", "converged", "saturated")
    )
    return pd.DataFrame(
        {
            "group": GROUPS,
            "games": gap.shape[1],
            "uncertified": (~done).sum(1).tolist(),
            "median gap": gap.median(1).values.tolist(),
            "largest gap": gap.amax(1).tolist(),
            "saturated share": flat.mean(1).tolist(),
        }
    )


def table(ends: Mapping[str, Classes]) -> pd.DataFrame:
    """Curves of the figure: the papers' Jaccard (train with test, half with half), and R at its
    established orders; class means at every end of the face by name, the main one first."""
    test, train = jaccard(next(iter(ends.values())))
    tables = [
        curve("weighted Jaccard", "train and test", test),
        curve("weighted Jaccard", "two train halves", train),
    ]
    for name, x in ends.items():
        every = products(x)
        tables.append(
            curve("P / Q, established orders", name, ratios(every, established(every[1])))
        )
    return pd.concat(tables, ignore_index=True)


def table_in_time(ends: Mapping[str, ClassCourse]) -> pd.DataFrame:
    """P / Q of orders 3 and above at each checkpoint (NaN where the pooled Q is not established);
    mean over networks; a curve per end of the face."""
    rows = []
    for name, course in ends.items():
        for step, x in zip(course.steps, course.times, strict=True):
            pooled = products(x)[..., 2:].sum(-1, keepdims=True)
            values = ratios(pooled, established(pooled[1]))[:, 0]
            value = float(np.nanmean(values)) if np.isfinite(values).any() else math.nan
            rows.append(("orders 3 and above", name, int(step), value))
    return pd.DataFrame(rows, columns=["panel", "curve", "step", "value"]).astype(
        {"step": int, "value": float}
    )
