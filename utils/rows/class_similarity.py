"""D12: are the interactions of training and of test images alike at low orders only?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import pandas as pd
import torch

from ..claims import Part, Premise
from ..jobs.class_means import GROUPS, ClassMeans
from ..jobs.study import System
from ..metrics import agreement
from ..params import Agreement
from .agreement import curve

__all__ = ["NEEDED_PER_CLASS", "Curves", "analyses", "certificates", "controls", "curves", "enough_images", "enough_orders",
           "parts", "require_identities", "scope", "table", "uncertified"]

NEEDED_PER_CLASS = 30
"""Images per class and split below which a class mean says too little (registered with the row)."""


@dataclasses.dataclass(frozen=True)
class Curves:
    """Weighted Jaccard of class means per order, means over classes (R, n): with test images, and between train halves.

    sets (R, n): salient interactions per class in the group that has fewest. ratio: the first over the second, NaN at orders
    where some seed has fewer than needed, so that all seeds speak of the same orders.
    """

    test: torch.Tensor
    train: torch.Tensor
    sets: torch.Tensor
    ratio: torch.Tensor


def curves(found: Sequence[ClassMeans], least: int, certified_only: bool = False) -> Curves:
    """Similarity of train and test per seed, at equal numbers of images: each half with the test images, and both halves."""
    test, train, sets = [], [], []
    for one in found:
        half, other, unseen = one.certified if certified_only else one.means
        across = (agreement.weighted_jaccard(half, unseen) + agreement.weighted_jaccard(other, unseen)) / 2
        within = agreement.weighted_jaccard(half, other)
        known = ~(across.isnan() | within.isnan())
        test.append(torch.where(known, across, torch.nan).nanmean(0))
        train.append(torch.where(known, within, torch.nan).nanmean(0))
        sets.append(one.salient.mean(1).amin(0))
    tests, trains, counts = torch.stack(test), torch.stack(train), torch.stack(sets)
    enough = ((counts >= least) & (trains > 0)).all(0)
    ratio = torch.where(enough, tests / trains, torch.nan)
    return Curves(tests, trains, counts, ratio)


def parts(found: Curves) -> list[Part]:
    """D12, per seed: Spearman correlation of the order with the similarity to test images relative to that of halves."""
    return [Part("trend", [agreement.trend(ratio) for ratio in found.ratio])]


def enough_images(per_class: int) -> Premise:
    """The row's own size: at least 30 images per class and split."""
    return Premise("images per class", per_class >= NEEDED_PER_CLASS,
                   f"{NEEDED_PER_CLASS} images per class and split are needed, there are {per_class} (class_images)")


def enough_orders(found: Curves, least: int, needed: int = 4) -> Premise:
    """A trend needs orders: at least 4 with enough salient interactions, in every seed."""
    fewest = int((~found.ratio.isnan()).sum(-1).min())
    return Premise("orders with enough salient interactions", fewest >= needed,
                   f"{needed} orders with at least {least} salient interactions per class are needed, a seed has {fewest}; "
                   f"per order there are {[round(x, 1) for x in found.sets.amin(0).tolist()]}")


def controls(found: Curves, per_class: int) -> dict[str, object]:
    """The raw curves, which fall for sampling reasons alone, and what each order rests on."""
    return {"order": list(range(1, found.test.shape[-1] + 1)),
            "raw Jaccard of training and test images": found.test.mean(0).tolist(),
            "raw Jaccard of two halves of training images": found.train.mean(0).tolist(),
            "ratio": found.ratio.nanmean(0).tolist(), "images per class and group": per_class,
            "salient interactions per class, fewest": found.sets.amin(0).tolist(),
            "trend of the raw Jaccard, per seed": [agreement.trend(c) for c in found.test],
            "trend of the halves' Jaccard, per seed": [agreement.trend(c) for c in found.train]}


def table(main: Curves, others: Mapping[str, Curves], weight: float) -> pd.DataFrame:
    """Curves of the figure: raw Jaccard (train with test, half with half), and their ratio in all analyses."""
    tables = [curve("weighted Jaccard", "train and test", main.test),
              curve("weighted Jaccard", "two train halves", main.train),
              curve("ratio", f"order weight {weight:+g}", main.ratio)]
    tables += [curve("ratio", name, one.ratio) for name, one in others.items()]
    return pd.concat(tables, ignore_index=True)


def require_identities(found: Sequence[ClassMeans]) -> None:
    """ArithmeticError where the AND-OR duality fails or the model leaves kappa: a bug, then."""
    duality, excess = (max(float(getattr(one, name)) for one in found) for name in ("duality", "excess"))
    print(f"max |I_or + I_and of the inverted game| / max |v| = {duality:.1e}; max |v - model| beyond kappa = {excess:.1e}")
    if duality > 1e-8 or excess > 1e-8:
        raise ArithmeticError("the identities of the AND-OR model fail: this is a bug, nothing below may be believed")


def certificates(found: Sequence[ClassMeans]) -> pd.DataFrame:
    """One row per group of images: games, uncertified ones, median and largest gap, share of saturated scores."""
    gap, done, flat = (torch.stack([getattr(one, name) for one in found], 1).flatten(1)
                       for name in ("gap", "converged", "saturated"))
    return pd.DataFrame({"group": GROUPS, "games": gap.shape[1], "uncertified": (~done).sum(1).tolist(),
                         "median gap": gap.median(1).values.tolist(), "largest gap": gap.amax(1).tolist(),
                         "saturated share": flat.mean(1).tolist()})


def analyses(found: Sequence[ClassMeans], others: Mapping[str, Curves], least: int) -> dict[str, dict[str, list[Part]]]:
    """The analyses that must agree with the main one (``variants``) and those shown beside it (``reported``)."""
    variants = {name: parts(one) for name, one in others.items() if name.startswith("order")}
    variants["uncertified games dropped"] = parts(curves(found, least, certified_only=True))
    return {"variants": variants, "reported": {name: parts(one) for name, one in others.items() if name not in variants}}


def uncertified(found: Sequence[ClassMeans], others: Mapping[str, Sequence[ClassMeans]]) -> float:
    """Largest share of games above the split's tolerance among all analyses."""
    return max(float((~torch.stack([one.converged for one in group])).double().mean())
               for group in (found, *others.values()))


def scope(p: Agreement, system: System) -> str:
    """For what a verdict speaks, in a sentence."""
    config = system.jobs[0].config
    return (f"{len(p.seeds)} networks {system.id} (seeds {', '.join(map(str, p.seeds))}) trained for {config.steps} steps "
            f"on {config.n_train} images; per class {p.class_images} images in each of two training halves and of the test "
            f"images, drawn anew for each seed; {p.class_players} cells of the central grid, the same in all, baseline: "
            f"mean image; kappa {p.kappa:g}, gap {p.mean_tol:g}")
