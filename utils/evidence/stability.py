"""L6, L10: do interactions of low order vary less, relative to their size, when the input carries a
little noise?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from .. import lattice
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import agreement, salience
from .overlap import Kind

__all__ = [
    "Kind",
    "Noisy",
    "Sets",
    "beside",
    "curves",
    "enough_orders",
    "frozen",
    "parts",
    "resplit",
    "slope",
]

RESAMPLES = 200
# an interaction that the split of every draw sets to 0 has a mean of 0: its log must stay finite
_TINY = 1e-12


@dataclasses.dataclass(frozen=True, eq=False)
class Noisy:
    """Games at one layer under noise, split again for every draw: R seeds, E draws, X images.

    split: the clean games (index 0 of the second axis) and their noisy copies, (R, 1 + E, X, 2^n);
    tol: of the split; kind: which interactions; rule: when one is salient, on the clean image;
    least: salient sets (of all images) without which an order is left out; nulls: the clean games
    under other noise of the same size, by name.
    """

    split: CertifiedGames
    tol: float
    kind: Kind
    rule: salience.Rule
    least: int
    nulls: Mapping[str, Noisy] = dataclasses.field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of players."""
        return self.split.found.n

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance; nulls are only drawn."""
        return self.split.uncertified

    def certified(self) -> Noisy:
        """The same without draws above the split's tolerance and images whose clean game is."""
        return dataclasses.replace(self, split=self.split.certified())

    def of(self, found: Interactions) -> torch.Tensor:
        """The interactions of this kind."""
        return found.and_ if self.kind == "AND" else found.or_

    @property
    def marked(self) -> torch.Tensor:
        """Salient sets of the clean images: bool (R, X, 2^n)."""
        clean = self.split.merged[:, 0]
        both = clean.salient(salience.threshold(clean, self.split.v[:, 0], self.rule))
        return both[("AND", "OR").index(self.kind)]

    @property
    def floor(self) -> torch.Tensor:
        """(R, X): what the split leaves open, its tolerance times the least L1 norm, or the
        network's rounding if larger."""
        return torch.maximum(self.tol * self.split.l1[:, 0], self.split.noise_floor[:, :1])


@dataclasses.dataclass(frozen=True)
class Sets:
    """The salient sets of one network, all images together: log stability, order and number of the
    image, each (V,)."""

    value: np.ndarray
    order: np.ndarray
    image: np.ndarray
    floored: float = 0.0


def _sets(
    draws: torch.Tensor, marked: torch.Tensor, floor: torch.Tensor, keep: torch.Tensor
) -> Sets:
    """draws (E, X, 2^n), keep (E, X): the interactions under noise; marked (X, 2^n): salient sets
    of the clean images."""
    steady = agreement.stability(draws, floor, keep)
    marked = marked & ~steady.isnan()
    order = lattice.order(lattice.players_of(marked.shape[-1])).expand(marked.shape)[marked]
    image = torch.arange(len(marked))[:, None].expand(marked.shape)[marked]
    low = (draws.std(0) <= floor[:, None])[marked]
    return Sets(
        steady[marked].clamp(min=_TINY).log().numpy(),
        order.numpy(),
        image.numpy(),
        float(low.double().mean()) if len(low) else 0.0,
    )


def resplit(x: Noisy) -> list[Sets]:
    """Stability with γ and δ optimised again for every draw, salient sets of the clean image; one
    entry per network."""
    e, found, marked, floor = x.split, x.of(x.split.merged), x.marked, x.floor
    keep = e.converged if e.certified_only else torch.ones_like(e.converged)
    return [
        _sets(found[r, 1:], marked[r] & keep[r, 0, :, None], floor[r], keep[r, 1:])
        for r in range(len(e.v))
    ]


def frozen(x: Noisy) -> list[Sets]:
    """The same with γ and δ of the clean split kept for every draw: the noise on γ's share of the
    order moves to others."""
    e, marked, floor = x.split, x.marked, x.floor
    keep = torch.ones_like(e.converged[:, 1:])
    return [
        _sets(x.of(_frozen_draws(e.found[r, 0], e.v[r])), marked[r], floor[r], keep[r])
        for r in range(len(e.v))
    ]


