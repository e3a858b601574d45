"""Columns of a table as players: a masked column holds its training mean.

Rows of a table are aligned, so that all rows have the same players: every column where n is their
number, else n columns drawn by a hash of the table's name. Columns that were not drawn stay as they
are in the row, in every coalition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Self

import torch

from ..datasets import Kind, Samples, Source
from .base import Draw, Players

__all__ = ["ColumnDraw", "TableColumns"]


class ColumnDraw(Draw):
    """n columns of a table, each masked by its training mean; where every column is a player there
    is one draw only."""

    takes: ClassVar[tuple[Kind, ...]] = ("table",)

    @property
    def unit(self) -> str:
        return "columns"

    @property
    def masked_by(self) -> str:
        return "training mean"

    def possible(self, data: Samples, i: int) -> int:
        """All columns."""
        return len(data.about.columns)

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        return None if n == len(source.about.columns) else super().again(repeat, source, n)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> TableColumns:
        names = data.about.columns
        return TableColumns(data.x[i], self.columns(data.name, len(names), n), train.mean, names)

    def columns(self, table: str, count: int, n: int) -> list[int]:
        """The ``n`` of ``count`` columns that are players, ascending. ValueError when there are
        fewer."""
        if n > count:
            raise ValueError(
                f"the table {table} has {count} columns, fewer than the {n} players asked for"
            )
        ranked = sorted(
            range(count),
            key=lambda k: hashlib.sha256(f"{table}/{self.repeat}/{k}".encode()).digest(),
        )
        return sorted(ranked[:n])


class TableColumns(Players):
    """n columns of one row of a table.

    row, baseline: (columns,) in the columns' own units; chosen: the column of each player;
    names: of all columns.
    """

    def __init__(
        self, row: torch.Tensor, chosen: Sequence[int], baseline: torch.Tensor, names: Sequence[str]
    ) -> None:
        if row.ndim != 1 or baseline.shape != row.shape or len(names) != len(row):
            raise ValueError(
                f"row and baseline must be (columns,) with a name for each column; got "
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
        """(B,) → (B, columns)."""
        bits = torch.arange(self.n, device=subsets.device)
        keep = torch.ones(len(subsets), len(self.row), dtype=torch.bool, device=subsets.device)
        keep[:, self.chosen] = (subsets[:, None] >> bits & 1).bool()
        return torch.where(keep, self.row, self.baseline)

    @property
    def whole(self) -> torch.Tensor:
        return self.row

    def around(self, x: torch.Tensor) -> TableColumns:
        return TableColumns(x, self.chosen, self.baseline, self.names)

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
