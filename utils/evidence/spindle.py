"""D11a, D11b: strength over orders before training: the shape of a spindle, the law of noise?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from .. import lattice, stats
from ..claims import Part
from ..jobs.games import CertifiedGames
from ..metrics import nulls, orders
from ..metrics.unimodal import unimodal_distance

__all__ = [
    "law",
    "law_parts",
    "pure_shares",
    "shape",
    "shape_parts",
    "shape_table",
    "spindle_controls",
    "spindle_table",
    "split_shares",
]

Floats = NDArray[np.float64]


def shape(e: CertifiedGames) -> list[Part]:
    """D11a of a system's games before training (one checkpoint)."""
    return shape_parts(split_shares(e))


def law(e: CertifiedGames) -> list[Part]:
    """D11b of a system's games before training and their null ``iid``."""
    return law_parts(pure_shares(e.v[:, 0]), split_shares(e), split_shares(e.nulls["iid"]))


def split_shares(e: CertifiedGames) -> Floats:
    """Share of each image's strength in each order before training, after the split: (S, X, n);
    NaN: no strength, or left out as uncertified."""
    positive, negative = orders.strength_by_order(e.found[:, 0].merge_first_order())
    return _normalised(positive - negative, e.converged[:, 0] if e.certified_only else None)


def pure_shares(v: torch.Tensor) -> Floats:
    """The same of the pure AND (Harsanyi) interactions of games ``v`` (S, X, 2^n)."""
    return _normalised(orders.by_order(lattice.and_interactions(v).abs()))


def _normalised(strength: torch.Tensor, keep: torch.Tensor | None = None) -> Floats:
    total = strength.sum(-1, keepdim=True)
    good = (total > 0) if keep is None else (total > 0) & keep[..., None]
    return torch.where(good, strength / total, torch.nan).numpy()


def _profiles(shares: Floats) -> tuple[Floats, Floats]:
    """Mean profile over images (S, n), and without each image (S, X, n); images without a profile
    are left out."""
    columns = np.moveaxis(shares, -1, 0)
    return np.stack([stats.unit_means(c) for c in columns], -1), np.stack(
        [stats.leave_one_out(c) for c in columns], -1
    )


def shape_parts(shares: Floats) -> list[Part]:
    """D11a from the order shares (S, X, n) before training: do both ends lie below half of the
    peak, and is there one?

    ``ends``: 1 - 2 share_end / share_peak, the end with the larger share and the peak chosen by the
    other networks and the other images (a peak at an end gives -1). ``unimodal``: total variation
    of the mean profile to the nearest unimodal one.
    """
    options = np.moveaxis(shares, -1, 1)  # (S, n, X)
    sides = options[:, [0, -1]]
    end, peak = (stats.chosen(o, stats.cross_chosen(o, _most)) for o in (sides, options))
    whole, left = _profiles(shares)
    return [
        Part(
            "ends",
            _below_half(stats.unit_means(end), stats.unit_means(peak)),
            _below_half(stats.leave_one_out(end), stats.leave_one_out(peak)),
        ),
        Part("unimodal", unimodal_distance(whole), unimodal_distance(left)),
    ]


def _below_half(end: Floats, peak: Floats) -> Floats:
    """1 - 2 end / peak. Without strength where the others have their peak it is as if that lay at
    the end (-1), and nothing can be said where there is none at the end either (NaN)."""
    without = np.where(end > 0, 1.0, np.nan)
    return 1 - 2 * np.divide(end, peak, out=without, where=peak > 0)


def _most(values: Floats) -> int:
    return int(np.argmax(np.where(np.isnan(values), -np.inf, values)))


def law_parts(pure: Floats, split: Floats, noise: Floats) -> list[Part]:
    """D11b from order shares (S, X, n): total variation of mean profiles from those of noise.

    pure: of the network's pure AND interactions, against C(n, k) 2^(k/2); split, noise: of the
    network's and of matched independent games after the same split, against each other.
    """
    law = orders.spindle(pure.shape[-1]).numpy()
    (h, h_left), (ours, ours_left), (theirs, theirs_left) = (
        _profiles(s) for s in (pure, split, noise)
    )
    return [
        Part("harsanyi", np.abs(h - law).sum(-1) / 2, np.abs(h_left - law).sum(-1) / 2),
        Part(
            "after_split",
            np.abs(ours - theirs).sum(-1) / 2,
            np.abs(ours_left - theirs_left).sum(-1) / 2,
        ),
    ]


def spindle_controls(e: CertifiedGames, seed: int = 0) -> dict[str, float]:
    """Mean distance from the spindle of games that are not noise, and of the network from a flat
    distribution."""
    n, start = e.found.n, e.v[:, 0]
    law, flat = orders.spindle(n).numpy(), np.full(n, 1 / n)
    cases = {
        "linear games": nulls.additive_games(start, seed),
        "games of the size only": nulls.size_games(start, seed),
        "independent noise": nulls.iid_games(start, seed),
    }
    found = {
        f"{name} from the spindle": np.abs(_profiles(pure_shares(v))[0] - law)
        for name, v in cases.items()
    }
    found["the untrained network from the uniform distribution"] = np.abs(
        _profiles(pure_shares(start))[0] - flat
    )
    return {name: float(gaps.sum(-1).mean() / 2) for name, gaps in found.items()}


def spindle_table(e: CertifiedGames, seed: int = 0) -> pd.DataFrame:
    """Order shares before training: the formula, the network and controls (pure AND), and both
    after the split."""
    n, start = e.found.n, e.v[:, 0]
    pure, split = "pure AND (Harsanyi)", "after the AND-OR split"
    cases = {
        (pure, "formula"): np.broadcast_to(orders.spindle(n).numpy(), (len(start), 1, n)),
        (pure, "untrained"): pure_shares(start),
        (pure, "iid noise"): pure_shares(nulls.iid_games(start, seed)),
        (pure, "linear control"): pure_shares(nulls.additive_games(start, seed)),
        (pure, "size-only control"): pure_shares(nulls.size_games(start, seed)),
        (split, "untrained"): split_shares(e),
        (split, "iid noise"): split_shares(e.nulls["iid"]),
    }
    return _share_table(cases)


def shape_table(analyses: Mapping[str, CertifiedGames]) -> pd.DataFrame:
    """Order shares before training after the split, a panel per analysis, and half of the peak,
    which D11a asks for."""
    cases = {}
    for panel, e in analyses.items():
        shares = split_shares(e)
        peak = _profiles(shares)[0].max(-1)
        cases[panel, "untrained"] = shares
        cases[panel, "half of the peak"] = np.broadcast_to(
            peak[:, None, None] / 2, (len(peak), 1, e.found.n)
        )
    return _share_table(cases)


def _share_table(cases: Mapping[tuple[str, str], Floats]) -> pd.DataFrame:
    """Mean over images, then over networks, with the networks' range, of shares (S, X, n) by
    (panel, games)."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": panel,
                    "games": label,
                    "order": range(1, shares.shape[-1] + 1),
                    "share": s.mean(0),
                    "low": s.min(0),
                    "high": s.max(0),
                }
            )
            for (panel, label), shares in cases.items()
            for s in [np.nanmean(shares, axis=1)]
        ],
        ignore_index=True,
    )
