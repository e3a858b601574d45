"""The exact inverse behind the split: G = D Dᵀ is block-diagonal in the Schur basis of the subset
lattice.

G(T, T') depends only on |T|, |T'| and |T ∩ T'|, hence commutes with every permutation of the
players, and by Schur-Weyl duality it splits (R²)^{⊗n} into multiplets of dimension d = n+1, n-1,
...: one and the same d x d block for every multiplet of that dimension. The basis is a cascade of
Givens rotations (one stage per player, as spins are coupled one at a time), so (G + I/μ²)^{-1}
costs O(n 2^n) and a different μ for every game costs nothing.

    D = [Z, U],   Z = [[1,0],[1,1]]^{⊗n},   U = 1 1ᵀ - R Z   (R complements the mask)

On a multiplet of dimension d, Z and R Z act as symmetric powers of degree d-1, in closed form; the
constant and the empty set live on the one multiplet of dimension n+1. Row ∅ is dropped (δ_∅ = 0),
and so is order 0.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import numpy as np

__all__ = [
    "Stage",
    "block",
    "cascade",
    "eigen",
    "factor",
    "multiplets",
    "rotations",
    "schur_matrix",
]


class Stage(NamedTuple):
    """Rotations that couple one more player: rows ``p`` and ``q`` become c·p + s·q and c·q -
    s·p."""

    p: np.ndarray
    q: np.ndarray
    c: np.ndarray
    s: np.ndarray


@functools.lru_cache(maxsize=32)
def _couple(n: int) -> tuple[tuple[Stage, ...], dict[int, np.ndarray]]:
    """The cascade over n players, lowest bit first, and where each multiplet's vectors end: {d:
    (count, d) rows}."""
    stages: list[Stage] = []
    where: dict[int, np.ndarray] = {1: np.zeros((1, 1), dtype=np.int32)}
    for player in range(n):
        p, q, c, s = [], [], [], []
        grown: dict[int, list[np.ndarray]] = {}
        for d, rows in where.items():
            low, high = rows, rows + (1 << player)  # the new player masked, kept
            i = np.arange(1, d)
            p.append(low[:, 1:].ravel())
            q.append(high[:, :-1].ravel())
            c.append(np.tile(np.sqrt((d - i) / d), len(rows)))
            s.append(np.tile(np.sqrt(i / d), len(rows)))
            grown.setdefault(d + 1, []).append(np.concatenate([low, high[:, -1:]], axis=1))
            if d > 1:
                grown.setdefault(d - 1, []).append(high[:, :-1])
        stage = Stage(*(np.concatenate(x) for x in (p, q, c, s)))
        by_place = np.argsort(stage.p, kind="stable")  # neighbours in memory, one after the other
        stages.append(Stage(*(x[by_place] for x in stage)))
        where = {d: np.concatenate(rows) for d, rows in grown.items()}
    return tuple(stages), dict(sorted(where.items(), reverse=True))


def cascade(n: int) -> tuple[Stage, ...]:
    """The n stages of rotations; stage m works inside every run of 2^{m+1} subset indices, lowest
    player first."""
    return _couple(n)[0]


def multiplets(n: int) -> dict[int, np.ndarray]:
    """{dimension d: int rows (count, d)}: where the vectors of each multiplet lie after the
    cascade."""
    return _couple(n)[1]


@functools.lru_cache(maxsize=16)
def schur_matrix(n: int) -> np.ndarray:
    """The orthogonal basis itself, (2^n, 2^n), rows = basis vectors: for half-cubes (n ≤ 12) and
    tests."""
    x = np.eye(1 << n)
    for m, stage in enumerate(cascade(n)):
        rows = x.reshape(-1, 1 << (m + 1), 1 << n)
        low, high = rows[:, stage.p], rows[:, stage.q]
        c, s = stage.c[:, None], stage.s[:, None]
        rows[:, stage.p], rows[:, stage.q] = c * low + s * high, c * high - s * low
    return x


def _symmetric_power(a: tuple[tuple[int, int], tuple[int, int]], degree: int) -> np.ndarray:
    """The action of the 2 x 2 matrix ``a`` on symmetric tensors of ``degree``, in the orthonormal
    basis by weight."""
    binomial = _binomials(degree)
    columns = []
    for j in range(degree + 1):
        image = np.ones(1)
        for k in range(degree):
            column = 0 if k < degree - j else 1
            image = np.convolve(image, [a[0][column], a[1][column]])
        columns.append(image * np.sqrt(binomial[j] / binomial))
    return np.stack(columns, axis=1)


def _binomials(n: int) -> np.ndarray:
    row = np.ones(1)
    for _ in range(n):
        row = np.convolve(row, [1.0, 1.0])
    return row


def factor(dims: tuple[int, ...], halves: tuple[int, ...]) -> np.ndarray:
    """B with G = B Bᵀ on a product of multiplets of dimensions ``dims`` of parts of the cube with
    ``halves`` players.

    ``dims=(d,), halves=(n,)`` is the block of the whole cube; two parts serve the matrix-product
    form of the inverse. B is D itself, [Z, U] with U = 1 1ᵀ - R Z (R complements the mask), up to a
    sign that G does not see.
    """

    def product(factors: list[np.ndarray]) -> np.ndarray:
        return functools.reduce(np.kron, factors)

    z = product([_symmetric_power(((1, 0), (1, 1)), d - 1) for d in dims])
    u = -product([_symmetric_power(((1, 1), (1, 0)), d - 1) for d in dims])
    if _holds_empty(dims, halves):  # the only place where the constant and the empty set live
        one = product([np.sqrt(_binomials(h)) for h in halves])
        u += np.outer(one, one)
        z[:, 0] = u[:, 0] = 0.0  # order 0 is no variable
        z[0] = u[0] = 0.0  # and row ∅ no constraint
    return np.concatenate([z, u], axis=1)


def _holds_empty(dims: tuple[int, ...], halves: tuple[int, ...]) -> bool:
    return all(d == h + 1 for d, h in zip(dims, halves, strict=True))


def block(dims: tuple[int, ...], halves: tuple[int, ...]) -> np.ndarray:
    """G on that product of multiplets."""
    b = factor(dims, halves)
    return b @ b.T


@functools.lru_cache(maxsize=512)
def eigen(dims: tuple[int, ...], halves: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """(Λ, V) of that block with row ∅ removed: V has a zero row and a zero column there, Λ a
    harmless 1.

    From the singular values of the factor: those of G span 10^15 at n = 16, and eigenvalues of G
    itself would lose the smallest to rounding.
    """
    b = factor(dims, halves)
    if not _holds_empty(dims, halves):
        vectors, values, _ = np.linalg.svd(b, full_matrices=False)
        return values**2, vectors
    vectors, values, _ = np.linalg.svd(b[1:], full_matrices=False)
    padded = np.zeros((len(b), len(b)))
    padded[1:, 1:] = vectors
    return np.concatenate([[1.0], values**2]), padded


def rotations(n: int, first: int, last: int) -> Stage:
    """Stages ``first`` ... ``last`` - 1 one after the other, repeated over all 2^last indices: one
    flat list."""
    parts = []
    for m in range(first, last):
        stage, span = cascade(n)[m], 2 << m
        starts = np.arange(0, 1 << last, span)[:, None]
        parts.append(
            Stage(
                (starts + stage.p).ravel(),
                (starts + stage.q).ravel(),
                np.tile(stage.c, len(starts)),
                np.tile(stage.s, len(starts)),
            )
        )
    empty = Stage(*(np.zeros(0, dtype=t) for t in (np.int64, np.int64, float, float)))
    return Stage(*(np.concatenate([x, *y]) for x, *y in zip(empty, *parts, strict=True)))
