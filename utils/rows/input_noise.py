"""L14: is the noise in the input, relative to the input, the same for coalitions of all orders?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch

from .. import datasets, lattice
from ..jobs.noisy_inputs import noisy_players
from ..jobs.runs import choose_images
from ..metrics import agreement
from ..params import Agreement
from ..players import PatchDraw, patch_players

__all__ = ["Ratios", "controls", "ratios", "scope", "spread", "statement", "table"]


@dataclasses.dataclass(frozen=True)
class Ratios:
    """‖x_S - noisy x_S‖ / ‖x_S‖ of every coalition (R, X, 2^n): over the cells of S, and over the
    whole masked image."""

    cells: torch.Tensor
    whole: torch.Tensor


def ratios(p: Agreement, draw: int = 0) -> Ratios:
    """Noise-to-signal ratios of p.images images per seed. No network takes part: a seed is a draw
    of noise and of images.

    Seeds see different images, so that an interval over them speaks for images, not for one
    picture's noise.
    """
    data = datasets.load(p.dataset, "train")
    how, mean = PatchDraw.default(data.shape, draw), data.mean
    positions = choose_images(data, p.images * len(p.seeds), p.n_players, how)
    cells, whole = [], []
    for group, seed in enumerate(p.seeds):
        players = [
            patch_players(
                data.images[i],
                f"{data.name}/train/{int(data.ids[i])}",
                p.n_players,
                mean=mean,
                how=how,
            )
            for i in positions[group * p.images : (group + 1) * p.images]
        ]
        noisy = noisy_players(players, p.noise, torch.Generator().manual_seed(seed))
        energy = [
            [_energies(x.image, x.owner, x.n) for x in players],
            [_energies(x.baseline, x.owner, x.n) for x in players],
            [
                _energies(b.image - a.image, a.owner, a.n)
                for a, b in zip(players, noisy, strict=True)
            ],
        ]
        signal, masked, noise = (torch.stack(e) for e in energy)
        cells.append(agreement.noise_ratio(signal[:, :-1], noise[:, :-1]))
        whole.append(_whole_ratio(signal, masked, noise))
    return Ratios(torch.stack(cells), torch.stack(whole))


def _energies(image: torch.Tensor, owner: torch.Tensor, n: int) -> torch.Tensor:
    """Squared norm of each player's pixels and, last, of the pixels of no player: (n + 1,)
    float64."""
    return torch.zeros(n + 1, dtype=torch.float64).index_add_(
        0, owner.flatten(), image.double().square().sum(0).flatten()
    )


def _whole_ratio(signal: torch.Tensor, masked: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """The ratio over all pixels of the masked image: masked players show the baseline, free of
    noise; the rest is kept."""
    n = signal.shape[-1] - 1
    kept = (torch.arange(1 << n)[:, None] >> torch.arange(n) & 1).double().T
    image = signal[:, :-1] @ kept + masked[:, :-1] @ (1 - kept) + signal[:, -1:]
    return ((noise[:, :-1] @ kept + noise[:, -1:]) / image).sqrt()


def _medians(values: torch.Tensor) -> torch.Tensor:
    """Median over images and coalitions of each order: (R, X, 2^n) → (R, n)."""
    return torch.stack([agreement.median_by_order(one, ~one.isnan())[0] for one in values])


def spread(values: torch.Tensor) -> list[float]:
    """Per seed: (largest - smallest median over orders) / median over all nonempty coalitions; (R,
    X, 2^n) → R."""
    medians = _medians(values)
    middle = values[..., 1:].flatten(1).nanmedian(1).values
    return ((medians.amax(1) - medians.amin(1)) / middle).tolist()


def statement(found: Ratios) -> str:
    """L14 in a sentence."""
    cells, whole = (spread(x) for x in (found.cells, found.whole))
    return (
        "Relative noise of masked inputs: the medians of the orders differ by "
        f"{100 * np.mean(cells):.1f} % of the "
        f"overall median over the selected cells and by {100 * np.mean(whole):.1f} % over the "
        "whole masked image (means "
        f"of {len(cells)} draws). Cells are disjoint, so their energies add up: that the medians "
        "are about equal is "
        "arithmetic wherever the cells' energies are."
    )


def controls(found: Ratios) -> dict[str, object]:
    """Medians per order (means over seeds) over the selected cells and over the whole masked
    image."""
    return {
        "order": list(range(1, lattice.players_of(found.cells.shape[-1]) + 1)),
        "median over the selected cells": _medians(found.cells).mean(0).tolist(),
        "median over the whole masked image": _medians(found.whole).mean(0).tolist(),
        "(largest - smallest) / overall median, selected cells, per draw": spread(found.cells),
        "(largest - smallest) / overall median, whole masked image, per draw": spread(found.whole),
    }


def table(found: Ratios) -> pd.DataFrame:
    """Boxes per order: quartiles, and the most extreme values within 1.5 times their distance; all
    seeds together."""
    n = lattice.players_of(found.cells.shape[-1])
    order, rows = lattice.order(n), []
    for panel, every in (("selected cells", found.cells), ("whole masked image", found.whole)):
        for k in range(1, n + 1):
            values = every[..., order == k].flatten().numpy()
            values = values[np.isfinite(values)]
            q1, median, q3 = np.quantile(values, [0.25, 0.5, 0.75])
            inner = values[(values >= q1 - 1.5 * (q3 - q1)) & (values <= q3 + 1.5 * (q3 - q1))]
            rows.append((panel, k, inner.min(), q1, median, q3, inner.max()))
    return pd.DataFrame(rows, columns=["panel", "order", "low", "q1", "median", "q3", "high"])


def scope(p: Agreement) -> str:
    """For what the description speaks, in a sentence."""
    return (
        f"{p.dataset}, no network: {len(p.seeds)} draws of noise of standard deviation "
        f"{p.noise:g} and of {p.images} "
        f"training images each, all coalitions of {p.n_players} patches, baseline: mean image"
    )
