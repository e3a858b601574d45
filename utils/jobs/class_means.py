"""Mean interactions of the images of a class, on players that are the same cells in every image."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch

from .. import extract, io, lattice, sparsify
from ..interactions import Interactions
from ..metrics import orders, sparsity
from .base import Job, ensure
from .class_games import GROUPS, ClassGamesJob

__all__ = ["GROUPS", "ClassGamesJob", "ClassMeans", "ClassMeansJob"]


@dataclasses.dataclass(frozen=True)
class ClassMeans:
    """Class means after the first-order merge; G groups (:data:`GROUPS`), K classes, AND and OR.

    means, certified (G, K, 2, 2^n): over all images, over those whose split is certified (NaN where
    there is none); order (G, K): mean over images of each image's mean order; gap, converged,
    saturated (G, X): of every game; duality, excess: largest relative errors of the AND-OR duality
    and of the model beyond kappa (identities).
    """

    means: torch.Tensor
    certified: torch.Tensor
    order: torch.Tensor
    gap: torch.Tensor
    converged: torch.Tensor
    saturated: torch.Tensor
    duality: torch.Tensor
    excess: torch.Tensor


class ClassMeansJob(Job):
    """The class means of the split games: the splits themselves are not kept."""

    kind: ClassVar[str] = "class_means"
    version: ClassVar[int] = 2
    games: ClassGamesJob
    kappa: float
    order_weight: float
    tol: float

    def compute(self, folder: Path) -> None:
        games = ensure(self.games)
        v, labels = games.v, games.labels
        got = sparsify.split(v, kappa=self.kappa, order_weight=self.order_weight, tol=self.tol)
        off = (v - lattice.reconstruct(got.i_and, got.i_or)).abs() - self.kappa * (
            v[..., -1:] - v[..., :1]
        ).abs()
        found = Interactions(got.sparse_and, got.sparse_or).merge_first_order()
        both = torch.stack([found.and_, found.or_], 2)
        weighted, strength = orders.order_moments(found)
        middle = weighted / strength
        each = torch.ones_like(got.converged)
        io.save_arrays(
            folder / "means.safetensors",
            {
                "means": _class_means(both, labels, each),
                "certified": _class_means(both, labels, got.converged),
                "order": torch.stack(
                    [middle[:, labels == k].nanmean(1) for k in labels.unique()], 1
                ),
                "gap": got.gap,
                "converged": got.converged,
                "saturated": (v.abs() > extract.SATURATED).double().mean(-1),
                "duality": sparsity.duality_error(v).max(),
                "excess": off.max() / v.abs().max(),
            },
        )

    def load(self, folder: Path) -> ClassMeans:
        return ClassMeans(**io.load_arrays(folder / "means.safetensors"))


def _class_means(values: torch.Tensor, labels: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """(G, X, 2, 2^n), (X,), (G, X) → (G, K, 2, 2^n); order 0 is set to 0."""
    weight = keep.double()[..., None, None]
    means = torch.stack(
        [
            (values * weight)[:, labels == k].sum(1) / weight[:, labels == k].sum(1)
            for k in labels.unique()
        ],
        1,
    )
    means[..., 0] = 0
    return means
