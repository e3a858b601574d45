"""M10: do interactions of high order fluctuate, or come and go, more than those of low order?"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..claims import Part, Premise
from ..jobs.components import Analysis
from ..metrics import groups
from ..params import FiveGroups
from .components import basis, certified
from .courses import PER_ORDER, Courses, Grouped, Selections, enough_checkpoints

__all__ = [
    "FEWEST",
    "HIGH",
    "LOW",
    "contrast",
    "contrast_case",
    "contrast_parts",
    "counted",
    "tally",
]

HIGH, LOW = 6, 3
FEWEST, SIDE = 5, 2
"""An order counts with so many curves in every network; each side needs so many orders."""
_RESTLESS = [groups.GROUPS.index(name) for name in ("withdrawn", "fluctuating")]


def tally(labels: np.ndarray, order: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Fluctuating or withdrawn curves, and all curves, of each order 1..n: labels (..., K), order
    (K,) → twice (..., n)."""
    place = (order[:, None] == np.arange(1, n + 1)).astype(float)
    return np.isin(labels, _RESTLESS) @ place, (labels >= 0) @ place


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
                _ratio(hit.sum(-1), every.sum(-1)),
                _ratio(hit.sum(-1, keepdims=True) - hit, every.sum(-1, keepdims=True) - every),
            ]
        )
    (high, high_without), (low, low_without) = sides
    return high - low, high_without - low_without


def _ratio(hit: np.ndarray, every: np.ndarray) -> np.ndarray:
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


def _parts(
    p: FiveGroups, chosen: Courses, margin: float = groups.MARGIN, kept: np.ndarray | None = None
) -> list[Part]:
    own, walks = Grouped.at(chosen.each, margin, kept)
    return contrast_parts(
        tally(own, chosen.order, p.n_players), tally(walks, chosen.order, p.n_players)
    )


def contrast_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """M10: high minus low orders in the share that fluctuates or is withdrawn; specific: minus the
    same of random walks."""
    main = found.main
    _, total = tally(main.each.at()[0], main.order, p.n_players)
    orders, number = counted(total), np.arange(1, p.n_players + 1)
    sides = {
        "6 or more": int((orders & (number >= HIGH)).sum()),
        "3 or less": int((orders & (number <= LOW)).sum()),
    }
    fewest = total.sum(1).min(0).astype(int)
    enough = Premise(
        "orders",
        min(sides.values()) >= SIDE,
        f"{sides['6 or more']} orders of 6 or more and {sides['3 or less']} of 3 or less have "
        f"{FEWEST} curves "
        f"in every network ({SIDE} of each are needed; fewest curves of orders 1 to {p.n_players}: "
        f"{', '.join(map(str, fewest))})",
    )
    control = {
        "fewest curves of each order in a network": fewest.tolist(),
        "strongest of each order": PER_ORDER,
    }
    for label, labels in zip(("network", "random walks"), main.each.at(), strict=True):
        hit, every = (
            x.sum(axis=tuple(range(x.ndim - 1))) for x in tally(labels, main.order, p.n_players)
        )
        control[f"share that fluctuates or is withdrawn by order, {label}"] = _ratio(
            hit, every
        ).tolist()
    case = certified(lambda only: _parts(p, main, kept=main.kept if only else None))
    case["variants"] |= {name: _parts(p, one) for name, one in found.others.items()}
    reported = {f"margin {m:g}": _parts(p, main, m) for m in p.margins if m != groups.MARGIN}
    return {
        **case,
        "reported": reported,
        "premises": [enough_checkpoints(p), enough],
        "control": control,
        **basis(p, a, a.main, *a.others.values()),
    }
