"""How far a profile over orders is from having a single peak."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["unimodal_distance"]


def unimodal_distance(shares: ArrayLike) -> NDArray[np.float64]:
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
    ends = sorted({Fraction(a, b) for b in range(1, n + 1) for a in range(b + 1)}, reverse=True)
    prices = np.array([float((a + b) / 2) for a, b in pairwise(ends)])
    return _distances(p.reshape(-1, n), prices).reshape(p.shape[:-1])


@numba.njit
def _distances(profiles: NDArray[np.float64], prices: NDArray[np.float64]) -> NDArray[np.float64]:
    found = np.empty(len(profiles))
    for i in range(len(profiles)):
        p = profiles[i]
        found[i] = (
            np.nan if np.isnan(p).any() else 0.0 if _rises_then_falls(p) else _distance(p, prices)
        )
    return found


@numba.njit
def _rises_then_falls(p: NDArray[np.float64]) -> bool:
    top = p.argmax()
    return (np.diff(p[: top + 1]) >= 0).all() and (np.diff(p[top:]) <= 0).all()


@numba.njit
def _distance(p: NDArray[np.float64], prices: NDArray[np.float64]) -> float:
    mass, kept = _rising(p, prices)
    mirrored, kept_mirrored = _rising(p[::-1].copy(), prices)
    n, best = len(p), 0.0
    for peak in range(n + 1):  # the first ``peak`` shares rise, the others fall
        spent, value = 0.0, 0.0
        for i in range(len(prices)):
            c = mass[peak, i] + mirrored[n - peak, i]
            r = kept[peak, i] + kept_mirrored[n - peak, i]
            if c >= 1.0:
                best = max(
                    best, value + (r - value) * (1.0 - spent) / (c - spent) if c > spent else r
                )
                break
            spent, value = c, r
            best = max(best, r)
    return max(0.0, 1.0 - best)


@numba.njit
def _rising(
    p: NDArray[np.float64], prices: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σ q and Σ min(p, q) of the best rising q for each prefix of ``p`` and price: two (n + 1,
    prices)."""
    n = len(p)
    mass, kept = np.zeros((n + 1, len(prices))), np.zeros((n + 1, len(prices)))
    ranked = np.empty((n, n, n))  # [a, b]: p[a..b], sorted
    for a in range(n):
        for b in range(a, n):
            k = b - a
            while k > 0 and ranked[a, b - 1, k - 1] > p[b]:
                ranked[a, b, k] = ranked[a, b - 1, k - 1]
                k -= 1
            ranked[a, b, k] = p[b]
            for j in range(k):
                ranked[a, b, j] = ranked[a, b - 1, j]
    q, place = np.empty(n), np.empty(n + 1, np.int64)
    for i in range(len(prices)):
        for size in range(1, n + 1):
            place[size] = int(np.ceil(size * (1.0 - prices[i]))) - 1
        for length in range(1, n + 1):
            q[:] = -np.inf
            for a in range(length):
                low = np.inf
                for b in range(length - 1, a - 1, -1):
                    low = min(low, ranked[a, b, place[b - a + 1]])
                    q[b] = max(q[b], low)
            for k in range(length):
                mass[length, i] += q[k]
                kept[length, i] += min(p[k], q[k])
    return mass, kept
