"""What every statistic is computed from: games of one system with their certified interactions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch

from ..interactions import Interactions
from ..metrics import orders, salience

__all__ = ["CertifiedGames"]


@dataclasses.dataclass(frozen=True)
class CertifiedGames:
    """Interactions of one system: R seeds, C checkpoints, X images, n players.

    v (R, C, X, 2^n); found: :class:`Interactions` of that shape, before the first-order merge;
    kappa: bound of the noise terms that the split was given; gap, converged, l1, error (R, C, X):
    certificate of the feasible split, see :class:`utils.jobs.runs.SplitGames`; steps (C,);
    saturated, noise_floor (R, C).
    """

    v: torch.Tensor
    found: Interactions
    kappa: float
    gap: torch.Tensor
    converged: torch.Tensor
    l1: torch.Tensor
    error: torch.Tensor
    steps: np.ndarray
    saturated: torch.Tensor
    noise_floor: torch.Tensor

    @property
    def merged(self) -> Interactions:
        """The interactions after the first-order merge."""
        return self.found.merge_first_order()

    @property
    def uncertified(self) -> float:
        """Share of games whose certified gap is above the tolerance asked for."""
        return float((~self.converged).double().mean())

    def moments(
        self, rule: salience.Rule | None = None, certified_only: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Order moments (R, C, X) of the merged interactions (see
        :func:`utils.metrics.orders.order_moments`).

        rule: count only salient interactions. certified_only: an image counts only if all its
        checkpoints are certified in that seed, so that every checkpoint is averaged over the same
        images.
        """
        tau = salience.threshold(self.merged, self.v, rule) if rule else None
        weighted, strength = orders.order_moments(self.merged, tau)
        if certified_only:
            whole = self.converged.all(1, keepdim=True)
            weighted, strength = weighted * whole, strength * whole
        return weighted, strength

    def certificates(self) -> pd.DataFrame:
        """One row per checkpoint: games, how many are uncertified, median and largest gap,
        saturation, noise floor."""
        gap, done = self.gap.transpose(0, 1).flatten(1), self.converged.transpose(0, 1).flatten(1)
        return pd.DataFrame(
            {
                "step": self.steps,
                "games": gap.shape[1],
                "uncertified": (~done).sum(1).tolist(),
                "median gap": gap.median(1).values.tolist(),
                "largest gap": gap.amax(1).tolist(),
                "saturated share": self.saturated.mean(0).tolist(),
                "noise floor": self.noise_floor.amax(0).tolist(),
            }
        )
