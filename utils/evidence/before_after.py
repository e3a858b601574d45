"""Games before and after training, and one number for each image that counts."""

from __future__ import annotations

import numpy as np
import torch

from .. import stats
from ..jobs.games import CertifiedGames

__all__ = ["first_and_last", "kept", "means"]


def first_and_last(e: CertifiedGames) -> CertifiedGames:
    """The games at the first and the last checkpoint: (R, 2, X)."""
    return e.at(0, len(e.steps) - 1)


def kept(e: CertifiedGames, values: torch.Tensor) -> np.ndarray:
    """``values`` (R, C, X) of games, NaN for uncertified ones where only certified ones count."""
    found = values.double()
    return (torch.where(e.converged, found, torch.nan) if e.certified_only else found).numpy()


def means(values: np.ndarray) -> list[float]:
    """Mean over images of each network, (S, X) with NaN left out."""
    return stats.unit_means(values).tolist()
