"""Splitting games, or null games matched to them, is a job."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar, Literal

import pydantic
import torch

from .. import io, lattice, sparsify
from ..interactions import Interactions
from ..metrics import nulls
from .base import Job, ensure

__all__ = ["Null", "SplitGames", "SplitJob"]

Null = Literal["iid", "smooth", "additive", "size"]
_NULLS = {
    "iid": nulls.iid_games,
    "smooth": nulls.smooth_games,
    "additive": nulls.additive_games,
    "size": nulls.size_games,
}


@dataclasses.dataclass(frozen=True)
class SplitGames:
    """Interactions of games (C, X, 2^n) before the first-order merge, with the certificate of each
    game (C, X).

    v: the games that were split. found: the sparse iterate, from which statistics are read.
    objective, l1 (weighted and plain strength), lower_bound and gap certify the feasible pair that
    repairs it, as does error = max_T |v - model|.
    """

    v: torch.Tensor
    found: Interactions
    objective: torch.Tensor
    l1: torch.Tensor
    lower_bound: torch.Tensor
    gap: torch.Tensor
    converged: torch.Tensor
    iterations: torch.Tensor
    error: torch.Tensor


class SplitJob(Job):
    """The AND-OR split of a network's games, or of null games matched to them, at all or at the
    named checkpoints.

    games: any job whose output has ``v`` (C, X, 2^n), such as
    :class:`utils.jobs.scored.GamesJob`; C counts checkpoints, layers or draws.
    """

    kind: ClassVar[str] = "split"
    version: ClassVar[int] = 1
    games: pydantic.InstanceOf[Job]
    checkpoints: tuple[int, ...] | None = None
    null: Null | None = None
    null_seed: int = 0
    kappa: float
    order_weight: float
    tol: float
    solver: Literal["certified", "paper"] = "certified"

    def compute(self, folder: Path) -> None:
        v = ensure(self.games).v
        if self.checkpoints is not None:
            v = v[list(self.checkpoints)]
        if self.null is not None:
            v = _NULLS[self.null](v, seed=self.null_seed)
        got = sparsify.split(
            v, kappa=self.kappa, order_weight=self.order_weight, tol=self.tol, solver=self.solver
        )
        error = (v - lattice.reconstruct(got.i_and, got.i_or)).abs().amax(-1)
        io.save_arrays(
            folder / "split.safetensors",
            {
                "v": v,
                "and": got.sparse_and,
                "or": got.sparse_or,
                "error": error,
                "objective": got.objective,
                "l1": got.l1,
                "lower_bound": got.lower_bound,
                "gap": got.gap,
                "converged": got.converged,
                "iterations": got.iterations,
            },
        )

    def load(self, folder: Path) -> SplitGames:
        arrays = io.load_arrays(folder / "split.safetensors")
        found = Interactions(arrays.pop("and"), arrays.pop("or"))
        return SplitGames(found=found, **arrays)
