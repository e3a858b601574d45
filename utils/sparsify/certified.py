"""The certified road: scale the games, solve them by ADMM on a chosen backend, certify what comes
back."""

from __future__ import annotations

from collections.abc import Callable

import torch

from . import admm_numba, admm_torch
from .certificate import forward, lower_bound, mobius, weighted_l1
from .lanes import lanes_of
from .problem import Problem, Solution, pieces, ticker

__all__ = ["BACKENDS", "memory_needed", "solve", "what_fits"]

BACKENDS = ("auto", "numba", "torch")
_NUMBA_LENGTH = (
    1 << 14
)  # beyond it sixteen games at once no longer fit the cache, and there are few games to share it
_AT_ONCE = 1 << 24  # values (games·2^n) handed to a backend at once: bounds the float64 work space


def memory_needed(games: int, length: int, device_type: str = "cpu") -> int:
    """Bytes at the peak, input not counted: results, work space of the games solved at once, state
    of the iteration."""
    at_once = min(games, max(16, _AT_ONCE // max(length, 1)))
    if device_type == "cpu" and length <= _NUMBA_LENGTH:
        state = 40 * lanes_of(length.bit_length() - 1)[-1] * torch.get_num_threads()
    else:
        state = 64 * admm_torch.chunk_size(length, device_type)
    return 8 * length * (16 * games + 16 * at_once + state)


def what_fits(games: int, length: int, device_type: str, free: int) -> str:
    """What a refused batch could be cut down to: the number of games, or the number of players for
    one game."""

    def fits(count: int, size: int) -> bool:
        return memory_needed(count, size, device_type) <= free

    most = max((n for n in range(1, 31) if fits(1, 1 << n)), default=0)
    fewer = max(
        (games >> k for k in range(1, 62) if games >> k and fits(games >> k, length)), default=0
    )
    return (
        f"{fewer} such games fit at once" if fewer else f"one game of up to n = {most} players fits"
    )


def solve(
    v: torch.Tensor,
    bound: torch.Tensor,
    weights: torch.Tensor,
    tol: float,
    max_iterations: int,
    backend: str,
    progress: bool,
) -> dict[str, torch.Tensor]:
    """Split the centred games ``v`` (games, 2^n); ``bound`` κ' (games,). Facts of :class:`Split` by
    name."""
    run = _choose(backend, v)
    scale = v.abs().amax(-1)
    easy = (scale == 0) | (bound >= scale)  # nothing to explain: no interaction at all is optimal
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    facts = _empty(v)
    with ticker(progress, "split", len(v), "game") as tick:
        tick(int(easy.sum()))
        for exact in (True, False):
            wanted = (~easy & ((bound == 0) == exact)).nonzero()[:, 0]
            for games in wanted.split(max(16, _AT_ONCE // v.shape[-1])):
                problem = Problem(
                    v[games] / scale[games, None],
                    bound[games] / scale[games],
                    weights,
                    tol,
                    max_iterations,
                )
                _store(facts, games, scale[games], problem, run(problem, exact, tick))
    return facts


def _empty(v: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a game with nothing to explain gets: no interaction, gap 0, converged, no iteration."""
    games = torch.zeros_like(v[:, 0])
    no = torch.zeros_like(games, dtype=torch.bool)
    facts = {name: torch.zeros_like(v) for name in ("i_and", "i_or", "sparse_and", "sparse_or")}
    return facts | {
        "lower_bound": games,
        "gap": games.clone(),
        "infeasibility": games.clone(),
        "converged": ~no,
        "iterations": games.to(torch.int64),
        "float64_games": no,
    }


def _store(
    facts: dict[str, torch.Tensor],
    games: torch.Tensor,
    scale: torch.Tensor,
    problem: Problem,
    found: Solution,
) -> None:
    """Certify what the backend says, in float64 and from its numbers alone, and put it in the
    games' own units."""
    for some in pieces(problem.v):
        _store_piece(facts, games[some], scale[some], problem.take(some), found.take(some))


def _store_piece(
    facts: dict[str, torch.Tensor],
    games: torch.Tensor,
    scale: torch.Tensor,
    problem: Problem,
    found: Solution,
) -> None:
    residual = problem.v - forward(found.i_and, found.i_or)
    excess = residual.abs() - problem.bound[:, None]
    # What rounding has left outside the bound (1e-12 and less) goes into AND terms, which fit any
    # game exactly.
    found.i_and += mobius(residual.sign() * excess.clamp_min(0.0))
    upper = weighted_l1(found.i_and, found.i_or, problem.weights)
    lower = torch.minimum(lower_bound(problem.v, found.dual, problem.bound, problem.weights), upper)
    gap = (upper - lower) / upper.clamp_min(torch.finfo(upper.dtype).tiny)
    left = (problem.v - forward(found.sparse_and, found.sparse_or)).abs().amax(-1)
    for name in ("i_and", "i_or", "sparse_and", "sparse_or"):
        facts[name][games] = getattr(found, name) * scale[:, None]
    facts["lower_bound"][games] = lower * scale
    facts["gap"][games] = gap
    facts["infeasibility"][games] = (left - problem.bound).clamp_min(0.0)
    facts["converged"][games] = gap <= problem.tol
    facts["iterations"][games] = found.iterations
    facts["float64_games"][games] = found.broken


def _choose(
    backend: str, v: torch.Tensor
) -> Callable[[Problem, bool, Callable[[int], None]], Solution]:
    if backend not in BACKENDS:
        raise ValueError(
            f"unknown backend {backend!r}: choose one of {', '.join(map(repr, BACKENDS))}"
        )
    if backend == "numba" and v.device.type != "cpu":
        raise ValueError(
            f"backend='numba' works on the CPU, the games are on {v.device}: use 'torch' or 'auto'"
        )
    # By the device and n alone, never by the number of games: a game's bits must not depend on its
    # neighbours.
    compiled = v.device.type == "cpu" and v.shape[-1] <= _NUMBA_LENGTH
    return (
        admm_numba.solve
        if backend == "numba" or (backend == "auto" and compiled)
        else admm_torch.solve
    )
