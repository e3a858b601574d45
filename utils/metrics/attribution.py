"""Shapley values, computed from the game itself and from its interactions."""

from __future__ import annotations

import math

import torch

from .. import lattice
from ..interactions import Interactions

__all__ = ["shapley", "shapley_of"]


def shapley(v: torch.Tensor) -> torch.Tensor:
    """Shapley value of every player, from marginal contributions: games (..., 2^n) → (..., n), in
    the score's units.

    φ_i = Σ_{S ∌ i} |S|! (n - 1 - |S|)! / n! (v(S ∪ i) - v(S)) (Shapley 1953).
    """
    n = lattice.players_of(v.shape[-1])
    size = lattice.order(n, v.device)
    weight = torch.tensor(
        [math.factorial(s) * math.factorial(n - 1 - s) / math.factorial(n) for s in range(n)]
        + [0.0],
        dtype=v.dtype,
        device=v.device,
    )[size]
    masks = torch.arange(1 << n, device=v.device)
    values = []
    for i in range(n):
        without = masks[masks >> i & 1 == 0]
        values.append(((v[..., without | 1 << i] - v[..., without]) * weight[without]).sum(-1))
    return torch.stack(values, -1)


def shapley_of(found: Interactions) -> torch.Tensor:
    """The same from interactions: φ_i = Σ_{S ∋ i} (I_and(S) + I_or(S)) / |S|, (..., n).

    The members of S are interchangeable in its AND as in its OR, so each gets an equal part (Cheng
    et al. 2024, App. B).
    """
    n = found.n
    parts = (found.and_ + found.or_)[..., 1:] / found.order[1:]
    member = (
        torch.arange(1, 1 << n, device=parts.device)[:, None]
        >> torch.arange(n, device=parts.device)
        & 1
    )
    return parts @ member.to(parts.dtype)
