"""When is an interaction salient? The papers' thresholds, as named options.

The papers use five rules, which select different sets; every notebook names the one of its paper
and shows the others.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch

from ..interactions import Interactions

__all__ = ["RULES", "Rule", "salient_counts", "threshold"]

Rule = Literal["mean_output", "max_per_sample", "max_over_samples"]
RULES: tuple[str, ...] = get_args(Rule)


def threshold(found: Interactions, v: torch.Tensor, rule: Rule) -> torch.Tensor:
    """tau for games (..., X, 2^n), where X is the axis of the samples: (..., X).

    - ``mean_output``: .03 E_x |v(N) - v(∅)| of the network at hand (Ren Q. et al. 2024).
    - ``max_per_sample``: .05 max_S |I(S)| of each sample (Cheng et al. 2024, footnote 7).
    - ``max_over_samples``: .05 max_x max_S |I(S)| (Cheng et al. 2024, Appendix M.4).

    v: the games the interactions were split from. The empty set takes no part in a maximum. Raises
    ValueError for another rule or games without a sample axis.
    """
    if found.and_.ndim < 2:
        raise ValueError(
            f"salience needs an axis of samples: games (..., X, 2^n), got {tuple(found.and_.shape)}"
        )
    if rule == "mean_output":
        tau = 0.03 * (v[..., -1] - v[..., 0]).abs().mean(-1, keepdim=True)
        return tau.expand(v.shape[:-1])
    largest = torch.maximum(found.and_[..., 1:].abs().amax(-1), found.or_[..., 1:].abs().amax(-1))
    if rule == "max_per_sample":
        return 0.05 * largest
    if rule == "max_over_samples":
        return 0.05 * largest.amax(-1, keepdim=True).expand(largest.shape)
    raise ValueError(f"rule must be one of {RULES}, got {rule!r}")


def salient_counts(found: Interactions, tau: torch.Tensor) -> torch.Tensor:
    """Number of salient interactions of each game, AND and OR together: int64 (...)."""
    conj, disj = found.salient(tau)
    return conj.sum(-1) + disj.sum(-1)
