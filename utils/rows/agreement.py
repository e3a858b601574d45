"""L5, L9: do differently built networks share interactions of low order more than chance and their mirror orders say?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part
from ..interactions import Interactions
from ..jobs.agreement import layer_names
from ..jobs.study import Extracted, System, accuracies
from ..metrics import agreement, salience
from ..params import Agreement
from ..train import Run

__all__ = ["Kind", "Overlap", "analyses", "controls", "curve", "overlap", "pair_accuracies", "pair_id", "pair_scope",
           "pairs", "parts", "table", "uncertified"]

Kind = Literal["AND", "OR"]
Pair = tuple[Extracted, Extracted]


@dataclasses.dataclass(frozen=True)
class Overlap:
    """IoU of two networks' salient sets: raw and chance (R, X, n), NaN where the union is empty; corrected (R, n)."""

    raw: torch.Tensor
    chance: torch.Tensor

    @property
    def corrected(self) -> torch.Tensor:
        """(IoU - chance) / (1 - chance) of the means over images."""
        return agreement.corrected_iou(self.raw, self.chance)

    @property
    def corrected_per_image(self) -> torch.Tensor:
        """The same correction image by image, then the mean: where chance is near 1 it divides by almost nothing."""
        room = 1 - self.chance
        return torch.where(room > 1e-12, (self.raw - self.chance) / room, torch.nan).nanmean(-2)

    @property
    def empty(self) -> torch.Tensor:
        """Number of images whose union is empty, (R, n): they are left out."""
        return self.raw.isnan().sum(-2)


def _supports(e: Extracted, kind: Kind, at: int, rule: salience.Rule, merged: bool = True) -> torch.Tensor:
    found: Interactions = e.found[:, at]
    after = found.merge_first_order()
    # The threshold is that of the merged interactions in either case: the same sets count, order 1 apart.
    marked = (after if merged else found).salient(salience.threshold(after, e.v[:, at], rule))
    return marked[("AND", "OR").index(kind)]


def overlap(pair: Pair, kind: Kind, rule: salience.Rule, *, at: int = 0, merged: bool = True, certified_only: bool = False,
            null_seed: int | None = None) -> Overlap:
    """IoU per order between the salient interactions of two networks with the same seeds, images and players.

    at: index of the layer (-1: the output). null_seed: place the second network's sets at random within each order (N1).
    """
    one, other = (_supports(e, kind, at, rule, merged) for e in pair)
    if null_seed is not None:
        other = agreement.shuffled(other, null_seed)
    raw, chance = agreement.iou(one, other), agreement.chance_iou(one, other)
    if certified_only:
        keep = (pair[0].converged[:, at] & pair[1].converged[:, at])[..., None]
        raw, chance = torch.where(keep, raw, torch.nan), torch.where(keep, chance, torch.nan)
    return Overlap(raw, chance)


def parts(kind: Kind, corrected: torch.Tensor) -> list[Part]:
    """L5 (AND), L9 (OR), per seed, from the corrected IoU (R, n): differences to the mirror orders, and the trend.

    Order n takes no part: its single set gives 0 or nothing whatever the networks share. First-order OR terms are merged
    into the AND terms, so OR starts at order 2.
    """
    first = 1 if kind == "AND" else 2
    found = [Part(f"order{m}_minus_mirror", agreement.mirror_difference(corrected, m).tolist())
             for m in range(first, 3)]
    return [*found, Part("trend", [agreement.trend(curve[:-1], first) for curve in corrected])]


