"""Columns of a table as players: a masked column holds its training mean.

Rows of a table are aligned, so that all rows have the same players: every column where n is their
number, else n columns drawn by a hash of the table's name. Columns that were not drawn stay as they
are in the row, in every coalition.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence

import torch

from .base import Players

__all__ = ["ColumnDraw", "TableColumns", "column_players"]


@dataclasses.dataclass(frozen=True)
class ColumnDraw:
    """Which of the possible random draws of columns; where every column is a player there is one
    draw only."""

    draw: int = 0

    def candidates(self, row: torch.Tensor) -> torch.Tensor:
        """Bool (columns,): the columns of ``row`` (columns, 1, 1) that may be drawn, all of
        them."""
        return torch.ones(len(row), dtype=torch.bool)

    def columns(self, table: str, count: int, n: int) -> list[int]:
        """The ``n`` of ``count`` columns that are players, ascending. ValueError when there are
        fewer."""
        if n > count:
            raise ValueError(
                f"the table {table} has {count} columns, fewer than the {n} players asked for"
            )
        ranked = sorted(
            range(count), key=lambda k: hashlib.sha256(f"{table}/{self.draw}/{k}".encode()).digest()
        )
        return sorted(ranked[:n])


class TableColumns(Players):
    """n columns of one row of a table.

    row, baseline: (columns, 1, 1) in the columns' own units; chosen: the column of each player;
    names: of all columns.
    """

    def __init__(
        self, row: torch.Tensor, chosen: Sequence[int], baseline: torch.Tensor, names: Sequence[str]
    ) -> None:
        if (
            row.ndim != 3
            or row.shape[1:] != (1, 1)
            or baseline.shape != row.shape
            or len(names) != len(row)
        ):
            raise ValueError(
                f"row and baseline must be (columns, 1, 1) with a name for each column; got "
                f"{tuple(row.shape)}, {tuple(baseline.shape)} and {len(names)} names"
            )
        if len(set(chosen)) != len(chosen) or not all(0 <= k < len(row) for k in chosen):
            raise ValueError(
                f"players must be different columns out of 0..{len(row) - 1}, got {list(chosen)}"
            )
        self.n, self.row, self.chosen, self.baseline, self.names = (
            len(chosen),
            row,
            list(chosen),
            baseline,
            tuple(names),
        )

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """(B,) → (B, columns, 1, 1)."""
        bits = torch.arange(self.n, device=subsets.device)
        keep = torch.ones(len(subsets), len(self.row), dtype=torch.bool, device=subsets.device)
        keep[:, self.chosen] = (subsets[:, None] >> bits & 1).bool()
        return torch.where(keep[:, :, None, None], self.row, self.baseline)

    def describe(self, i: int) -> str:
        """``player 3: mean area = 1001 (masked: 654.9)``."""
        if not 0 <= i < self.n:
            raise ValueError(f"there is no player {i}; the players are 0..{self.n - 1}")
        k = self.chosen[i]
        return (
            f"player {i}: {self.names[k]} = {float(self.row[k]):.4g} (masked: "
            f"{float(self.baseline[k]):.4g})"
        )

    def to(self, device: torch.device) -> TableColumns:
        return TableColumns(self.row.to(device), self.chosen, self.baseline.to(device), self.names)


def column_players(
    row: torch.Tensor,
    table: str,
    n: int,
    names: Sequence[str],
    *,
    mean: torch.Tensor,
    baseline: str = "mean",
    how: ColumnDraw | None = None,
) -> TableColumns:
    """The default players of a row (columns, 1, 1): n columns masked by ``mean``, the training mean
    of each column.

    ValueError for another baseline: 0 is no neutral value of a column in its own unit.
    """
    if baseline != "mean":
        raise ValueError(
            "columns of a table are masked by their training mean, baseline='mean'; got "
            f"{baseline!r}"
        )
    chosen = (how or ColumnDraw()).columns(table, len(row), n)
    return TableColumns(row, chosen, mean.to(row), names)
