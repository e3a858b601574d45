"""L6, L10: do interactions of low order vary less, relative to their size, when the input carries a
little noise?"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import lattice, stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.agreement import Noisy, layer_names
from ..jobs.study import System
from ..metrics import agreement, salience
from ..params import Agreement
from .agreement import Kind, changed

__all__ = [
    "Sets",
    "analyses",
    "case",
    "controls",
    "curves",
    "enough_orders",
    "first_order",
    "frozen",
    "parts",
    "resplit",
    "scope",
    "shown",
    "table",
    "uncertified",
]

RESAMPLES = 200
# an interaction that the split of every draw sets to 0 has a mean of 0: its log must stay finite
_TINY = 1e-12


@dataclasses.dataclass(frozen=True)
class Sets:
    """The salient sets of one network, all images together: log stability, order and number of the
    image, each (V,)."""

    value: np.ndarray
    order: np.ndarray
    image: np.ndarray
    floored: float = 0.0


def first_order(kind: Kind) -> int:
    """The least order that this kind has: first-order OR terms are merged into the AND terms."""
    return 1 if kind == "AND" else 2


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


def _of(found: Interactions, kind: Kind) -> torch.Tensor:
    return found.and_ if kind == "AND" else found.or_


def _marked(kind: Kind, noisy: Noisy, rule: salience.Rule) -> torch.Tensor:
    clean = noisy.split.merged[:, 0]
    return clean.salient(salience.threshold(clean, noisy.split.v[:, 0], rule))[
        ("AND", "OR").index(kind)
    ]


def _floor(noisy: Noisy) -> torch.Tensor:
    """(R, X): what the split leaves open, its tolerance times the least L1 norm, or the network's
    rounding if larger."""
    return torch.maximum(noisy.tol * noisy.split.l1[:, 0], noisy.split.noise_floor[:, :1])


def resplit(
    kind: Kind, noisy: Noisy, rule: salience.Rule, certified_only: bool = False
) -> list[Sets]:
    """Stability with γ and δ optimised again for every draw, salient sets of the clean image; one
    entry per network.

    certified_only: draws above the split's tolerance are left out, and images whose clean game is.
    """
    found, marked, floor, e = (
        _of(noisy.split.merged, kind),
        _marked(kind, noisy, rule),
        _floor(noisy),
        noisy.split,
    )
    keep = e.converged if certified_only else torch.ones_like(e.converged)
    return [
        _sets(found[r, 1:], marked[r] & keep[r, 0, :, None], floor[r], keep[r, 1:])
        for r in range(len(e.v))
    ]


def frozen(kind: Kind, noisy: Noisy, rule: salience.Rule) -> list[Sets]:
    """The same with γ and δ of the clean split kept for every draw: the noise on γ's share of the
    order moves to others."""
    marked, floor, e = _marked(kind, noisy, rule), _floor(noisy), noisy.split
    return [
        _sets(
            _of(_frozen_draws(e.found[r, 0], e.v[r]), kind),
            marked[r],
            floor[r],
            torch.ones_like(e.converged[r, 1:]),
        )
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


def enough_orders(found: Sequence[Sets], n: int, least: int, needed: int = 3) -> Premise:
    """A slope needs orders: at least 3 with enough salient sets, in every network."""
    fewest = int(np.isfinite(curves(found, n, least)).sum(-1).min())
    return Premise(
        "orders with enough salient sets",
        fewest >= needed,
        f"{needed} orders with at least {least} salient sets are needed, a network has {fewest}: "
        "more noise_images",
    )


def controls(
    found: Sequence[Sets], shown: Mapping[str, Mapping[str, Sequence[Sets]]], p: Agreement
) -> dict[str, object]:
    """Number of sets behind each order, and the slopes of the curves that are drawn beside the main
    one, per network."""
    n = p.n_players
    counts = np.array([[(sets.order == k).sum() for k in range(1, n + 1)] for sets in found])
    slopes = {
        f"slope: {name}, {panel}, per network": agreement.slopes(
            curves(one, n, p.min_sets)
        ).tolist()
        for panel, kinds in shown.items()
        for name, one in kinds.items()
    }
    return {
        "order": list(range(1, n + 1)),
        "salient sets, mean over networks": counts.mean(0).tolist(),
        "share of sets whose spread is below the split's tolerance, per network": [
            sets.floored for sets in found
        ],
        **slopes,
        "slope that independent noise gives interactions of equal size, split frozen": -np.log(2)
        / 2,
    }


def table(shown: Mapping[str, Mapping[str, Sequence[Sets]]], n: int, least: int) -> pd.DataFrame:
    """Median stability per order, panel → noise → sets; geometric means over networks with their 95
    % t interval."""
    rows = []
    for panel, kinds in shown.items():
        for label, found in kinds.items():
            for order, column in enumerate(curves(found, n, least).T, 1):
                if np.isfinite(column).any():
                    span = stats.t_interval(column)
                    low, high = (
                        (span.low, span.high) if span.n > 1 else (span.estimate, span.estimate)
                    )
                    rows.append((panel, label, order, *np.exp([span.estimate, low, high])))
    return pd.DataFrame(rows, columns=["panel", "noise", "order", "stability", "low", "high"])


def shown(
    kind: Kind, noisy: Noisy, nulls: Mapping[str, Noisy], rule: salience.Rule
) -> dict[str, dict[str, list[Sets]]]:
    """What the figure draws: noise on the image and noise of other structure, the split optimised
    again and frozen."""
    cases = {"noise on the image": noisy} | {
        f"{name} noise on the score": one for name, one in nulls.items()
    }
    return {
        "split optimised again": {name: resplit(kind, one, rule) for name, one in cases.items()},
        "split frozen (not judged)": {name: frozen(kind, one, rule) for name, one in cases.items()},
    }


def analyses(
    kind: Kind, noisy: Noisy, others: Mapping[str, Noisy], p: Agreement
) -> dict[str, dict[str, list[Part]]]:
    """The analyses that must agree with the main one (``variants``) and those shown beside it
    (``reported``)."""

    def judged(found: Sequence[Sets]) -> list[Part]:
        return parts(found, p.n_players, p.min_sets, p.noise_images)

    variants = {name: judged(resplit(kind, one, p.salience)) for name, one in others.items()}
    variants["uncertified games dropped"] = judged(
        resplit(kind, noisy, p.salience, certified_only=True)
    )
    return {
        "variants": variants,
        "reported": {"the split of the clean image kept": judged(frozen(kind, noisy, p.salience))},
    }


def case(
    kind: Kind,
    noisy: Noisy,
    others: Mapping[str, Noisy],
    shown: Mapping[str, Mapping[str, Sequence[Sets]]],
    p: Agreement,
) -> dict[str, object]:
    """What the verdict rests on, as the keywords of :func:`utils.claims.judge`."""
    found = resplit(kind, noisy, p.salience)
    return {
        "parts": parts(found, p.n_players, p.min_sets, p.noise_images),
        "uncertified": uncertified(noisy, others),
        "premises": [enough_orders(found, p.n_players, p.min_sets)],
        **analyses(kind, noisy, others, p),
        "control": controls(found, shown, p),
        "changed": changed(p, "salience", "noise", "min_sets"),
    }


def uncertified(noisy: Noisy, others: Mapping[str, Noisy]) -> float:
    """Largest share of games above the split's tolerance among all analyses that decide."""
    return max(one.split.uncertified for one in (noisy, *others.values()))


def scope(p: Agreement, system: System) -> str:
    """For what a verdict speaks, in a sentence."""
    return (
        f"{len(p.seeds)} networks {system.id} (seeds {', '.join(map(str, p.seeds))}), read at "
        f"{layer_names(p, system)[0]}; {p.noise_images} training images under {p.noise_draws} "
        "draws of noise of "
        f"standard deviation {p.noise:g}, split again in each, {p.n_players} patches, baseline: "
        "mean image; kappa "
        f"{p.kappa:g}"
    )
