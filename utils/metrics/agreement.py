"""Do two sets of interactions agree? Overlap of supports beyond chance, stability under noise,
weighted Jaccard.

All per order: the last axis 2^n of subsets becomes the last axis n of orders 1..n. AND and OR are
given separately.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from .. import lattice
from .orders import by_order

__all__ = [
    "corrected_iou",
    "counts",
    "expected_iou",
    "iou",
    "median_by_order",
    "noise_ratio",
    "pooled_iou",
    "shuffled",
    "slopes",
    "stability",
    "weighted_jaccard",
]


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of two supports per order: bool (..., 2^n) twice → (..., n); an empty
    union is NaN.

    Source: Cheng et al. 2024, Eq. 9.
    """
    return by_order(a & b) / by_order(a | b)  # 0 / 0 is NaN


def counts(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    """Sets of each order in both supports, in the first, in the second: bool (..., 2^n) twice → (3,
    ..., n)."""
    return torch.stack([by_order(a & b), by_order(a), by_order(b)]).numpy()


def pooled_iou(sizes: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """IoU over all sets of ``orders`` (bool, n) together from :func:`counts`: (3, ..., n) → (...);
    empty union: NaN."""
    both, one, other = (np.where(orders, x, 0.0).sum(-1) for x in sizes)
    union = one + other - both
    return np.where(union > 0, both / np.maximum(union, 1), np.nan)


def expected_iou(sizes: np.ndarray, orders: np.ndarray) -> np.ndarray:
    """Expected pooled IoU of two supports placed at random within each order, sizes kept: (3, ...,
    n) → (...).

    Two random choices overlap more the more sets they hold, which is why orders where nearly every
    set is salient look alike in any two networks. K sets in common, a sum of hypergeometric
    numbers, give K / (A - K) with A the sum of both sizes; its mean is taken to second order in K -
    E[K] (within .01 of the exact mean, and exact where K cannot vary or chance is 0; Ours). NaN for
    an empty union.
    """
    n = sizes.shape[-1]
    room = np.array([math.comb(n, k) for k in range(1, n + 1)], dtype=np.float64)
    one, other = np.where(orders, sizes[1], 0.0), np.where(orders, sizes[2], 0.0)
    mean = (one * other / room).sum(-1)
    spread = (
        one * other * (room - one) * (room - other) / (room**2 * np.maximum(room - 1, 1))
    ).sum(-1)
    total = (one + other).sum(-1)
    left = np.where(total > 0, total - mean, 1.0)
    return np.where(total > 0, mean / left + total / left**3 * spread, np.nan)


def corrected_iou(raw: np.ndarray, chance: np.ndarray) -> np.ndarray:
    """(IoU - chance) / (1 - chance) of each image: 1 for equal supports, 0 for what random ones of
    those sizes give.

    NaN for an empty union and where chance alone gives 1 (every set salient in both: nothing to
    learn).
    """
    room = 1 - chance
    return np.where(room > 1e-9, (raw - chance) / np.where(room > 1e-9, room, 1.0), np.nan)


def shuffled(support: torch.Tensor, seed: int) -> torch.Tensor:
    """Supports of the same size placed at random within each order: bool (..., 2^n) → the same
    shape (the null N1)."""
    order = lattice.order(lattice.players_of(support.shape[-1]))
    keys = (
        torch.rand(
            support.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        + 2 * order
    )
    source = keys.argsort(-1)  # a random arrangement, order after order
    target = order.argsort(stable=True)
    result = torch.empty_like(support)
    result[..., target] = support.gather(-1, source)
    return result


def slopes(curves: np.ndarray, least: int = 3) -> np.ndarray:
    """Least-squares slope per order of curves (..., n) over orders 1..n; NaN values are left out.

    NaN with fewer than ``least`` values.
    """
    order, use = np.arange(1.0, curves.shape[-1] + 1), np.isfinite(curves)
    count = use.sum(-1, keepdims=True)
    x = np.where(use, order - (use * order).sum(-1, keepdims=True) / np.maximum(count, 1), 0.0)
    found = (x * np.where(use, curves, 0.0)).sum(-1) / np.maximum((x**2).sum(-1), 1e-300)
    return np.where(count[..., 0] >= least, found, np.nan)


def stability(
    draws: torch.Tensor, floor: torch.Tensor, keep: torch.Tensor | None = None
) -> torch.Tensor:
    """|mean| / standard deviation over noise draws on the first axis: (E, X, 2^n) → (X, 2^n).

    floor (X,) > 0: the least standard deviation believed (what the split or the network does not
    determine is no stability). keep (E, X): draws that count, default all; an image with fewer than
    two is NaN. ValueError for fewer than two draws. Source: Cheng et al. 2024, Eq. 10.
    """
    if len(draws) < 2:
        raise ValueError(f"a standard deviation needs at least 2 noise draws, got {len(draws)}")
    if not bool((floor > 0).all()):
        raise ValueError(
            f"the floor of the standard deviation must be positive, got {floor.tolist()}"
        )
    weight = torch.ones(draws.shape[:2], dtype=draws.dtype) if keep is None else keep.to(draws)
    count = weight.sum(0)[:, None]
    mean = (draws * weight[..., None]).sum(0) / count
    variance = ((draws - mean).square() * weight[..., None]).sum(0) / (count - 1)
    return torch.where(
        count >= 2, mean.abs() / torch.maximum(variance.sqrt(), floor[:, None]), torch.nan
    )


def median_by_order(
    values: torch.Tensor, support: torch.Tensor, least: int = 1
) -> tuple[torch.Tensor, torch.Tensor]:
    """Median over the sets of ``support`` of each order, all samples together: (X, 2^n) twice →
    (n,) and their number (n,).

    Orders with fewer than ``least`` sets are NaN.
    """
    n = lattice.players_of(values.shape[-1])
    order = lattice.order(n).expand(values.shape)
    chosen = [values[support & (order == k)] for k in range(1, n + 1)]
    medians = [float(np.median(c.numpy())) if len(c) >= max(least, 1) else math.nan for c in chosen]
    return torch.tensor(medians, dtype=torch.float64), torch.tensor([len(c) for c in chosen])


def weighted_jaccard(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Σ min / Σ max over the sets of each order, positive and negative parts apart: (..., T, 2^n)
    twice → (..., n).

    T: kinds of interaction (AND, OR) that count together. 1 for equal vectors, 0 for vectors with
    nothing in common or of opposite sign; NaN where both vanish. Source: Zhou et al. 2025, slide on
    generalisation; arXiv 2405.10262, Fig. 5.
    """
    parts = [(a.clamp(min=0), b.clamp(min=0)), (-a.clamp(max=0), -b.clamp(max=0))]
    common = sum(by_order(torch.minimum(x, y)) for x, y in parts).sum(-2)
    whole = sum(by_order(torch.maximum(x, y)) for x, y in parts).sum(-2)
    return common / whole


def noise_ratio(signal: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """‖x_S - noisy x_S‖ / ‖x_S‖ of every coalition from the squared norms of its cells: (..., n)
    twice → (..., 2^n).

    Cells are disjoint, so squared norms add up. NaN for the empty coalition and for black cells.
    Source: Cheng et al. 2024, App. L.
    """

    def total(cells: torch.Tensor) -> torch.Tensor:
        n = cells.shape[-1]
        bits = (torch.arange(1 << n)[:, None] >> torch.arange(n) & 1).to(cells)
        return cells @ bits.T

    return (total(noise) / total(signal)).sqrt()
