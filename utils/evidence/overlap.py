"""L5, L9: do differently built networks share interactions of low order more than those of high
order, and than chance?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd
import torch

from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import agreement, salience
from .order_curves import curve, mean

__all__ = [
    "LEAST_IMAGES",
    "Kind",
    "Overlap",
    "Pair",
    "beside",
    "controls",
    "enough_images",
    "low_minus_high",
    "overlap",
    "parts",
    "table",
]

Kind = Literal["AND", "OR"]
LEAST_IMAGES = 10
"""Images with a value below which a pair of networks says too little (registered with the rows)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pair:
    """Games of two networks of every seed between the same players of the same images.

    one, other: their checkpoint axis counts layers, the judged one first, the output last; kind:
    which interactions are compared; rule: when one is salient.
    """

    one: CertifiedGames
    other: CertifiedGames
    kind: Kind
    rule: salience.Rule

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance, the larger of both networks."""
        return max(self.one.uncertified, self.other.uncertified)

    def certified(self) -> Pair:
        """The same for statistics of images whose two games are certified."""
        one, other = self.one.certified(), self.other.certified()
        return dataclasses.replace(self, one=one, other=other)


@dataclasses.dataclass(frozen=True)
class Overlap:
    """Salient sets of two networks of every seed on the same images, and what they share.

    sizes (3, R, X, n): sets of each order in both supports, in the first, in the second; raw and
    chance (R, X, n): IoU per order and what random supports of those sizes give, NaN where the
    union is empty.
    """

    sizes: np.ndarray

    def _per_order(self, statistic: object) -> np.ndarray:
        return np.stack(
            [statistic(self.sizes, one) for one in np.eye(self.sizes.shape[-1], dtype=bool)], -1
        )

    @property
    def raw(self) -> np.ndarray:
        return self._per_order(agreement.pooled_iou)

    @property
    def chance(self) -> np.ndarray:
        return self._per_order(agreement.expected_iou)


def _support(e: CertifiedGames, x: Pair, at: int) -> torch.Tensor:
    found: Interactions = e.found[:, at].merge_first_order()
    both = found.salient(salience.threshold(found, e.v[:, at], x.rule))
    return both[("AND", "OR").index(x.kind)]


def overlap(x: Pair, *, at: int = 0, null_seed: int | None = None) -> Overlap:
    """What two networks share.

    at: index of the layer (-1: the output). null_seed: place the second network's sets at random
    within each order (N1). Of certified games only, the others count as images without a salient
    set.
    """
    one, other = (_support(e, x, at) for e in (x.one, x.other))
    if null_seed is not None:
        other = agreement.shuffled(other, null_seed)
    sizes = agreement.counts(one, other)
    if x.one.certified_only:
        kept = x.one.converged[:, at] & x.other.converged[:, at]
        sizes = np.where(kept[..., None].numpy(), sizes, 0.0)
    return Overlap(sizes)


def _low_minus_high(sizes: np.ndarray, kind: Kind) -> tuple[np.ndarray, np.ndarray]:
    """Per seed and image (R, X): pooled IoU of the low orders minus that of the orders above n/2,
    raw and corrected."""
    order = np.arange(1, sizes.shape[-1] + 1)
    raw, corrected = [], []
    # First-order OR terms are merged into the AND terms, so OR has order 2 alone.
    for pool in (
        (order <= 2) & (order >= (1 if kind == "AND" else 2)),
        order > sizes.shape[-1] / 2,
    ):
        raw.append(agreement.pooled_iou(sizes, pool))
        corrected.append(agreement.corrected_iou(raw[-1], agreement.expected_iou(sizes, pool)))
    return raw[0] - raw[1], corrected[0] - corrected[1]


def parts(kind: Kind, sizes: np.ndarray) -> list[Part]:
    """L5 (AND), L9 (OR) from the numbers of sets (3, R, X, n): both readings, means over images.

    An image where either union is empty has no value.
    """
    raw, corrected = _low_minus_high(sizes, kind)
    return [Part.of("low_minus_high", raw), Part.of("low_minus_high_corrected", corrected)]


def low_minus_high(x: Pair, **which: int) -> list[Part]:
    """L5, L9 of a pair's games; ``which`` as :func:`overlap`."""
    return parts(x.kind, overlap(x, **which).sizes)


def beside(x: Pair) -> dict[str, list[Part]]:
    """Shown without deciding: the networks' own output, and supports placed at random."""
    return {
        "the output layer": low_minus_high(x, at=-1),
        "supports shuffled within each order (N1)": low_minus_high(x, null_seed=0),
    }


def enough_images(x: Pair) -> Premise:
    """Every pair of networks needs at least 10 images on which both unions hold a set."""
    values = _low_minus_high(overlap(x).sizes, x.kind)[0]
    fewest = int((~np.isnan(values)).sum(-1).min())
    return Premise(
        "images with salient sets of low and of high order",
        fewest >= LEAST_IMAGES,
        f"{LEAST_IMAGES} images with a salient set both of low and of high order are needed, a "
        "pair of networks "
        f"has {fewest} of {values.shape[1]}: more pair_images",
    )


def controls(x: Pair) -> dict[str, object]:
    """Raw IoU, chance, empty unions and N1 per order (means over seeds and images)."""
    main, random = overlap(x), overlap(x, null_seed=0)
    values = _low_minus_high(main.sizes, x.kind)
    return {
        "order": list(range(1, main.raw.shape[-1] + 1)),
        "salience": x.rule,
        "raw IoU": mean(main.raw, (0, 1)).tolist(),
        "chance": mean(main.chance, (0, 1)).tolist(),
        "corrected IoU": mean(agreement.corrected_iou(main.raw, main.chance), (0, 1)).tolist(),
        "supports shuffled within each order (N1), low minus high, raw and corrected": [
            float(np.nanmean(y)) for y in _low_minus_high(random.sizes, x.kind)
        ],
        "images with an empty union, summed over seeds": np.isnan(main.raw).sum((0, 1)).tolist(),
        "images left out, per seed": np.isnan(values[0]).sum(1).tolist(),
        "images left out of the corrected difference, per seed": np.isnan(values[1])
        .sum(1)
        .tolist(),
        "images": main.raw.shape[1],
    }


def table(ends: Mapping[str, Pair]) -> pd.DataFrame:
    """Curves of the figure: raw IoU per order with its chance value, and the corrected IoU with its
    null; the pair at every end of the face by name, the main one first.

    Bands: 95 % t interval across seeds (a single seed has none).
    """
    main = next(iter(ends.values()))
    first, tables = (1 if main.kind == "AND" else 2), []
    shown = {name: overlap(x) for name, x in ends.items()}
    shown |= {
        "output layer": overlap(main, at=-1),
        "shuffled (N1)": overlap(main, null_seed=0),
    }
    for name, one in shown.items():
        tables.append(curve("IoU", name, mean(one.raw, 1), first))
    tables.append(curve("IoU", "chance", mean(overlap(main).chance, 1), first))
    for name, one in shown.items():
        corrected = agreement.corrected_iou(one.raw, one.chance)[
            ..., :-1
        ]  # order n: one set, no chance to correct for
        tables.append(curve("corrected for chance", name, mean(corrected, 1), first))
    return pd.concat(tables, ignore_index=True)
