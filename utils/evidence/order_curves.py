"""A figure's curve over the orders, with its interval over networks."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import stats

__all__ = ["curve", "mean"]


def mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean of what is there; NaN, without a warning, where nothing is."""
    kept = np.isfinite(values)
    count = kept.sum(axis)
    return np.where(count > 0, np.where(kept, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan)


def curve(panel: str, label: str, values: np.ndarray, first: int = 1) -> pd.DataFrame:
    """Mean over seeds of (R, n) with its 95 % t interval (a single seed has none); orders below
    ``first`` or without a value are left out."""
    rows = []
    for order, column in enumerate(np.asarray(values).T, 1):
        if order >= first and np.isfinite(column).any():
            span = stats.t_interval(column)
            low, high = (span.low, span.high) if span.n > 1 else (span.estimate, span.estimate)
            rows.append((panel, label, order, span.estimate, low, high))
    found = pd.DataFrame(rows, columns=["panel", "curve", "order", "value", "low", "high"])
    return found.astype(
        {"order": int, "value": float, "low": float, "high": float}
    )  # an empty one, too
