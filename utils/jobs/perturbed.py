"""Scores of copies of a trained network whose weights carry Gaussian noise: an ensemble for the
variance law of Lemma 1."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import extract, io, runtime
from .base import Job, ensure
from .scored import GamesJob

__all__ = ["Perturbed", "PerturbedJob", "with_noise"]


@dataclasses.dataclass(frozen=True)
class Perturbed:
    """v (X, R, 2^n) of X images under R noisy copies of a network; noise_floor: size of its
    rounding in an interaction."""

    v: torch.Tensor
    noise_floor: torch.Tensor


class PerturbedJob(Job):
    """The last checkpoint's scores of the images of ``games`` under ``copies`` draws of weight
    noise."""

    kind: ClassVar[str] = "perturbed"
    version: ClassVar[int] = 1
    games: GamesJob
    noise: float = Field(gt=0)
    copies: int = Field(ge=2)
    seed: int = 0

    def compute(self, folder: Path) -> None:
        run = ensure(self.games.train)
        players, labels, _ = self.games.players()
        device = runtime.device(self.games.device)
        model = run.model(run.steps[-1])
        floor = extract.noise_floor(
            copy.deepcopy(model).to(device),
            players[0].to(device),
            int(labels[0]),
            score=self.games.score,
        )
        generator = torch.Generator().manual_seed(self.seed)
        copies = []
        for _ in runtime.progress(
            range(self.copies), desc=f"scoring noisy copies of {run.config.model}", unit="copy"
        ):
            noisy = with_noise(model, self.noise, generator).to(device)
            copies.append(
                extract.scores(
                    noisy,
                    players,
                    labels,
                    score=self.games.score,
                    rows=self.games.rows,
                    device=device,
                    path="auto",
                ).cpu()
            )
        io.save_arrays(
            folder / "perturbed.safetensors",
            {"v": torch.stack(copies, 1), "noise_floor": torch.tensor(floor, dtype=torch.float64)},
        )

    def load(self, folder: Path) -> Perturbed:
        return Perturbed(**io.load_arrays(folder / "perturbed.safetensors"))


def with_noise(model: nn.Module, noise: float, generator: torch.Generator) -> nn.Module:
    """A copy of ``model`` (on the CPU) whose parameters carry independent Gaussian noise.

    Its standard deviation is ``noise`` times the root mean square of each tensor, so that one
    number means the same for every layer. Buffers (normalisation statistics) are left alone.
    """
    noisy = copy.deepcopy(model)
    with torch.no_grad():
        for weights in noisy.parameters():
            size = weights.square().mean().sqrt()
            weights += (
                noise * size * torch.randn(weights.shape, generator=generator, dtype=weights.dtype)
            )
    return noisy
