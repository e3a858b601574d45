"""L6, L10: are interactions of low order more stable under noise on the input than under noise on the output?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import lattice, stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.agreement import Noisy, layer_names
from ..jobs.study import Extracted, System
from ..metrics import agreement, salience
from ..params import Agreement
from .agreement import Kind

__all__ = ["Stability", "analyses", "controls", "enough_orders", "frozen", "parts", "resplit", "scope", "table",
           "uncertified"]


@dataclasses.dataclass(frozen=True)
class Stability:
    """log of the median stability per order (R, n) of one kind of interaction, NaN below the needed number of sets.

    network: under noise on the image; null: under independent noise of the same size on the score; sets (R, n): salient sets
    of the clean image, over which the median is taken; first: least order that this kind has.
    """

    network: torch.Tensor
    null: torch.Tensor
    sets: torch.Tensor
    first: int


def _frozen_draws(clean: Interactions, v: torch.Tensor) -> Interactions:
    """Interactions of noisy games (E, X, 2^n) with gamma and delta of the clean split; v (1 + E, X, 2^n), index 0 clean.

    The transform is linear in v when both are frozen: v_and = ½(v - δ) + γ and v_or = ½(v - δ) - γ change by half the change
    of v each, so the interactions change by its transforms.
    """
    half = (v[1:] - v[:1]) / 2
    changed = Interactions(clean.and_ + lattice.and_interactions(half), clean.or_ + lattice.or_interactions(half))
    return changed.merge_first_order()


def _of(found: Interactions, kind: Kind) -> torch.Tensor:
    return found.and_ if kind == "AND" else found.or_


def _curves(kind: Kind, clean: Extracted, draws: Sequence[tuple[Interactions, Interactions]], floor: torch.Tensor,
            rule: salience.Rule, least: int, certified_only: bool) -> Stability:
    """draws: of each seed, the interactions (E, X, 2^n) under input noise and under output noise."""
    merged, rows = clean.merged[:, 0], []
    marked = merged.salient(salience.threshold(merged, clean.v[:, 0], rule))[("AND", "OR").index(kind)]
    if certified_only:
        marked = marked & clean.converged[:, 0, :, None]
    for seed, pair in enumerate(draws):
        medians = [agreement.median_by_order(agreement.stability(_of(one, kind), float(floor[seed])), marked[seed], least)
                   for one in pair]
        rows.append((medians[0][0].log(), medians[1][0].log(), medians[0][1]))
    return Stability(*(torch.stack(column) for column in zip(*rows, strict=True)), first=1 if kind == "AND" else 2)


def frozen(kind: Kind, noisy: Noisy, rule: salience.Rule, least: int, certified_only: bool = False) -> Stability:
    """Stability with γ and δ of the clean split, salient sets of the clean image."""
    found = noisy.clean.found[:, 0]
    draws = [(_frozen_draws(found[seed], noisy.v[seed]), _frozen_draws(found[seed], noisy.null[seed]))
             for seed in range(len(noisy.v))]
    return _curves(kind, noisy.clean, draws, noisy.floor, rule, least, certified_only)


def resplit(kind: Kind, noisy: Noisy, again: tuple[Extracted, Extracted], rule: salience.Rule, least: int) -> Stability:
    """Stability with γ and δ optimised again for every noisy game, input noise and output noise alike."""
    one, other = (e.merged for e in again)
    draws = [(one[seed, 1:], other[seed, 1:]) for seed in range(len(noisy.v))]
    return _curves(kind, noisy.clean, draws, noisy.floor, rule, least, False)


def _slopes(curves: torch.Tensor, first: int) -> list[float]:
    return [agreement.slope(curve, first) for curve in curves]


def parts(found: Stability, null: bool = True) -> list[Part]:
    """L6, L10, per seed: slope over the order of log median stability, minus that under output noise (unless null=False)."""
    slopes = np.array(_slopes(found.network, found.first))
    return [Part("slope_minus_null", slopes - np.array(_slopes(found.null, found.first)) if null else slopes)]


def enough_orders(found: Stability, least: int, needed: int = 3) -> Premise:
    """A slope needs orders: at least 3 with enough salient sets, in every seed."""
    fewest = int((~found.network[:, found.first - 1:].isnan()).sum(-1).min())
    return Premise("orders with enough salient sets", fewest >= needed,
                   f"{needed} orders with at least {least} salient sets are needed, a seed has {fewest}: more noise_images")


def controls(found: Stability, again: Stability) -> dict[str, object]:
    """Plain slopes of network and null, frozen and optimised again, and the number of sets behind each order."""
    return {"order": list(range(1, found.sets.shape[-1] + 1)),
            "salient sets, mean over seeds": found.sets.double().mean(0).tolist(),
            "slope, per seed": _slopes(found.network, found.first),
            "slope under output noise, per seed": _slopes(found.null, found.first),
            "slope, split optimised again": _slopes(again.network, again.first),
            "slope under output noise, split optimised again": _slopes(again.null, again.first),
            "slope that independent noise gives interactions of equal size": -np.log(2) / 2}


def table(found: Stability, again: Stability) -> pd.DataFrame:
    """Median stability per order: input noise and output noise, with the split frozen and optimised again.

    Geometric means over seeds with their 95 % t interval.
    """
    rows = []
    for panel, one in (("split frozen", found), ("split optimised again", again)):
        for label, curves in (("input noise", one.network), ("output noise (null)", one.null)):
            for order, column in enumerate(curves.T.numpy(), 1):
                if np.isfinite(column).any():
                    span = stats.t_interval(column)
                    low, high = (span.low, span.high) if span.n > 1 else (span.estimate, span.estimate)
                    rows.append((panel, label, order, *np.exp([span.estimate, low, high])))
    return pd.DataFrame(rows, columns=["panel", "noise", "order", "stability", "low", "high"])


def analyses(kind: Kind, noisy: Noisy, others: Mapping[str, Noisy], at_output: Noisy, again: Stability,
             p: Agreement) -> dict[str, dict[str, list[Part]]]:
    """The analyses that must agree with the main one (``variants``) and those shown beside it (``reported``)."""
    def judged(one: Noisy, certified_only: bool = False) -> list[Part]:
        return parts(frozen(kind, one, p.salience, p.min_sets, certified_only))

    variants = {name: judged(one) for name, one in others.items() if name.startswith("order")}
    variants["uncertified games dropped"] = judged(noisy, certified_only=True)
    reported = {name: judged(one) for name, one in others.items() if name not in variants}
    reported["the output layer"] = judged(at_output)
    reported["the split optimised again for each noise draw"] = parts(again)
    reported["the plain slope, no null subtracted (the paper's curve)"] = parts(
        frozen(kind, noisy, p.salience, p.min_sets), null=False)
    return {"variants": variants, "reported": reported}


def uncertified(noisy: Noisy, others: Mapping[str, Noisy]) -> float:
    """Largest share of clean games above the split's tolerance among all analyses that decide."""
    return max(one.clean.uncertified for one in (noisy, *others.values()))


def scope(p: Agreement, system: System) -> str:
    """For what a verdict speaks, in a sentence."""
    return (f"{len(p.seeds)} networks {system.id} (seeds {', '.join(map(str, p.seeds))}), read at "
            f"{layer_names(p, system)[0]}; {p.noise_images} training images under {p.noise_draws} draws of noise of "
            f"standard deviation {p.noise:g}, {p.n_players} patches each, baseline: mean image; kappa {p.kappa:g}")
