"""The statistics of L3, L4, L8, L11 and L15-L18 as functions of plain arrays: what the verdicts and
their simulations share.

S networks, P probed layers (the output layer is no part of them), X images, n orders. NaN: an image
that is left out. Every choice of a layer, an end or an order is made on other networks and other
images (:mod:`utils.stats.selection`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .. import stats
from ..claims import Part

__all__ = [
    "balance",
    "depth_slopes",
    "high_share",
    "largest_part",
    "low_minus_high_parts",
    "neighbour_parts",
    "order_gap_parts",
    "ratio_part",
    "redundancy_parts",
    "slope_parts",
]

Floats = NDArray[np.float64]
HELD = 0.05
"""An order counts in L4 where it holds at least this share of the output layer's strength."""


def balance(strength: Floats, first: int = 1) -> Floats:
    """(..., n) strength per order → (...): (orders ≤ n/2 minus orders > n/2) / all; NaN where there
    is none."""
    n = strength.shape[-1]
    orders = np.arange(1, n + 1)
    sign = np.where(2 * orders <= n, 1.0, -1.0) * (orders >= first)
    return _over((strength * sign).sum(-1), (strength * (orders >= first)).sum(-1))


def high_share(strength: Floats) -> Floats:
    """(..., n) strength per order → (...): share of the orders above n/2."""
    n = strength.shape[-1]
    return _over(strength[..., n // 2 :].sum(-1), strength.sum(-1))


def _over(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _least(values: Floats) -> int:
    return int(np.argmin(np.where(np.isnan(values), np.inf, values)))


def _most(values: Floats) -> int:
    return int(np.argmax(np.where(np.isnan(values), -np.inf, values)))


# L3, L8a ------------------------------------------------------------------------------------------


def low_minus_high_parts(ours: Floats, null: Floats) -> list[Part]:
    """balance (S, P, X) of the network and the untrained one → least over probed layers, and that
    minus the null's."""
    mine, theirs = (stats.chosen(b, stats.cross_chosen(b, _least)) for b in (ours, null))
    return [
        Part.of("low_minus_high", mine),
        Part.of("low_minus_high_beyond_untrained", mine - theirs),
    ]


# L4, L8b ------------------------------------------------------------------------------------------


def redundancy_parts(
    forget: Floats, target: Floats, null: Floats, orders: Sequence[int] | None = None
) -> list[Part]:
    """Redundancy at its peak minus at the higher of its two ends, mean over orders; and that minus
    shuffled-label probes'.

    forget, null (S, P, X, n), target (S, X, n) of the output layer, which both share. An image may
    have no target of some order, so an order's redundancy is a ratio of sums over images. Peak (an
    inner layer), end and orders are chosen together on other networks and other images. orders:
    given ones instead of those that hold ≥ 5 % of the output's strength.
    """
    forget, target, null = (np.nan_to_num(a) for a in (forget, target, null))
    picked = _held(target, orders)
    mine, theirs = (_hump(f, target, picked) for f in (forget, null))
    return [
        _part("redundancy_peak", *mine),
        _part(
            "redundancy_peak_beyond_shuffled", *(a - b for a, b in zip(mine, theirs, strict=True))
        ),
    ]


def _part(name: str, values: Floats, without: Floats) -> Part:
    return Part(name, values, without)


def _held(target: Floats, orders: Sequence[int] | None) -> dict[tuple[int, int], NDArray[np.int64]]:
    """(network, half) → indices of the orders, by the strength of the other networks' output on the
    other half."""
    found = {}
    for h, other in enumerate(reversed(stats.halves(target.shape[1]))):
        sums = target[:, other].sum(1)
        share = _over(sums, np.repeat(sums.sum(-1, keepdims=True), sums.shape[-1], -1))
        for s in range(len(target)):
            mean = _others(share, s)
            found[s, h] = (
                np.asarray(orders) - 1 if orders is not None else np.flatnonzero(mean >= HELD)
            )
    return found


def _others(values: Floats, s: int) -> Floats:
    """Mean over the networks other than ``s`` (over itself where there is no other)."""
    rest = np.delete(values, s, axis=0) if len(values) > 1 else values
    kept = ~np.isnan(rest)
    return _over(np.where(kept, rest, 0.0).sum(0), kept.sum(0).astype(float))


def _hump(
    forget: Floats, target: Floats, picked: dict[tuple[int, int], NDArray[np.int64]]
) -> tuple[Floats, Floats]:
    """values (S,), without (S, X): peak minus the higher end, averaged over the two halves."""
    networks, images = target.shape[:2]
    values, without = np.zeros(networks), np.zeros((networks, images))
    split = stats.halves(images)
    for h, (half, other) in enumerate(zip(split, reversed(split), strict=True)):
        f, t = forget[:, :, half], target[:, None, half]  # (S, P, X/2, n), (S, 1, X/2, n)
        whole = _over(f.sum(2), np.broadcast_to(t.sum(2), f.sum(2).shape))  # (S, P, n)
        left = t.sum(2, keepdims=True) - t
        out = _over(f.sum(2, keepdims=True) - f, np.broadcast_to(left, f.shape))  # (S, P, X/2, n)
        seen = forget[:, :, other].sum(2)
        seen = _over(seen, np.broadcast_to(target[:, None, other].sum(2), seen.shape))
        rest = np.setdiff1d(np.arange(images), half)
        for s in range(networks):
            m = picked[s, h]
            curve = _others(seen, s)[:, m].mean(-1) if len(m) else np.full(f.shape[1], np.nan)
            peak = 1 + _most(curve[1:-1])
            end = (0, -1)[_most(curve[[0, -1]])]
            value = (whole[s, peak, m] - whole[s, end, m]).mean() if len(m) else np.nan
            values[s] += value / 2
            without[s, half] += (
                (out[s, peak][:, m] - out[s, end][:, m]).mean(-1) / 2 if len(m) else np.nan
            )
            without[s, rest] += value / 2
    return values, without


# L15, L16 -----------------------------------------------------------------------------------------


def depth_slopes(y: Floats) -> Floats:
    """(S, P, X) → (S, X): least-squares slope over l/L, l = 1..P and L = P + 1 the output layer."""
    layers = y.shape[1]
    depth = np.arange(1, layers + 1) / (layers + 1)
    centred = depth - depth.mean()
    return np.einsum("p,spx->sx", centred / (centred**2).sum(), y)


def slope_parts(name: str, ours: Floats, null: Floats) -> list[Part]:
    """Slope over l/L of (S, P, X), mean over images; and that minus the slope of the shuffled-label
    probes."""
    mine, theirs = depth_slopes(ours), depth_slopes(null)
    return [Part.of(name, mine), Part.of(f"{name}_beyond_shuffled", mine - theirs)]


# L17, L18, L11 ------------------------------------------------------------------------------------


def ratio_part(
    name: str, part: Floats, whole: Floats, minus: tuple[Floats, Floats] | None = None
) -> Part:
    """Σ part / Σ whole over images, (S, X) each, jackknifed; minus the same ratio of another pair,
    if given."""
    part, whole = np.nan_to_num(part), np.nan_to_num(whole)

    def both(a: Floats, b: Floats) -> tuple[Floats, Floats]:
        return _over(a.sum(1), b.sum(1)), _over(
            a.sum(1, keepdims=True) - a, b.sum(1, keepdims=True) - b
        )

    values, without = both(part, whole)
    if minus is not None:
        less, left = both(*(np.nan_to_num(a) for a in minus))
        values, without = values - less, without - left
    return Part(name, values, without)


def order_gap_parts(overlap: Floats, target: Floats) -> list[Part]:
    """Completeness of orders 1-2 minus that of orders ≥ 4, (S, X, n) of the last probed layer,
    ratios of sums."""
    low, high = slice(0, 2), slice(3, None)
    return [
        ratio_part(
            "completeness_gap",
            overlap[..., low].sum(-1),
            target[..., low].sum(-1),
            (overlap[..., high].sum(-1), target[..., high].sum(-1)),
        )
    ]


def neighbour_parts(similarity: Floats) -> list[Part]:
    """similarity (S, P, P, X) → mean over pairs of layers one apart minus mean over pairs two or
    more apart."""
    layers = similarity.shape[1]
    apart = np.subtract.outer(np.arange(layers), np.arange(layers))
    return [
        Part.of("neighbours", similarity[:, apart == 1].mean(1) - similarity[:, apart > 1].mean(1))
    ]


def largest_part(forget: Floats, target: Floats) -> Part:
    """L11: redundancy of the most redundant probed layer, forget (S, P, X) over target (S, X),
    ratio of sums per half.

    The layer is chosen on other networks and other images.
    """
    forget, target = np.nan_to_num(forget), np.nan_to_num(target)
    choice = stats.cross_chosen(
        forget, _most
    )  # one target for all layers: the largest sum is the largest ratio
    return ratio_part("redundancy", stats.chosen(forget, choice), target)
