"""How strongly the noise holds down each order: norms of the rows of M̂, without building M̂.

The matrix M̂ = (JᵀJ + 2^n σ² D)^-1 JᵀJ maps ground-truth to learnt interactions. By symmetry its
entry (T, S) depends on k = |T|, a = |S ∩ T| and b = |S \\ T| only. Per player the eigenprojections
of A (see :mod:`.regression`) are polynomials in x, which marks the eigenvalue λ₊,

    g₀₀ = (1-p) + p x,   g₁₁ = p + (1-p) x,   g₀₁ = √2 (x - 1)/√17,   p = (3 + √17)/(2 √17),

so M̂(T, S) = 2^((a+b-k)/2) Σ_j f_j [x^j] g₀₀^(n-k-b) g₁₁^a g₀₁^(k-a+b). The powers of √2 meet to
2^b. Hence rows of one order have one norm (Ren Q. et al. 2024, Theorem 4), ‖m_k‖² = Σ_{a,b} C(k,a)
C(n-k,b) 4^b E(n-k-b, a)², where E(α, δ) is the sum over j for g₀₀^α g₁₁^δ ((x - 1)/√17)^(n-α-δ):
O(n³) numbers for any n.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence

import mpmath
import numpy as np
import torch

from ..lattice import Array
from .regression import eigenvalues, noise_levels

__all__ = ["norm_ratios", "norm_ratios_mp", "row_norms"]

_GUARD = 20  # decimal digits beyond those asked for


def _times(p: list[mpmath.mpf], q: list[mpmath.mpf]) -> list[mpmath.mpf]:
    product = [mpmath.mpf(0)] * (len(p) + len(q) - 1)
    for i, left in enumerate(p):
        for j, right in enumerate(q):
            product[i + j] += left * right
    return product


def _powers(factor: list[mpmath.mpf], n: int) -> list[list[mpmath.mpf]]:
    table = [[mpmath.mpf(1)]]
    for _ in range(n):
        table.append(_times(table[-1], factor))
    return table


@functools.lru_cache(maxsize=32)
def _polynomials(n: int, digits: int) -> dict[tuple[int, int], list[mpmath.mpf]]:
    """Coefficients (n+1) of g₀₀^α g₁₁^δ ((x - 1)/√17)^(n-α-δ) for every (α, δ) with α + δ ≤ n."""
    with mpmath.workdps(digits + _GUARD):
        root = mpmath.sqrt(17)
        p = (3 + root) / (2 * root)
        out, in_, across = (_powers(g, n) for g in ([1 - p, p], [p, 1 - p], [-1 / root, 1 / root]))
        return {
            (alpha, delta): _times(_times(out[alpha], in_[delta]), across[n - alpha - delta])
            for alpha in range(n + 1)
            for delta in range(n + 1 - alpha)
        }


@functools.lru_cache(maxsize=32)
def _tables(n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Float64 tables over (α, δ): polynomial coefficients (n+1, n+1, n+1) and subset counts (n+1
    orders, n+1, n+1)."""
    coefficients = torch.zeros(n + 1, n + 1, n + 1, dtype=torch.float64)
    counts = torch.zeros(n + 1, n + 1, n + 1, dtype=torch.float64)
    for (alpha, delta), polynomial in _polynomials(n, 30).items():
        coefficients[alpha, delta] = torch.tensor(
            [float(c) for c in polynomial], dtype=torch.float64
        )
        for k in range(delta, n - alpha + 1):
            counts[k, alpha, delta] = float(_count(n, k, alpha, delta))  # may exceed 64 bits
    return coefficients, counts


def _count(n: int, k: int, alpha: int, delta: int) -> int:
    """Subsets S with |S ∩ T| = δ and n - k - |S \\ T| = α for a T of order k, times the 4^b of
    their entries."""
    b = n - k - alpha
    return math.comb(k, delta) * math.comb(n - k, b) * 4**b


def _require_players(n: int, least: int) -> None:
    if not least <= n <= 30:
        raise ValueError(f"the number of players n must be between {least} and 30, got {n}")


def row_norms(n: int, sigma2: Array | Sequence[float]) -> Array:
    """‖m_k‖, the norm of the rows of M̂ of order k = 0..n: ``sigma2`` (k,) → (k, n+1) float64 (1
    everywhere at σ² = 0).

    Accurate to about 1e-14 relative; differences between orders below that need
    :func:`norm_ratios_mp`. An array for an array, else a tensor. Source: Ren Q. et al. 2024,
    Theorem 4 (equal within an order). Raises ValueError for n outside 0..30 or a noise level that
    is negative or not finite.
    """
    _require_players(n, 0)
    levels = noise_levels(sigma2)
    mu = eigenvalues(n)
    coefficients, counts = _tables(n)
    factors = mu / (mu + 2.0**n * levels[:, None])
    largest = factors[:, -1:]  # taken out, so that squares of tiny factors do not underflow
    entries = torch.einsum("adj,sj->sad", coefficients, factors / largest)
    norms = torch.einsum("kad,sad->sk", counts, entries.square()).sqrt() * largest
    return norms.numpy() if isinstance(sigma2, np.ndarray) else norms


def norm_ratios(n: int, sigma2: Array | Sequence[float]) -> Array:
    """r^(k) = ‖m_k‖ / ‖m_(k+1)‖ for k = 0..n-1: ``sigma2`` (k,) → (k, n). Errors as
    :func:`row_norms`, and for n = 0.

    Proposition 1 of Ren Q. et al. 2024 says that r > 1 and falls as σ² falls. It tends to √10 at
    strong noise; at very weak noise and n ≥ 10 it is below 1 for low orders (a finding of this
    project; :func:`norm_ratios_mp` confirms it).
    """
    _require_players(n, 1)
    norms = row_norms(n, sigma2)
    return norms[:, :-1] / norms[:, 1:]


def norm_ratios_mp(
    n: int, sigma2: Sequence[float | str | mpmath.mpf], digits: int = 60
) -> list[list[mpmath.mpf]]:
    """:func:`norm_ratios` in ``digits`` decimal digits: k lists of n mpmath numbers.

    Decides where Proposition 1 fails without any doubt from rounding. ``sigma2`` may hold decimal
    strings, which are read exactly ("5.6e-8"; the float is another number in its 17th digit).
    Errors as :func:`norm_ratios`; ``digits`` ≥ 15.
    """
    _require_players(n, 1)
    if digits < 15:
        raise ValueError(f"digits must be at least 15 (use norm_ratios for float64), got {digits}")
    noise_levels([float(level) for level in sigma2])
    with mpmath.workdps(digits + _GUARD):
        rows = [_squares_mp(n, mpmath.mpf(level), digits) for level in sigma2]
        ratios = [
            [mpmath.sqrt(low / high) for low, high in itertools.pairwise(row)] for row in rows
        ]
    with mpmath.workdps(digits):
        return [
            [+ratio for ratio in row] for row in ratios
        ]  # unary plus rounds to the digits asked for


def _squares_mp(n: int, level: mpmath.mpf, digits: int) -> list[mpmath.mpf]:
    root = mpmath.sqrt(17)
    low, high = (5 - root) / 4, (5 + root) / 4
    mu = [high**j * low ** (n - j) for j in range(n + 1)]
    factors = [m / (m + 2**n * level) for m in mu]
    squares = [mpmath.mpf(0)] * (n + 1)
    for (alpha, delta), polynomial in _polynomials(n, digits).items():
        entry = mpmath.fdot(polynomial, factors) ** 2
        for k in range(delta, n - alpha + 1):
            squares[k] += _count(n, k, alpha, delta) * entry
    return squares
