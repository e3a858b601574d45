"""L5, L9: do differently built networks share interactions of low order more than those of high
order, and than chance?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.agreement import layer_names
from ..jobs.games import CertifiedGames
from ..jobs.study import _SPLIT, System, accuracies
from ..metrics import agreement, salience
from ..params import Agreement
from ..train import Run

__all__ = [
    "LEAST_IMAGES",
    "Kind",
    "Overlap",
    "analyses",
    "case",
    "changed",
    "controls",
    "curve",
    "enough_images",
    "overlap",
    "pair_accuracies",
    "pair_id",
    "pair_scope",
    "pairs",
    "parts",
    "table",
    "uncertified",
]

Kind = Literal["AND", "OR"]
Pair = tuple[CertifiedGames, CertifiedGames]
LEAST_IMAGES = 10
"""Images with a value below which a pair of networks says too little (registered with the rows)."""


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


def _supports(e: CertifiedGames, kind: Kind, at: int, rule: salience.Rule) -> torch.Tensor:
    found: Interactions = e.found[:, at].merge_first_order()
    return found.salient(salience.threshold(found, e.v[:, at], rule))[("AND", "OR").index(kind)]


def overlap(
    pair: Pair,
    kind: Kind,
    rule: salience.Rule,
    *,
    at: int = 0,
    certified_only: bool = False,
    null_seed: int | None = None,
) -> Overlap:
    """What two networks with the same seeds, images and players share.

    at: index of the layer (-1: the output). null_seed: place the second network's sets at random
    within each order (N1). certified_only: games above the split's tolerance count as images
    without a salient set.
    """
    one, other = (_supports(e, kind, at, rule) for e in pair)
    if null_seed is not None:
        other = agreement.shuffled(other, null_seed)
    sizes = agreement.counts(one, other)
    if certified_only:
        sizes = np.where(
            (pair[0].converged[:, at] & pair[1].converged[:, at])[..., None].numpy(), sizes, 0.0
        )
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


def enough_images(kind: Kind, sizes: np.ndarray) -> Premise:
    """Every pair of networks needs at least 10 images on which both unions hold a set."""
    fewest = int((~np.isnan(_low_minus_high(sizes, kind)[0])).sum(-1).min())
    return Premise(
        "images with salient sets of low and of high order",
        fewest >= LEAST_IMAGES,
        f"{LEAST_IMAGES} images with a salient set both of low and of high order are needed, a "
        "pair of networks "
        f"has {fewest} of {sizes.shape[2]}: more pair_images",
    )


def controls(pair: Pair, kind: Kind, rule: salience.Rule) -> dict[str, object]:
    """Raw IoU, chance, empty unions and N1 per order (means over seeds and images)."""
    main, random = overlap(pair, kind, rule), overlap(pair, kind, rule, null_seed=0)
    values = _low_minus_high(main.sizes, kind)
    return {
        "order": list(range(1, main.raw.shape[-1] + 1)),
        "salience": rule,
        "raw IoU": _mean(main.raw, (0, 1)).tolist(),
        "chance": _mean(main.chance, (0, 1)).tolist(),
        "corrected IoU": _mean(agreement.corrected_iou(main.raw, main.chance), (0, 1)).tolist(),
        "supports shuffled within each order (N1), low minus high, raw and corrected": [
            float(np.nanmean(x)) for x in _low_minus_high(random.sizes, kind)
        ],
        "images with an empty union, summed over seeds": np.isnan(main.raw).sum((0, 1)).tolist(),
        "images left out, per seed": np.isnan(values[0]).sum(1).tolist(),
        "images left out of the corrected difference, per seed": np.isnan(values[1])
        .sum(1)
        .tolist(),
        "images": main.raw.shape[1],
    }


def _mean(values: np.ndarray, axis: int | tuple[int, ...]) -> np.ndarray:
    """Mean of what is there; NaN, without a warning, where nothing is."""
    kept = np.isfinite(values)
    count = kept.sum(axis)
    return np.where(count > 0, np.where(kept, values, 0.0).sum(axis) / np.maximum(count, 1), np.nan)


def curve(panel: str, label: str, values: np.ndarray, first: int = 1) -> pd.DataFrame:
    """Mean over seeds of (R, n) with its 95 % t interval; orders without a value are left out."""
    rows = []
    for order, column in enumerate(np.asarray(values).T, 1):
        if order >= first and np.isfinite(column).any():
            span = stats.t_interval(column)
            low, high = (span.low, span.high) if span.n > 1 else (span.estimate, span.estimate)
            rows.append((panel, label, order, span.estimate, low, high))
    found = pd.DataFrame(rows, columns=["panel", "curve", "order", "value", "low", "high"])
    return found.astype(
        {"order": int, "value": float, "low": float, "high": float}
    )  # an empty one, too


def table(
    main: Pair, others: Mapping[str, Pair], kind: Kind, rule: salience.Rule, weight: float
) -> pd.DataFrame:
    """Curves of the figure: raw IoU per order with its chance value, and the corrected IoU with its
    null.

    Bands: 95 % t interval across seeds (a single seed has none).
    """
    first, tables = (1 if kind == "AND" else 2), []
    shown = {f"order weight {weight:+g}": overlap(main, kind, rule)}
    shown |= {
        name: overlap(pair, kind, rule) for name, pair in others.items() if name.startswith("order")
    }
    shown |= {
        "output layer": overlap(main, kind, rule, at=-1),
        "shuffled (N1)": overlap(main, kind, rule, null_seed=0),
    }
    for name, one in shown.items():
        tables.append(curve("IoU", name, _mean(one.raw, 1), first))
    tables.append(
        curve("IoU", "chance", _mean(shown[f"order weight {weight:+g}"].chance, 1), first)
    )
    for name, one in shown.items():
        corrected = agreement.corrected_iou(one.raw, one.chance)[
            ..., :-1
        ]  # order n: one set, no chance to correct for
        tables.append(curve("corrected for chance", name, _mean(corrected, 1), first))
    return pd.concat(tables, ignore_index=True)


def analyses(
    pair: Pair, others: Mapping[str, Pair], kind: Kind, rule: salience.Rule
) -> dict[str, dict[str, list[Part]]]:
    """The analyses that must agree with the main one (``variants``) and those shown beside it
    (``reported``)."""

    def judged(one: Pair, **rest: object) -> list[Part]:
        return parts(kind, overlap(one, kind, rule, **rest).sizes)

    variants = {name: judged(one) for name, one in others.items() if name.startswith("order")}
    variants["uncertified games dropped"] = judged(pair, certified_only=True)
    reported = {name: judged(one) for name, one in others.items() if name not in variants}
    reported["the output layer"] = judged(pair, at=-1)
    reported["supports shuffled within each order (N1)"] = judged(pair, null_seed=0)
    return {"variants": variants, "reported": reported}


def case(pair: Pair, others: Mapping[str, Pair], kind: Kind, p: Agreement) -> dict[str, object]:
    """What the verdict rests on, as the keywords of :func:`utils.claims.judge`."""
    sizes = overlap(pair, kind, p.salience).sizes
    return {
        "parts": parts(kind, sizes),
        "premises": [enough_images(kind, sizes)],
        "uncertified": uncertified(pair, others),
        **analyses(pair, others, kind, p.salience),
        "control": controls(pair, kind, p.salience),
        "changed": changed(p, "salience", "image_split"),
    }


def uncertified(pair: Pair, others: Mapping[str, Pair]) -> float:
    """Largest share of games above the split's tolerance, over both networks and all analyses."""
    return max(e.uncertified for one in (pair, *others.values()) for e in one)


