"""Small networks on the planted set (:mod:`utils.datasets.planted`) and the games of some of its
samples, for M12.

Every seed draws the set anew, so that the networks differ in their data too; as a system the set is
its first draw.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import extract, io, runtime
from ..datasets.planted import BETRAYED, INPUTS, LOYAL, draw
from ..models import InputSpec
from ..models.mlp import MLP
from ..players import ImagePatches
from ..train import log_spaced
from .base import Job

__all__ = ["ToyGames", "ToyJob"]


@dataclasses.dataclass(frozen=True)
class ToyGames:
    """v (C, X, 2^6) of X samples at C checkpoints of one network; accuracy (C,) on 2000 fresh
    samples; the rest as Games."""

    v: torch.Tensor
    steps: torch.Tensor
    saturated: torch.Tensor
    noise_floor: torch.Tensor
    accuracy: torch.Tensor


class ToyJob(Job):
    """A small MLP trained on the planted set by plain SGD, and the games of some samples that have
    both planted features."""

    kind: ClassVar[str] = "toy"
    version: ClassVar[int] = 1
    seed: int
    steps: int = Field(ge=20)
    checkpoints: int = Field(ge=2)
    images: int = Field(ge=1)
    samples: int = Field(ge=1)
    width: int = Field(ge=1)
    lr: float = Field(gt=0)
    batch: int = Field(ge=1)

    def compute(self, folder: Path) -> None:
        x, y = _images(self.samples, 2 * self.seed)
        fresh, truth = _images(2000, 2 * self.seed + 1)
        keep = set(log_spaced(self.steps, self.checkpoints))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            model = MLP(InputSpec((1, 1, len(INPUTS)), 2), self.width, depth=3)
        optimizer = torch.optim.SGD(model.parameters(), lr=self.lr)
        generator = torch.Generator().manual_seed(self.seed)
        present = x[:, 0, 0, [BETRAYED, LOYAL]].amin(1) > 0.5
        chosen = (present & (y == 1)).nonzero().flatten()[: self.images]
        players = [_players(row) for row in x[chosen]]
        games, floors, right = [], [], []
        for step in runtime.progress(
            range(self.steps + 1), desc=f"toy network, seed {self.seed}", unit="step"
        ):
            if step in keep:
                games.append(extract.scores(model, players, 1))
                floors.append(extract.noise_floor(model, players[0], 1))
                with torch.inference_mode():
                    right.append((model(fresh).argmax(1) == truth).double().mean())
            batch = torch.randint(len(y), (self.batch,), generator=generator)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
            optimizer.step()
        v = torch.stack(games)
        io.save_arrays(
            folder / "toy.safetensors",
            {
                "v": v,
                "steps": torch.tensor(sorted(keep)),
                "accuracy": torch.stack(right),
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor(floors, dtype=torch.float64),
            },
        )

    def load(self, folder: Path) -> ToyGames:
        return ToyGames(**io.load_arrays(folder / "toy.safetensors"))


def _images(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The set as images of one line, (count, 1, 1, 6), and labels (count,)."""
    x, labels = draw(count, seed)
    return x[:, None, None], labels


def _players(row: torch.Tensor) -> ImagePatches:
    """Each input a player, masked by its mean, which is 0."""
    return ImagePatches(
        row, torch.arange(row.shape[-1])[None], torch.zeros_like(row), row.shape[-1]
    )
