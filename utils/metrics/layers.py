"""What a layer shares with the final layer, what it will forget, what it has yet to learn (Cheng et
al. 2024, Sec. 3.2.2).

All functions take one kind of interaction (AND or OR) of one layer ``own`` and of the final layer
``target``, (..., X, 2^n) with X the axis of the samples, each already divided by its layer's mean
output (:func:`normalised`), and the masks of what is salient in either. Order 0 takes no part.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from scipy import stats

from ..interactions import Interactions
from .orders import by_order

__all__ = [
    "Change",
    "change",
    "completeness",
    "depth_correlation",
    "normalised",
    "redundancy",
    "shared",
    "similarity",
]


def normalised(found: Interactions, v: torch.Tensor) -> Interactions:
    """Interactions divided by E_x |v(N) - v(∅)| of their layer (Cheng et al. 2024, footnote 8):
    (..., X, 2^n), same shape.

    v: the games they were split from. NaN where a layer answers the same to every whole and masked
    sample.
    """
    scale = (v[..., -1] - v[..., 0]).abs().mean(-1)[..., None, None]
    scale = torch.where(scale > 0, scale, torch.nan)
    conj, disj = found.and_ / scale, found.or_ / scale
    disj[..., 0] = 0.0  # there is no empty OR interaction, of no layer
    return Interactions(conj, disj, found.meta)


def shared(
    own: torch.Tensor, target: torch.Tensor, own_salient: torch.Tensor, target_salient: torch.Tensor
) -> torch.Tensor:
    """The part of an interaction that both layers encode: sign x the lesser magnitude if the signs
    agree, else 0.

    Zeroed where the interaction is not salient in both layers. The paper does not say so, and
    without it its decomposition all = overlap + forget (Eq. 8) is false: a term salient in one
    layer only would be subtracted in "forget" by what "overlap" never counted.
    """
    agree = own * target > 0
    both = own_salient & target_salient
    return torch.where(
        agree & both, own.sign() * torch.minimum(own.abs(), target.abs()), 0 * own * target
    )  # NaN stays


@dataclasses.dataclass(frozen=True)
class Change:
    """Strength per order, each (..., X, n): all of the own layer and of the final one, and their
    decomposition (Eqs. 6-7).

    own = overlap + forget, target = overlap + new (Eq. 8), exactly.
    """

    own: torch.Tensor
    target: torch.Tensor
    overlap: torch.Tensor
    forget: torch.Tensor
    new: torch.Tensor


def change(
    own: torch.Tensor, target: torch.Tensor, own_salient: torch.Tensor, target_salient: torch.Tensor
) -> Change:
    """The decomposition of a layer's and the final layer's salient strength, per order (Eqs.
    6-7)."""
    common = shared(own, target, own_salient, target_salient)
    return Change(
        own=by_order(own.abs() * own_salient),
        target=by_order(target.abs() * target_salient),
        overlap=by_order(common.abs()),
        forget=by_order((own - common).abs() * own_salient),
        new=by_order((target - common).abs() * target_salient),
    )


def _ratio(part: torch.Tensor, whole: torch.Tensor, per_sample: bool) -> torch.Tensor:
    """Over the sample axis (last): ratio of sums, or the mean of the samples' own ratios; NaN where
    the whole is 0."""
    if per_sample:
        return torch.where(whole > 0, part / whole, torch.nan).nanmean(-1)
    total = whole.sum(-1)
    return torch.where(total > 0, part.sum(-1) / total, torch.nan)


def completeness(
    overlap: torch.Tensor, target: torch.Tensor, per_sample: bool = False
) -> torch.Tensor:
    """overlap / all of the final layer, (..., X) → (...): the share of the target interactions that
    a layer has.

    A ratio of sums over samples, or the mean of ratios (``per_sample``; a sample without target
    interactions is left out). NaN where no sample has any.
    """
    return _ratio(overlap, target, per_sample)


def redundancy(
    forget: torch.Tensor, target: torch.Tensor, per_sample: bool = False
) -> torch.Tensor:
    """forget / all of the *final* layer, (..., X) → (...), as :func:`completeness`; it may exceed
    1."""
    return _ratio(forget, target, per_sample)


def similarity(
    one: torch.Tensor, other: torch.Tensor, one_salient: torch.Tensor, other_salient: torch.Tensor
) -> torch.Tensor:
    """Weighted Jaccard of the salient interactions of two layers: (..., X, 2^n) → (...), sums over
    samples; ours.

    Σ |shared| / Σ max(|one|, |other|), each counted where salient: 1 for equal layers, 0 where they
    share nothing, NaN where neither has any salient interaction.
    """
    common = shared(one, other, one_salient, other_salient).abs()[..., 1:].sum((-1, -2))
    either = torch.maximum(one.abs() * one_salient, other.abs() * other_salient)[..., 1:].sum(
        (-1, -2)
    )
    return torch.where(either > 0, common / either, torch.nan)


def depth_correlation(values: np.ndarray) -> float:
    """Spearman's rank correlation of values (layers,) with the layer; NaN below 3 layers or where
    all values are equal."""
    if len(values) < 3 or not np.isfinite(values).all() or np.ptp(values) == 0:
        return float("nan")
    return float(stats.spearmanr(np.arange(len(values)), values).statistic)
