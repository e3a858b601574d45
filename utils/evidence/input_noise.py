"""L14: is the noise in the input, relative to the input, the same for coalitions of all orders?"""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import torch

from .. import lattice
from ..metrics import agreement

__all__ = ["Ratios", "controls", "ratios", "spread", "statement", "table"]


@dataclasses.dataclass(frozen=True)
class Ratios:
    """‖x_S - noisy x_S‖ / ‖x_S‖ of every coalition (R, X, 2^n): over the cells of S, and over the
    whole masked image."""

    cells: torch.Tensor
    whole: torch.Tensor


def ratios(signal: torch.Tensor, masked: torch.Tensor, noise: torch.Tensor) -> Ratios:
    """Ratios of squared norms (R, X, n + 1): of each player's part of the input, of the baseline
    and of the noise, and, last, of what belongs to no player."""
    groups = list(zip(signal, masked, noise, strict=True))
    cells = [agreement.noise_ratio(x[:, :-1], e[:, :-1]) for x, _, e in groups]
    return Ratios(torch.stack(cells), torch.stack([_whole_ratio(*group) for group in groups]))


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
