"""Simpler stories about learning, given the same final interactions as the theory.

A theory that fits is specific only if it fits better than these. All take weights (..., 2^n) and
parameters (k,) and give (k, ..., 2^n), as :func:`~utils.theory.noisy_weights` does; the bias in
entry 0 is kept as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from .. import lattice
from ..lattice import Array

__all__ = ["convex_mix", "exponential_shrink", "hard_cut"]


def _orders(w: torch.Tensor) -> torch.Tensor:
    return lattice.order(lattice.players_of(w.shape[-1]), w.device)


def _parameters(
    values: Array | Sequence[float], name: str, low: float, high: float, like: torch.Tensor
) -> torch.Tensor:
    given = torch.as_tensor(values, dtype=like.dtype).to(like.device)
    if given.ndim != 1:
        raise ValueError(
            f"{name} is a list of parameters, shape (k,), got shape {tuple(given.shape)}"
        )
    bad = (~((given >= low) & (given <= high))).nonzero()
    if len(bad):
        raise ValueError(
            f"{name}[{int(bad[0])}] is {given[bad[0, 0]].item()}: it must lie between {low:g} "
            f"and {high:g}"
        )
    return given.view(-1, *[1] * like.ndim)


def exponential_shrink(w: torch.Tensor, lam: Array | Sequence[float]) -> torch.Tensor:
    """w_T e^(-λ|T|): every order is learnt by a constant fraction of the one below; λ ≥ 0."""
    weights = lattice.as_game(w)
    rate = _parameters(
        lam, "lam", 0.0, 700.0, weights
    )  # e^-700 is the last normal float64 but a few
    return weights * torch.exp(-rate * _orders(weights))


def hard_cut(w: torch.Tensor, largest: Array | Sequence[int]) -> torch.Tensor:
    """w_T for |T| ≤ K and 0 above: orders are learnt one after another; K in 0..n."""
    weights = lattice.as_game(w)
    cut = _parameters(largest, "largest", 0, lattice.players_of(weights.shape[-1]), weights)
    return torch.where(_orders(weights) <= cut, weights, 0.0)


def convex_mix(
    w_final: torch.Tensor, w_initial: torch.Tensor, a: Array | Sequence[float]
) -> torch.Tensor:
    """a w_final + (1 - a) w_initial: training walks straight from the untrained to the final
    interactions; a in [0, 1]."""
    final, initial = lattice.as_game(w_final), lattice.as_game(w_initial)
    if final.shape != initial.shape:
        raise ValueError(
            f"w_final {tuple(final.shape)} and w_initial {tuple(initial.shape)} must have one "
            "shape: "
            "the same samples at the last and at the first checkpoint"
        )
    share = _parameters(a, "a", 0.0, 1.0, final)
    return share * final + (1 - share) * initial
