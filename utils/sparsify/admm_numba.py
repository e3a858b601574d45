"""The same ADMM as :mod:`admm_torch`, compiled for a CPU: sixteen games (eight from n = 13 on) as
the lanes of a block, a thread per block.

A lane whose game is certified takes the next game of the queue at once, and a window later is
certified for the first time; lanes never mix, so a game's bits depend on no neighbour, no thread
and no order. Iterations are float32 (float64 where the inverse is too ill-conditioned, at κ' = 0
and for a large μ, and for tolerances beyond float32), certificates float64. A game that leaves the
finite numbers in float32 is solved again in float64 and counted.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch

from . import cache, kernels, schur
from .lanes import aligned, columns, lanes_of
from .problem import Problem, Schedule, Solution

__all__ = ["solve"]

FLOAT32_TOL = 1e-5  # below it a gap is beyond what float32 iterations reach
# Largest μ·2^{n/2} in float32, which loses (largest eigenvalue of G)·μ² ~ 4^n μ² rounding errors:
# on random networks and null games nothing is lost at μ = 2 for n = 10, 1.5 for n = 12, .5 for n =
# 14, games stall or diverge at 4, 3 and 1.
FLOAT32_SCALE = 80.0


@functools.lru_cache(maxsize=16)
def _tables(n: int, dtype: type) -> tuple:
    """Rotations of the low and high stages, and the multiplets: dimensions, counts and rows,
    flat."""
    split = min(n, kernels.span_bits(1 + len(lanes_of(n))))
    lists = []
    for first, last in ((0, split), (split, n)):
        stage = schur.rotations(n, first, last)
        lists.append(
            (
                stage.p.astype(np.int32),
                stage.q.astype(np.int32),
                stage.c.astype(dtype),
                stage.s.astype(dtype),
            )
        )
    where = schur.multiplets(n)
    places = np.concatenate([rows.ravel() for rows in where.values()]).astype(np.int32)
    return (
        *lists,
        np.array(list(where), dtype=np.int64),
        np.array([len(r) for r in where.values()]),
        places,
    )


@functools.lru_cache(maxsize=16)
def _spectrum(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Dimensions, eigenvalues and eigenvectors of the blocks of G, flat."""
    pairs = [schur.eigen((d,), (n,)) for d in schur.multiplets(n)]
    dims = np.array(list(schur.multiplets(n)), dtype=np.int64)
    return (
        dims,
        np.concatenate([p[0] for p in pairs]),
        np.concatenate([p[1].ravel() for p in pairs]),
    )


@functools.lru_cache(maxsize=4)
def _gram_inverse(n: int) -> np.ndarray:
    """G^{-1} by multiplet, (Σd², *lanes) float64: the same in every lane."""
    spectrum, lanes = _spectrum(n), lanes_of(n)
    inverse = aligned((int((spectrum[0] ** 2).sum()), *lanes), np.float64)
    for lane in range(lanes[-1]):
        kernels.set_inverse(columns(inverse), lane, 0.0, *spectrum)
    return inverse


class _Scales(NamedTuple):
    """Per game, float64 (games,): the mean |interaction| of the least-norm solution, and the scale
    μ of the slack."""

    typical: np.ndarray
    mu: np.ndarray


def _scales(problem: Problem) -> _Scales:
    """Known before the first iteration, because μ decides whether float32 is enough."""
    n, (games, rows) = problem.n, problem.v.shape
    lanes = lanes_of(n)
    v, x, y = (aligned((rows, *lanes), np.float64) for _ in range(3))
    out, work = aligned((2, *lanes), np.float64), aligned((n + 1, *lanes), np.float64)
    tables, gram = _tables(n, np.float64), _gram_inverse(n)
    typical, inputs = np.zeros(games), problem.v.numpy()
    for start in range(0, games, lanes[-1]):
        some = inputs[start : start + lanes[-1]]
        columns(v)[:, : len(some)] = some.T
        kernels.least_norm_mean(out, v, x, y, tables, gram, work)
        typical[start : start + len(some)] = columns(out)[0, : len(some)]
    mu = [
        Schedule.mu(bound, n, size)
        for bound, size in zip(problem.bound.tolist(), typical.tolist(), strict=True)
    ]
    return _Scales(typical, np.array(mu))


