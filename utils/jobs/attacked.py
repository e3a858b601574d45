"""Scores of images under an adversarial attack, and under random noise of the same size: what
changes in the games."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from .. import extract, io, runtime
from .base import Job, ensure
from .scored import GamesJob

__all__ = ["Attacked", "AttackedJob", "pgd"]


def pgd(
    model: nn.Module, images: torch.Tensor, labels: torch.Tensor, size: float, steps: int
) -> torch.Tensor:
    """Images (X, C, H, W) in [0, 1], each moved by at most ``size`` per pixel so that its loss
    rises.

    Projected gradient descent (Madry et al. 2018) from the image itself: ``steps`` steps of 2.5
    size / steps along the sign of the gradient of the cross-entropy, each projected on the cube
    around the image and on [0, 1].
    """
    moved = images.clone()
    for _ in range(steps):
        moved.requires_grad_()
        (gradient,) = torch.autograd.grad(
            F.cross_entropy(model(moved), labels, reduction="sum"), moved
        )
        moved = moved.detach() + 2.5 * size / steps * gradient.sign()
        moved = torch.minimum(torch.maximum(moved, images - size), images + size).clamp(0, 1)
    return moved


@dataclasses.dataclass(frozen=True)
class Attacked:
    """X images under an attack and under random noise of the same size, at K sizes.

    clean (X, 2^n): their games; moved (2, K, X, 2^n): those under the attack, and under the noise;
    fooled (2, K, X) bool: where the class that the network answers changes. Stacked over seeds, R
    stands before each.
    """

    clean: torch.Tensor
    moved: torch.Tensor
    fooled: torch.Tensor


class AttackedJob(Job):
    """The samples of ``games`` scored clean at one checkpoint; those of images also under PGD and
    with random signs of the same size (other samples take no ``sizes``)."""

    kind: ClassVar[str] = "attacked"
    version: ClassVar[int] = 2
    games: GamesJob
    checkpoint: int = -1
    sizes: tuple[float, ...] = ()
    steps: int = Field(1, ge=1)
    seed: int = 0

    def compute(self, folder: Path) -> None:
        run = ensure(self.games.train)
        players, labels, _ = self.games.players()
        if self.sizes and run.config.source.kind != "image":
            raise ValueError(
                f"an attack moves pixels in [0, 1]: {run.config.dataset} is a set of "
                f"{run.config.source.noun}, not of images"
            )
        device = runtime.device(self.games.device)
        model = run.model(run.steps[self.checkpoint]).to(device)
        images = torch.stack([one.whole for one in players])
        signs = torch.randn(images.shape, generator=torch.Generator().manual_seed(self.seed)).sign()

        def scored(inputs: torch.Tensor) -> torch.Tensor:
            theirs = [one.around(x) for x, one in zip(inputs, players, strict=True)]
            return extract.scores(
                model,
                theirs,
                labels,
                score=self.games.score,
                rows=self.games.rows,
                device=device,
                path="auto",
            ).cpu()

        def answers(inputs: torch.Tensor) -> torch.Tensor:
            with torch.no_grad():
                return model(inputs.to(device)).argmax(1).cpu()

        moved = [
            [
                pgd(model, images.to(device), labels.to(device), size, self.steps).cpu()
                for size in self.sizes
            ],
            [(images + size * signs).clamp(0, 1) for size in self.sizes],
        ]
        shape = (2, len(self.sizes), len(images))
        games = [scored(x) for kind in moved for x in kind]
        fooled = [answers(x) != answers(images) for kind in moved for x in kind]
        clean = scored(images)
        io.save_arrays(
            folder / "attacked.safetensors",
            {
                "clean": clean,
                "moved": torch.stack(games).view(*shape, -1)
                if games
                else clean.new_zeros(*shape, clean.shape[-1]),
                "fooled": torch.stack(fooled).view(shape)
                if fooled
                else torch.zeros(shape, dtype=torch.bool),
            },
        )

    def load(self, folder: Path) -> Attacked:
        return Attacked(**io.load_arrays(folder / "attacked.safetensors"))
