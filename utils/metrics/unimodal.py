"""How far a profile over orders is from having a single peak."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["unimodal_distance"]

_Floats = NDArray[np.float64]


def unimodal_distance(shares: ArrayLike) -> _Floats:
    """Total variation to the nearest distribution that rises to one peak and falls from it:
    ``(..., n)`` → (...).

    Exact, for shares that sum to 1. The distance is 1 - max Σ min(p, q) over unimodal q with Σ q ≤
    1. For a price λ of mass the best q is an isotonic quantile fit at level 1 - λ to each side of
    the peak (max-min formula), it changes only where λ is a fraction with a denominator up to n,
    and the best value as a function of the mass spent is linear in between. NaN in a profile gives
    NaN.
    """
    p = np.asarray(shares, dtype=np.float64)
    n = p.shape[-1]
    profiles = p.reshape(-1, n)
    found = np.where(np.isnan(profiles).any(1), np.nan, 0.0)
    far = ~np.isnan(found) & ~_rises_then_falls(profiles)
    found[far] = _distances(profiles[far], _prices(n))
    return found.reshape(p.shape[:-1])


def _prices(n: int) -> _Floats:
    """One of each stretch on which the best q is the same, the dearest first."""
    ends = sorted({Fraction(a, b) for b in range(1, n + 1) for a in range(b + 1)}, reverse=True)
    return np.array([float((a + b) / 2) for a, b in pairwise(ends)])


def _rises_then_falls(p: _Floats) -> NDArray[np.bool_]:
    """Of profiles (P, n): (P,)."""
    up, top = np.diff(p, axis=1), p.argmax(1)[:, None]
    before = np.arange(up.shape[1]) < top
    return np.where(before, up >= 0, up <= 0).all(1)


def _distances(p: _Floats, prices: _Floats) -> _Floats:
    mass, kept = _rising(p, prices)
    mirrored, kept_mirrored = _rising(p[:, ::-1], prices)
    n, best = p.shape[1], np.zeros(len(p))
    for peak in range(n + 1):  # the first ``peak`` shares rise, the others fall
        spent, value, open_ = np.zeros(len(p)), np.zeros(len(p)), np.ones(len(p), dtype=bool)
        for i in range(len(prices)):
            c = mass[peak, :, i] + mirrored[n - peak, :, i]
            r = kept[peak, :, i] + kept_mirrored[n - peak, :, i]
            more = np.where(c > spent, c - spent, 1.0)
            between = np.where(c > spent, value + (r - value) * (1.0 - spent) / more, r)
            best = np.where(open_, np.maximum(best, np.where(c >= 1.0, between, r)), best)
            open_ &= c < 1.0
            spent, value = c, r
    return np.maximum(0.0, 1.0 - best)


def _rising(p: _Floats, prices: _Floats) -> tuple[_Floats, _Floats]:
    """Σ q and Σ min(p, q) of the best rising q for each prefix of profiles ``p`` (P, n) and price:
    two (n + 1, P, prices)."""
    n = p.shape[1]
    sizes = np.arange(1, n + 1)[:, None]
    place = np.ceil(sizes * (1.0 - prices)).astype(int) - 1
    level = {  # of the window a..b: its quantile at every price, (P, prices)
        (a, b): np.sort(p[:, a : b + 1], axis=1)[:, place[b - a]]
        for a in range(n)
        for b in range(a, n)
    }
    mass, kept = np.zeros((2, n + 1, len(p), len(prices)))
    for length in range(1, n + 1):
        q = np.full((length, len(p), len(prices)), -np.inf)
        for a in range(length):
            low = np.full(q.shape[1:], np.inf)
            for b in range(length - 1, a - 1, -1):
                low = np.minimum(low, level[a, b])
                q[b] = np.maximum(q[b], low)
        for k in range(length):
            mass[length] += q[k]
            kept[length] += np.minimum(p[:, k, None], q[k])
    return mass, kept
