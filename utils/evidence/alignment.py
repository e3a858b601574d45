"""D4: does complexity turn upwards where over-fitting starts?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from .. import stats
from ..claims import Part, Premise
from ..jobs.games import CertifiedGames
from ..metrics import dynamics
from ..train import Run
from .mean_order import mean_orders

__all__ = [
    "GRID",
    "alignment",
    "alignment_parts",
    "gap",
    "gap_controls",
    "gap_table",
    "loss_gaps",
    "moments_in_time",
    "overfits",
    "turning_steps",
]

GRID = 64
"""Points, even in log time, on which a loss gap is fitted; the loss is measured at about 40 steps
of the same window."""
_SHIFTS = 1000

Floats = NDArray[np.float64]


def overfits(runs: list[Run]) -> Premise:
    """The claim's premise: the test loss turns up in every seed (its minimum lies before the last
    tenth of the steps)."""
    late = [
        run.config.seed
        for run in runs
        if run.losses["step"][run.losses["test_loss"].idxmin()] > 0.9 * run.config.steps
    ]
    return Premise(
        "the test loss turns up in every seed",
        not late,
        f"the test loss of seed(s) {late} is lowest in the last tenth of training, so they do "
        "not over-fit: "
        "train for more steps or on fewer images",
    )


def loss_gaps(steps: ArrayLike, runs: Sequence[Run]) -> tuple[Floats, Floats]:
    """(Test minus training loss) / their sum in the window of the checkpoints ``steps``: log steps
    (G,), gaps (S, G)."""
    inner = np.asarray(steps)[np.asarray(steps) > 0]
    grid = np.linspace(np.log(inner[0]), np.log(inner[-1]), GRID)
    curves = [
        (
            run.losses["step"].to_numpy(),
            run.losses["test_loss"].to_numpy(),
            run.losses["train_loss"].to_numpy(),
        )
        for run in runs
    ]
    return grid, np.stack(
        [
            dynamics.on_log_grid(at, (test - train) / (test + train), grid)
            for at, test, train in curves
        ]
    )


def moments_in_time(x: Floats, curves: Floats) -> tuple[float, Floats]:
    """Change point in log time of the average of ``curves`` (S, K), and of the averages without
    each network (S,)."""
    networks = len(curves)
    whole = curves.mean(0, keepdims=True)
    left = (networks * whole - curves) / (networks - 1) if networks > 1 else np.empty((0, len(x)))
    found = dynamics.change_points(x, np.concatenate([whole, left]))
    return float(found[0]), found[1:]


def alignment_parts(x: Floats, mu: Floats, grid: Floats, gaps: Floats) -> list[Part]:
    """D4: where the loss gap and the mean order turn upwards, compared.

    x (K,): log steps of the checkpoints after initialisation, mu (S, K): mean order of each
    network; grid (G,), gaps (S, G): normalised loss gap, in the same window. Distance: (log t_gap -
    log t*) in mean cells of ``x``. Both moments are change points of curves averaged over networks,
    since a single network's curve is too rough to have one; the networks are the sample, so they
    are jackknifed, and the values are the S pseudo-values: their t interval is the jackknife's. The
    images enter through each network's own average only. NaN where a curve, or one of its averages
    with a network left out, never turns upwards. The shift test moves t_gap circularly through the
    window.
    """
    cell, window = (x[-1] - x[0]) / (len(x) - 1), x[-1] - x[0]
    (gap, gap_left), (turn, turn_left) = moments_in_time(grid, gaps), moments_in_time(x, mu)
    distance, left = (gap - turn) / cell, (gap_left - turn_left) / cell
    networks = len(mu)
    values = networks * distance - (networks - 1) * left if networks > 1 else np.array([distance])
    if np.isnan(values).any():
        return [Part("distance", np.full(networks, np.nan)), Part("circular_shift", pvalue=1.0)]
    places = [np.clip((t - x[0]) / window, 0, 1)[None] * (_SHIFTS - 1) for t in (gap, turn)]
    test = stats.event_shift_test(*places, _SHIFTS)
    return [
        Part("distance", values),
        Part("circular_shift", pvalue=test.pvalue, estimate=abs(distance)),
    ]


def alignment(e: CertifiedGames, runs: Sequence[Run]) -> tuple[Floats, Floats, Floats, Floats]:
    """What :func:`alignment_parts` takes: log steps, mean orders, log grid, normalised gaps. Step 0
    is left out."""
    later = e.steps > 0
    mu = mean_orders(e)[:, later]
    curves = np.stack([stats.unit_means(network) for network in mu])  # (S, K), a mean over images
    return np.log(e.steps[later].astype(float)), curves, *loss_gaps(e.steps, runs)


def gap(runs: Sequence[Run]) -> Callable[[CertifiedGames], list[Part]]:
    """D4 as a statistic of a system's games, given its training ``runs``."""
    return lambda e: alignment_parts(*alignment(e, runs))


def gap_controls(e: CertifiedGames, runs: Sequence[Run]) -> dict[str, object]:
    """Both moments, of the averaged curves and of each network's own, and the factor that is one
    extraction cell."""
    x, mu, grid, gaps = alignment(e, runs)
    return {
        "t* (step)": float(np.exp(moments_in_time(x, mu)[0])),
        "t_gap (step)": float(np.exp(moments_in_time(grid, gaps)[0])),
        "t* of each network": np.exp(dynamics.change_points(x, mu)).tolist(),
        "t_gap of each network": np.exp(dynamics.change_points(grid, gaps)).tolist(),
        "factor between neighbouring checkpoints": float(np.exp((x[-1] - x[0]) / (len(x) - 1))),
    }


def turning_steps(e: CertifiedGames, runs: Sequence[Run]) -> dict[str, float]:
    """The two moments in steps, to be marked in a figure; one that is not there is left out."""
    x, mu, grid, gaps = alignment(e, runs)
    found = {
        "$t_{gap}$": np.exp(moments_in_time(grid, gaps)[0]),
        "$t^*$": np.exp(moments_in_time(x, mu)[0]),
    }
    return {label: float(step) for label, step in found.items() if np.isfinite(step)}


def gap_table(name: str, e: CertifiedGames, runs: Sequence[Run]) -> pd.DataFrame:
    """The normalised loss gap, averaged over networks."""
    grid, gaps = loss_gaps(e.steps, runs)
    return pd.DataFrame(
        {"panel": name, "curve": "loss gap", "step": np.exp(grid), "value": gaps.mean(0)}
    )
