"""The course of training: on which time axis curves are compared, and where a curve turns
upwards."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["EDGE", "change_points", "halves", "on_log_grid"]

EDGE = 2
"""Checkpoints at either end that cannot be the turning point: two phases need points on both sides
of it."""


def halves(samples: int) -> tuple[list[int], list[int]]:
    """Two halves of the sample axis, in order; samples come one of each class in turn, so both hold
    every class."""
    return list(range(samples // 2)), list(range(samples // 2, samples))


def on_log_grid(steps: ArrayLike, values: ArrayLike, grid: ArrayLike) -> NDArray[np.float64]:
    """A curve over training steps, read at the logarithms ``grid``: steps (K,), values (K,) → (G,);
    step 0 is left out."""
    later = np.asarray(steps) >= 1
    return np.interp(
        grid, np.log(np.asarray(steps, dtype=float)[later]), np.asarray(values, dtype=float)[later]
    )


def change_points(x: ArrayLike, curves: ArrayLike) -> NDArray[np.float64]:
    """Where each curve turns upwards: the knot of the least-squares fit by two straight lines that
    meet, ``(B, K)`` → (B,).

    x (K,), increasing: log time. Only fits whose slope grows at the knot count, as an upward turn
    is meant; NaN where none does. Exact, without a grid of knots: between two points the best knot
    is where the lines fitted to either side meet, if they meet there, else one of the points
    (Hudson 1966, J. Am. Stat. Assoc. 61, 1097-1129). Two points or more lie strictly on either side
    of the knot. Raises ValueError for fewer than 5 points.
    """
    at, y = np.asarray(x, dtype=float), np.atleast_2d(np.asarray(curves, dtype=float))
    if (
        at.ndim != 1
        or len(at) < 2 * EDGE + 1
        or y.shape[1:] != at.shape
        or (np.diff(at) <= 0).any()
    ):
        raise ValueError(
            f"a two-piece fit needs {2 * EDGE + 1} or more increasing points and a curve over "
            "them, got "
            f"{at.shape} and {y.shape}"
        )
    at, y = at - at.mean(), y - y.mean(1, keepdims=True)
    knots, bases, turns = _at_points(tuple(at))
    places, upward = [np.broadcast_to(knots, (len(y), len(knots)))], [y @ turns.T > 0]
    errors = [(y**2).sum(1)[:, None] - ((y @ bases) ** 2).reshape(len(y), -1, 3).sum(-1)]
    (a, b, left), (c, d, right) = _lines(at, y)
    with np.errstate(divide="ignore", invalid="ignore"):
        meet = (a - c) / (d - b)
    places.append(meet)
    upward.append((d > b) & (meet > at[EDGE - 1 : -EDGE]) & (meet < at[EDGE : 1 - EDGE]))
    errors.append(left + right)
    error = np.where(np.concatenate(upward, 1), np.concatenate(errors, 1), np.inf)
    best = error.argmin(1)[:, None]
    found = (
        np.take_along_axis(np.concatenate(places, 1), best, 1)[:, 0]
        + np.asarray(x, dtype=float).mean()
    )
    return np.where(np.isfinite(error.min(1)), found, np.nan)


@functools.lru_cache(maxsize=32)
def _at_points(
    x: tuple[float, ...],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Knots at the inner points: the knots (I,), orthonormal bases (K, 3 I) of their fits, and the
    functional (I, K) that gives the change of slope."""
    at = np.array(x)
    knots = at[EDGE:-EDGE]
    designs = np.stack(
        [np.stack([np.ones_like(at), at, np.maximum(at - knot, 0)], 1) for knot in knots]
    )
    return knots, np.hstack(np.linalg.qr(designs).Q), np.linalg.pinv(designs)[:, 2]


def _lines(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[tuple[NDArray[np.float64], ...]]:
    """Intercepts, slopes and squared errors (B, I) of lines through the first i and the other
    points of ``y``."""
    sums = [
        np.cumsum(np.broadcast_to(z, y.shape), 1)
        for z in (np.ones_like(x), x, x**2, y, x * y, y**2)
    ]
    inner = slice(EDGE - 1, -EDGE)
    sides = []
    for n, sx, sxx, sy, sxy, syy in (
        [z[:, inner] for z in sums],
        [z[:, -1:] - z[:, inner] for z in sums],
    ):
        slope = (sxy - sx * sy / n) / (sxx - sx**2 / n)
        rest = syy - sy**2 / n - slope * (sxy - sx * sy / n)
        sides.append(((sy - slope * sx) / n, slope, rest))
    return sides
