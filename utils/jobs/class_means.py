"""Mean interactions of the images of a class, on players that are the same cells in every image."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field

from .. import extract, io, lattice, runtime, sparsify
from ..datasets import Samples
from ..interactions import Interactions
from ..metrics import orders, sparsity
from ..players import GridDraw, ImagePatches, grid_players
from .base import Job, ensure
from .scored import Games
from .trained import TrainJob

__all__ = ["GROUPS", "ClassGamesJob", "ClassMeans", "ClassMeansJob"]

GROUPS = ("train half", "other train half", "test")


class ClassGamesJob(Job):
    """v (3, K per_class, 2^n) of images of each of K classes: two disjoint halves of training
    images, and test images.

    Scored by the network at ``checkpoint``, an index. The training images are among those the
    network was trained on; which images are taken is drawn with ``seed``, so that networks of
    different seeds also speak for different images.
    """

    kind: ClassVar[str] = "class_games"
    version: ClassVar[int] = 1
    train: TrainJob
    per_class: int = Field(ge=2)
    n: int
    how: GridDraw = GridDraw()
    seed: int = 0
    score: extract.Score = "logodds"
    rows: int | None = None
    checkpoint: int = -1
    device: str = "cpu"

    def images(self) -> tuple[list[list[ImagePatches]], torch.Tensor, torch.Tensor]:
        """Players (3 groups, K per_class), labels (K per_class,), the same for all groups, and ids
        (3, K per_class)."""
        config = self.train.config
        seen, unseen = config.told(), config.data("test")
        generator = torch.Generator().manual_seed(self.seed)
        one, other, test = [], [], []
        for label in range(len(seen.classes)):
            chosen = _draw(seen, label, 2 * self.per_class, generator)
            one += chosen[: self.per_class]
            other += chosen[self.per_class :]
            test += _draw(unseen, label, self.per_class, generator)
        mean = config.data("train").mean
        groups = [(seen, one), (seen, other), (unseen, test)]
        return (
            [grid_players(data.x[positions], self.n, self.how, mean) for data, positions in groups],
            seen.labels[one],
            torch.stack([data.ids[positions] for data, positions in groups]),
        )

    def compute(self, folder: Path) -> None:
        run = ensure(self.train)
        groups, labels, ids = self.images()
        device = runtime.device(self.device)
        model = run.model(run.steps[self.checkpoint]).to(device)
        shown = runtime.progress(
            groups, desc=f"scoring images of each class, {run.config.model}", unit="group"
        )
        games = [
            extract.scores(
                model, players, labels, score=self.score, rows=self.rows, device=device
            ).cpu()
            for players in shown
        ]
        floors = [
            extract.noise_floor(model, players[0].to(device), int(labels[0]), score=self.score)
            for players in groups
        ]
        v = torch.stack(games)
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "steps": torch.arange(len(v)),
                "labels": labels,
                "ids": ids,
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor(floors, dtype=torch.float64),
            },
        )

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))


def _draw(data: Samples, label: int, count: int, generator: torch.Generator) -> list[int]:
    there = (data.labels == label).nonzero().flatten()
    if len(there) < count:
        raise ValueError(
            f"{count} {data.split} images of class {data.classes[label]!r} are needed, "
            f"{data.name} has "
            f"{len(there)} of those the network may see: lower class_images, or train on more "
            "images (n_train)"
        )
    return there[torch.randperm(len(there), generator=generator)[:count]].tolist()


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
