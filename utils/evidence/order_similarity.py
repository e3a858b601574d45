"""M14: are the order distributions of two trained networks alike, more than each is like its
untrained self?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from ..claims import Part
from ..jobs.games import CertifiedGames
from ..metrics import orders
from .both import Both
from .component_statistics import FIRST, LAST
from .group_statistics import similarity_parts

__all__ = ["alike", "controls", "order_shares", "table"]

_STATES = ("untrained", "trained")


def order_shares(e: CertifiedGames) -> np.ndarray:
    """Share of each order in an image's Σ |I|, untrained and trained: (R, 2, X, n); NaN for a game
    without interactions, and for an uncertified one where only certified ones count."""
    found, keep = e.merged[:, [FIRST, LAST]], e.converged[:, [FIRST, LAST]]
    positive, negative = orders.strength_by_order(found)
    strength = positive - negative
    total = strength.sum(-1, keepdim=True)
    usable = (total > 0) & (keep[..., None] if e.certified_only else True)
    return torch.where(usable, strength / total.clamp(min=1e-300), torch.nan).numpy()


def alike(x: Both[CertifiedGames]) -> list[Part]:
    """M14 on two networks: total variation between them minus the mean of each to its untrained
    self."""
    return similarity_parts(order_shares(x.first), order_shares(x.second))


def controls(x: Both[CertifiedGames]) -> dict[str, Any]:
    """Order shares of both networks, and how far apart they are before and after training."""
    first, second = order_shares(x.first), order_shares(x.second)
    found: dict[str, Any] = {
        f"{name}, {state}": np.nanmean(shares[:, k], axis=(0, 1)).tolist()
        for name, shares in zip(x.names, (first, second), strict=True)
        for k, state in enumerate(_STATES)
    }
    for k, state in enumerate(_STATES):
        apart = np.abs(first[:, k] - second[:, k]).sum(-1) / 2
        found[f"total variation between the two {state} networks"] = float(np.nanmean(apart))
    return found


def table(x: Both[CertifiedGames]) -> pd.DataFrame:
    """Order shares of both networks, untrained and trained: mean over images, then mean and range
    over networks."""
    pieces = []
    for name, e in x.each:
        for k, state in enumerate(_STATES):
            values = np.nanmean(order_shares(e)[:, k], axis=1)
            pieces.append(
                pd.DataFrame(
                    {
                        "panel": state,
                        "network": name,
                        "order": range(1, e.found.n + 1),
                        "share": values.mean(0),
                        "low": values.min(0),
                        "high": values.max(0),
                    }
                )
            )
    return pd.concat(pieces, ignore_index=True).sort_values("panel", kind="stable", ascending=False)
