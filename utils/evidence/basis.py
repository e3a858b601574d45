"""M2, M3: how much of a feature ten principal components hold, of its variance and of what the
network answers by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..claims import Part, Premise
from ..jobs.components import Basis
from .component_statistics import FIRST, LAST, accuracy_parts, variance_parts

__all__ = [
    "accuracy",
    "accuracy_table",
    "accuracy_told",
    "eigen_table",
    "variance",
    "variance_told",
]

_ENOUGH_IMAGES = 1000
_STATES = (("untrained", FIRST), ("trained", LAST))


def _ten(r: int) -> Premise:
    text = f"the claim speaks of 10 components, n_players is {r}"
    return Premise("ten components", r == 10, text)


def _ratios(b: Basis) -> list[np.ndarray]:
    """Eigenvalue r over eigenvalue r + 1 per network, pooled over training and untrained; NaN for
    features that span only r dimensions."""
    r = b.r
    return [
        np.array(
            [
                float(c.eigenvalues[r - 1] / c.eigenvalues[r])
                if c.rank > r and len(c.eigenvalues) > r
                else np.nan
                for c in found
            ]
        )
        for found in (b.pooled, b.start)
    ]


def variance(b: Basis) -> list[Part]:
    """M2, per network: share of the pooled variance in the first r components, and the gap after
    them."""
    return variance_parts(np.array([c.share for c in b.pooled]), *_ratios(b))


def variance_told(b: Basis) -> dict[str, Any]:
    """M2's premise and controls."""
    ratios, untrained = _ratios(b)
    control = {
        "share before training (N0)": [c.share for c in b.start],
        "components": b.r,
        "eigenvalue r over eigenvalue r+1": ratios,
        "the same before training (N0)": untrained,
        "numbers in a feature": int(b.pooled[0].mean.numel()),
    }
    return {"premises": [_ten(b.r)], "control": control}


def eigen_table(b: Basis, name: str) -> pd.DataFrame:
    """Eigenvalues over the total variance, descending: mean and range over seeds, pooled over
    training and untrained."""
    pieces = []
    for label, found in (("pooled over training", b.pooled), ("untrained", b.start)):
        count = min(len(c.eigenvalues) for c in found)
        values = np.array([(c.eigenvalues[:count] / c.total).numpy() for c in found])
        pieces.append(
            pd.DataFrame(
                {
                    "system": name,
                    "features": label,
                    "rank": range(1, count + 1),
                    "share": values.mean(0),
                    "low": values.min(0),
                    "high": values.max(0),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def accuracy(b: Basis) -> list[Part]:
    """M3, per network: test accuracy with r components minus with the whole feature, after
    training."""
    return accuracy_parts(
        np.array([float(x.components[LAST] - x.whole[LAST]) for x in b.accuracies])
    )


def accuracy_told(b: Basis) -> dict[str, Any]:
    """M3's premises and controls."""
    count = b.accuracies[0].images
    text = f"{count} test images, at least {_ENOUGH_IMAGES} are needed"
    kinds = {
        "whole feature": "whole",
        "components": "components",
        "random directions": "random",
    }
    control: dict[str, Any] = {
        f"{name}, {state}{' (N0)' if k == FIRST else ''}": [
            float(getattr(x, field)[k]) for x in b.accuracies
        ]
        for name, field in kinds.items()
        for state, k in _STATES
    }
    return {
        "premises": [Premise("test images", count >= _ENOUGH_IMAGES, text), _ten(b.r)],
        "control": {"test images": count, **control},
    }


def accuracy_table(b: Basis, name: str) -> pd.DataFrame:
    """Table 1's columns: accuracy with the whole feature, its components, random directions; mean
    and range over seeds."""
    kinds = {
        "whole feature": "whole",
        "principal components": "components",
        "random directions": "random",
    }
    rows = []
    for state, k in _STATES:
        for label, field in kinds.items():
            values = [float(getattr(x, field)[k]) for x in b.accuracies]
            row = {"system": name, "network": state, "using": label, "accuracy": np.mean(values)}
            rows.append({**row, "low": min(values), "high": max(values)})
    return pd.DataFrame(rows)
