"""06, L14: noise on inputs, no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from .. import datasets
from ..evidence.input_noise import Ratios, ratios
from ..jobs.noisy_inputs import noisy_players
from ..jobs.scored import choose
from ..params import Agreement as Settings
from ..players import ImagePatches
from ..systems import System

__all__ = ["InputNoise", "input_noise"]


@dataclasses.dataclass(frozen=True, eq=False)
class InputNoise:
    """What L14 speaks of: n images, and the ratios of their coalitions, a group of images and a
    draw of noise per seed."""

    id: str
    scope: str
    n: int
    ratios: Ratios


def input_noise(p: Settings) -> list[InputNoise]:
    """Noise-to-signal ratios of p.images training images per seed, for every set of images that
    the systems of ``p`` are about.

    Seeds see different images, so that an interval over them speaks for images, not for one
    picture's noise.
    """
    images = {s.data.name: s for s in p.chosen if s.kind == "image"}
    return [_of(p, system) for system in images.values()]


def _of(p: Settings, system: System) -> InputNoise:
    groups = [
        _energies(players, noisy_players(players, p.noise, torch.Generator().manual_seed(seed)))
        for players, seed in zip(_players(p, system), p.seeds, strict=True)
    ]
    data, players = system.data.name, system.players
    return InputNoise(
        f"input/{data}",
        f"{data}, no network: {len(p.seeds)} draws of noise of standard deviation "
        f"{p.noise:g} and of {p.images} training images each, all coalitions of {p.n_players} "
        f"{players.unit}, baseline: {players.masked_by}",
        len(p.seeds) * p.images,
        ratios(*map(torch.stack, zip(*groups, strict=True))),
    )


def _players(p: Settings, system: System) -> list[list[ImagePatches]]:
    """The players of every seed's images."""
    data, how = datasets.load(system.data, "train"), system.players
    positions = choose(data, p.images * len(p.seeds), p.n_players, how, p.skip_images)
    every = [how.players(data, i, p.n_players, data) for i in positions]
    return [every[k * p.images : (k + 1) * p.images] for k in range(len(p.seeds))]


def _energies(
    clean: Sequence[ImagePatches], noisy: Sequence[ImagePatches]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Squared norms (X, n + 1) of the images, of their baselines and of the noise."""
    signal = [_energy(x.whole, x) for x in clean]
    masked = [_energy(x.baseline, x) for x in clean]
    noise = [_energy(b.image - a.image, a) for a, b in zip(clean, noisy, strict=True)]
    return torch.stack(signal), torch.stack(masked), torch.stack(noise)


def _energy(image: torch.Tensor, players: ImagePatches) -> torch.Tensor:
    """Squared norm of each player's pixels and, last, of the pixels of no player: (n + 1,)
    float64."""
    return torch.zeros(players.n + 1, dtype=torch.float64).index_add_(
        0, players.owner.flatten(), image.double().square().sum(0).flatten()
    )
