"""F1: does a Bayesian network encode fewer complex interactions than a standard one of the same
accuracy?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from .. import stats
from ..claims import Part, Premise
from ..jobs.bayesian import GROUPS, BayesianGames
from ..jobs.games import CertifiedGames
from ..metrics import orders

__all__ = [
    "accuracy_matched",
    "bayesian_controls",
    "bayesian_parts",
    "bayesian_table",
    "complexity",
    "high_shares",
]

BAYES, STANDARD = range(2)
MATCHED = 0.02
"""Difference of test accuracy at which two networks count as equally good."""


def _image_shares(e: CertifiedGames) -> np.ndarray:
    """Share of each image's strength in each order, (R, G, X, n)."""
    positive, negative = orders.strength_by_order(e.merged)
    strength = positive - negative
    return (strength / strength.sum(-1, keepdim=True)).numpy()


def high_shares(e: CertifiedGames) -> np.ndarray:
    """Share of an image's strength in orders above n/2, (R, G, X); NaN where it is left out because
    not all of its games are certified."""
    share = _image_shares(e)[..., e.found.n // 2 :].sum(-1)
    if e.certified_only:
        share = np.where(e.converged.all(1, keepdim=True).numpy(), share, np.nan)
    return share


def complexity(e: CertifiedGames) -> list[Part]:
    """F1 of the games of Bayesian and standard networks."""
    return bayesian_parts(high_shares(e))


def bayesian_parts(share: np.ndarray) -> list[Part]:
    """Bayesian minus standard network: share (R, 3, X).

    Not minus the third group: independent noise fills the high orders, so every smooth network lies
    below it.
    """
    scale = float(np.sqrt(np.nanvar(share[:, STANDARD], axis=1, ddof=1).mean()))
    return [Part.of("high_order_share", share[:, BAYES] - share[:, STANDARD], scale=scale)]


def accuracy_matched(games: Sequence[BayesianGames]) -> Premise:
    """Where the two networks are not equally good, fewer complex interactions may only be less
    learnt."""
    gap = max(float((g.accuracy[0] - g.accuracy[1]).abs()) for g in games)
    return Premise(
        "matched accuracy",
        gap <= MATCHED,
        "the test accuracies of a Bayesian network and of the nearest checkpoint differ by "
        f"{gap:.3f}, at most "
        f"{MATCHED} is allowed: more checkpoints",
    )


def bayesian_controls(games: Sequence[BayesianGames], share: np.ndarray) -> dict[str, object]:
    """Accuracies of both networks, how much the posterior's draws differ, and the share (R, 3, X)
    of every group."""
    return {
        "share of strength in orders above n/2": dict(
            zip(GROUPS, np.nanmean(share, (0, 2)).tolist(), strict=True)
        ),
        "test accuracy, Bayesian": [float(g.accuracy[0]) for g in games],
        "test accuracy, standard at the nearest checkpoint": [float(g.accuracy[1]) for g in games],
        "mean sd of a score over the posterior's draws": [float(g.sd) for g in games],
    }


def bayesian_table(e: CertifiedGames) -> pd.DataFrame:
    """Share of strength per order of each group of games, mean over networks and images with its 95
    % interval."""
    pieces = []
    for g, label in enumerate(GROUPS):
        spans = [
            stats.crossed(stats.unit_means(x), stats.leave_one_out(x)).interval()
            for x in np.moveaxis(_image_shares(e)[:, g], -1, 0)
        ]
        pieces.append(
            pd.DataFrame(
                {
                    "games": label,
                    "order": range(1, e.found.n + 1),
                    "value": [s.estimate for s in spans],
                    "low": [s.low for s in spans],
                    "high": [s.high for s in spans],
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
