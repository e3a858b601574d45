"""The strongest interactions of each image as curves over training, grouped, and random courses through the same rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from ..claims import Premise
from ..jobs.components import Analysis
from ..jobs.study import Extracted
from ..metrics import groups
from ..params import FiveGroups

__all__ = ["PER_ORDER", "SALIENT", "Courses", "Grouped", "Selections", "changed", "courses", "enough_checkpoints",
           "per_order", "select", "selections"]

PER_ORDER, SALIENT = 20, 0.05
"""M10: the strongest of every order, among those whose largest |I| is at least this part of the image's largest."""


@dataclasses.dataclass(frozen=True, eq=False)
class Grouped:
    """Groups of selected curves, and those of B sets of random courses selected in the same way.

    margin → labels: own (R, X, T) and walks (R, B, X, T) of R seeds and X images, -1 for a curve that takes no part.
    """

    own: dict[float, np.ndarray]
    walks: dict[float, np.ndarray]

    def at(self, margin: float = groups.MARGIN, kept: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Labels at one margin; kept (R, X): images that count in a seed, the others' curves are given no group."""
        own, walks = self.own[margin], self.walks[margin]
        if kept is None:
            return own, walks
        return np.where(kept[..., None], own, -1), np.where(kept[:, None, :, None], walks, -1)


@dataclasses.dataclass(frozen=True, eq=False)
class Courses:
    """One analysis of one system.

    curves (R, X, T, C), orders (R, X, T) of each image's T strongest interactions by max over time of |I|; top: their
    groups; walk_orders (R, B, X, T). persistent (R, B, X, T): groups, at margin 0.1, of random courses with the curves' own
    persistence. each: groups of the strongest of every order (R, X, K); order (K,). kept (R, X): every checkpoint certified.
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


def per_order(curves: torch.Tensor, orders: torch.Tensor, most: int = PER_ORDER) -> tuple[np.ndarray, np.ndarray]:
    """The ``most`` strongest of every order, by max over time: (X, M, C), (M,) → curves (X, K, C), orders (K,).

    A curve below 5 % of its image's largest |I| is set to zero: it will belong to no group.
    """
    peak = curves.abs().amax(-1)
    salient = torch.where((peak >= SALIENT * peak.amax(-1, keepdim=True))[..., None], curves, 0.0)
    found, names = [], []
    for k in range(1, int(orders.max()) + 1):
        where = (orders == k).nonzero().flatten()
        picked = where[groups.strongest(salient[:, where], most)]
        found.append(salient.gather(1, picked[..., None].expand(*picked.shape, curves.shape[-1])))
        names += [k] * picked.shape[-1]
    return torch.cat(found, 1).numpy(), np.array(names)


def _top(curves: torch.Tensor, orders: torch.Tensor, top: int) -> tuple[np.ndarray, np.ndarray]:
    index = groups.strongest(curves, top)
    return curves.gather(1, index[..., None].expand(*index.shape, curves.shape[-1])).numpy(), orders[index].numpy()


def _labels(curves: np.ndarray, margins: tuple[float, ...]) -> dict[float, np.ndarray]:
    return {margin: groups.classify(curves, margin, groups.WIDTH).astype(np.int8) for margin in margins}


def _stacked(pieces: list[dict[float, np.ndarray]]) -> dict[float, np.ndarray]:
    return {margin: np.stack([one[margin] for one in pieces]) for margin in pieces[0]}


def courses(curves: torch.Tensor, orders: torch.Tensor, *, top: int, walks: int, margins: tuple[float, ...], seeds: tuple,
            kept: np.ndarray, steps: np.ndarray) -> Courses:
    """Select and group curves (R, X, M, C) of interactions of ``orders`` (M,), and ``walks`` sets of random courses."""
    found: dict[str, list[Any]] = {name: [] for name in ("curves", "orders", "top", "walks", "walk_orders", "persistent",
                                                         "each", "each_walks")}
    for seed, own in zip(seeds, curves, strict=True):
        strong, names = _top(own, orders, top)
        each, order = per_order(own, orders)
        found["curves"].append(strong)
        found["orders"].append(names)
        found["top"].append(_labels(strong, margins))
        found["each"].append(_labels(each, margins))
        generator, rho = torch.Generator().manual_seed(seed), groups.persistence(own)
        sets: dict[str, list[Any]] = {name: [] for name in ("walks", "walk_orders", "persistent", "each_walks")}
        for _ in range(walks):
            drawn = groups.walks(own, generator)
            strong, names = _top(drawn, orders, top)
            sets["walks"].append(_labels(strong, margins))
            sets["walk_orders"].append(names.astype(np.int8))
            sets["each_walks"].append(_labels(per_order(drawn, orders)[0], margins))
            strong, _ = _top(groups.walks(own, generator, rho), orders, top)
            sets["persistent"].append(_labels(strong, (groups.MARGIN,))[groups.MARGIN])
        for name, one in sets.items():
            found[name].append(_stacked(one) if isinstance(one[0], dict) else np.stack(one))
    return Courses(np.stack(found["curves"]), np.stack(found["orders"]),
                   Grouped(_stacked(found["top"]), _stacked(found["walks"])),
                   np.stack(found["walk_orders"]), np.stack(found["persistent"]),
                   Grouped(_stacked(found["each"]), _stacked(found["each_walks"])), order, kept, steps)


def select(p: FiveGroups, e: Extracted, margins: tuple[float, ...] | None = None, every: int = 1) -> Courses:
    """The courses of one analysis, after the first-order merge; every: only each such checkpoint, counted from the last."""
    merged = e.merged
    keep = slice((len(e.steps) - 1) % every, None, every)
    curves = torch.cat([merged.and_[..., 1:], merged.or_[..., 1:]], -1)[:, keep].permute(0, 2, 3, 1).contiguous()
    return courses(curves, merged.order[1:].repeat(2), top=p.top, walks=p.walks, margins=margins or p.margins, seeds=p.seeds,
                   kept=e.converged.all(1).numpy(), steps=e.steps[keep])


@dataclasses.dataclass(frozen=True, eq=False)
class Selections:
    """main; others: the other order weights, which must agree; sparse: every second checkpoint, shown."""

    main: Courses
    others: dict[str, Courses]
    sparse: Courses


def selections(p: FiveGroups, a: Analysis) -> Selections:
    """The courses of one system under every analysis of M7 to M10."""
    return Selections(select(p, a.main), {name: select(p, e) for name, e in a.others.items()}, select(p, a.main, every=2))


def enough_checkpoints(p: FiveGroups) -> Premise:
    """Curves of too few checkpoints cannot rise and fall once they are smoothed."""
    needed = groups.checkpoints_needed(groups.WIDTH)
    return Premise("checkpoints", p.checkpoints >= needed,
                   f"{p.checkpoints} checkpoints cannot show curves that rise and fall when averaged over {groups.WIDTH} of "
                   f"them: at least {needed} are needed")


def changed(p: FiveGroups) -> str | None:
    """What makes M7 or M9 another statistic than the registered one, in words; None where nothing does."""
    found = []
    if set(p.margins) != set(groups.MARGINS):
        found.append(f"margins {list(p.margins)} instead of {list(groups.MARGINS)}")
    if p.top != groups.TOP:
        found.append(f"the {p.top} strongest interactions instead of the {groups.TOP}")
    return "; ".join(found) or None
