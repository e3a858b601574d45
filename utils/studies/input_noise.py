"""06, L14: noise on inputs, no network."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch

from .. import datasets
from ..evidence.input_noise import Ratios, ratios
from ..jobs.noisy_inputs import noisy_players
from ..jobs.runs import choose_images
from ..params import Agreement as Settings
from ..players import ImagePatches, PatchDraw, patch_players

__all__ = ["InputNoise", "input_noise"]


@dataclasses.dataclass(frozen=True, eq=False)
class InputNoise:
    """What L14 speaks of: n images, and the ratios of their coalitions, a group of images and a
    draw of noise per seed."""

    id: str
    scope: str
    n: int
    ratios: Ratios


def input_noise(p: Settings) -> InputNoise:
    """Noise-to-signal ratios of p.images training images per seed.

    Seeds see different images, so that an interval over them speaks for images, not for one
    picture's noise.
    """
    groups = [
        _energies(players, noisy_players(players, p.noise, torch.Generator().manual_seed(seed)))
        for players, seed in zip(_players(p), p.seeds, strict=True)
    ]
    return InputNoise(
        f"input/{p.dataset}",
        f"{p.dataset}, no network: {len(p.seeds)} draws of noise of standard deviation "
        f"{p.noise:g} and of {p.images} "
        f"training images each, all coalitions of {p.n_players} patches, baseline: mean image",
        len(p.seeds) * p.images,
        ratios(*map(torch.stack, zip(*groups, strict=True))),
    )


def _players(p: Settings) -> list[list[ImagePatches]]:
    """The players of every seed's images."""
    data = datasets.load(p.dataset, "train")
    how = PatchDraw.default(data.shape)
    positions = choose_images(data, p.images * len(p.seeds), p.n_players, how)
    every = [
        patch_players(
            data.images[i],
            f"{data.name}/train/{int(data.ids[i])}",
            p.n_players,
            mean=data.mean,
            how=how,
        )
        for i in positions
    ]
    return [every[k * p.images : (k + 1) * p.images] for k in range(len(p.seeds))]


def _energies(
    clean: Sequence[ImagePatches], noisy: Sequence[ImagePatches]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Squared norms (X, n + 1) of the images, of their baselines and of the noise."""
    signal = [_energy(x.image, x) for x in clean]
    masked = [_energy(x.baseline, x) for x in clean]
    noise = [_energy(b.image - a.image, a) for a, b in zip(clean, noisy, strict=True)]
    return torch.stack(signal), torch.stack(masked), torch.stack(noise)


def _energy(image: torch.Tensor, players: ImagePatches) -> torch.Tensor:
    """Squared norm of each player's pixels and, last, of the pixels of no player: (n + 1,)
    float64."""
    return torch.zeros(players.n + 1, dtype=torch.float64).index_add_(
        0, players.owner.flatten(), image.double().square().sum(0).flatten()
    )
