"""What is drawn on a sample: which of its numbers each player owns, in what words, and which
players make up its strongest interactions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ..datasets import Kind, Source
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import orders
from ..players import Players

__all__ = ["Picture", "face_table", "owner", "picture", "short"]


class Picture(NamedTuple):
    """A sample and its strongest interactions.

    kind: of the data; sample (*shape): as it is; owner (*shape) int: the player whose absence
    changes a number, -1 where none does; words: of each player; tokens: of a sentence, the words of
    its numbers, empty where a token is special; interactions: (kind, players, value), the strongest
    first.
    """

    kind: Kind
    sample: np.ndarray
    owner: np.ndarray
    words: tuple[str, ...]
    tokens: tuple[str, ...]
    interactions: tuple[tuple[str, tuple[int, ...], float], ...]


def picture(source: Source, players: Players, found: Interactions, strongest: int) -> Picture:
    """``found``: of one game, after the first-order merge."""
    if found.and_.ndim != 1:
        raise ValueError(f"a picture shows one game, got {tuple(found.and_.shape[:-1])} of them")
    top = [
        (kind, tuple(k for k in range(found.n) if mask >> k & 1), float(value))
        for kind, mask, value in _strongest(found, strongest)
    ]
    about = source.about
    words = about.vocabulary
    tokens = (
        tuple("" if t in about.special else words[t] for t in players.whole.tolist())
        if words
        else ()
    )
    return Picture(
        source.kind,
        players.whole.numpy(),
        owner(players).numpy(),
        tuple(short(players.describe(i)) for i in range(players.n)),
        tokens,
        tuple(top),
    )


def face_table(ends: Mapping[str, CertifiedGames], name: str) -> pd.DataFrame:
    """Strength of each order of one game at each end of the face of optima."""
    pieces = []
    for label, games in ends.items():
        positive, negative = orders.strength_by_order(games.merged[0, 0, 0])
        strength = (positive - negative).tolist()
        order = range(1, games.found.n + 1)
        pieces.append(
            pd.DataFrame({"end": label, "order": order, "strength": strength, "panel": name})
        )
    return pd.concat(pieces, ignore_index=True)


def _strongest(found: Interactions, count: int) -> list[tuple[str, int, float]]:
    both = torch.stack([found.and_, found.or_])
    both[:, 0] = 0
    order = both.abs().flatten().argsort(descending=True, stable=True)[:count]
    size = found.and_.shape[-1]
    return [(("AND", "OR")[k // size], k % size, both.flatten()[k].item()) for k in order.tolist()]


def owner(players: Players) -> torch.Tensor:
    """The player whose absence changes a number of the sample, -1 where none does: int64
    (*shape)."""
    full = (1 << players.n) - 1
    without = torch.tensor([full ^ 1 << k for k in range(players.n)])
    changed = players.masked(without) != players.whole
    found = torch.full(players.whole.shape, -1)
    for k in range(players.n):
        found[changed[k]] = k
    return found


def short(described: str) -> str:
    """A player in its own words: ``player 3: age = 41 (masked: 38.6)`` → ``age = 41``."""
    return re.sub(r"\s*\((masked|token)[^)]*\)$", "", described.partition(": ")[2] or described)
