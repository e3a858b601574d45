"""The closed form of the learning dynamics against solving the normal equations of the same
regression."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from utils import lattice, theory

from .harness import Competitor, Row, Settings, timed

__all__ = ["rows"]


def _gram(n: int) -> torch.Tensor:
    """JᵀJ of the triggers J(S, T) = 1(T ⊆ S)."""
    subsets = torch.arange(1 << n)
    triggers = ((subsets[None, :] & ~subsets[:, None]) == 0).double()
    return triggers.T @ triggers


def _dense(gram: torch.Tensor, w_star: torch.Tensor, sigma2: torch.Tensor, n: int) -> torch.Tensor:
    penalty = 2.0 ** (lattice.order(n) + n)
    right = gram @ w_star
    return torch.stack([torch.linalg.solve(gram + torch.diag(s * penalty), right) for s in sigma2])


def rows(settings: Settings) -> Iterator[Row]:
    """Milliseconds per noise level for one game."""
    for n, levels in settings.pick([(8, 20), (10, 20), (20, 5)], [(6, 4), (12, 2)]):
        w_star = torch.randn(
            1 << n, generator=torch.Generator().manual_seed(n), dtype=torch.float64
        )
        sigma2 = torch.logspace(-3, 1, levels, dtype=torch.float64)
        competitors = {
            "ours: closed form": Competitor(lambda w=w_star, s=sigma2: theory.noisy_weights(w, s))
        }
        if n <= 10:
            gram = _gram(n)
            competitors["dense solve"] = Competitor(
                lambda g=gram, w=w_star, s=sigma2, n=n: _dense(g, w, s, n)
            )
        found = timed(competitors, settings.repeats)
        ours, error = found["ours: closed form"].result, ""
        if "dense solve" in found:
            worst = (ours - found["dense solve"].result).abs().max() / ours.abs().max()
            error = f"largest difference from ours {float(worst):.0e}"
        for name, timing in found.items():
            yield Row(
                "theory",
                f"n = {n}, {levels} noise levels",
                name,
                "ms/level",
                timing.per(levels, 1e3),
                first_call=timing.first,
                note=f"JᵀJ built before; {error}" if name == "dense solve" else "",
            )
