"""D3a, D3b: the mean order of interactions falls, then rises."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from .. import stats
from ..claims import Part
from ..jobs.games import CertifiedGames
from ..metrics import dynamics, orders, salience

__all__ = [
    "EDGE",
    "bar_table",
    "fall",
    "fall_beside",
    "fall_parts",
    "mean_orders",
    "median_turn",
    "phase_controls",
    "phase_table",
    "pooled_parts",
    "rise",
    "rise_beside",
    "rise_parts",
    "turning_points",
]

EDGE = dynamics.EDGE

Floats = NDArray[np.float64]


def mean_orders(e: CertifiedGames, rule: salience.Rule | None = None) -> Floats:
    """Mean order of each image's interactions: (S networks, C checkpoints, X images); NaN where an
    image has no strength, or is left out as uncertified.

    rule: of salient interactions only.
    """
    weighted, strength = e.moments(rule)
    return torch.where(strength > 0, weighted / strength, torch.nan).numpy()


def turning_points(mu: Floats) -> NDArray[np.int64]:
    """t* for each network and half of the images, from ``mu`` (S, C, X): (S, 2) indices of
    checkpoints.

    The inner checkpoint of least mean order of the *other* networks on the *other* half: a minimum
    that is judged on what chose it finds a rise in noise.
    """
    if mu.shape[1] < 2 * EDGE + 1:
        raise ValueError(f"two phases need at least {2 * EDGE + 1} checkpoints, got {mu.shape[1]}")
    return EDGE + stats.cross_chosen(mu[:, EDGE : mu.shape[1] - EDGE], _least)


def _least(values: Floats) -> int:
    return int(np.argmin(np.where(np.isnan(values), np.inf, values)))


def fall_parts(mu: Floats) -> list[Part]:
    """D3a from ``mu`` (S, C, X): mean over images of the mean order before training minus that at
    t*."""
    return [Part.of("fall", mu[:, 0] - stats.chosen(mu, turning_points(mu)))]


def rise_parts(mu: Floats) -> list[Part]:
    """D3b from ``mu`` (S, C, X): mean over images of the mean order at the end of training minus
    that at t*."""
    return [Part.of("rise", mu[:, -1] - stats.chosen(mu, turning_points(mu)))]


def fall(e: CertifiedGames, rule: salience.Rule | None = None) -> list[Part]:
    """D3a of a system's games; rule: of salient interactions only."""
    return fall_parts(mean_orders(e, rule))


def rise(e: CertifiedGames, rule: salience.Rule | None = None) -> list[Part]:
    """D3b of a system's games; rule: of salient interactions only."""
    return rise_parts(mean_orders(e, rule))


def pooled_parts(e: CertifiedGames, name: str) -> list[Part]:
    """``fall`` or ``rise`` as a ratio of sums over images, the same t*: images of larger scores
    count for more."""
    weighted, strength = (x.numpy() for x in e.moments())
    where, end = turning_points(mean_orders(e)), {"fall": 0, "rise": -1}[name]
    turn = [stats.chosen(x, where) for x in (weighted, strength)]

    def difference(keep: NDArray[np.bool_]) -> Floats:
        ratio = [
            w[:, keep].sum(1) / s[:, keep].sum(1)
            for w, s in ((weighted[:, end], strength[:, end]), turn)
        ]
        return ratio[0] - ratio[1]

    return [Part.jackknifed(name, difference, weighted.shape[2])]


def fall_beside(e: CertifiedGames, rule: salience.Rule) -> dict[str, list[Part]]:
    """D3a otherwise, shown beside the verdict: images by their strength, salient interactions."""
    return {
        "ratio of sums over images": pooled_parts(e, "fall"),
        f"salient interactions only ({rule})": fall(e, rule),
    }


def rise_beside(e: CertifiedGames, rule: salience.Rule) -> dict[str, list[Part]]:
    """D3b otherwise, see :func:`fall_beside`."""
    return {
        "ratio of sums over images": pooled_parts(e, "rise"),
        f"salient interactions only ({rule})": rise(e, rule),
    }


def phase_controls(
    e: CertifiedGames, noise: CertifiedGames, rule: salience.Rule
) -> dict[str, object]:
    """Mean order over time, that of independent noise (N2) through the same split, and where t* was
    chosen. rule: of salience, in the figure."""
    mu = mean_orders(e)
    weighted, strength = e.moments()
    return {
        "step": e.steps.tolist(),
        "mean order": np.nanmean(mu, axis=(0, 2)).tolist(),
        "mean order, ratio of sums over images": (weighted.sum(-1) / strength.sum(-1))
        .mean(0)
        .tolist(),
        "mean order of independent noise before training (N2)": float(
            np.nanmean(mean_orders(noise))
        ),
        "t* chosen for each network, by half of the images": e.steps[turning_points(mu)].tolist(),
        "inner checkpoints": e.steps[[EDGE, -EDGE - 1]].tolist(),
        "salience rule of the figure": rule,
    }


def bar_table(e: CertifiedGames, name: str, count: int, rule: salience.Rule | None) -> pd.DataFrame:
    """Strength per order at ``count`` checkpoints, the first, the last and the turning point among
    them.

    Positive and negative salient interactions, summed within a sample, averaged over images and
    seeds.
    """
    tau = salience.threshold(e.merged, e.v, rule) if rule else None
    positive, negative = (x.mean((0, 2)) for x in orders.strength_by_order(e.merged, tau))
    chosen = np.linspace(0, len(e.steps) - 1, count).round().astype(int)
    turning = int(np.median(turning_points(mean_orders(e))))
    inner = 1 + int(np.abs(chosen[1:-1] - turning).argmin())
    chosen[inner] = min(max(turning, chosen[inner - 1] + 1), chosen[inner + 1] - 1)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "system": name,
                    "time": f"step {e.steps[c]}",
                    "order": range(1, e.found.n + 1),
                    "positive": positive[c].numpy(),
                    "negative": negative[c].numpy(),
                }
            )
            for c in chosen
        ],
        ignore_index=True,
    )


def median_turn(e: CertifiedGames) -> float:
    """The median step of t* over networks and halves of the images."""
    return float(np.median(e.steps[turning_points(mean_orders(e))]))


def phase_table(name: str, analyses: Mapping[str, CertifiedGames]) -> pd.DataFrame:
    """Mean order at each checkpoint, a curve per analysis: mean over networks of their means over
    images, with the interval over networks and images."""
    rows = []
    for label, e in analyses.items():
        mu = mean_orders(e)
        for c, step in enumerate(e.steps):
            span = stats.crossed(
                stats.unit_means(mu[:, c]), stats.leave_one_out(mu[:, c])
            ).interval()
            rows.append(
                {
                    "panel": name,
                    "curve": label,
                    "step": int(step),
                    "value": span.estimate,
                    "low": span.low,
                    "high": span.high,
                }
            )
    return pd.DataFrame(rows)
