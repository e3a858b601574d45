"""D10's figure: real and predicted shares per order, fitted noise and held-out distances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ..jobs.games import CertifiedGames
from .theoretical_fit import (
    NOISE,
    SAMPLING,
    TIMES,
    Courses,
    Judged,
    Prediction,
    courses,
    halves,
    judged,
    order_shares,
)

__all__ = ["fit_tables", "tables"]


def tables(x: Prediction, tau: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """D10's bars and curves: of all interactions, and in a second row of salient ones."""
    found = {"all interactions": courses(x.e), f"salient, tau = {tau:g}": courses(x.e, tau=tau)}
    cases = {name: (one, judged(one, x.halves)) for name, one in found.items()}
    return fit_tables(x.e, cases, x.times, x.course.v.shape[2])


def fit_tables(
    e: CertifiedGames,
    cases: Mapping[str, tuple[Courses, Judged]],
    times_: np.ndarray,
    shared: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """D10's figure: bars (real and predicted shares per case and time) and curves over the targets
    of the first case.

    Bars are means over seeds and halves of what was judged, low and high their quartiles. Curves:
    the fitted σ² and the held-out distance of every model, median and quartiles.
    """
    split, bars = halves(e.v.shape[2], shared), []
    for case, (found, distances) in cases.items():
        for k, time in enumerate(TIMES):
            pairs = [
                (s, h, times_[s, h, k])
                for s, h in np.ndindex(*times_.shape[:2])
                if times_[s, h, k] >= 0
            ]
            if not pairs:
                continue
            steps = sorted({int(e.steps[c]) for _, _, c in pairs})
            name = f"{time}\nstep {steps[0]}" + (f" to {steps[-1]}" if len(steps) > 1 else "")
            real = [order_shares(found.real[s, c, split[h]].sum(0)) for s, h, c in pairs]
            at = np.searchsorted(
                found.grids["noise"], [distances.fitted["noise"][one] for one in pairs]
            )
            theirs = [
                order_shares(found.predicted["noise"][s, g, split[h]].sum(0))
                for (s, h, _), g in zip(pairs, at, strict=True)
            ]
            bars += [
                _bars(real, "real").assign(row=case, time=name),
                _bars(theirs, "theory").assign(row=case, time=name),
            ]
    columns = ["shares", "order", "share", "low", "high", "row", "time"]
    first = next(iter(cases.values()))[1]
    curves = [
        _course(
            e, "noise", np.where(first.fitted["noise"] > 0, first.fitted["noise"], np.nan), NOISE
        )
    ]
    curves += [_course(e, m, x, "held-out distance") for m, x in first.value.items()]
    return (
        pd.concat(bars, ignore_index=True) if bars else pd.DataFrame(columns=columns),
        pd.concat(curves, ignore_index=True),
    )


def _bars(shares: list[np.ndarray], kind: str) -> pd.DataFrame:
    stacked = np.nan_to_num(np.stack(shares))
    return pd.DataFrame(
        {
            "shares": kind,
            "order": range(1, stacked.shape[1] + 1),
            "share": stacked.mean(0),
            "low": np.quantile(stacked, 0.25, 0),
            "high": np.quantile(stacked, 0.75, 0),
        }
    )


_NAMES = {
    SAMPLING: SAMPLING,
    "noise": "theory",
    "exponential": "exponential shrink",
    "cut": "hard cut",
    "mix": "mix with initial",
}


def _course(e: CertifiedGames, model: str, values: np.ndarray, panel: str) -> pd.DataFrame:
    """Median and quartiles over seeds and halves (S, 2, T) at the targets, but for the first and
    the last one."""
    inner = values[:, :, 1:-1].reshape(-1, values.shape[2] - 2)
    kept = np.isfinite(inner).any(0)
    low, middle, high = (
        np.nanquantile(inner[:, kept], [0.25, 0.5, 0.75], axis=0)
        if kept.any()
        else np.empty((3, 0))
    )
    return pd.DataFrame(
        {
            "panel": panel,
            "model": _NAMES[model],
            "step": e.steps[1:-1][kept],
            "value": middle,
            "low": low,
            "high": high,
        }
    )
