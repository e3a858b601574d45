"""Scores of images under an adversarial attack, and under random noise of the same size: what changes in the games."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from .. import extract, io, runtime
from ..params import MultiOrder
from ..players import ImagePatches
from .base import Job, ensure
from .runs import GamesJob
from .side_by_side import ensure_all
from .study import System, games_jobs

__all__ = ["Attacked", "AttackedJob", "attacked", "pgd"]


def pgd(model: nn.Module, images: torch.Tensor, labels: torch.Tensor, size: float, steps: int) -> torch.Tensor:
    """Images (X, C, H, W) in [0, 1], each moved by at most ``size`` per pixel so that its loss rises.

    Projected gradient descent (Madry et al. 2018) from the image itself: ``steps`` steps of 2.5 size / steps along the
    sign of the gradient of the cross-entropy, each projected on the cube around the image and on [0, 1].
    """
    moved = images.clone()
    for _ in range(steps):
        moved.requires_grad_()
        (gradient,) = torch.autograd.grad(F.cross_entropy(model(moved), labels, reduction="sum"), moved)
        moved = moved.detach() + 2.5 * size / steps * gradient.sign()
        moved = torch.minimum(torch.maximum(moved, images - size), images + size).clamp(0, 1)
    return moved


@dataclasses.dataclass(frozen=True)
class Attacked:
    """v (3, X, 2^n) of X images: clean, attacked, with random noise of the same size; fooled: share of images whose
    class changes under the attack, and under the noise (2,)."""

    v: torch.Tensor
    fooled: torch.Tensor


class AttackedJob(Job):
    """The images of ``games`` scored clean, under PGD and with random signs of the same size, at one checkpoint."""

    kind: ClassVar[str] = "attacked"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = ("utils.extract", "utils.players", "utils.jobs.runs", "utils.jobs.attacked")
    games: GamesJob
    checkpoint: int = -1
    size: float = Field(gt=0, le=1)
    steps: int = Field(ge=1)
    seed: int = 0

    def compute(self, folder: Path) -> None:
        run = ensure(self.games.train)
        players, labels, _ = self.games.players()
        if not all(isinstance(one, ImagePatches) for one in players):
            raise ValueError("an attack moves pixels: the players must be image patches")
        device = runtime.device(self.games.device)
        model = run.model(run.steps[self.checkpoint]).to(device)
        images = torch.stack([one.image for one in players])
        signs = torch.randn(images.shape, generator=torch.Generator().manual_seed(self.seed)).sign()
        moved = {"attack": pgd(model, images.to(device), labels.to(device), self.size, self.steps).cpu(),
                 "noise": (images + self.size * signs).clamp(0, 1)}
        found = [extract.scores(model, players, labels, score=self.games.score, rows=self.games.rows, device=device).cpu()]
        fooled = []
        with torch.no_grad():
            clean = model(images.to(device)).argmax(1)
            for other in moved.values():
                fooled.append((model(other.to(device)).argmax(1) != clean).double().mean().cpu())
        for other in moved.values():
            theirs = [ImagePatches(x, one.owner, one.baseline, one.n) for x, one in zip(other, players, strict=True)]
            found.append(extract.scores(model, theirs, labels, score=self.games.score, rows=self.games.rows,
                                        device=device).cpu())
        io.save_arrays(folder / "attacked.safetensors", {"v": torch.stack(found), "fooled": torch.stack(fooled)})

    def load(self, folder: Path) -> Attacked:
        return Attacked(**io.load_arrays(folder / "attacked.safetensors"))


def attacked(p: MultiOrder, system: System, checkpoint: int = -1) -> Attacked:
    """Stacked over seeds: v (R, 3, X, 2^n), fooled (R, 2)."""
    jobs = [AttackedJob(games=job, checkpoint=checkpoint, size=p.attack_size, steps=p.attack_steps, seed=seed)
            for job, seed in zip(games_jobs(p, system), p.seeds, strict=True)]
    found: list[Attacked] = ensure_all(jobs, f"attacks on {system.name}")
    return Attacked(torch.stack([one.v for one in found]), torch.stack([one.fooled for one in found]))
