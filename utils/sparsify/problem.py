"""What every solver of the split is given and what it gives back: games scaled to max |v - v(∅)| =
1."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch

from .. import lattice, runtime

__all__ = ["Problem", "Schedule", "Solution", "pieces", "ticker"]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Scaled games: ``v`` (games, 2^n) float64 with v(∅) = 0 and max |v| = 1, ``bound`` κ'/scale
    (games,)."""

    v: torch.Tensor
    bound: torch.Tensor
    weights: torch.Tensor
    tol: float
    max_iterations: int

    @property
    def n(self) -> int:
        return lattice.players_of(self.v.shape[-1])

    def take(self, games: torch.Tensor | slice) -> Problem:
        """The same problem for some of the games."""
        return dataclasses.replace(self, v=self.v[games], bound=self.bound[games])


@dataclasses.dataclass
class Solution:
    """Per game, in scaled units: a feasible (i_and, i_or), the sparse iterate it was repaired from,
    and the dual λ."""

    i_and: torch.Tensor
    i_or: torch.Tensor
    sparse_and: torch.Tensor
    sparse_or: torch.Tensor
    dual: torch.Tensor
    iterations: torch.Tensor
    broken: (
        torch.Tensor
    )  # bool: the iteration left the finite numbers (float32 only); nothing else is valid there

    @classmethod
    def zeros(cls, v: torch.Tensor) -> Solution:
        """The answer for games that need no solver: nothing at all explains them."""
        games = v.shape[0]
        return cls(
            *(torch.zeros_like(v) for _ in range(5)),
            iterations=torch.zeros(games, dtype=torch.int64, device=v.device),
            broken=torch.zeros(games, dtype=torch.bool, device=v.device),
        )

    def take(self, games: torch.Tensor | slice) -> Solution:
        """The answers for some of the games."""
        return Solution(**{name: value[games] for name, value in vars(self).items()})

    def put(self, games: torch.Tensor, part: Solution) -> None:
        """Write the answers of ``part`` at ``games`` (indices)."""
        for field in dataclasses.fields(self):
            getattr(self, field.name)[games] = getattr(part, field.name)


@dataclasses.dataclass(frozen=True)
class Schedule:
    """The constants of the iteration, the same on every backend."""

    window: int  # iterations between two checks
    first: int  # iterations before a game may stop
    theta: float  # soft threshold, in units of the mean |interaction| of the least-norm solution
    every: int = 5  # of the states in a window, every fifth enters the average that is certified
    alpha: float = 1.9  # over-relaxation
    early: int = 5  # the states of so many first windows enter no long average
    long_windows: int = 4  # a long average spans at least so many windows,
    long_share: int = 5  # and at least 1/long_share of all iterations so far
    restart: float = (
        0.6  # restart from a long average whose gap is below this share of the last short one's
    )

    @classmethod
    def of(cls, exact: bool) -> Schedule:
        """``exact``: κ' = 0, no slack."""
        return (
            cls(window=25, first=50, theta=5.0) if exact else cls(window=50, first=100, theta=1.0)
        )

    def long(self, windows: int | np.ndarray, age: int | np.ndarray) -> bool | np.ndarray:
        """Is it time to certify the average of the last ``windows`` windows, at ``age``
        iterations?"""
        return windows >= np.maximum(self.long_windows, age // (self.window * self.long_share))

    @staticmethod
    def mu(bound: float, n: int, typical: float) -> float:
        """The scale μ of the slack for one scaled game of n players: ‖μ·slack‖₂ ≤ μκ̂·2^{n/2} = .22
        √L̂.

        bound: κ̂. typical: the mean of |Dᵀ G^{-1} v| over the 2(2^n - 1) interactions of the
        least-norm solution, the unit of ``theta``. The best scale follows the root of the optimum's
        strength L = L1/scale (from .11 at L = 1 to 1.8 at L = 60), and L is known beforehand from
        the least-norm solution's, ℓ: L̂ = exp(.852 - .276 n) ℓ^1.159 (fitted on 74 games, n = 9 ...
        16, residual sd of log L .34), at least .5.

        Plain floats, game by game, on every backend: powers of a tensor round by a number's place
        in it, and a game's bits must not depend on its neighbours.
        """
        least_norm = 2 * ((1 << n) - 1) * typical
        strength = max(0.5, math.exp(0.852 - 0.276 * n) * least_norm**1.159)
        return min(max(0.22 * math.sqrt(strength / (1 << n)) / max(bound, 1e-9), 1e-4), 10.0)


def pieces(v: torch.Tensor) -> Iterator[slice]:
    """Runs of games (games, 2^n) to be finished together: on a CPU they stay in cache and below
    torch's threads.

    Work on a few thousand numbers costs more in waking and awaiting threads than it saves, above
    all when other processes want the cores too (measured: up to 13 times).
    """
    games, length = v.shape
    size = max(1, (1 << 15) // length) if v.device.type == "cpu" else max(1, games)
    return (slice(start, min(start + size, games)) for start in range(0, games, size))


@contextlib.contextmanager
def ticker(show: bool, desc: str, total: int, unit: str) -> Iterator[Callable[[int], object]]:
    """A function that counts finished work, on a progress bar when ``show``."""
    if not show:
        yield lambda count: None
        return
    with runtime.progress(desc=desc, total=total, unit=unit) as bar:
        yield bar.update
