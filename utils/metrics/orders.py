"""How the strength of interactions is distributed over orders."""

from __future__ import annotations

import math

import torch

from .. import lattice
from ..interactions import Interactions

__all__ = [
    "by_order",
    "mean_order",
    "order_moments",
    "order_shares",
    "spindle",
    "strength_by_order",
    "total_variation",
]


def by_order(values: torch.Tensor) -> torch.Tensor:
    """Sums over the subsets of each order (a mask counts its subsets): (..., 2^n) → (..., n)
    float64, orders 1..n."""
    n = lattice.players_of(values.shape[-1])
    column = lattice.order(n, values.device)[1:] - 1
    zeros = torch.zeros(*values.shape[:-1], n, dtype=torch.float64, device=values.device)
    return zeros.index_add_(-1, column, values[..., 1:].double())


def strength_by_order(
    found: Interactions, tau: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sums of the positive and of the negative interactions of each order, AND and OR together.

    (..., 2^n) → two tensors (..., n) for orders 1..n, in the score's units; only |I| ≥ ``tau``
    (...) counts if given. Averaged over samples they are the J_pos and J_neg of Ren Q. et al. 2024
    (their Fig. 2).
    """
    conj, disj = found.and_, found.or_
    if tau is not None:
        keep_and, keep_or = found.salient(tau)
        conj, disj = conj * keep_and, disj * keep_or
    return by_order(conj.clamp(min=0) + disj.clamp(min=0)), by_order(
        conj.clamp(max=0) + disj.clamp(max=0)
    )


def order_moments(
    found: Interactions, tau: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Σ_S |S| |I(S)| and Σ_S |I(S)| of each game, both (...): the mean order of any set of games is
    a ratio of sums."""
    positive, negative = strength_by_order(found, tau)
    strength = positive - negative
    orders = torch.arange(1, found.n + 1, dtype=strength.dtype, device=strength.device)
    return (strength * orders).sum(-1), strength.sum(-1)


def mean_order(found: Interactions, tau: torch.Tensor | None = None) -> torch.Tensor:
    """Mean order of games (..., X, 2^n) over the sample axis X: (...), a ratio of sums over
    samples; NaN if all are 0."""
    weighted, strength = order_moments(found, tau)
    return weighted.sum(-1) / strength.sum(-1)


def order_shares(found: Interactions, tau: torch.Tensor | None = None) -> torch.Tensor:
    """Share of strength in each order of games (..., X, 2^n), summed over samples: (..., n), rows
    sum to 1.

    The I_real^(k) of Ren Q. et al. 2024 with Z the sum over orders (their Fig. 4 has bars that sum
    to 1; the text's mean over orders would not).
    """
    positive, negative = strength_by_order(found, tau)
    strength = (positive - negative).sum(-2)
    return strength / strength.sum(-1, keepdim=True)


def spindle(n: int) -> torch.Tensor:
    """Order shares predicted for a random game: C(n, k) 2^(k/2), normalised, (n,).

    Independent outputs of one variance give Var I(S) = 2^|S| sigma^2 (Ren Q. et al. 2024, Lemma 1),
    and there are C(n, k) subsets of order k.
    """
    shares = torch.tensor(
        [math.comb(n, k) * 2 ** (k / 2) for k in range(1, n + 1)], dtype=torch.float64
    )
    return shares / shares.sum()


def total_variation(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """½ Σ |p - q| over the last axis: 0 for equal distributions, 1 for disjoint ones."""
    return (p - q).abs().sum(-1) / 2