def changed(p: Agreement, *names: str) -> str | None:
    """Which of the parameters ``names``, parts of a registered statistic, differ from the
    registered values."""
    fields = type(p).model_fields
    found = [
        f"{name} {getattr(p, name)} instead of {fields[name].default}"
        for name in names
        if getattr(p, name) != fields[name].default
    ]
    return "; ".join(found) or None


def pairs(systems: Sequence[System]) -> list[tuple[System, System]]:
    """Every two systems, in their order."""
    return list(itertools.combinations(systems, 2))


def pair_id(a: System, b: System) -> str:
    """The name of a pair on one data set: ``mlp7_w256+lenet/mnist_part``."""
    (one, data), (other, _) = (s.id.split("/", 1) for s in (a, b))
    return f"{one}+{other}/{data}"


def pair_accuracies(one: list[Run], other: list[Run]) -> list[float]:
    """The lower test accuracy of each seed's two networks: both must have learnt the task."""
    return [min(pair) for pair in zip(accuracies(one), accuracies(other), strict=True)]


def pair_scope(p: Agreement, a: System, b: System) -> str:
    """For what a verdict on a pair speaks, in a sentence."""
    layers = " and ".join(f"{layer_names(p, s)[0]} of {s.name}" for s in (a, b))
    return (
        f"{len(p.seeds)} pairs of networks {pair_id(a, b)} (seeds "
        f"{', '.join(map(str, p.seeds))}), read at {layers}; "
        f"{p.pair_images} {_SPLIT[p.image_split]} images, {p.n_players} patches each, baseline: "
        "mean image; "
        f"kappa {p.kappa:g}"
    )
