"""The strongest interactions of each image as curves over training, grouped, and random courses
through the same rule."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch

from ..claims import Premise
from ..jobs.games import CertifiedGames
from ..metrics import groups

__all__ = [
    "PER_ORDER",
    "SALIENT",
    "Courses",
    "Grouped",
    "Rule",
    "courses",
    "enough_checkpoints",
    "per_order",
    "select",
]

PER_ORDER, SALIENT = 20, 0.05
"""M10: the strongest of every order, among those whose largest |I| is at least this part of the
image's largest."""


@dataclasses.dataclass(frozen=True)
class Rule:
    """top: strongest interactions of an image; margins: at which curves are grouped; walks: sets of
    random courses, drawn for the network of each seed from that seed."""

    top: int
    margins: tuple[float, ...]
    walks: int
    seeds: tuple[int, ...]


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
    """The courses of R networks' interactions.

    curves (R, X, T, C), orders (R, X, T) of each image's T strongest interactions by max over time
    of |I|; top: their groups; walk_orders (R, B, X, T). persistent (R, B, X, T): groups, at margin
    0.1, of random courses with the curves' own persistence. each: groups of the strongest of every
    order (R, X, K); order (K,). kept (R, X): every checkpoint certified; certified_only: statistics
    leave the other images out. uncertified: share of games above the split's tolerance.
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
    uncertified: float = 0.0
    certified_only: bool = False

    def certified(self) -> Courses:
        """The same for statistics of images all of whose checkpoints are certified."""
        return dataclasses.replace(self, certified_only=True)

    @property
    def counting(self) -> np.ndarray | None:
        """Images (R, X) that count in a seed; None: all."""
        return self.kept if self.certified_only else None

    @property
    def n(self) -> int:
        """Number of players."""
        return int(self.order.max())

    def shares(self, kept: np.ndarray | None) -> np.ndarray:
        """Share of each group among an image's strongest at every margin: (R, E, X, 5)."""
        found = [groups.shares(self.top.own_at(margin, kept)) for margin in self.top.own]
        return np.stack(found, axis=1)


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
    found = {m: groups.classify(curves.numpy(), m, groups.WIDTH).astype(np.int8) for m in margins}
    return found if counts is None else {m: np.where(counts, x, -1) for m, x in found.items()}


def _stacked(pieces: list[Any]) -> Any:
    """Arrays, or those of each margin, with a new first axis."""
    if isinstance(pieces[0], dict):
        return {margin: np.stack([one[margin] for one in pieces]) for margin in pieces[0]}
    return np.stack(pieces)


def _merged(pieces: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: _stacked([one[name] for one in pieces]) for name in pieces[0]}


def courses(
    curves: torch.Tensor,
    orders: torch.Tensor,
    rule: Rule,
    walk_margins: tuple[float, ...],
    kept: np.ndarray,
    steps: np.ndarray,
) -> Courses:
    """Select and group curves (R, X, M, C) of interactions of ``orders`` (M,), and sets of random
    courses, those at ``walk_margins``."""
    pieces = []
    for seed, own in zip(rule.seeds, curves, strict=True):
        generator = torch.Generator().manual_seed(seed)
        random = _random(own, orders, rule, walk_margins, generator)
        pieces.append(_strongest(own, orders, rule) | random)
    found = _merged(pieces)
    top, each = (Grouped(found.pop(x), found.pop(f"{x} walks")) for x in ("top", "each"))
    order = per_order(curves[0].abs().amax(-1), orders)[-1]
    return Courses(**found, top=top, each=each, order=order, kept=kept, steps=steps)


def _at(curves: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Curves (X, M, C) at positions (X, T)."""
    return curves.gather(1, index[..., None].expand(*index.shape, curves.shape[-1]))


def _strongest(own: torch.Tensor, orders: torch.Tensor, rule: Rule) -> dict[str, Any]:
    """The strongest of one seed's curves (X, M, C), their orders and groups; groups of the
    strongest of every order."""
    peak = own.abs().amax(-1)
    index, (each, counts, _) = groups.strongest(peak, rule.top), per_order(peak, orders)
    strong = _at(own, index)
    return {
        "curves": strong.numpy(),
        "orders": orders[index].numpy(),
        "top": _labels(strong, rule.margins),
        "each": _labels(_at(own, each), rule.margins, counts),
    }


def _random(
    own: torch.Tensor,
    orders: torch.Tensor,
    rule: Rule,
    margins: tuple[float, ...],
    generator: torch.Generator,
) -> dict[str, Any]:
    """Groups of B sets of random walks and of persistent courses for one seed's curves (X, M, C),
    selected as those are."""
    walk = groups.RandomCourses.of(own)
    persistent = groups.RandomCourses.of(own, groups.persistence(own))
    pieces = []
    for _ in range(rule.walks):
        signs = walk.signs(generator)
        peak = walk.peaks(signs)
        index, (each, counts, _order) = groups.strongest(peak, rule.top), per_order(peak, orders)
        found = {
            "top walks": _labels(walk.curves(signs, index), margins),
            "walk_orders": orders[index].numpy().astype(np.int8),
            "each walks": _labels(walk.curves(signs, each), margins, counts),
        }
        signs = persistent.signs(generator)
        strong = persistent.curves(signs, groups.strongest(persistent.peaks(signs), rule.top))
        found["persistent"] = _labels(strong, (groups.MARGIN,))[groups.MARGIN]
        pieces.append(found)
    return _merged(pieces)


def select(e: CertifiedGames, rule: Rule, every: int = 1, brief: bool = False) -> Courses:
    """The courses of games, after the first-order merge; every: only each such checkpoint, counted
    from the last.

    brief: walks at the judged margin only.
    """
    merged = e.merged
    keep = slice((len(e.steps) - 1) % every, None, every)
    curves = (
        torch.cat([merged.and_[..., 1:], merged.or_[..., 1:]], -1)[:, keep]
        .permute(0, 2, 3, 1)
        .contiguous()
    )
    margins = (groups.MARGIN,) if brief else rule.margins
    kept, orders = e.converged.all(1).numpy(), merged.order[1:].repeat(2)
    found = courses(curves, orders, rule, margins, kept, e.steps[keep])
    return dataclasses.replace(found, uncertified=e.uncertified)


def enough_checkpoints(c: Courses) -> Premise:
    """Curves of too few checkpoints cannot rise and fall once they are smoothed."""
    needed, count = groups.checkpoints_needed(groups.WIDTH), len(c.steps)
    return Premise(
        "checkpoints",
        count >= needed,
        f"{count} checkpoints cannot show curves that rise and fall when averaged over "
        f"{groups.WIDTH} of them: at least {needed} are needed",
    )
