"""The published sparsifier on dense matrices, one game at a time, written for this benchmark from
its description.

Not the authors' code: the same loop on the same matrices. Interactions are 2^n × 2^n matrices times
v in float32 (rows built for every subset), the loss is their L1 norm, order 0 included, and
full-batch SGD with momentum 0.9 and a learning rate log-spaced to a tenth takes a fixed number of
steps. The subgradient is taken by hand, which is faster than the automatic differentiation of a
general framework.
"""

from __future__ import annotations

import functools

import torch

from utils import lattice
from utils.sparsify import PaperSettings

from .lattice import dense_matrix

__all__ = ["dense_loop", "matrices"]


@functools.lru_cache(maxsize=1)
def matrices(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Float32 (2^n, 2^n): I_and = A v_and and I_or = B v_or; row 0 of B keeps v_or(∅), as the
    published code does."""
    conj = dense_matrix(n, torch.float32)
    disj = -conj.flip(1)
    disj[0] = 0.0
    disj[0, 0] = 1.0
    return conj.contiguous(), disj.contiguous()


def dense_loop(v: torch.Tensor, kappa: float, settings: PaperSettings) -> torch.Tensor:
    """L1 strength (float64, one number) reached on one game ``v`` (2^n,), made feasible as
    solver="paper" does."""
    conj, disj = matrices(lattice.players_of(len(v)))
    centred = v - v[0]
    limit = kappa * float(centred[-1].abs())
    game = centred.float()
    p, q, push_p, push_q = (torch.zeros_like(game) for _ in range(4))
    for rate in settings.rates():
        q = q.clamp(-limit, limit)
        half = 0.5 * (game + q)
        g_and = conj.T @ (conj @ (half + p)).sign()
        g_or = disj.T @ (disj @ (half - p)).sign()
        push_p.mul_(settings.momentum).add_(g_and - g_or)
        push_q.mul_(settings.momentum).add_(0.5 * (g_and + g_or))
        p = p - rate * push_p
        q = q - rate * push_q
    return _feasible_l1(centred, p.double(), q.double().clamp(-limit, limit))


def _feasible_l1(v: torch.Tensor, p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    q[0] = 0.0
    half = 0.5 * (v + q)
    return (
        lattice.and_interactions(half + p)[1:].abs().sum()
        + lattice.or_interactions(half - p)[1:].abs().sum()
    )
