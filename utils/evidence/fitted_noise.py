"""D15: the fitted noise over time."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..jobs.games import CertifiedGames
from .theoretical_fit import LATEST, courses, share_distance

__all__ = ["FLOOR", "fitted_paths", "noise_slopes", "noise_statement", "noise_table"]

FLOOR = 1e-6
"""Least fitted noise level whose logarithm is taken: below it the prediction is w* itself."""


def _slopes(path: np.ndarray, log_steps: np.ndarray) -> np.ndarray:
    """Least-squares slope over log t of (..., T)."""
    centred = log_steps - log_steps.mean()
    return (path * centred).sum(-1) / (centred**2).sum()


def _standardised(path: np.ndarray) -> np.ndarray:
    """Each path in its own standard deviations; a constant one is 0 throughout."""
    spread = path.std(-1, keepdims=True)
    return np.divide(
        path - path.mean(-1, keepdims=True), spread, out=np.zeros_like(path), where=spread > 0
    )


def fitted_paths(e: CertifiedGames) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """σ² of the theory and λ of exponential shrinking at every checkpoint up to half of the
    training, (S, T) each, and the steps (T,). All images of a network together; w* are its
    interactions at the last checkpoint."""
    found = courses(e, ("noise", "exponential"))
    inner = (e.steps > 0) & (e.steps <= LATEST * e.steps[-1])
    real = found.real[:, inner].sum(2)
    best = {
        m: share_distance(paths.sum(2)[:, None], real[:, :, None]).argmin(-1)
        for m, paths in found.predicted.items()
    }
    return {m: found.grids[m][at] for m, at in best.items()}, e.steps[inner]


def noise_slopes(e: CertifiedGames) -> dict[str, np.ndarray]:
    """D15 per network: slope of log σ² (floored) over log t, and that of the standardised path
    minus the rival's."""
    paths, steps = fitted_paths(e)
    log_steps, level = np.log(steps.astype(float)), np.log(np.maximum(paths["noise"], FLOOR))
    above = _slopes(_standardised(level), log_steps) - _slopes(
        _standardised(paths["exponential"]), log_steps
    )
    return {
        "slope of log sigma^2 over log t": _slopes(level, log_steps),
        "standardised, minus the rival's": above,
    }


def noise_statement(e: CertifiedGames) -> str:
    """D15 in a sentence, with the reason why it is no verdict."""
    slope = noise_slopes(e)["slope of log sigma^2 over log t"]
    return (
        f"the fitted log sigma^2 has a slope of {slope.mean():.2f} (networks {slope.min():.2f} "
        f"to {slope.max():.2f}) "
        "per e-fold of time; the last checkpoint is its own ground truth, and random walks that "
        "start with low orders "
        "have such a slope too, so it decides nothing"
    )


def noise_table(e: CertifiedGames, name: str) -> pd.DataFrame:
    """Fitted σ² and λ of the networks over the steps, each divided by its largest value: mean,
    lowest, highest network."""
    paths, steps = fitted_paths(e)
    rows = []
    for m, label in (("noise", "theory"), ("exponential", "exponential shrink")):
        values = paths[m] / np.maximum(paths[m].max(1, keepdims=True), np.finfo(float).tiny)
        rows.append(
            pd.DataFrame(
                {
                    "step": steps,
                    "value": values.mean(0),
                    "low": values.min(0),
                    "high": values.max(0),
                    "model": label,
                    "panel": name,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)
