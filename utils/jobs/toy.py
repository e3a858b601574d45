"""A planted toy set for M12: one input that helps at first and must be betrayed, one that keeps its
sign throughout.

The paper's toy data are not described; these are ours. The label is drawn with log-odds 2 (2 s - .8
z + .3 u + h1 h2), where z is correlated with s (.9). The network sees s at .15 of its size, so it
learns s late: first z serves as its proxy, with the sign of the correlation (E[z (2 s - .8 z)] = 1
> 0), later, once s is known, z counts with the opposite sign. u is loyal: independent of the rest,
it counts the same way from the first step to the last.

Labels are drawn, not decided, so that the log-odds to be learnt are finite and do not dwarf the
early effect. u counts for little because of what the split leaves open: two effects of one sign may
as well stand as an AND and an OR of the pair, and at that end of the face of optima a strong u
would hide z's early effect in pairs. An earlier design had a strong u and hid it: sizes and
learning rate were changed after that was seen, until the betrayal showed at both ends. So M12 says
that a planted betrayal *can* be found, not that any would be.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import extract, io, runtime
from ..models.mlp import MLP
from ..players import ImagePatches
from ..train import log_spaced
from .base import Job

__all__ = ["BETRAYED", "INPUTS", "LOYAL", "TOY_SYSTEM", "ToyGames", "ToyJob", "toy_data"]

INPUTS = ("z: betrayed", "s: learnt late", "u: loyal", "h1", "h2", "noise")
BETRAYED, LOYAL = 0, 2
TOY_SYSTEM = "mlp_toy/planted"

_CORRELATION, _SIZE_OF_S, _CERTAINTY = 0.9, 0.15, 2.0


def toy_data(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (count, 1, 1, 6) float32, as images of one line, and labels (count,) of the planted
    set."""
    generator = torch.Generator().manual_seed(seed)
    s, e, u, h1, h2, noise = torch.randn(6, count, generator=generator)
    z = _CORRELATION * s + (1 - _CORRELATION**2) ** 0.5 * e
    x = torch.stack([z, _SIZE_OF_S * s, u, h1, h2, noise], 1)
    chance = torch.sigmoid(_CERTAINTY * (2 * s - 0.8 * z + 0.3 * u + h1 * h2))
    return x[:, None, None], (torch.rand(count, generator=generator) < chance).long()


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
    code: ClassVar[tuple[str, ...]] = (
        "utils.jobs.toy",
        "utils.models.mlp",
        "utils.extract",
        "utils.players",
    )
    seed: int
    steps: int = Field(ge=20)
    checkpoints: int = Field(ge=2)
    images: int = Field(ge=1)
    samples: int = 20000
    width: int = 32
    lr: float = 0.1
    batch: int = 200

    def compute(self, folder: Path) -> None:
        x, y = toy_data(self.samples, 2 * self.seed)
        fresh, truth = toy_data(2000, 2 * self.seed + 1)
        keep = set(log_spaced(self.steps, self.checkpoints))
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.seed)
            model = MLP((1, 1, len(INPUTS)), 2, self.width, depth=3)
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


def _players(row: torch.Tensor) -> ImagePatches:
    """Each input a player, masked by its mean, which is 0."""
    return ImagePatches(
        row, torch.arange(row.shape[-1])[None], torch.zeros_like(row), row.shape[-1]
    )
