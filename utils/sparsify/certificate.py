"""The linear programme of the split, its two operators and its two bounds, in float64 and
independent of any solver.

    minimise Σ_{S≠∅} w(S) (|I_and(S)| + |I_or(S)|)   subject to   |v(T) - (D x)(T)| ≤ κ'   for every
    T ≠ ∅

with x = (I_and, I_or), v measured from v(∅), and (D x)(T) = Σ_{S ⊆ T} I_and(S) + Σ_{S ∩ T ≠ ∅}
I_or(S). For any λ, dividing by max_S |Dᵀλ|(S) / w(S) makes it dual feasible, and vᵀλ - κ'‖λ‖₁ is
then a lower bound of the optimum.

Everything here takes (..., 2^n) float tensors whose entry 0 (the empty set) is zero and stays zero.
"""

from __future__ import annotations

import torch

from .. import lattice

__all__ = [
    "adjoint",
    "forward",
    "lower_bound",
    "mobius",
    "subset_weights",
    "total",
    "weighted_l1",
    "zeta",
]


def subset_weights(n: int, order_weight: float, device: torch.device | str = "cpu") -> torch.Tensor:
    """w(S) = 1 + order_weight·(|S| - 1)/n, float64 (2^n,); 0 at S = ∅, which is never counted."""
    weights = 1.0 + order_weight * (lattice.order(n, device).double() - 1.0) / max(n, 1)
    weights[0] = 0.0
    return weights


def zeta(x: torch.Tensor, *, up: bool = False) -> torch.Tensor:
    """Σ over subsets (supersets when ``up``) on the last axis, by additions only: the same bits in
    any batch.

    :mod:`utils.lattice` is faster, but its matrix products round by the shape of the batch.
    """
    games, length = x.shape[:-1].numel(), x.shape[-1]
    # Games innermost: every addition runs over contiguous memory.
    lanes = x.reshape(games, length).T.clone(memory_format=torch.contiguous_format)
    for bit in range(lattice.players_of(length)):
        halves = lanes.view(length >> (bit + 1), 2, 1 << bit, games)
        source, target = (halves[:, 1], halves[:, 0]) if up else (halves[:, 0], halves[:, 1])
        target += source
    return lanes.T.reshape(x.shape)


def mobius(x: torch.Tensor) -> torch.Tensor:
    """The inverse of :func:`zeta`, by subtractions only."""
    games, length = x.shape[:-1].numel(), x.shape[-1]
    lanes = x.reshape(games, length).T.clone(memory_format=torch.contiguous_format)
    for bit in range(lattice.players_of(length)):
        halves = lanes.view(length >> (bit + 1), 2, 1 << bit, games)
        halves[:, 1] -= halves[:, 0]
    return lanes.T.reshape(x.shape)


def total(x: torch.Tensor) -> torch.Tensor:
    """Sum over the last axis (2^n long) by halving: the same bits in any batch and with any number
    of threads."""
    while x.shape[-1] > 1:
        half = x.shape[-1] // 2
        x = x[..., :half] + x[..., half:]
    return x[..., 0]


def forward(i_and: torch.Tensor, i_or: torch.Tensor) -> torch.Tensor:
    """D x: the AND-OR model's value on every mask, measured from the empty one."""
    triggered = zeta(i_or)
    value = zeta(i_and) + triggered[..., -1:] - triggered.flip(-1)
    value[..., 0] = 0.0
    return value


def adjoint(dual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Dᵀλ, as its AND and its OR half; entry 0 of both is 0 (order 0 is not a variable)."""
    contained, holding = zeta(dual), zeta(dual, up=True)
    met = contained[..., -1:] - contained.flip(-1)
    holding[..., 0] = 0.0
    met[..., 0] = 0.0
    return holding, met


def weighted_l1(i_and: torch.Tensor, i_or: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Σ_{S≠∅} w(S) (|I_and(S)| + |I_or(S)|): (..., 2^n) ×2 → (...)."""
    return total((i_and.abs() + i_or.abs()) * weights)


def lower_bound(
    v: torch.Tensor, dual: torch.Tensor, bound: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """The dual bound of ``dual`` for the games ``v`` (both (..., 2^n)) and bounds κ' (...): never
    above the optimum.

    0 when the scaled bound is negative, because λ = 0 is dual feasible too.
    """
    g_and, g_or = adjoint(dual)
    size = torch.maximum(g_and.abs(), g_or.abs())[..., 1:] / weights[1:]
    scale = size.amax(-1)
    value = total(v * dual) - bound * total(dual.abs())
    return torch.where(
        scale > 0, value / scale.clamp_min(torch.finfo(value.dtype).tiny), 0.0
    ).clamp_min(0.0)
