"""M14: are the order distributions of two trained networks alike, more than each is like its
untrained self?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..claims import Part
from ..jobs.components import Analysis
from ..jobs.games import CertifiedGames
from ..metrics import orders
from ..params import FiveGroups
from .components import FIRST, LAST, basis

__all__ = ["network_pairs", "order_shares", "share_table", "similarity_case", "similarity_parts"]

Pair = tuple[Analysis, Analysis]


def order_shares(e: CertifiedGames, certified_only: bool = False) -> np.ndarray:
    """Share of each order in an image's Σ |I|, untrained and trained: (R, 2, X, n); NaN for a game
    without interactions."""
    found, keep = e.merged[:, [FIRST, LAST]], e.converged[:, [FIRST, LAST]]
    positive, negative = orders.strength_by_order(found)
    strength = positive - negative
    total = strength.sum(-1, keepdim=True)
    usable = (total > 0) & (keep[..., None] if certified_only else True)
    return torch.where(usable, strength / total.clamp(min=1e-300), torch.nan).numpy()


def similarity_parts(first: np.ndarray, second: np.ndarray) -> list[Part]:
    """M14 from order shares (S, 2, X, n), untrained and trained: per image, network i of one with
    network i of the other."""

    def apart(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.abs(p - q).sum(-1) / 2

    own = (apart(first[:, 0], first[:, 1]) + apart(second[:, 0], second[:, 1])) / 2
    return [Part.of("apart_minus_untrained", apart(first[:, 1], second[:, 1]) - own)]


def network_pairs(p: FiveGroups, found: Sequence[Analysis]) -> Iterator[tuple[str, Pair]]:
    """Every two networks on the data set, ``mlp7_w256+lenet/mnist_part``."""
    for pair in itertools.combinations(found, 2):
        one, other = (a.system.id.split("/", 1)[0] for a in pair)
        yield f"{one}+{other}/{p.dataset}", pair


def _parts(pair: Sequence[CertifiedGames], only: bool = False) -> list[Part]:
    return similarity_parts(*(order_shares(e, only) for e in pair))


def similarity_case(p: FiveGroups, pair: Pair) -> dict[str, Any]:
    """M14 on two networks: total variation between them minus the mean of each to its untrained
    self."""
    main = tuple(a.main for a in pair)
    variants = {name: _parts([a.others[name] for a in pair]) for name in pair[0].others}
    variants["uncertified games dropped"] = _parts(main, only=True)
    shares = [order_shares(e) for e in main]
    control = {
        f"{a.system.name}, {state}": np.nanmean(x[:, k], axis=(0, 1)).tolist()
        for a, x in zip(pair, shares, strict=True)
        for k, state in enumerate(("untrained", "trained"))
    }
    gaps = {
        "the two trained networks": (shares[0][:, 1], shares[1][:, 1]),
        "the two untrained networks": (shares[0][:, 0], shares[1][:, 0]),
    }
    control |= {
        f"total variation between {name}": float(np.nanmean(np.abs(x - y).sum(-1) / 2))
        for name, (x, y) in gaps.items()
    }
    one, two = (basis(p, a, a.main, *a.others.values()) for a in pair)
    return {
        **one,
        "parts": _parts(main),
        "variants": variants,
        "control": control,
        "accuracy": np.minimum(one["accuracy"], two["accuracy"]).tolist(),
        "uncertified": max(one["uncertified"], two["uncertified"]),
        "scope": f"{one['scope']}; with {two['scope']}",
    }


def share_table(p: FiveGroups, pair: Pair) -> pd.DataFrame:
    """Order shares of both networks, untrained and trained: mean over images, then mean and range
    over networks."""
    pieces = []
    for a in pair:
        for k, state in enumerate(("untrained", "trained")):
            values = np.nanmean(order_shares(a.main)[:, k], axis=1)
            pieces.append(
                pd.DataFrame(
                    {
                        "panel": state,
                        "network": a.system.name,
                        "order": range(1, p.n_players + 1),
                        "share": values.mean(0),
                        "low": values.min(0),
                        "high": values.max(0),
                    }
                )
            )
    return pd.concat(pieces, ignore_index=True).sort_values("panel", kind="stable", ascending=False)
