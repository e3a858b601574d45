"""Games that others played, a value table, as a job like those that are scored here."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field

from .. import io
from ..datasets import values
from .base import Job
from .scored import Games, save_games

__all__ = ["GivenGamesJob"]

_EPS = torch.finfo(torch.float64).eps


class GivenGamesJob(Job):
    """``images`` games of a value table (:class:`utils.datasets.values.Values`), after the first
    ``skip``, at one checkpoint, the network as it was given (step 1: there is none before
    training).

    table: network/name; sha256: of its games; file: a user's file that it is found in, which
    decides nothing beside the checksum.
    """

    kind: ClassVar[str] = "given_games"
    version: ClassVar[int] = 1
    table: str
    sha256: str
    images: int = Field(ge=1)
    skip: int = Field(0, ge=0)
    file: str | None = Field(None, exclude=True)

    def compute(self, folder: Path) -> None:
        table = values.load(values.find(self.table, self.file))
        taken = slice(self.skip, self.skip + self.images)
        v = torch.from_numpy(table.v[taken])[None]
        n = v.shape[-1].bit_length() - 1
        # A table's own rounding is not known: that of the numbers as stored.
        floors = v.abs().amax((1, 2)) * _EPS * 2 ** (n / 2)
        labels = torch.zeros(v.shape[1], dtype=torch.int64)
        ids = torch.from_numpy(table.ids[taken])
        save_games(folder, v, [1], floors, labels=labels, ids=ids)

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))
