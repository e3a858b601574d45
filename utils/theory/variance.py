"""Lemma 1: noise on a network's outputs becomes noise on its interactions that doubles in variance
with every order."""

from __future__ import annotations

from typing import NamedTuple

import torch

from .. import lattice

__all__ = ["VarianceLaw", "variance_slope"]


class VarianceLaw(NamedTuple):
    """``slope`` (...): slope of log2 Var I_T over |T| = 1..n; ``by_order`` (..., n+1): mean Var I_T
    of each order 0..n."""

    slope: torch.Tensor
    by_order: torch.Tensor


def variance_slope(games: torch.Tensor) -> VarianceLaw:
    """How the variance of AND interactions over an ensemble grows with their order; Lemma 1 says
    2^|T| σ², slope 1.

    ``games`` (..., R, 2^n): R ≥ 2 noisy copies of one game (outputs plus noise, or a network with
    perturbed weights). Var I_T is taken over the copies (unbiased) and averaged over the subsets of
    an order; the slope is least squares of its log2 on the orders 1..n with equal weights. NaN
    where an order's variance is not above rounding: rounding errors of the transform follow the
    same law and would prove it for any game. Source: Ren Q. et al. 2024, Lemma 1. Raises ValueError
    for fewer than 2 copies or 2 players, or values that are not finite.
    """
    ensemble = lattice.as_game(games)
    n = lattice.players_of(ensemble.shape[-1])
    if ensemble.ndim < 2 or ensemble.shape[-2] < 2 or n < 2:
        raise ValueError(
            "a variance over copies needs games (..., R, 2^n) with R ≥ 2 copies and n ≥ 2 players, "
            f"got {tuple(ensemble.shape)}"
        )
    variance = lattice.and_interactions(ensemble).var(-2)
    order = lattice.order(n, ensemble.device)
    size = torch.bincount(order).to(variance)
    by_order = (
        variance.new_zeros(*variance.shape[:-1], n + 1).index_add_(-1, order, variance) / size
    )
    k = torch.arange(1, n + 1, dtype=variance.dtype, device=variance.device)
    rounding = (4 * torch.finfo(variance.dtype).eps * ensemble.abs().amax((-2, -1))).square()[
        ..., None
    ] * 2**k
    logs = torch.where(by_order[..., 1:] > rounding, by_order[..., 1:].log2(), torch.nan)
    centred = k - k.mean()
    return VarianceLaw((logs * centred).sum(-1) / centred.square().sum(), by_order)
