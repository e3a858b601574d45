"""What every statistic is computed from: games of one system with their certified interactions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from ..interactions import Interactions
from ..metrics import orders, salience
from .side_by_side import ensure_all
from .split import SplitGames, SplitJob

__all__ = ["CertifiedGames", "Splits"]


@dataclasses.dataclass(frozen=True, eq=False)
class CertifiedGames:
    """Interactions of one system: R seeds, C checkpoints, X images, n players.

    v (R, C, X, 2^n); found: :class:`Interactions` of that shape, before the first-order merge;
    kappa: bound of the noise terms that the split was given; gap, converged, l1, error (R, C, X):
    certificate of the feasible split, see :class:`utils.jobs.split.SplitGames`; steps (C,);
    saturated, noise_floor (R, C). certified_only: statistics leave out what is not certified.
    nulls: matched null games through the same split, by name.
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
    certified_only: bool = False
    nulls: Mapping[str, CertifiedGames] = dataclasses.field(default_factory=dict)

    def certified(self) -> CertifiedGames:
        """The same games for statistics of certified ones only, nulls included."""
        nulls = {name: e.certified() for name, e in self.nulls.items()}
        return dataclasses.replace(self, certified_only=True, nulls=nulls)

    def at(self, *checkpoints: int) -> CertifiedGames:
        """The same games at some of the checkpoints (indices), nulls left behind."""
        keep = list(checkpoints)
        parts = ("v", "found", "gap", "converged", "l1", "error", "saturated", "noise_floor")
        some = {name: getattr(self, name)[:, keep] for name in parts}
        return dataclasses.replace(self, **some, steps=self.steps[keep], nulls={})

    @property
    def merged(self) -> Interactions:
        """The interactions after the first-order merge."""
        return self.found.merge_first_order()

    @property
    def uncertified(self) -> float:
        """Share of games whose certified gap is above the tolerance asked for, the largest among
        these games and their nulls."""
        own = float((~self.converged).double().mean())
        return max(own, *(e.uncertified for e in self.nulls.values())) if self.nulls else own

    def moments(self, rule: salience.Rule | None = None) -> tuple[torch.Tensor, torch.Tensor]:
        """Order moments (R, C, X) of the merged interactions (see
        :func:`utils.metrics.orders.order_moments`).

        rule: count only salient interactions. Of certified games only, an image counts if all its
        checkpoints are certified in that seed, so that every checkpoint is averaged over the same
        images.
        """
        tau = salience.threshold(self.merged, self.v, rule) if rule else None
        weighted, strength = orders.order_moments(self.merged, tau)
        if self.certified_only:
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


@dataclasses.dataclass(frozen=True)
class Splits:
    """The jobs behind one system's certified games, a split per seed; nothing is computed yet.

    name: whose, for progress bars. A split's games need ``v`` (C, X, 2^n), ``steps``, ``saturated``
    and ``noise_floor`` (C,); C is the axis of checkpoints, or of layers or groups that ``steps``
    then numbers.
    """

    name: str
    jobs: tuple[SplitJob, ...]

    def load(self) -> CertifiedGames:
        """The games and their interactions, stacked over seeds; computed where they are missing."""
        games = ensure_all([job.games for job in self.jobs], f"scores of {self.name}")
        splits: list[SplitGames] = ensure_all(self.jobs, f"splits of {self.name}")
        chosen = self.jobs[0].checkpoints
        keep = slice(None) if chosen is None else list(chosen)
        stacked = {
            name: torch.stack([getattr(split, name) for split in splits])
            for name in ("v", "gap", "converged", "l1", "error")
        }
        return CertifiedGames(
            **stacked,
            found=Interactions(
                torch.stack([split.found.and_ for split in splits]),
                torch.stack([split.found.or_ for split in splits]),
            ),
            kappa=self.jobs[0].kappa,
            steps=games[0].steps.numpy()[keep],
            saturated=torch.stack([g.saturated for g in games])[:, keep],
            noise_floor=torch.stack([g.noise_floor for g in games])[:, keep],
        )
