"""M15: how the number of salient interactions grows with the number of players."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..jobs.games import CertifiedGames
from .sparsity import salient_counts

__all__ = ["exponents", "growth", "growth_statement", "growth_table"]


def growth(by_players: Mapping[int, CertifiedGames], seeds: Sequence[int]) -> pd.DataFrame:
    """M15: salient interactions per image (mean over images) of each seed's trained network, from
    games of each number of players at the last checkpoint alone."""
    rows = []
    for n, e in by_players.items():
        counts = salient_counts(e, "mean_output")[:, 0].mean(-1)
        rows += [
            {"players": n, "seed": seed, "count": float(x)}
            for seed, x in zip(seeds, counts, strict=True)
        ]
    return pd.DataFrame(rows)


def exponents(table: pd.DataFrame) -> np.ndarray:
    """Least-squares slope of log count over log n, a number per seed."""
    return np.array(
        [
            np.polyfit(np.log(part["players"]), np.log(part["count"]), 1)[0]
            for _, part in table.groupby("seed")
        ]
    )


def growth_statement(table: pd.DataFrame) -> str:
    """M15 in a sentence."""
    found = exponents(table)
    return (
        f"the salient count grows as n to the power {found.mean():.2f} (seeds {found.min():.2f} "
        f"to {found.max():.2f}) "
        f"over n = {table.players.min()} to {table.players.max()}; the papers bound it by "
        "1.9-2.2 and by 0.9-1.2"
    )


def growth_table(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """M15's curve: mean over seeds with the lowest and highest seed."""
    found = table.groupby("players")["count"].agg(["mean", "min", "max"]).reset_index()
    return found.rename(columns={"mean": "count", "min": "low", "max": "high"}).assign(
        panel=name, games="trained"
    )
