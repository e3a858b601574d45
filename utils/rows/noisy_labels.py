"""D13, M13: do networks use more high-order interactions on the wrong labels that they learnt by heart?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.mislabelled import GROUPS, Memorised, Mislabelled, Noisy
from ..jobs.study import Extracted
from ..metrics import orders, salience
from ..params import NoisyLabels
from .two_phase import signal

__all__ = ["HIGH", "bar_table", "controls", "difference_parts", "memorisation_table", "premises", "reported", "share_table",
           "uncertified", "variants"]

HIGH = 4
"""Orders from here on are high (as registered for both rows)."""
MEMORISED = 0.9
"""Share of the mislabelled training images that must be answered by their wrong label, in every seed."""
FEWEST = 10
"""Pairs per network without which nothing is concluded."""
BALANCE = 0.05
"""Relative difference of mean |v(N)| within which the two sides of the pairs count as matched."""

MISLABELLED, CLEAN, LOOSE, TRUE, START, START_CLEAN = range(len(GROUPS))


def _shares(e: Extracted, keep: torch.Tensor | None = None) -> torch.Tensor:
    """Share of strength per order (R, G, n), a ratio of sums over (the kept) pairs; NaN where there is no pair."""
    positive, negative = orders.strength_by_order(e.merged)
    strength = positive - negative
    if keep is not None:
        strength = strength * keep[:, None, :, None]
    total = strength.sum(2)
    return total / total.sum(-1, keepdim=True)


def _high(e: Extracted, high: int = HIGH, keep: torch.Tensor | None = None) -> torch.Tensor:
    """Share of strength in orders ≥ ``high``: (R, G)."""
    return _shares(e, keep)[..., high - 1:].sum(-1)


def _certified(e: Extracted, one: int, other: int) -> torch.Tensor:
    return e.converged[:, one] & e.converged[:, other]


def difference_parts(e: Extracted, one: int = MISLABELLED, other: int = CLEAN, *, high: int = HIGH,
                     certified_only: bool = False) -> list[Part]:
    """Per seed: share of strength in orders ≥ ``high`` of the games of group ``one`` minus that of group ``other``.

    The games are paired, so both sums run over the same pairs; certified_only: over those with both games certified.
    """
    share = _high(e, high, _certified(e, one, other) if certified_only else None)
    return [Part("high_order_share", (share[:, one] - share[:, other]).numpy())]


def _above_start(e: Extracted) -> list[Part]:
    """The difference minus that of the same images in the untrained network (N0)."""
    share = _high(e)
    gained = share[:, MISLABELLED] - share[:, CLEAN] - (share[:, START] - share[:, START_CLEAN])
    return [Part("high_order_share", gained.numpy())]


def variants(found: Noisy) -> dict[str, list[Part]]:
    """Analyses that must agree: the other end of the face, certified games only, and the untrained network taken off."""
    parts = {name: difference_parts(e) for name, e in found.others.items() if name.startswith("order")}
    parts["uncertified games dropped"] = difference_parts(found.main, certified_only=True)
    parts["minus the untrained network (N0)"] = _above_start(found.main)
    return parts


def reported(p: NoisyLabels, found: Noisy) -> dict[str, list[Part]]:
    """Analyses that are shown without deciding: true label, unmatched, other matching, draw, and neighbouring orders."""
    parts = {"the true label as target": difference_parts(found.main, TRUE, CLEAN),
             "clean images of the class, unmatched": difference_parts(found.main, MISLABELLED, LOOSE),
             "each pair of equal weight": [Part("high_order_share", _pair_mean(found.main))]}
    parts |= {name: difference_parts(e) for name, e in found.others.items() if not name.startswith("order")}
    return parts | {f"orders {k} and above": difference_parts(found.main, high=k) for k in (HIGH - 1, HIGH + 1)
                    if k <= p.n_players}


def _pair_mean(e: Extracted) -> np.ndarray:
    """Mean over pairs of the difference of the games' own shares: no pair speaks louder for its larger scores."""
    positive, negative = orders.strength_by_order(e.merged)
    strength = positive - negative
    share = strength[..., HIGH - 1:].sum(-1) / strength.sum(-1)
    return stats.seed_means((share[:, MISLABELLED] - share[:, CLEAN]).numpy())


def uncertified(found: Noisy) -> float:
    """Largest share of uncertified games among all analyses."""
    return max(e.uncertified for e in found.splits)


