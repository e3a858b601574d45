"""M7, M9, M10 and M14: the rows' statistics, pure functions of arrays that the simulations of their
criteria call as well."""

from __future__ import annotations

import numpy as np

from .. import stats
from ..claims import Part
from ..metrics import groups
from .component_statistics import spread

__all__ = [
    "FEWEST",
    "HIGH",
    "LOW",
    "SIDE",
    "SIGNS",
    "contrast",
    "contrast_parts",
    "counted",
    "kinds_parts",
    "ratio",
    "similarity_parts",
    "size_parts",
]

SIGNS = {
    "more_reliable": ("reliable", 1),
    "more_forgotten": ("forgotten", 1),
    "fewer_betraying": ("betraying", -1),
    "fewer_fluctuating": ("fluctuating", -1),
}
"""M9: the four contrasts of Table 3, ResNet-20 minus VGG-11: group and sign."""

HIGH, LOW = 6, 3
FEWEST, SIDE = 5, 2
"""An order counts with so many curves in every network; each side needs so many orders."""


def kinds_parts(
    shares: np.ndarray, own: np.ndarray, walks: np.ndarray, persistent: np.ndarray
) -> list[Part]:
    """M7 from shares of the groups per network and image, NaN where an image has no curves.

    shares (S, E, X, 5) at E margins, own (S, X, 5) at margin 0.1, walks and persistent (S, B, X, 5)
    of random courses. As stated: each group's share at the margin where it is least, which other
    networks and other images choose: a minimum taken on the data that it judges would be too low.
    The rarest group is not chosen at all: all five must clear the bound. Specific: excess distance
    of the image's shares from both kinds of random courses.
    """
    found = []
    for k, name in enumerate(groups.GROUPS):
        options = shares[..., k]
        found.append(Part.of(name, stats.chosen(options, stats.cross_chosen(options, np.argmin))))
    for name, null in (("walk_distance", walks), ("persistence_distance", persistent)):
        excess = groups.excess_distance(own, np.moveaxis(null, 1, 0))
        found.append(Part.of(name, excess, scale=spread(excess)))
    return found


def size_parts(first: np.ndarray, second: np.ndarray) -> list[Part]:
    """M9 from shares (S, E, X, 5) of two networks at E margins, network i with network i: each
    contrast at its least margin.

    The margin is chosen on other networks and other images.
    """
    found = []
    for name, (group, sign) in SIGNS.items():
        options = sign * (first - second)[..., groups.GROUPS.index(group)]
        found.append(Part.of(name, stats.chosen(options, stats.cross_chosen(options, np.argmin))))
    return found


def counted(total: np.ndarray) -> np.ndarray:
    """Orders with at least 5 curves in every network: (S, X, n) → (n,)."""
    return (total.sum(1) >= FEWEST).all(0)


def contrast(
    restless: np.ndarray, total: np.ndarray, orders: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Share of restless curves in counted orders ≥ 6 minus ≤ 3: (..., X, n) twice → (...), and
    without each image (..., X).

    Curves are pooled over images, so an image without curves of high order takes part with those it
    has; NaN where a side has none.
    """
    number = np.arange(1, total.shape[-1] + 1)
    sides = []
    for side in (orders & (number >= HIGH), orders & (number <= LOW)):
        hit, every = restless[..., side].sum(-1), total[..., side].sum(-1)
        sides.append(
            [
                ratio(hit.sum(-1), every.sum(-1)),
                ratio(hit.sum(-1, keepdims=True) - hit, every.sum(-1, keepdims=True) - every),
            ]
        )
    (high, high_without), (low, low_without) = sides
    return high - low, high_without - low_without


def ratio(hit: np.ndarray, every: np.ndarray) -> np.ndarray:
    return np.divide(hit, every, out=np.full(every.shape, np.nan), where=every > 0)


def contrast_parts(
    own: tuple[np.ndarray, np.ndarray], walks: tuple[np.ndarray, np.ndarray]
) -> list[Part]:
    """M10 from tallies: own (S, X, n) twice, walks (S, B, X, n) twice. The orders that count are
    those of the network."""
    orders = counted(own[1])
    value, without = contrast(*own, orders)
    null, null_without = (
        np.where(
            np.isnan(x).all(1),
            np.nan,
            np.nan_to_num(x).sum(1) / np.maximum((~np.isnan(x)).sum(1), 1),
        )
        for x in contrast(*walks, orders)
    )
    return [
        Part("contrast", value, without),
        Part("contrast_minus_walks", value - null, without - null_without),
    ]


def similarity_parts(first: np.ndarray, second: np.ndarray) -> list[Part]:
    """M14 from order shares (S, 2, X, n), untrained and trained: per image, network i of one with
    network i of the other."""

    def apart(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.abs(p - q).sum(-1) / 2

    own = (apart(first[:, 0], first[:, 1]) + apart(second[:, 0], second[:, 1])) / 2
    return [Part.of("apart_minus_untrained", apart(first[:, 1], second[:, 1]) - own)]
