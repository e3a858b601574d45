"""Variables of a table as players: the columns that are one variable together, every other column
alone.

A category enters a network as a group of columns, 1 for the row's level and 0 for the others
(``About.groups``); to mask one of them alone would ask for a row of no level or of two. All columns
of an absent player hold their training mean: of a number the mean, of a category the mean code, the
share of each level among the training rows. Rows of a table are aligned, so that all rows have the
same players: every variable where n is their number, else n drawn by a hash of the table's name, as
:class:`~utils.players.ColumnDraw` draws columns. Variables that were not drawn stay as they are in
the row, in every coalition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Self

import torch

from ..datasets import Kind, Samples, Source
from ..datasets.base import About
from .base import Draw, Players

__all__ = ["GroupDraw", "TableVariables", "variables"]


def variables(about: About) -> tuple[tuple[int, ...], ...]:
    """The columns of each variable: the groups and, alone, every column that is in none; in the
    order of their first columns.

    ValueError for a group that is empty, names an absent column or shares one with another.
    """
    grouped = [k for group in about.groups for k in group]
    known = range(len(about.columns))
    if len(set(grouped)) != len(grouped) or not set(grouped) <= set(known):
        raise ValueError(f"groups must hold each of 0..{len(known) - 1} at most once")
    if not all(about.groups):
        raise ValueError("a group of columns is empty")
    alone = [(k,) for k in known if k not in set(grouped)]
    return tuple(sorted([*alone, *(tuple(sorted(group)) for group in about.groups)]))


class GroupDraw(Draw):
    """n variables of a table, the columns of each masked together by their training means; where
    every variable is a player there is one draw only."""

    takes: ClassVar[tuple[Kind, ...]] = ("table",)

    @property
    def unit(self) -> str:
        return "variables"

    @property
    def masked_by(self) -> str:
        return "training mean (of a category, the shares of its levels)"

    def possible(self, data: Samples, i: int) -> int:
        """All variables."""
        return len(variables(data.about))

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        return None if n == len(variables(source.about)) else super().again(repeat, source, n)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> TableVariables:
        there = variables(data.about)
        chosen = [there[k] for k in self.chosen(data.name, len(there), n)]
        return TableVariables(data.x[i], chosen, train.mean, data.about.columns)

    def chosen(self, table: str, count: int, n: int) -> list[int]:
        """The ``n`` of ``count`` variables that are players, ascending. ValueError when there are
        fewer."""
        if n > count:
            raise ValueError(
                f"the table {table} has {count} variables, fewer than the {n} players asked for"
            )
        ranked = sorted(
            range(count),
            key=lambda k: hashlib.sha256(f"{table}/{self.repeat}/{k}".encode()).digest(),
        )
        return sorted(ranked[:n])


class TableVariables(Players):
    """n variables of one row of a table.

    row, baseline: (columns,) in the columns' own units; chosen: the columns of each player; names:
    of all columns, ``variable = level`` in a group. ValueError where they do not fit together.
    """

    def __init__(
        self,
        row: torch.Tensor,
        chosen: Sequence[Sequence[int]],
        baseline: torch.Tensor,
        names: Sequence[str],
    ) -> None:
        if row.ndim != 1 or baseline.shape != row.shape or len(names) != len(row):
            raise ValueError(
                f"row and baseline must be (columns,) with a name for each column; got "
                f"{tuple(row.shape)}, {tuple(baseline.shape)} and {len(names)} names"
            )
        columns = [k for of_player in chosen for k in of_player]
        inside = all(0 <= k < len(row) for k in columns)
        if len(set(columns)) != len(columns) or not inside or not all(chosen):
            raise ValueError(
                f"players must have different columns out of 0..{len(row) - 1}, at least one each; "
                f"got {[list(of_player) for of_player in chosen]}"
            )
        self.n, self.row, self.baseline, self.names = len(chosen), row, baseline, tuple(names)
        self.chosen = [tuple(of_player) for of_player in chosen]
        self.owner = torch.full((len(row),), -1, device=row.device)
        for i, of_player in enumerate(self.chosen):
            self.owner[list(of_player)] = i

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """(B,) → (B, columns)."""
        present = (subsets[:, None] >> self.owner.clamp(min=0) & 1).bool()
        return torch.where(present | (self.owner < 0), self.row, self.baseline)

    @property
    def whole(self) -> torch.Tensor:
        return self.row

    def around(self, x: torch.Tensor) -> TableVariables:
        return TableVariables(x, self.chosen, self.baseline, self.names)

    def describe(self, i: int) -> str:
        """``player 0: age = 39 (masked: 38.58)``, ``player 7: sex = Male (masked: shares of 2
        levels)``."""
        if not 0 <= i < self.n:
            raise ValueError(f"there is no player {i}; the players are 0..{self.n - 1}")
        columns = self.chosen[i]
        if len(columns) == 1:
            k = columns[0]
            value, absent = f"{float(self.row[k]):.4g}", f"{float(self.baseline[k]):.4g}"
            return f"player {i}: {self.names[k]} = {value} (masked: {absent})"
        variable = self.names[columns[0]].partition(" = ")[0]
        level, absent = self._level(columns), f"shares of {len(columns)} levels"
        return f"player {i}: {variable} = {level} (masked: {absent})"

    def _level(self, columns: Sequence[int]) -> str:
        """The level whose column is 1, where the others are 0; ``another`` where all are 0."""
        code = self.row[list(columns)]
        if bool((code == 0).all()):
            return "another"
        if int((code == 1).sum()) == 1 and int((code == 0).sum()) == len(columns) - 1:
            return self.names[columns[int(code.argmax())]].partition(" = ")[2]
        return "a mixture"  # a row with noise

    def to(self, device: torch.device) -> TableVariables:
        return TableVariables(
            self.row.to(device), self.chosen, self.baseline.to(device), self.names
        )