def premises(known: Sequence[Memorised], found: Noisy, seeds: Sequence[int]) -> list[Premise]:
    """The wrong labels were learnt by heart, enough pairs were found, they are balanced, and stand out of rounding."""
    shares = [m.accuracy(m.flipped, m.given) for m in known]
    forgot = {seed: round(x, 3) for seed, x in zip(seeds, shares, strict=True) if not x >= MEMORISED}
    none = all(not bool(m.flipped.any()) for m in known)
    text = "no label is wrong: set label_noise above 0" if none else \
        (f"seed(s) {forgot} (share of the mislabelled training images answered by their given label) did not memorise; at "
         f"least {MEMORISED} is needed: train for more steps or on fewer images")
    few = {seed: int(x.kept.sum()) for seed, x in zip(seeds, found.pairs, strict=True) if int(x.kept.sum()) < FEWEST}
    apart = {seed: round(_imbalance(x), 3) for seed, x in zip(seeds, found.pairs, strict=True)
             if not abs(_imbalance(x)) <= BALANCE}
    trained = dataclasses.replace(found.main, v=found.main.v[:, :LOOSE + 1], steps=found.main.steps[:LOOSE + 1],
                                  noise_floor=found.main.noise_floor[:, :LOOSE + 1])
    return [Premise("wrong labels memorised", not forgot, text),
            Premise("pairs", not few, f"seed(s) {few} (pairs of one class and bin) have fewer than the {FEWEST} needed: "
                                      "more images, label noise or training images"),
            Premise("matched", not apart, f"seed(s) {apart} (mean |v(N)| mislabelled / clean - 1) differ by more than "
                                          f"{BALANCE}: more bins or training images"), signal(trained)]


def _imbalance(pairs: Mislabelled) -> float:
    """Mean |v(N)| of the mislabelled images over that of their partners, minus 1; NaN without pairs."""
    one, other = (float(side[pairs.kept].mean()) for side in pairs.size)
    return one / other - 1


def controls(known: Sequence[Memorised], found: Noisy) -> dict[str, object]:
    """Per seed: memorisation, pairs, what was matched; and the share of high orders in every group of games."""
    size = torch.stack([x.size for x in found.pairs])
    kept = torch.stack([x.kept for x in found.pairs])[:, None]
    mean = (size * kept).sum(-1) / kept.sum(-1)
    share = _high(found.main)
    return {"training accuracy on mislabelled images, given label": [m.accuracy(m.flipped, m.given) for m in known],
            "training accuracy on mislabelled images, true label": [m.accuracy(m.flipped, m.true) for m in known],
            "training accuracy on clean images": [m.accuracy(~m.flipped, m.given) for m in known],
            "pairs": kept.sum((1, 2)).tolist(), "mean |v(N)|, mislabelled": mean[:, 0].tolist(),
            "mean |v(N)|, clean": mean[:, 1].tolist(),
            f"share of strength in orders {HIGH} and above": {name: share[:, g].tolist() for g, name in enumerate(GROUPS)}}


def memorisation_table(known: Sequence[Memorised], seeds: Sequence[int]) -> pd.DataFrame:
    """A row per seed: how many labels were wrong, and how the network answers wrong and right ones."""
    return pd.DataFrame([{
        "seed": seed, "training images": len(m.given), "mislabelled": int(m.flipped.sum()),
        "mislabelled, answered as given": m.accuracy(m.flipped, m.given),
        "mislabelled, answered truly": m.accuracy(m.flipped, m.true),
        "clean, answered as given": m.accuracy(~m.flipped, m.given),
        "mean |v(N)| mislabelled": float(m.output[m.flipped].abs().mean()),
        "mean |v(N)| clean": float(m.output[~m.flipped].abs().mean())} for m, seed in zip(known, seeds, strict=True)])


def bar_table(e: Extracted, pairs: Sequence[Mislabelled], rule: salience.Rule) -> pd.DataFrame:
    """Salient strength per order of clean and of mislabelled images (arXiv 2405.10262, Fig. 6), mean over pairs and seeds.

    One threshold for both groups of a network, which otherwise would not be counted alike. As many pairs as every seed has.
    """
    found = min(int(x.kept.sum()) for x in pairs)
    both, v = e.merged[:, [CLEAN, MISLABELLED], :found], e.v[:, [CLEAN, MISLABELLED], :found]
    shape = both.and_.shape
    if found:
        flat = Interactions(both.and_.flatten(1, 2), both.or_.flatten(1, 2))
        tau = salience.threshold(flat, v.flatten(1, 2), rule).view(shape[:-1])
        positive, negative = (x.mean((0, 2)) for x in orders.strength_by_order(both, tau))
    else:
        positive = negative = torch.zeros(2, e.found.n)
    return pd.concat([pd.DataFrame({"images": title, "order": range(1, e.found.n + 1), "positive": positive[g].numpy(),
                                    "negative": negative[g].numpy()}) for g, title in enumerate(("clean", "mislabelled"))],
                     ignore_index=True)


def share_table(found: Noisy) -> pd.DataFrame:
    """Share of strength per order in each group of games: mean over seeds with its 95 % t interval."""
    share, rows = _shares(found.main).numpy(), []
    panels = {"after training": (MISLABELLED, CLEAN, LOOSE, TRUE), "untrained network (N0)": (START, START_CLEAN)}
    for panel, groups in panels.items():
        for g in groups:
            spans = [stats.t_interval(x) if np.isfinite(x).any() else None for x in share[:, g].T]
            facts = [(s.estimate, s.low, s.high) if s else (np.nan,) * 3 for s in spans]
            label = GROUPS[g].removeprefix("untrained: ")
            rows.append(pd.DataFrame(facts, columns=["share", "low", "high"]).assign(
                panel=panel, images=label, order=range(1, found.main.found.n + 1)))
    return pd.concat(rows, ignore_index=True)
