"""O3, O4: how far apart are the ends of the face of optima?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from ..claims import Part
from ..jobs.games import CertifiedGames
from ..metrics import identification, orders, salience
from .published import course

__all__ = [
    "RULE",
    "Face",
    "apart",
    "apart_parts",
    "face_controls",
    "face_table",
    "jaccard",
    "jaccard_table",
    "other_rules",
]

RULE: salience.Rule = "mean_output"
"""Salience of the registered O4."""


@dataclasses.dataclass(frozen=True, eq=False)
class Face:
    """The same games at the low-order and at the high-order end of the face of optima; weights:
    order weights of both."""

    low: CertifiedGames
    high: CertifiedGames
    weights: tuple[float, float]
    certified_only: bool = False

    @property
    def ends(self) -> tuple[CertifiedGames, CertifiedGames]:
        """Both, the low-order one first."""
        return self.low, self.high

    @property
    def uncertified(self) -> float:
        """Larger share of games above the split's tolerance."""
        return max(e.uncertified for e in self.ends)

    def certified(self) -> Face:
        """The same for statistics of games certified at both ends."""
        return dataclasses.replace(self, certified_only=True)


def _kept(x: Face) -> torch.Tensor:
    """(R, C, X) bool: after initialisation, and certified at both ends where only such count."""
    later = torch.as_tensor(x.low.steps > 0)[None, :, None].expand(x.low.l1.shape)
    return later & x.low.converged & x.high.converged if x.certified_only else later


def _mean_orders(e: CertifiedGames) -> torch.Tensor:
    """Mean order (R, C), a ratio of sums over images; NaN where there is none."""
    weighted, strength = e.moments()
    return weighted.sum(-1) / strength.sum(-1)


def apart(x: Face) -> list[Part]:
    """O3: how far each image's mean order moves between the ends of the face after initialisation,
    and the strength."""
    keep = _kept(x)
    low, high = (weighted / strength for weighted, strength in (e.moments() for e in x.ends))
    moved = torch.where(keep, high - low, torch.nan).nanmean(1).numpy()
    return apart_parts(moved, *((e.l1 * keep).sum(1).numpy() for e in x.ends))


def apart_parts(moved: np.ndarray, one: np.ndarray, other: np.ndarray) -> list[Part]:
    """O3 from arrays (S, X): mean order at the high minus the low end, and both ends' strengths
    summed over checkpoints."""

    def unequal(keep: np.ndarray) -> np.ndarray:
        a, b = one[:, keep].sum(1), other[:, keep].sum(1)
        least = np.minimum(a, b)  # 0 where no game is left that counts
        return np.divide(np.abs(a - b), least, out=np.full_like(a, np.nan), where=least > 0)

    return [Part.of("mean_order", moved), Part.jackknifed("equal_strength", unequal, one.shape[1])]


def _jaccard(x: Face, rule: salience.Rule) -> torch.Tensor:
    """Jaccard similarity (R, C, X) of the merged salient sets of both ends, each by its own
    threshold."""
    taus = [salience.threshold(e.merged, e.v, rule) for e in x.ends]
    return identification.salient_jaccard(x.low.merged, x.high.merged, *taus)


def jaccard(rule: salience.Rule = RULE) -> Callable[[Face], list[Part]]:
    """O4 as a statistic: each image's mean over the checkpoints after initialisation; pairs of
    empty sets do not count."""

    def statistic(x: Face) -> list[Part]:
        same = torch.where(_kept(x), _jaccard(x, rule), torch.nan)
        return [Part.of("jaccard", same.nanmean(1).numpy())]

    return statistic


def other_rules(x: Face, rule: salience.Rule) -> dict[str, list[Part]]:
    """O4 by the other rules of salience, shown beside it."""
    return {f"salience rule {r}": jaccard(r)(x) for r in salience.RULES if r != rule}


def face_controls(x: Face) -> dict[str, object]:
    """By checkpoint: mean order and strength of both ends, and the distance of their order
    shares."""
    low, high = x.ends
    distance = orders.total_variation(
        orders.order_shares(low.merged), orders.order_shares(high.merged)
    )
    return {
        "step": low.steps.tolist(),
        "mean order, low end": _mean_orders(low).mean(0).tolist(),
        "mean order, high end": _mean_orders(high).mean(0).tolist(),
        "total variation of order shares": distance.mean(0).tolist(),
        "strength, low end": low.l1.mean((0, 2)).tolist(),
        "strength, high end": high.l1.mean((0, 2)).tolist(),
    }


def face_table(x: Face) -> pd.DataFrame:
    """Mean order at both ends, and the distance of their order shares, by checkpoint."""
    courses = [
        course(_mean_orders(e).numpy(), e.steps, f"order weight {w:+g}").assign(panel="mean order")
        for e, w in zip(x.ends, x.weights, strict=True)
    ]
    shares = [orders.order_shares(e.merged) for e in x.ends]
    distance = course(orders.total_variation(*shares).numpy(), x.low.steps, "between both ends")
    return pd.concat(
        [*courses, distance.assign(panel="total variation of order shares")], ignore_index=True
    )


def jaccard_table(x: Face) -> pd.DataFrame:
    """Jaccard similarity of the salient sets at both ends by checkpoint, for every salience
    rule."""
    return pd.concat(
        [
            course(_jaccard(x, rule).nanmean(-1).numpy(), x.low.steps, rule)
            for rule in salience.RULES
        ],
        ignore_index=True,
    ).assign(panel="salient sets of both ends")
