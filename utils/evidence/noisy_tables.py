"""D13, M13: what the figures of wrong labels show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..interactions import Interactions
from ..jobs.mislabelled import GROUPS, Memorised
from ..metrics import orders, salience
from .noisy_labels import (
    CLEAN,
    HIGH,
    MISLABELLED,
    START,
    START_CLEAN,
    TRUE,
    NoisyGames,
    group_shares,
    samples,
)

__all__ = ["bar_table", "image_table", "memorisation_table", "share_table"]


def memorisation_table(known: Sequence[Memorised], seeds: Sequence[int]) -> pd.DataFrame:
    """A row per seed: how many labels were wrong, and how the network answers wrong and right
    ones."""
    return pd.DataFrame(
        [
            {
                "seed": seed,
                "training images": len(m.given),
                "mislabelled": int(m.flipped.sum()),
                "mislabelled, answered as given": m.accuracy(m.flipped, m.given),
                "mislabelled, answered truly": m.accuracy(m.flipped, m.true),
                "clean, answered as given": m.accuracy(~m.flipped, m.given),
                "mean |v(N)| mislabelled": float(m.output[m.flipped].abs().mean()),
                "mean |v(N)| clean": float(m.output[~m.flipped].abs().mean()),
            }
            for m, seed in zip(known, seeds, strict=True)
        ]
    )


def bar_table(x: NoisyGames, rule: salience.Rule) -> pd.DataFrame:
    """Salient strength per order of clean and of mislabelled images (arXiv 2405.10262, Fig. 6),
    mean over images and seeds.

    One threshold for both groups of a network, which otherwise would not be counted alike. As many
    as every seed has.
    """
    e, found = x.e, min(int(images.kept.sum()) for images in x.images)
    both, v = e.merged[:, [CLEAN, MISLABELLED], :found], e.v[:, [CLEAN, MISLABELLED], :found]
    shape = both.and_.shape
    if found:
        flat = Interactions(both.and_.flatten(1, 2), both.or_.flatten(1, 2))
        tau = salience.threshold(flat, v.flatten(1, 2), rule).view(shape[:-1])
        positive, negative = (y.mean((0, 2)) for y in orders.strength_by_order(both, tau))
    else:
        positive = negative = torch.zeros(2, e.found.n)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "images": title,
                    "order": range(1, e.found.n + 1),
                    "positive": positive[g].numpy(),
                    "negative": negative[g].numpy(),
                }
            )
            for g, title in enumerate(("clean", "mislabelled"))
        ],
        ignore_index=True,
    )


def share_table(x: NoisyGames) -> pd.DataFrame:
    """Share of strength per order in each group of games: mean over seeds with its 95 % t
    interval."""
    share, rows = group_shares(x.e), []
    panels = {
        "after training": (MISLABELLED, CLEAN, TRUE),
        "untrained network (N0)": (START, START_CLEAN),
    }
    for panel, groups in panels.items():
        for g in groups:
            spans = [stats.t_interval(y) if np.isfinite(y).any() else None for y in share[:, g].T]
            facts = [(s.estimate, s.low, s.high) if s else (np.nan,) * 3 for s in spans]
            label = GROUPS[g].removeprefix("untrained: ")
            rows.append(
                pd.DataFrame(facts, columns=["share", "low", "high"]).assign(
                    panel=panel, images=label, order=range(1, x.e.found.n + 1)
                )
            )
    return pd.concat(rows, ignore_index=True)


def image_table(x: NoisyGames, seeds: Sequence[int]) -> pd.DataFrame:
    """What both statistics are computed from: a line per network, group and image."""
    one = samples(x)
    total, high = one.strength.sum(-1), one.strength[..., HIGH - 1 :].sum(-1)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "seed": seed,
                    "images": GROUPS[g],
                    "class": one.label[r],
                    "high-order strength": high[r, g],
                    "strength": total[r, g],
                    "|v(N)|": one.output[r, g],
                    "|v(N) - v(∅)|": one.effect[r, g],
                }
            )[one.kept[r]]
            for r, seed in enumerate(seeds)
            for g in (MISLABELLED, CLEAN)
        ],
        ignore_index=True,
    )
