"""Games of images of each class, on players that are the same cells in every image."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field

from .. import extract, io, runtime
from ..datasets import Samples
from ..players import GridDraw, ImagePatches, grid_players
from .base import Job, ensure
from .scored import Games, save_games
from .trained import TrainJob

__all__ = ["GROUPS", "ClassGamesJob"]

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
                model, players, labels, score=self.score, rows=self.rows, device=device, path="auto"
            ).cpu()
            for players in shown
        ]
        floors = [
            extract.noise_floor(model, players[0].to(device), int(labels[0]), score=self.score)
            for players in groups
        ]
        v = torch.stack(games)
        save_games(folder, v, torch.arange(len(v)), floors, labels=labels, ids=ids)

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
