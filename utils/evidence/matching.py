"""D1, L1, L7, F4: the AND-OR model is exact, and Shapley values are sums of its interactions."""

from __future__ import annotations

import pandas as pd
import torch

from .. import lattice, sparsify
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import attribution, sparsity
from .sparsity import LAST

__all__ = [
    "attribution_table",
    "identity_errors",
    "match_table",
    "require_identities",
    "shapley_errors",
]


def identity_errors(exact: CertifiedGames, bounded: CertifiedGames) -> dict[str, torch.Tensor]:
    """Errors of every game: ``matching`` of the split without noise terms, ``within_kappa`` with
    them, ``duality``.

    matching: max_T |v - model| / max |v|. within_kappa: max_T |v - model| / (kappa |v(N) - v(∅)|),
    at most 1.
    """
    v, off = bounded.v, bounded.error
    allowed = bounded.kappa * (v[..., -1] - v[..., 0]).abs()
    scale = v.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    # A game with v(N) = v(∅) is allowed no noise term at all: rounding counts as 0, anything else
    # is infinitely too much.
    none = torch.where(off <= 1e-9 * scale, 0.0, torch.inf).to(off)
    within = torch.where(allowed > 0, off / allowed.clamp(min=torch.finfo(off.dtype).tiny), none)
    return {
        "matching": exact.error / scale,
        "within_kappa": within,
        "duality": sparsity.duality_error(v),
    }


def require_identities(exact: CertifiedGames, bounded: CertifiedGames) -> None:
    """ArithmeticError unless the identities of D1 and L1 hold: a bug, then."""
    errors = identity_errors(exact, bounded)
    if max(float(errors[name].max()) for name in ("matching", "duality")) >= 1e-8:
        raise ArithmeticError("the identities of the AND-OR model fail: this is a bug")


def match_table(
    e: CertifiedGames, order_weight: float, tol: float, masks: int = 256
) -> pd.DataFrame:
    """Score against model on ``masks`` masks of the first image of the first seed, after training,
    as certified."""
    v = e.v[0, LAST, 0]
    chosen = torch.linspace(0, len(v) - 1, min(masks, len(v))).round().long()
    pieces = []
    for kappa in (0.0, e.kappa):
        got = sparsify.split(v, kappa=kappa, order_weight=order_weight, tol=tol)
        model = lattice.reconstruct(got.i_and, got.i_or)[chosen]
        pieces.append(
            pd.DataFrame(
                {
                    "split": f"kappa = {kappa:g}",
                    "mask": chosen.numpy(),
                    "score": v[chosen].numpy(),
                    "model": model.numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def shapley_errors(e: CertifiedGames, order_weight: float, tol: float) -> dict[str, torch.Tensor]:
    """L7, F4: max over players of |Shapley value - rebuilt from interactions| / max |Shapley
    value|, for every game.

    Rebuilt twice: from the AND-OR split without noise terms, and from the game's Harsanyi dividends
    alone.
    """
    v = e.v[:, LAST]
    got = sparsify.split(v, kappa=0.0, order_weight=order_weight, tol=tol)
    none = torch.zeros_like(v)
    direct = attribution.shapley(v)
    rebuilt = [
        attribution.shapley_of(Interactions(*pair))
        for pair in ((got.i_and, got.i_or), (lattice.and_interactions(v), none))
    ]
    scale = direct.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    return {"shapley": torch.stack([(direct - one).abs().amax(-1) / scale for one in rebuilt])}


def attribution_table(
    e: CertifiedGames, slopes: torch.Tensor | None, order_weight: float, tol: float
) -> pd.DataFrame:
    """Attributions of the first image's players by the first seed's trained network: Shapley values
    computed in two ways, and its integrated gradients ``slopes`` (n,), which know nothing of
    interactions, where the network is here."""
    v = e.v[0, LAST, 0]
    got = sparsify.split(v, kappa=0.0, order_weight=order_weight, tol=tol)
    found = {
        "Shapley value": attribution.shapley(v),
        "from interactions": attribution.shapley_of(Interactions(got.i_and, got.i_or)),
        **({} if slopes is None else {"integrated gradients": slopes}),
    }
    return pd.concat(
        [
            pd.DataFrame(
                {"player": range(e.found.n), "attribution": values.numpy(), "method": method}
            )
            for method, values in found.items()
        ],
        ignore_index=True,
    )
