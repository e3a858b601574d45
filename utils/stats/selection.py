"""Choosing and judging on different data: other networks *and* other units at once (6.4 of the
protocol).

A turning point, a best rival or a peak layer that is judged on the data that chose it finds effects
in noise. With other units only, noise that a network carries over all its units still says yes too
often; with other networks only, noise that an image carries over all networks does. Hence both: for
network s and half h of the units the choice is made by the networks other than s on the units
outside h.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .basic import Floats

__all__ = ["chosen", "cross_chosen", "halves"]


def halves(units: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Two halves of the unit axis, in order; units come one of each class in turn, so both hold
    every class."""
    every = np.arange(units)
    return every[: units // 2], every[units // 2 :]


def cross_chosen(options: ArrayLike, choose: Callable[[Floats], int]) -> NDArray[np.int64]:
    """What is chosen for each network and half of the units: ``(S, C, X)`` -> ``(S, 2)`` indices of
    the C options.

    options: value of each option (checkpoint, layer, rival, …) for every network and unit; NaN is
    left out of the averages. choose: from the averages ``(C,)`` over the other networks and the
    other half to an index, e.g. ``np.argmin``. A single network chooses on its own other half:
    there are no others (the verdict then speaks for that network). Raises ValueError for fewer than
    2 units or another shape.
    """
    values = np.asarray(options, dtype=np.float64)
    if values.ndim != 3 or values.shape[2] < 2:
        raise ValueError(
            f"expected (networks, options, units) with at least 2 units, got shape {values.shape}"
        )
    found = np.empty((len(values), 2), dtype=np.int64)
    split = halves(values.shape[2])
    for h, other in enumerate(reversed(split)):
        part = values[:, :, other]
        kept = ~np.isnan(part)
        # Each network counts once: the average over networks of the averages over its units.
        count = kept.sum(-1)
        means = np.where(
            count > 0, np.where(kept, part, 0.0).sum(-1) / np.maximum(count, 1), np.nan
        )
        for s in range(len(values)):
            rest = np.delete(means, s, axis=0) if len(values) > 1 else means
            present = ~np.isnan(rest)
            pooled = np.where(
                present.any(0),
                np.where(present, rest, 0.0).sum(0) / np.maximum(present.sum(0), 1),
                np.nan,
            )
            found[s, h] = choose(pooled)
    return found


def chosen(options: ArrayLike, choice: ArrayLike) -> Floats:
    """The value of the chosen option for every network and unit: ``(S, C, X)`` and ``(S, 2)`` ->
    ``(S, X)``."""
    values, index = np.asarray(options, dtype=np.float64), np.asarray(choice)
    found = np.empty((values.shape[0], values.shape[2]))
    for h, part in enumerate(halves(values.shape[2])):
        for s in range(len(values)):
            found[s, part] = values[s, index[s, h], part]
    return found
