"""How well a few interactions stand for the score: on the sample itself, and on all its masked
versions."""

from __future__ import annotations

import torch

from .. import lattice
from ..interactions import Interactions

__all__ = ["crossings", "matching_error", "top_model", "top_model_error"]


def _terms(found: Interactions) -> torch.Tensor:
    """AND and OR interactions but the empty set's: (..., 2 (2^n - 1)), signed."""
    return torch.cat([found.and_[..., 1:], found.or_[..., 1:]], -1)


def matching_error(
    found: Interactions, v: torch.Tensor, order: torch.Tensor | None = None
) -> torch.Tensor:
    """|g(f_N) - ĝ_α(f)| for α = 0 … 2 (2^n - 1): (..., 2^n) → (..., 2 (2^n - 1) + 1), in the
    score's units.

    ĝ_α adds the α strongest interactions to v(∅); all are triggered by the whole sample (Ren J. et
    al. 2025, Fig. 4). order (..., 2 (2^n - 1)): another order of adding them (positions), for
    controls.
    """
    terms = _terms(found)
    ranks = terms.abs().argsort(dim=-1, descending=True, stable=True) if order is None else order
    sums = torch.cat([torch.zeros_like(terms[..., :1]), terms.gather(-1, ranks).cumsum(-1)], -1)
    return (v[..., -1:] - v[..., :1] - sums).abs()


def crossings(
    error: torch.Tensor, whole: torch.Tensor, n: int, within: float = 0.1
) -> tuple[torch.Tensor, torch.Tensor]:
    """α̂ / 2^(n+1), twice: the first α with error ≤ within |g|, and the one from which on it stays
    so: (...) each.

    error (..., A): :func:`matching_error`; whole (...): g(f_N). 1 where the error never gets (or
    does not stay) there, which noise terms of the split can cause. Ren J. et al. 2025, Section 2
    (the last crossing is ours: a first one may be luck).
    """
    ok = error <= within * whole.abs()[..., None]
    last = error.shape[-1] - 1
    first = torch.where(ok.any(-1), ok.double().argmax(-1), 2 ** (n + 1))
    outside = (
        (~ok).double().flip(-1).argmax(-1)
    )  # distance from the end of the last α that is not good enough
    stays = torch.where(ok.all(-1), 0, torch.where(ok[..., -1], last - outside + 1, 2 ** (n + 1)))
    return first.double() / 2 ** (n + 1), stays.double() / 2 ** (n + 1)


def top_model(found: Interactions, alpha: int) -> torch.Tensor:
    """The model of the ``alpha`` strongest interactions (AND and OR together) on every mask: (...,
    2^n)."""
    terms = _terms(found)
    kept = torch.zeros_like(terms, dtype=torch.bool)
    kept.scatter_(-1, terms.abs().argsort(dim=-1, descending=True, stable=True)[..., :alpha], True)
    conj, disj = (terms * kept).chunk(2, -1)
    return lattice.reconstruct(
        torch.cat([found.and_[..., :1], conj], -1),
        torch.cat([torch.zeros_like(found.or_[..., :1]), disj], -1),
    )


def top_model_error(found: Interactions, v: torch.Tensor, alpha: int) -> torch.Tensor:
    """Root mean square error of :func:`top_model` over all masks, over the deviation of v: (...);
    NaN for a constant v."""
    rms = (v - top_model(found, alpha)).square().mean(-1).sqrt()
    spread = v.std(-1, correction=0)
    return torch.where(spread > 1e-12 * v.abs().amax(-1), rms / spread, torch.nan)
