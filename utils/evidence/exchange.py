"""O1: one game, two explanations of equal strength."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import torch

from .. import sparsify
from ..interactions import Interactions
from ..metrics import identification, orders

__all__ = ["exchange", "exchange_table"]


def _planted(n: int, games: int = 16) -> torch.Tensor:
    return 0.5 + torch.rand(
        games, n, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )


def exchange(
    players: int, order_weights: Sequence[float], tol: float
) -> tuple[dict[str, float], dict[str, object]]:
    """O1: the errors of the identity, and the mean orders of both explanations and of the split's
    two ends."""
    pair = identification.additive_pair(_planted(players))
    games = [found.reconstruct() for found in pair]
    least = (games[0][:, -1] - games[0][:, 0]).abs()
    errors = {
        "exchange": identification.exchange_error(players),
        "same_game": float(((games[0] - games[1]).abs().amax(-1) / games[0].abs().amax(-1)).max()),
        "both_optimal": max(
            float((identification.strength(x) / least - 1).abs().max()) for x in pair
        ),
    }
    control = {
        f"mean order of the explanation {name}": float(orders.mean_order(x))
        for name, x in zip(("by single players", "by exchanged pairs"), pair, strict=True)
    }
    for weight in order_weights:
        got = sparsify.split(games[0], kappa=0.0, order_weight=weight, tol=tol)
        found = Interactions(got.sparse_and, got.sparse_or).merge_first_order()
        control[f"split at order weight {weight:+g}: mean order"] = float(orders.mean_order(found))
        control[f"split at order weight {weight:+g}: strength over the least possible"] = float(
            (got.l1 / least).mean()
        )
    return errors, control


def exchange_table(players: int, order_weights: Sequence[float], tol: float) -> pd.DataFrame:
    """Strength per order of one planted additive game: both explanations, and what the split
    reports at each end."""
    weights = _planted(players, 1)
    pair = identification.additive_pair(weights)
    cases = {"single players": pair[0], "exchanged pairs": pair[1]}
    for weight in order_weights:
        got = sparsify.split(pair[0].reconstruct(), kappa=0.0, order_weight=weight, tol=tol)
        cases[f"split, {weight:+g}"] = Interactions(
            got.sparse_and, got.sparse_or
        ).merge_first_order()
    rows = []
    for label, found in cases.items():
        positive, negative = orders.strength_by_order(found)
        rows.append(
            pd.DataFrame(
                {
                    "game": "additive game",
                    "explanation": label,
                    "order": range(1, players + 1),
                    "positive": positive[0].numpy(),
                    "negative": negative[0].numpy(),
                }
            )
        )
    return pd.concat(rows, ignore_index=True)
