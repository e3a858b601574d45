"""Do two sets of interactions agree? Overlap of supports beyond chance, stability under noise, weighted Jaccard.

All per order: the last axis 2^n of subsets becomes the last axis n of orders 1..n. AND and OR are given separately.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from scipy import stats as sps

from .. import lattice
from .orders import by_order

__all__ = ["chance_iou", "corrected_iou", "iou", "median_by_order", "mirror_difference", "noise_ratio",
           "shuffled", "slope", "stability", "trend", "weighted_jaccard"]


def iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Intersection over union of two supports per order: bool (..., 2^n) twice → (..., n); an empty union is NaN.

    Source: Cheng et al. 2024, Eq. 9.
    """
    return by_order(a & b) / by_order(a | b)  # 0 / 0 is NaN


@functools.lru_cache(maxsize=1 << 16)
def _expected_iou(sets: int, a: int, b: int) -> float:
    """E[k / (a + b - k)] for k elements in common of two uniformly random subsets of sizes a and b among ``sets``."""
    if a + b == 0:
        return math.nan
    k = np.arange(max(0, a + b - sets), min(a, b) + 1)
    return float((sps.hypergeom.pmf(k, sets, a, b) * k / (a + b - k)).sum())


def chance_iou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Expected IoU of two random supports with as many sets of each order as ``a`` and ``b`` have: (..., n), exact.

    Two random choices overlap more the more sets they hold, which is why orders where nearly every set is salient look
    alike in any two networks. NaN for an empty union. Ours; hypergeometric.
    """
    n = lattice.players_of(a.shape[-1])
    sizes = torch.stack([by_order(a), by_order(b)], -1).long()
    flat = [_expected_iou(math.comb(n, 1 + i % n), *pair) for i, pair in enumerate(sizes.view(-1, 2).tolist())]
    return torch.tensor(flat, dtype=torch.float64).view(sizes.shape[:-1])


def corrected_iou(raw: torch.Tensor, chance: torch.Tensor) -> torch.Tensor:
    """(IoU - chance) / (1 - chance) of the means over samples: (..., X, n) twice → (..., n).

    1 for equal supports, 0 for what random supports of those sizes give. Samples with an empty union are left out; NaN
    where nothing is left or chance alone gives 1 (every set salient in both, or the single set of order n).
    """
    left = ~raw.isnan()
    room = torch.where(left, 1 - chance, 0.0).sum(-2)
    gain = torch.where(left, raw - chance, 0.0).sum(-2)
    return torch.where(room > 1e-12, gain / room, torch.nan)


def shuffled(support: torch.Tensor, seed: int) -> torch.Tensor:
    """Supports of the same size placed at random within each order: bool (..., 2^n) → the same shape (the null N1)."""
    order = lattice.order(lattice.players_of(support.shape[-1]))
    keys = torch.rand(support.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 2 * order
    source = keys.argsort(-1)  # a random arrangement, order after order
    target = order.argsort(stable=True)
    result = torch.empty_like(support)
    result[..., target] = support.gather(-1, source)
    return result


def mirror_difference(values: torch.Tensor, m: int) -> torch.Tensor:
    """values at order m minus at order n - m, which has as many possible sets: (..., n) → (...)."""
    n = values.shape[-1]
    if not 1 <= m < n:
        raise ValueError(f"order {m} has no mirror among the orders 1..{n - 1}")
    return values[..., m - 1] - values[..., n - m - 1]


def trend(values: torch.Tensor, first: int = 1, least: int = 4) -> float:
    """Spearman correlation of a curve (n,) over orders ``first``.. with the order; NaN values are left out.

    NaN with fewer than ``least`` values. A curve without any variation has no trend: 0.
    """
    order = torch.arange(1, len(values) + 1)
    use = ~values.isnan() & (order >= first)
    if int(use.sum()) < least:
        return math.nan
    kept = values[use].numpy()
    return 0.0 if np.ptp(kept) == 0 else float(sps.spearmanr(order[use].numpy(), kept).statistic)


def slope(values: torch.Tensor, first: int = 1, least: int = 3) -> float:
    """Least-squares slope per order of a curve (n,) over orders ``first``..; NaN values are left out.

    NaN with fewer than ``least`` values.
    """
    order = torch.arange(1, len(values) + 1, dtype=torch.float64)
    use = ~values.isnan() & (order >= first)
    if int(use.sum()) < least:
        return math.nan
    return float(np.polyfit(order[use].numpy(), values[use].numpy(), 1)[0])


def stability(draws: torch.Tensor, floor: float) -> torch.Tensor:
    """|mean| / standard deviation over noise draws on the first axis: (E, ..., 2^n) → (..., 2^n).

    floor > 0: the least standard deviation believed (rounding of the network is no stability). ValueError for fewer
    than two draws. Source: Cheng et al. 2024, Eq. 10.
    """
    if len(draws) < 2:
        raise ValueError(f"a standard deviation needs at least 2 noise draws, got {len(draws)}")
    if not floor > 0:
        raise ValueError(f"the floor of the standard deviation must be positive, got {floor}")
    return draws.mean(0).abs() / draws.std(0).clamp(min=floor)


def median_by_order(values: torch.Tensor, support: torch.Tensor, least: int = 1) -> tuple[torch.Tensor, torch.Tensor]:
    """Median over the sets of ``support`` of each order, all samples together: (X, 2^n) twice → (n,) and their number (n,).

    Orders with fewer than ``least`` sets are NaN.
    """
    n = lattice.players_of(values.shape[-1])
    order = lattice.order(n).expand(values.shape)
    chosen = [values[support & (order == k)] for k in range(1, n + 1)]
    medians = [float(np.median(c.numpy())) if len(c) >= max(least, 1) else math.nan for c in chosen]
    return torch.tensor(medians, dtype=torch.float64), torch.tensor([len(c) for c in chosen])


def weighted_jaccard(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Σ min / Σ max over the sets of each order, positive and negative parts apart: (..., T, 2^n) twice → (..., n).

    T: kinds of interaction (AND, OR) that count together. 1 for equal vectors, 0 for vectors with nothing in common or
    of opposite sign; NaN where both vanish. Source: Zhou et al. 2025, slide on generalisation; arXiv 2405.10262, Fig. 5.
    """
    parts = [(a.clamp(min=0), b.clamp(min=0)), (-a.clamp(max=0), -b.clamp(max=0))]
    common = sum(by_order(torch.minimum(x, y)) for x, y in parts).sum(-2)
    whole = sum(by_order(torch.maximum(x, y)) for x, y in parts).sum(-2)
    return common / whole


def noise_ratio(signal: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """‖x_S - noisy x_S‖ / ‖x_S‖ of every coalition from the squared norms of its cells: (..., n) twice → (..., 2^n).

    Cells are disjoint, so squared norms add up. NaN for the empty coalition and for black cells. Source: Cheng et al.
    2024, App. L.
    """
    def total(cells: torch.Tensor) -> torch.Tensor:
        n = cells.shape[-1]
        bits = (torch.arange(1 << n)[:, None] >> torch.arange(n) & 1).to(cells)
        return cells @ bits.T

    return (total(noise) / total(signal)).sqrt()
