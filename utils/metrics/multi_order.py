"""Multi-order interactions between pairs of players: the other family of interactions that the
overview builds on.

I^(m)(i, j) asks how much more i and j contribute together than apart, among contexts of m other
players. No split is involved: it is a mean of second differences of the score.
"""

from __future__ import annotations

import itertools

import torch

from .. import lattice

__all__ = ["multi_order", "order_fifths", "order_strength"]


def multi_order(v: torch.Tensor) -> torch.Tensor:
    """I^(m)(i, j) of every pair i < j and every m = 0 ... n - 2: games (..., 2^n) → (..., n - 1,
    pairs), score's units.

    The mean over S ⊆ N without i and j, |S| = m, of v(S ∪ ij) - v(S ∪ i) - v(S ∪ j) + v(S) (Deng et
    al. 2022, Eq. 2; Ren J. et al. 2021). Pairs in the order of ``itertools.combinations``.
    ValueError for fewer than 2 players.
    """
    n = lattice.players_of(v.shape[-1])
    if n < 2:
        raise ValueError(f"a pair needs 2 players, the games have {n}")
    size = lattice.order(n, v.device)
    masks = torch.arange(1 << n, device=v.device)
    found = []
    for i, j in itertools.combinations(range(n), 2):
        context = masks[(masks >> i & 1) + (masks >> j & 1) == 0]
        second = (
            v[..., context | 1 << i | 1 << j]
            - v[..., context | 1 << i]
            - v[..., context | 1 << j]
            + v[..., context]
        )
        total = v.new_zeros(*v.shape[:-1], n - 1).index_add_(-1, size[context], second)
        found.append(total / torch.bincount(size[context], minlength=n - 1))
    return torch.stack(found, -1)


def order_strength(interactions: torch.Tensor) -> torch.Tensor:
    """J^(m) of each image, E_ij |I^(m)(i, j)| divided by its mean over m: (..., n - 1, pairs) →
    (..., n - 1).

    Deng et al. 2022, Eq. 5, image by image. NaN where every interaction is 0.
    """
    strength = interactions.abs().mean(-1)
    return strength / strength.mean(-1, keepdim=True)


def order_fifths(curve: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Means of a curve (..., n - 1) over m = 0 ... n - 2 on the lowest, middle and highest fifth of
    its range, each (...).

    m / (n - 2) ≤ .2, in .4 ... .6, ≥ .8. ValueError for fewer than 3 orders, where these are not
    three.
    """
    orders = curve.shape[-1]
    if orders < 3:
        raise ValueError(
            f"a low end, a middle and a high end need at least 4 players, the curve has {orders} "
            "orders"
        )
    place = torch.linspace(0, 1, orders, dtype=torch.float64, device=curve.device)
    middle = (place - 0.5).abs()
    inside = (
        middle <= max(0.1, float(middle.min())) + 1e-9
    )  # with an even number of orders: the two next to the middle
    return tuple(
        curve[..., chosen].mean(-1) for chosen in (place <= 0.2 + 1e-9, inside, place >= 0.8 - 1e-9)
    )
