"""How few interactions carry a decision, and the duality of AND and OR."""

from __future__ import annotations

import torch

from .. import lattice, stats
from ..interactions import Interactions

__all__ = ["duality_error", "gini", "mass_fraction", "ranked", "strengths"]


def strengths(found: Interactions) -> torch.Tensor:
    """|I| of every AND and OR interaction but the empty set's: (..., 2^n) → (..., 2 (2^n - 1))."""
    return torch.cat([found.and_[..., 1:].abs(), found.or_[..., 1:].abs()], -1)


def ranked(found: Interactions) -> torch.Tensor:
    """Strengths in descending order, each game divided by its largest: (..., 2 (2^n - 1)); a zero
    game stays zero."""
    sizes = strengths(found).sort(-1, descending=True).values
    return sizes / sizes[..., :1].clamp(min=torch.finfo(sizes.dtype).tiny)


def mass_fraction(found: Interactions, mass: float = 0.9) -> torch.Tensor:
    """Least number of interactions that hold ``mass`` of the total strength, over 2^(n+1): (...).
    Zero games give 0."""
    if not 0 < mass < 1:
        raise ValueError(f"mass must lie between 0 and 1, got {mass}")
    sizes = strengths(found).sort(-1, descending=True).values
    held = sizes.cumsum(-1)
    total = held[..., -1:]
    # Counting the prefixes that are still short, plus the one that reaches the mass. The tolerance
    # keeps rounding in the cumulative sum from demanding one more interaction than an exact sum
    # would.
    short = (held < mass * total * (1 - 1e-12)).sum(-1)
    return torch.where(total[..., 0] > 0, short + 1.0, 0.0).double() / 2 ** (found.n + 1)


def gini(found: Interactions) -> torch.Tensor:
    """Gini coefficient of the strengths: (...), 0 when all are equal, near 1 when one holds
    everything; NaN for none."""
    return torch.as_tensor(stats.gini(strengths(found).cpu().numpy()))


def duality_error(v: torch.Tensor) -> torch.Tensor:
    """max_S |I_or(S; v) + I_and(S; v read through complements)| over max_T |v(T)|, S ≠ ∅: (...).

    Cheng et al. 2024, Lemma 3.4. The complement is taken here by an explicit XOR of the bitmask,
    not by the reversal that :func:`utils.lattice.or_interactions` uses.
    """
    masks = torch.arange(v.shape[-1], device=v.device)
    mirrored = lattice.and_interactions(v[..., masks ^ (v.shape[-1] - 1)])
    scale = v.abs().amax(-1)
    error = (lattice.or_interactions(v) + mirrored)[..., 1:].abs().amax(-1)
    return error / torch.where(scale > 0, scale, torch.ones_like(scale))
