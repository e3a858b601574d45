"""Scores of noisy copies of samples, and of clean scores with noise of the same size added: the
games of a stability test."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn

from .. import extract, io, lattice, runtime
from ..players import Players
from .base import Job, ensure
from .probing import OUTPUT, ProbesJob
from .scored import Games, GamesJob

Kind = Literal["independent", "permuted"]

__all__ = ["NoisyInputsJob", "OutputNoiseJob", "noisy_players", "output_noise"]


def noisy_players(
    players: list[Players], noise: float, generator: torch.Generator
) -> list[Players]:
    """Copies of players whose samples carry Gaussian noise on every number (pixel, column,
    coordinate); the baseline stays as it is.

    The values of a noisy image may leave [0, 1]: clipping would make the noise depend on the pixel.
    ValueError for samples of integers, such as tokens.
    """
    if not all(one.whole.is_floating_point() for one in players):
        raise ValueError(
            "noise is put on pixels, columns or coordinates: these samples are integers (tokens), "
            "which it would make others of"
        )
    return [
        one.around(one.whole + noise * torch.randn(one.whole.shape, generator=generator))
        for one in players
    ]


class NoisyInputsJob(Job):
    """v of the images of ``games`` without noise and under ``draws`` draws of it, at the last
    checkpoint.

    The first axis of v counts, layer after layer (those of ``probes``, then the output), the clean
    image and the draws: (L (1 + draws), X, 2^n). Every layer sees the same noise.
    """

    kind: ClassVar[str] = "noisy_inputs"
    version: ClassVar[int] = 1
    games: GamesJob
    probes: ProbesJob | None = None
    noise: float = Field(gt=0)
    draws: int = Field(ge=2)
    seed: int = 0

    def compute(self, folder: Path) -> None:
        run = ensure(self.games.train)
        players, labels, ids = self.games.players()
        device = runtime.device(self.games.device)
        model = run.model(run.steps[-1]).to(device)
        readouts = (
            {name: probe.to(device) for name, probe in ensure(self.probes).modules.items()}
            if self.probes
            else {}
        )
        readouts[OUTPUT] = nn.Identity()
        generator = torch.Generator().manual_seed(self.seed)
        found: dict[str, list[torch.Tensor]] = {layer: [] for layer in readouts}
        for draw in runtime.progress(
            range(1 + self.draws), desc=f"scoring noisy images, {run.config.model}", unit="draw"
        ):
            inputs = noisy_players(players, self.noise, generator) if draw else players
            scored = extract.scores(
                model,
                inputs,
                labels,
                score=self.games.score,
                layers=readouts,
                rows=self.games.rows,
                device=device,
                path="auto",
            )
            for layer in readouts:
                found[layer].append(scored[layer].cpu())
        floors = extract.noise_floor(
            model, players[0].to(device), int(labels[0]), readouts, score=self.games.score
        )
        floors = [floors[layer] for layer in readouts]
        _save(
            folder,
            torch.stack([v for layer in readouts for v in found[layer]]),
            labels,
            ids,
            torch.tensor(floors, dtype=torch.float64).repeat_interleave(1 + self.draws),
        )

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))


def output_noise(v: torch.Tensor, how: Kind, seed: int) -> torch.Tensor:
    """Clean scores with other noise of the same size: v (1 + E, X, 2^n) of clean and noisy images →
    the same shape.

    Each game keeps its clean scores (index 0). ``independent``: Gaussian noise on each mask, of the
    variance that the E copies show, averaged over masks. ``permuted``: the change of each copy with
    its players renamed at random: as much noise at every order, on other sets. ValueError for fewer
    than 2 copies.
    """
    if len(v) < 3:
        raise ValueError(
            f"the variance of the scores needs at least 2 noisy copies, got {len(v) - 1}"
        )
    generator = torch.Generator().manual_seed(seed)
    if how == "independent":
        size = v[1:].var(0).mean(-1, keepdim=True).sqrt()
        result = v[:1] + size * torch.randn(v.shape, generator=generator, dtype=torch.float64)
    else:
        n = lattice.players_of(v.shape[-1])
        members = torch.arange(1 << n)[:, None] >> torch.arange(n) & 1
        change = v[1:] - v[:1]
        renamed = [
            one[members @ (1 << torch.randperm(n, generator=generator))]
            for one in change.flatten(0, 1)
        ]
        result = torch.cat([v[:1], v[:1] + torch.stack(renamed).view_as(change)])
    result[0] = v[0]
    return result


class OutputNoiseJob(Job):
    """:func:`output_noise` of the first layer of ``games``, ``draws`` copies: (1 + draws, X, 2^n),
    to be split as those."""

    kind: ClassVar[str] = "output_noise"
    version: ClassVar[int] = 2
    games: NoisyInputsJob
    how: Kind
    draws: int = Field(ge=2)
    seed: int = 0

    def compute(self, folder: Path) -> None:
        found = ensure(self.games)
        v = output_noise(found.v[: 1 + self.games.draws], self.how, self.seed)[: 1 + self.draws]
        _save(folder, v, found.labels, found.ids, found.noise_floor[: 1 + self.draws])

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))


def _save(
    folder: Path, v: torch.Tensor, labels: torch.Tensor, ids: torch.Tensor, floor: torch.Tensor
) -> None:
    io.save_arrays(
        folder / "games.safetensors",
        {
            "v": v,
            "steps": torch.arange(len(v)),
            "labels": labels,
            "ids": ids,
            "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
            "noise_floor": floor,
        },
    )
