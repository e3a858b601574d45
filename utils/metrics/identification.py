"""What the L1 objective leaves open: explanations of one game with the same strength, and how far
apart they are."""

from __future__ import annotations

import torch

from .. import lattice
from ..interactions import Interactions

__all__ = ["additive_pair", "exchange_error", "salient_jaccard", "start_strength", "strength"]


def exchange_error(n: int) -> float:
    """Largest |AND_i + AND_j - AND_ij - OR_ij| over all pairs of ``n`` players and all masks: 0
    (ours)."""
    masks = torch.arange(1 << n)
    worst = 0.0
    for i in range(n):
        for j in range(i):
            one, other = (masks >> i & 1).double(), (masks >> j & 1).double()
            worst = max(
                worst, float((one + other - one * other - (one + other).clamp(max=1)).abs().max())
            )
    return worst


def additive_pair(weights: torch.Tensor) -> tuple[Interactions, Interactions]:
    """Two explanations of Σ_i w_i [i present]: ``weights`` (..., n) > 0 → of order 1 only, and with
    pairs exchanged.

    In each pair of neighbours the smaller weight w moves from AND_i + AND_j to AND_ij + OR_ij. All
    terms stay positive, so both have strength v(N) - v(∅), and no explanation of the game can have
    less. ValueError for a weight ≤ 0.
    """
    if not bool((weights > 0).all()):
        raise ValueError(
            "additive_pair needs positive weights: with mixed signs the exchange may cost strength"
        )
    n = weights.shape[-1]
    conj = weights.new_zeros(*weights.shape[:-1], 1 << n)
    conj[..., 1 << torch.arange(n)] = weights
    second, disj = conj.clone(), torch.zeros_like(conj)
    for i in range(0, n - 1, 2):
        moved = weights[..., i : i + 2].amin(-1)
        for single in (1 << i, 2 << i):
            second[..., single] -= moved
        second[..., 3 << i] = moved
        disj[..., 3 << i] = moved
    return Interactions(conj, torch.zeros_like(conj)), Interactions(second, disj)


def strength(found: Interactions) -> torch.Tensor:
    """Plain L1 strength Σ_{S≠∅} |I_and| + |I_or| of each game: (..., 2^n) → (...)."""
    return found.and_[..., 1:].abs().sum(-1) + found.or_[..., 1:].abs().sum(-1)


def start_strength(v: torch.Tensor) -> torch.Tensor:
    """Strength from which the published optimiser starts, γ = δ = 0: (..., 2^n) → (...)."""
    half = 0.5 * v
    return strength(Interactions(lattice.and_interactions(half), lattice.or_interactions(half)))


def salient_jaccard(
    one: Interactions, other: Interactions, tau: torch.Tensor, tau_other: torch.Tensor
) -> torch.Tensor:
    """Common / either, of the salient AND and OR interactions of two explanations: (..., 2^n) →
    (...); NaN for two empty.

    tau, tau_other (...): the threshold of each.
    """
    pairs = list(zip(one.salient(tau), other.salient(tau_other), strict=True))
    common = sum((a & b).sum(-1) for a, b in pairs)
    either = sum((a | b).sum(-1) for a, b in pairs)
    return torch.where(either > 0, common / either.clamp(min=1), torch.nan).double()
