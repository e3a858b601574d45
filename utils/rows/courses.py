"""The strongest interactions of each image as curves over training, grouped, and random courses
through the same rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from ..claims import Premise
from ..jobs.components import Analysis
from ..jobs.games import CertifiedGames
from ..metrics import groups
from ..params import FiveGroups

__all__ = [
    "PER_ORDER",
    "SALIENT",
    "Courses",
    "Grouped",
    "Selections",
    "changed",
    "courses",
    "enough_checkpoints",
    "per_order",
    "select",
    "selections",
]

PER_ORDER, SALIENT = 20, 0.05
"""M10: the strongest of every order, among those whose largest |I| is at least this part of the
image's largest."""


@dataclasses.dataclass(frozen=True, eq=False)
class Grouped:
    """Groups of selected curves, and those of B sets of random courses selected in the same way.

    margin → labels: own (R, X, T) and walks (R, B, X, T) of R seeds and X images, -1 for a curve
    that takes no part.
    """

    own: dict[float, np.ndarray]
    walks: dict[float, np.ndarray]

    def at(
        self, margin: float = groups.MARGIN, kept: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Labels at one margin; kept (R, X): images that count in a seed, the others' curves are
        given no group."""
        walks = self.walks[margin]
        return self.own_at(margin, kept), walks if kept is None else np.where(
            kept[:, None, :, None], walks, -1
        )

    def own_at(self, margin: float, kept: np.ndarray | None = None) -> np.ndarray:
        """Those of the curves alone, (R, X, T), which are known at every margin."""
        own = self.own[margin]
        return own if kept is None else np.where(kept[..., None], own, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Courses:
    """One analysis of one system.

    curves (R, X, T, C), orders (R, X, T) of each image's T strongest interactions by max over time
    of |I|; top: their groups; walk_orders (R, B, X, T). persistent (R, B, X, T): groups, at margin
    0.1, of random courses with the curves' own persistence. each: groups of the strongest of every
    order (R, X, K); order (K,). kept (R, X): every checkpoint certified.
    """

    curves: np.ndarray
    orders: np.ndarray
    top: Grouped
    walk_orders: np.ndarray
    persistent: np.ndarray
    each: Grouped
    order: np.ndarray
    kept: np.ndarray
    steps: np.ndarray


def per_order(
    peak: torch.Tensor, orders: torch.Tensor, most: int = PER_ORDER
) -> tuple[torch.Tensor, np.ndarray, np.ndarray]:
    """The ``most`` of every order with the largest peak over time: (X, M), (M,) → positions, counts
    (X, K), order (K,).

    counts: the peak is at least 5 % of its image's largest.
    """
    index, names = [], []
    for k in range(1, int(orders.max()) + 1):
        where = (orders == k).nonzero().flatten()
        index.append(where[groups.strongest(peak[:, where], most)])
        names += [k] * index[-1].shape[-1]
    found = torch.cat(index, 1)
    return (
        found,
        (peak.gather(1, found) >= SALIENT * peak.amax(-1, keepdim=True)).numpy(),
        np.array(names),
    )


def _labels(
    curves: torch.Tensor, margins: tuple[float, ...], counts: np.ndarray | None = None
) -> dict[float, np.ndarray]:
    found = {
        margin: groups.classify(curves.numpy(), margin, groups.WIDTH).astype(np.int8)
        for margin in margins
    }
    return (
        found
        if counts is None
        else {margin: np.where(counts, x, np.int8(-1)) for margin, x in found.items()}
    )


def _stacked(pieces: list[dict[float, np.ndarray]]) -> dict[float, np.ndarray]:
    return {margin: np.stack([one[margin] for one in pieces]) for margin in pieces[0]}


def courses(
    curves: torch.Tensor,
    orders: torch.Tensor,
    *,
    top: int,
    walks: int,
    margins: tuple[float, ...],
    walk_margins: tuple[float, ...],
    seeds: tuple[int, ...],
    kept: np.ndarray,
    steps: np.ndarray,
) -> Courses:
    """Select and group curves (R, X, M, C) of interactions of ``orders`` (M,), and ``walks`` sets
    of random courses.

    margins: at which the curves are grouped; walk_margins: at which the walks are.
    """
    found: dict[str, list[Any]] = {
        name: []
        for name in (
            "curves",
            "orders",
            "top",
            "walks",
            "walk_orders",
            "persistent",
            "each",
            "each_walks",
        )
    }
    for seed, own in zip(seeds, curves, strict=True):
        peak = own.abs().amax(-1)
        index = groups.strongest(peak, top)
        strong = _at(own, index)
        each, counts, order = per_order(peak, orders)
        found["curves"].append(strong.numpy())
        found["orders"].append(orders[index].numpy())
        found["top"].append(_labels(strong, margins))
        found["each"].append(_labels(_at(own, each), margins, counts))
        for name, one in _random(
            own, orders, top, walks, walk_margins, torch.Generator().manual_seed(seed)
        ).items():
            found[name].append(one)
    return Courses(
        np.stack(found["curves"]),
        np.stack(found["orders"]),
        Grouped(_stacked(found["top"]), _stacked(found["walks"])),
        np.stack(found["walk_orders"]),
        np.stack(found["persistent"]),
        Grouped(_stacked(found["each"]), _stacked(found["each_walks"])),
        order,
        kept,
        steps,
    )


def _at(curves: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Curves (X, M, C) at positions (X, T)."""
    return curves.gather(1, index[..., None].expand(*index.shape, curves.shape[-1]))


def _random(
    own: torch.Tensor,
    orders: torch.Tensor,
    top: int,
    sets: int,
    margins: tuple[float, ...],
    generator: torch.Generator,
) -> dict[str, Any]:
    """Groups of B sets of random walks and of persistent courses for one seed's curves (X, M, C),
    selected as those are."""
    walk, persistent = (
        groups.RandomCourses.of(own),
        groups.RandomCourses.of(own, groups.persistence(own)),
    )
    found: dict[str, list[Any]] = {
        name: [] for name in ("walks", "walk_orders", "each_walks", "persistent")
    }
    for _ in range(sets):
        signs = walk.signs(generator)
        peak = walk.peaks(signs)
        index, (each, counts, _) = groups.strongest(peak, top), per_order(peak, orders)
        found["walks"].append(_labels(walk.curves(signs, index), margins))
        found["walk_orders"].append(orders[index].numpy().astype(np.int8))
        found["each_walks"].append(_labels(walk.curves(signs, each), margins, counts))
        signs = persistent.signs(generator)
        strong = persistent.curves(signs, groups.strongest(persistent.peaks(signs), top))
        found["persistent"].append(_labels(strong, (groups.MARGIN,))[groups.MARGIN])
    return {
        name: _stacked(one) if isinstance(one[0], dict) else np.stack(one)
        for name, one in found.items()
    }


def select(p: FiveGroups, e: CertifiedGames, every: int = 1, brief: bool = False) -> Courses:
    """The courses of one analysis, after the first-order merge; every: only each such checkpoint,
    counted from the last.

    brief: walks at the judged margin only.
    """
    merged = e.merged
    keep = slice((len(e.steps) - 1) % every, None, every)
    curves = (
        torch.cat([merged.and_[..., 1:], merged.or_[..., 1:]], -1)[:, keep]
        .permute(0, 2, 3, 1)
        .contiguous()
    )
    return courses(
        curves,
        merged.order[1:].repeat(2),
        top=p.top,
        walks=p.walks,
        margins=p.margins,
        seeds=p.seeds,
        walk_margins=(groups.MARGIN,) if brief else p.margins,
        kept=e.converged.all(1).numpy(),
        steps=e.steps[keep],
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Selections:
    """main; others: the other order weights, which must agree; sparse: every second checkpoint,
    shown."""

    main: Courses
    others: dict[str, Courses]
    sparse: Courses


def selections(p: FiveGroups, a: Analysis) -> Selections:
    """The courses of one system under every analysis of M7 to M10."""
    return Selections(
        select(p, a.main),
        {name: select(p, e, brief=True) for name, e in a.others.items()},
        select(p, a.main, every=2, brief=True),
    )


def enough_checkpoints(p: FiveGroups) -> Premise:
    """Curves of too few checkpoints cannot rise and fall once they are smoothed."""
    needed = groups.checkpoints_needed(groups.WIDTH)
    return Premise(
        "checkpoints",
        p.checkpoints >= needed,
        f"{p.checkpoints} checkpoints cannot show curves that rise and fall when averaged over "
        f"{groups.WIDTH} of "
        f"them: at least {needed} are needed",
    )


def changed(p: FiveGroups) -> str | None:
    """What makes M7 or M9 another statistic than the registered one, in words; None where nothing
    does."""
    found = []
    if set(p.margins) != set(groups.MARGINS):
        found.append(f"margins {list(p.margins)} instead of {list(groups.MARGINS)}")
    if p.top != groups.TOP:
        found.append(f"the {p.top} strongest interactions instead of the {groups.TOP}")
    return "; ".join(found) or None
