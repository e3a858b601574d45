"""Null games: what no learning, no structure or mere smoothness would look like through the same
split.

Each takes games v (..., 2^n) and returns games of that shape with v(∅) kept, so that whatever is
computed on the network's games is computed on the null's by the same code. Seeds are explicit; the
same seed gives the same games.
"""

from __future__ import annotations

import torch

from .. import lattice

__all__ = ["additive_games", "iid_games", "size_games", "smooth_games"]


def iid_games(v: torch.Tensor, seed: int) -> torch.Tensor:
    """Independent Gaussian values with each game's own mean and variance over masks; v(∅) is the
    game's own."""
    noise = torch.randn(
        v.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).to(v.device)
    game = v.mean(-1, keepdim=True) + v.std(-1, keepdim=True) * noise
    game[..., 0] = v[..., 0]
    return game


def _match_sizes(game: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Rescale ``game`` so that mean |game(T) - game(∅)| over coalitions of each size is that of
    ``v``."""
    n = lattice.players_of(v.shape[-1])
    order = lattice.order(n, v.device)
    count = torch.bincount(order, minlength=n + 1).to(v.dtype)

    def mean_by_size(x: torch.Tensor) -> torch.Tensor:
        away = (x - x[..., :1]).abs()
        return x.new_zeros(*x.shape[:-1], n + 1).index_add_(-1, order, away) / count

    wanted, have = mean_by_size(v), mean_by_size(game)
    factor = torch.where(have > 0, wanted / have.clamp(min=1e-300), 0.0)
    return v[..., :1] + (game - game[..., :1]) * factor[..., order]


def smooth_games(v: torch.Tensor, seed: int, hidden: int = 64) -> torch.Tensor:
    """Random one-hidden-layer ReLU functions of the mask, matched to ``v`` in mean strength per
    coalition size.

    Smoothness alone makes a game sparse, so a trained network has to be sparser than these to have
    learnt sparsity.
    """
    n = lattice.players_of(v.shape[-1])
    generator = torch.Generator().manual_seed(seed)
    batch = v[..., 0].numel()
    bits = (torch.arange(1 << n)[:, None] >> torch.arange(n) & 1).double()
    weights = torch.randn(batch, n, hidden, generator=generator, dtype=torch.float64) / n**0.5
    shift = torch.randn(batch, 1, hidden, generator=generator, dtype=torch.float64)
    out = torch.randn(batch, hidden, generator=generator, dtype=torch.float64)
    games = torch.stack(
        [(bits @ w + b).relu() @ o for w, b, o in zip(weights, shift, out, strict=True)]
    )
    return _match_sizes(games.view(v.shape).to(v.device), v)


def additive_games(v: torch.Tensor, seed: int) -> torch.Tensor:
    """Random linear games, matched in size: they have interactions of order 1 only, so no spindle
    may be found in them."""
    n = lattice.players_of(v.shape[-1])
    weights = torch.randn(
        *v.shape[:-1], n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    bits = (torch.arange(1 << n)[:, None] >> torch.arange(n) & 1).double()
    return v[..., :1] + (weights @ bits.T).to(v.device) * v.std(-1, keepdim=True)


def size_games(v: torch.Tensor, seed: int) -> torch.Tensor:
    """Games that depend on the number of kept players only, a random walk over sizes scaled to v's
    deviation."""
    n = lattice.players_of(v.shape[-1])
    steps = torch.randn(
        *v.shape[:-1], n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    path = torch.cat([torch.zeros_like(steps[..., :1]), steps.cumsum(-1)], -1).to(v.device)
    game = path[..., lattice.order(n, v.device)]
    return v[..., :1] + game * v.std(-1, keepdim=True)
