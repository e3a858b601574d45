"""The transforms against a dense matrix, shapiq's exact computer, and a copy of the same memory
(the physical limit)."""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections.abc import Iterator

import numpy as np
import torch

from utils import lattice

from .harness import Competitor, Row, Settings, say, timed

__all__ = ["dense_matrix", "rows"]

_DENSE = 12  # beyond it the matrix alone needs 2 GiB
_SHAPIQ = (10, 12, 14)
_TARGET = {24: 2000.0}  # milliseconds of and_interactions


def dense_matrix(n: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """M (2^n, 2^n) with I_and = M v: entry (S, T) is (-1)^{|S|-|T|} where T ⊆ S."""
    one = torch.tensor([[1.0, 0.0], [-1.0, 1.0]], dtype=dtype)
    return functools.reduce(torch.kron, [one] * n)


def rows(settings: Settings) -> Iterator[Row]:
    """Milliseconds per game of every transform, for one game and for a batch."""
    sizes = settings.pick(
        [(10, 1), (10, 256), (12, 1), (14, 1), (20, 1), (24, 1)], [(6, 4), (10, 1)]
    )
    if importlib.util.find_spec("shapiq") is None:
        say("shapiq is not installed (it comes with the [test] extra): its rows are left out")
    for n, games in sizes:
        v = torch.randn(
            games, 1 << n, generator=torch.Generator().manual_seed(n), dtype=torch.float64
        )
        target = _TARGET.get(n)
        found = timed(_competitors(v, n), settings.repeats)
        _same_answers(
            found["ours: and_interactions"].result,
            {k: t.result for k, t in found.items() if "exact" in k},
        )
        for name, timing in found.items():
            yield Row(
                "lattice",
                f"n = {n}, {games} game{'s' * (games > 1)}",
                name,
                "ms/game",
                timing.per(games, 1e3),
                target=target if name == "ours: and_interactions" else None,
                first_call=timing.first,
                note="matrix built before" if "dense" in name else "",
            )


def _competitors(v: torch.Tensor, n: int) -> dict[str, Competitor]:
    games = len(v)
    space = torch.empty_like(v)
    found = {
        "memory copy": Competitor(lambda: space.copy_(v)),
        "ours: and_interactions": Competitor(lambda: lattice.and_interactions(v)),
        "ours: or_interactions": Competitor(lambda: lattice.or_interactions(v)),
    }
    if n <= _DENSE:
        matrix = dense_matrix(n).T
        found["dense matrix (exact)"] = Competitor(lambda: v @ matrix)
    if games == 1 and n in _SHAPIQ and importlib.util.find_spec("shapiq") is not None:
        found["shapiq: Moebius (exact)"] = Competitor(_shapiq(v[0].numpy(), n))
    return found


def _shapiq(v: np.ndarray, n: int):
    """A call of shapiq's exact computer on the game as a table."""
    shapiq = importlib.import_module("shapiq")

    class Table(shapiq.Game):
        def __init__(self) -> None:
            super().__init__(n_players=n, normalize=False)

        def value_function(self, coalitions: np.ndarray) -> np.ndarray:
            return v[coalitions.astype(int) @ (1 << np.arange(n))]

    def run() -> np.ndarray:
        found = shapiq.ExactComputer(Table(), n_players=n)("Moebius")
        answer = np.zeros((1, 1 << n))
        for subset, place in found.interaction_lookup.items():
            answer[0, sum(1 << i for i in subset)] = found.values[place]
        return answer

    return run


def _same_answers(ours: torch.Tensor, others: dict[str, object]) -> None:
    """A race between different answers is none: ArithmeticError when a competitor disagrees."""
    for name, answer in others.items():
        error = float((ours - torch.as_tensor(answer)).abs().max() / ours.abs().max())
        if error > 1e-9:
            raise ArithmeticError(
                f"{name} and and_interactions differ by {error:.1e} of the largest interaction"
            )