def _frozen_draws(clean: Interactions, v: torch.Tensor) -> Interactions:
    """Interactions of noisy games (E, X, 2^n) with gamma and delta of the clean split; v (1 + E, X,
    2^n), index 0 clean.

    The transform is linear in v when both are frozen: v_and = ½(v - δ) + γ and v_or = ½(v - δ) - γ
    change by half the change of v each, so the interactions change by its transforms.
    """
    half = (v[1:] - v[:1]) / 2
    changed = Interactions(
        clean.and_ + lattice.and_interactions(half), clean.or_ + lattice.or_interactions(half)
    )
    return changed.merge_first_order()


def curves(found: Sequence[Sets], n: int, least: int) -> np.ndarray:
    """Median of the log stability of each order, all images together: (R, n); NaN below ``least``
    sets."""
    result = np.full((len(found), n), np.nan)
    for r, sets in enumerate(found):
        for k in range(1, n + 1):
            chosen = sets.value[sets.order == k]
            if len(chosen) >= least:
                result[r, k - 1] = np.median(chosen)
    return result


def _resampled(
    found: Sequence[Sets], n: int, least: int, images: int, resamples: int, seed: int
) -> np.ndarray:
    """:func:`curves` under resampling of the images, the same for all networks: (resamples, R, n).

    The orders that count are those of the whole sample; an order that a resample lacks is NaN
    there.
    """
    rng = np.random.default_rng(seed)
    times = rng.multinomial(images, np.full(images, 1 / images), size=resamples)
    result = np.full((resamples, len(found), n), np.nan)
    for r, sets in enumerate(found):
        arranged = np.lexsort((sets.value, sets.order))
        value, order, image = sets.value[arranged], sets.order[arranged], sets.image[arranged]
        ends = np.searchsorted(order, np.arange(1, n + 2))
        for k, (start, stop) in enumerate(itertools.pairwise(ends)):
            if stop - start >= least:
                mass = times[:, image[start:stop]].cumsum(1)
                middle = (2 * mass >= mass[:, -1:]).argmax(1)
                result[:, r, k] = np.where(mass[:, -1] > 0, value[start:stop][middle], np.nan)
    return result


def parts(
    found: Sequence[Sets],
    n: int,
    least: int,
    images: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Part]:
    """L6, L10, per network: slope over the order of the log median stability; its variance over
    images by a bootstrap."""
    values = agreement.slopes(curves(found, n, least))
    drawn = agreement.slopes(_resampled(found, n, least, images, resamples, seed))
    kept = ~np.isnan(drawn)
    means = np.where(kept, drawn, 0.0).sum(1) / np.maximum(kept.sum(1), 1)
    # A bootstrap over X units gives (X - 1) / X of the variance.
    variance = (
        float(means[kept.any(1)].var(ddof=1)) * images / (images - 1)
        if kept.any(1).sum() > 1
        else np.inf
    )
    return [Part("slope", values, unit_variance=variance, n_units=images)]


def _slope(x: Noisy, found: Sequence[Sets]) -> list[Part]:
    return parts(found, x.n, x.least, x.split.v.shape[2])


def slope(x: Noisy) -> list[Part]:
    """L6, L10 of a system's noisy games, split again for every draw."""
    return _slope(x, resplit(x))


def beside(x: Noisy) -> dict[str, list[Part]]:
    """Shown without deciding: the split of the clean image."""
    return {"the split of the clean image kept": _slope(x, frozen(x))}


def enough_orders(x: Noisy, needed: int = 3) -> Premise:
    """A slope needs orders: at least 3 with enough salient sets, in every network."""
    fewest = int(np.isfinite(curves(resplit(x), x.n, x.least)).sum(-1).min())
    return Premise(
        "orders with enough salient sets",
        fewest >= needed,
        f"{needed} orders with at least {x.least} salient sets are needed, a network has {fewest}: "
        "more noise_images",
    )
