"""Clouds of a fixed number of points out of larger ones: the same points on every machine and with
every version of numpy, because a hash draws them."""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["drawn", "drawn_of_each", "hashed", "unit_ball"]


def hashed(key: str, *shape: int) -> np.ndarray:
    """Uniform numbers in [0, 1), float64 of that shape, decided by ``key`` alone: the SHAKE-256
    stream of its UTF-8 bytes, eight bytes a number, of which the upper 53 bits count."""
    count = int(np.prod(shape))
    stream = hashlib.shake_256(key.encode()).digest(8 * count)
    return ((np.frombuffer(stream, "<u8") >> 11) * 2.0**-53).reshape(shape)


def drawn(total: int, count: int, key: str) -> np.ndarray:
    """``count`` different ones of 0 … ``total`` - 1, ascending, so that points keep their order.

    ValueError, naming ``key``, when there are fewer: a cloud is never padded.
    """
    return drawn_of_each(np.zeros(total, dtype=np.int64), count, key, 0)


def drawn_of_each(part: np.ndarray, count: int, key: str, least: int) -> np.ndarray:
    """The same out of points that belong to parts (N,): of each part first ``least`` points (all,
    of a smaller one), then any others. Parts below 0 are none."""
    if len(part) < count:
        raise ValueError(f"{key} has {len(part)} points, fewer than the {count} of a cloud")
    rank = hashed(key, len(part))
    order = np.lexsort((rank, part))
    start = np.searchsorted(part[order], part[order])
    first = np.empty(len(part), dtype=bool)
    first[order] = (np.arange(len(part)) - start < least) & (part[order] >= 0)
    if first.sum() > count:
        raise ValueError(
            f"{key}: {least} points of each part are {first.sum()}, more than the {count} of a "
            "cloud"
        )
    return np.sort(np.lexsort((rank, ~first))[:count])


def unit_ball(points: np.ndarray) -> np.ndarray:
    """Points (N, 3) moved by their mean and scaled such that the farthest has the distance 1
    (Qi et al. 2017): float32. ValueError where all are one point."""
    centred = points.astype(np.float64) - points.mean(0, dtype=np.float64)
    radius = np.sqrt((centred**2).sum(1).max())
    if not radius > 0:
        raise ValueError("a cloud whose points are all the same cannot be scaled")
    return (centred / radius).astype(np.float32)