def controls(pair: Pair, kind: Kind, rule: salience.Rule) -> dict[str, object]:
    """Raw IoU, chance, empty unions and N1 per order (means over seeds); for OR also order 1 before the merge."""
    main, random = overlap(pair, kind, rule), overlap(pair, kind, rule, null_seed=0)
    found = {"order": list(range(1, main.raw.shape[-1] + 1)), "salience": rule,
             "raw IoU": main.raw.nanmean((0, 1)).tolist(), "chance": main.chance.nanmean((0, 1)).tolist(),
             "corrected IoU": main.corrected.nanmean(0).tolist(),
             "corrected IoU of supports shuffled within each order (N1)": random.corrected.nanmean(0).tolist(),
             "images with an empty union, summed over seeds": main.empty.sum(0).tolist(),
             "image-seed pairs": main.raw.shape[0] * main.raw.shape[1]}
    if kind == "OR":
        before = overlap(pair, kind, rule, merged=False).corrected
        found["order 1 minus order n - 1 before the merge, per seed"] = agreement.mirror_difference(before, 1).tolist()
    return found


def curve(panel: str, label: str, values: torch.Tensor, first: int = 1) -> pd.DataFrame:
    """Mean over seeds of (R, n) with its 95 % t interval; orders without a value are left out."""
    rows = []
    for order, column in enumerate(values.T.numpy(), 1):
        if order >= first and np.isfinite(column).any():
            span = stats.t_interval(column)
            low, high = (span.low, span.high) if span.n > 1 else (span.estimate, span.estimate)
            rows.append((panel, label, order, span.estimate, low, high))
    return pd.DataFrame(rows, columns=["panel", "curve", "order", "value", "low", "high"])


def table(main: Pair, others: Mapping[str, Pair], kind: Kind, rule: salience.Rule, weight: float) -> pd.DataFrame:
    """Curves of the figure: raw IoU with its chance value, and corrected IoU with its null and the other analyses.

    Bands: 95 % t interval across seeds (a single seed has none).
    """
    first, found = (1 if kind == "AND" else 2), overlap(main, kind, rule)
    tables = [curve("raw IoU", f"order weight {weight:+g}", found.raw.nanmean(1), first),
              curve("raw IoU", "chance", found.chance.nanmean(1), first),
              curve("corrected for chance", f"order weight {weight:+g}", found.corrected[:, :-1], first)]
    tables += [curve("corrected for chance", name, overlap(pair, kind, rule).corrected[:, :-1], first)
               for name, pair in others.items() if name.startswith("order")]
    for name, one in (("output layer", overlap(main, kind, rule, at=-1)),
                      ("shuffled (N1)", overlap(main, kind, rule, null_seed=0))):
        tables.append(curve("corrected for chance", name, one.corrected[:, :-1], first))
    return pd.concat(tables, ignore_index=True)


def analyses(pair: Pair, others: Mapping[str, Pair], kind: Kind, rule: salience.Rule) -> dict[str, dict[str, list[Part]]]:
    """The analyses that must agree with the main one (``variants``) and those shown beside it (``reported``)."""
    def judged(one: Pair, **rest: object) -> list[Part]:
        return parts(kind, overlap(one, kind, rule, **rest).corrected)

    variants = {name: judged(one) for name, one in others.items() if name.startswith("order")}
    variants["uncertified games dropped"] = judged(pair, certified_only=True)
    reported = {name: judged(one) for name, one in others.items() if name not in variants}
    reported["the output layer"] = judged(pair, at=-1)
    reported["chance corrected image by image"] = parts(kind, overlap(pair, kind, rule).corrected_per_image)
    reported["supports shuffled within each order (N1)"] = judged(pair, null_seed=0)
    reported["an order without any salient set counted as chance (0)"] = parts(
        kind, overlap(pair, kind, rule).corrected.nan_to_num(0.0))
    return {"variants": variants, "reported": reported}


def uncertified(pair: Pair, others: Mapping[str, Pair]) -> float:
    """Largest share of games above the split's tolerance, over both networks and all analyses."""
    return max(e.uncertified for one in (pair, *others.values()) for e in one)


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
    return (f"{len(p.seeds)} pairs of networks {pair_id(a, b)} (seeds {', '.join(map(str, p.seeds))}), read at {layers}; "
            f"{p.pair_images} training images, {p.n_players} patches each, baseline: mean image; kappa {p.kappa:g}")