class _Queue:
    """Hands out game numbers to the blocks of all threads, in order."""

    def __init__(self, games: Sequence[int], outer: _Queue | None = None) -> None:
        self._games, self._outer = iter(games), outer
        self._lock = threading.Lock()
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether no more games are to be begun."""
        return self._stopped or (self._outer is not None and self._outer.stopped)

    def stop(self) -> None:
        """After an interrupt or an error the threads stop at their next check."""
        self._stopped = True

    def next(self) -> int | None:
        with self._lock:
            return None if self.stopped else next(self._games, None)


def _columns(arrays: tuple[np.ndarray, ...]) -> tuple[np.ndarray, ...]:
    return tuple(columns(x) for x in arrays)


class _Block:
    """Sixteen or eight lanes at work: their state, their work space and the games they hold."""

    def __init__(self, problem: Problem, exact: bool, dtype: type, scales: _Scales) -> None:
        self.problem, self.exact, self.scales = problem, exact, scales
        self.plan = Schedule.of(exact)
        n, rows = problem.n, problem.v.shape[-1]
        lanes = lanes_of(n)
        shape = (rows, *lanes)
        self.state = tuple(aligned(shape, dtype) for _ in range(4))  # W_and, W_or, W_e, λ
        self.sums = tuple(aligned(shape, dtype) for _ in range(3))
        self.v, self.x, self.y = (aligned(shape, dtype) for _ in range(3))
        self.v64, self.a, self.o, self.e, self.dual, self.x64, self.y64 = (
            aligned(shape, np.float64) for _ in range(7)
        )
        self.tables, self.tables64 = _tables(n, dtype), _tables(n, np.float64)
        self.spectrum = _spectrum(n)
        size = int((self.spectrum[0] ** 2).sum())
        self.inverse, self.inverse64 = (
            aligned((size, *lanes), dtype),
            aligned((size, *lanes), np.float64),
        )
        self.gram = aligned((size, *lanes), np.float64)
        self.gram[:] = _gram_inverse(n)
        self.work, self.work64 = (
            aligned((n + 1, *lanes), dtype),
            aligned((n + 1, *lanes), np.float64),
        )
        self.lanes, self.out = aligned((4, *lanes), np.float64), aligned((2, *lanes), np.float64)
        self.totals = tuple(aligned(shape, dtype) for _ in range(3))
        self.windows = np.zeros(lanes[-1], dtype=np.int64)  # held in totals
        self.short_gap = np.full(lanes[-1], np.inf)
        self.best = tuple(
            aligned(shape, np.float64) for _ in range(3)
        )  # and, or, λ: bounds found at different checks
        self.want, self.share = aligned((1, *lanes), dtype), aligned((1, *lanes), dtype)
        self.bounds = aligned((2, *lanes), np.float64)
        self.weights64 = problem.weights.numpy()
        self.weights = self.weights64.astype(dtype)
        self.inputs, self.bound = problem.v.numpy(), problem.bound.numpy()
        self.games: list[int | None] = [None] * lanes[-1]
        self.age = np.zeros(lanes[-1], dtype=np.int64)
        self.lanes[2] = 1.0

    def fill(self, queue: _Queue) -> bool:
        """Give every idle lane the next game, the zero game when there is none; False when no lane
        has any."""
        idle = [lane for lane, game in enumerate(self.games) if game is None]
        begun = []
        for lane in idle:
            game = queue.next()
            self.games[lane] = game
            if game is not None:
                self._begin(lane, game)
            begun.append(-1 if game is None else game)
        if idle and any(game is not None for game in self.games):
            kernels.put_games(
                np.array(idle),
                np.array(begun),
                self.inputs,
                columns(self.v),
                columns(self.v64),
                _columns(self.state),
                _columns(self.totals),
                _columns(self.best),
            )
            return True
        return not idle

    def _begin(self, lane: int, game: int) -> None:
        """Everything of a game but its values."""
        self.age[lane] = 0
        columns(self.bounds)[:, lane] = np.inf, 0.0  # λ = 0 certifies 0
        self.windows[lane], self.short_gap[lane] = 0, np.inf
        bound, typical, mu = self.bound[game], self.scales.typical[game], self.scales.mu[game]
        shift = 0.0 if self.exact else mu**-2
        columns(self.lanes)[:, lane] = self.plan.theta * typical, mu * bound, 1.0 / mu, bound
        kernels.set_inverse(columns(self.inverse64), lane, shift, *self.spectrum)
        columns(self.inverse)[:, lane] = columns(self.inverse64)[:, lane]

    def advance(self) -> None:
        """One window of iterations, then the certificate of every lane."""
        dtype, plan = self.v.dtype, self.plan
        kernels.iterate(
            *self.state,
            *self.sums,
            self.v,
            self.x,
            self.y,
            self.lanes.astype(dtype),
            self.weights,
            self.tables,
            self.inverse,
            self.work,
            plan.window,
            plan.every,
            plan.alpha,
            self.exact,
        )
        self.age += plan.window
        long = self._average()
        kernels.certify(
            *self.sums,
            self.v64,
            self.a,
            self.o,
            self.e,
            self.dual,
            self.x64,
            self.y64,
            self.lanes,
            self.out,
            self.weights64,
            self.tables64,
            self.inverse64,
            self.gram,
            self.work64,
            self.exact,
        )
        kernels.keep_best(self.out, self.bounds, self.a, self.o, self.dual, *self.best)
        self._restart(long)

    def _average(self) -> np.ndarray:
        """Turn the sums into averages; bool (lanes,): the lanes in which they are long ones."""
        early = self.age <= self.plan.early * self.plan.window
        self.windows += 1
        long = ~early & self.plan.long(self.windows, self.age)
        states = self.plan.window // self.plan.every
        self.want[0] = long.astype(self.want.dtype) - early
        self.share[0] = 1.0 / (self.windows * states)
        kernels.average(self.sums, self.totals, self.want, self.share, states)
        self.windows[long | early] = 0
        return long

    def _restart(self, long: np.ndarray) -> None:
        """Continue from a long average where it is much better than the last short one (an orbit's
        centre)."""
        upper, lower = columns(self.out)
        gap = upper - np.maximum(lower, 0.0)
        for lane in np.flatnonzero(long & (gap < self.plan.restart * self.short_gap)):
            for state, mean in zip(self.state[:3], self.sums, strict=True):
                columns(state)[:, lane] = columns(mean)[:, lane]
        self.short_gap = np.where(long, self.short_gap, gap)

    def finished(self) -> Iterator[tuple[int, int, bool]]:
        """(lane, game, broken) of the lanes whose game is certified, broken or at the cap."""
        upper, lower = columns(self.bounds)
        closed = upper - lower <= self.problem.tol * (1 - 1e-9) * upper
        for lane, game in enumerate(self.games):
            if game is None or self.age[lane] < self.plan.first:
                continue
            broken = not np.isfinite(columns(self.out)[:, lane]).all()
            if closed[lane] or broken or self.age[lane] >= self.problem.max_iterations:
                yield lane, game, broken

    def release(self, lanes: list[int]) -> None:
        """These lanes are idle; the next :meth:`fill` overwrites what they hold."""
        for lane in lanes:
            self.games[lane] = None

    def save(self, lanes: list[int], answer: Solution) -> None:
        """Copy finished lanes out."""
        games = np.array([self.games[lane] for lane in lanes])
        kernels.take_games(
            np.array(lanes),
            games,
            columns(self.lanes)[0],
            self.weights64,
            _columns(self.sums[:2]),
            _columns(self.best),
            (answer.sparse_and.numpy(), answer.sparse_or.numpy()),
            (answer.i_and.numpy(), answer.i_or.numpy(), answer.dual.numpy()),
        )
        answer.iterations.numpy()[games] = self.age[lanes]


def _work(
    problem: Problem,
    exact: bool,
    dtype: type,
    scales: _Scales,
    queue: _Queue,
    answer: Solution,
    tick: Callable[[int], object],
) -> None:
    block = _Block(problem, exact, dtype, scales)
    while not queue.stopped and block.fill(queue):
        block.advance()
        again, done, lanes = [], [], []
        for lane, game, broken in block.finished():
            lanes.append(lane)
            if broken and dtype is np.float32:
                again.append(game)
            else:
                done.append(lane)
                answer.broken[game] = broken
        if done:
            block.save(done, answer)
            tick(len(done))
        block.release(lanes)
        if again:  # at once, not at the end: the other threads go on with the queue meanwhile
            _work(problem, exact, np.float64, scales, _Queue(again, queue), answer, tick)
            answer.broken[again] = True


def _run(problem: Problem, exact: bool, answer: Solution, tick: Callable[[int], object]) -> None:
    games, scales = len(problem.v), _scales(problem)
    float64 = scales.mu * problem.v.shape[-1] ** 0.5 > FLOAT32_SCALE
    float64 |= exact or problem.tol < FLOAT32_TOL
    queues = {
        dtype: _Queue(np.flatnonzero(mine).tolist())
        for dtype, mine in ((np.float64, float64), (np.float32, ~float64))
        if mine.any()
    }

    def work() -> None:
        for dtype, queue in queues.items():
            _work(problem, exact, dtype, scales, queue, answer, tick)

    threads = min(torch.get_num_threads(), -(-games // 4))
    if threads <= 1:
        work()
        return
    with ThreadPoolExecutor(threads) as pool:
        tasks = [pool.submit(work) for _ in range(threads)]
        try:
            for task in tasks:
                task.result()
        finally:
            for queue in queues.values():
                queue.stop()


def solve(problem: Problem, exact: bool, tick: Callable[[int], object]) -> Solution:
    """Solve every game of ``problem`` (CPU); ``exact``: κ' = 0 for all of them; ``tick(games)``
    reports progress."""
    _prepare()
    answer = Solution.zeros(problem.v)
    _run(problem, exact, answer, tick)
    _seal()
    return answer


_KERNELS = (
    kernels.iterate,
    kernels.average,
    kernels.certify,
    kernels.keep_best,
    kernels.least_norm_mean,
    kernels.put_games,
    kernels.set_inverse,
    kernels.take_games,
)


@functools.cache
def _prepare() -> None:
    """Once per process, before the first kernel runs: drop cached machine code that is not what was
    written."""
    cache.mend(_KERNELS)


def _seal() -> None:
    compilations = sum(sum(kernel.stats.cache_misses.values()) for kernel in _KERNELS)
    if compilations > _sealed[0]:
        _sealed[0] = compilations
        cache.seal(_KERNELS)


_sealed = [0]
