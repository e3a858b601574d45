"""Over-relaxed ADMM with the exact inverse, in torch: any device, games as the batch axis.

State W = (W_and, W_or, W_e) = z + u, slack e scaled by μ, and λ, per game:

    u = clip(W_x, ±θw);  e = clip(W_e, ±μκ̂)
    λ += (G + I/μ²)^{-1} [D(W_x - 2u - Dᵀλ) + (2e - W_e - λ/μ)/μ - v]
    W_x -= α(u + Dᵀλ);  W_e -= α(W_e - e + λ/μ);   z = W_x - u is the sparse iterate

(λ by increments: the bracket is then small where it matters, which is what makes float32 good
enough for 1e-4.) The average of every fifth state of a window is certified in float64: z is
repaired to a feasible point above, λ scaled to a dual point below, and the best of either seen so
far is kept. The games go through in fixed chunks, a short last one padded with zero games, so that
a game's answer depends neither on its neighbours' number nor on the memory that is free, but for
the rounding (1e-14) of matrix products, whose rows some BLAS kernels round by their place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch

from .. import lattice
from . import schur
from .certificate import lower_bound, weighted_l1
from .problem import Problem, Schedule, Solution

__all__ = ["GramInverse", "chunk_size", "solve"]

# Games per chunk, and games·2^n per chunk: what fits a core's cache, what fills a GPU.
_CHUNK = {"cpu": (64, 1 << 16), "other": (1024, 1 << 22)}


class GramInverse:
    """(G + shift)^{-1} for a batch of games, as matrix products on the two halves of the cube.

    Each half is rotated to its own Schur basis (2^{n/2} square); there G couples only pairs of
    multiplets of one (d1, d2), all by the same d1·d2 block, whose eigenvectors serve every game's
    own shift.
    """

    def __init__(self, n: int, like: torch.Tensor) -> None:
        high, low = self.halves = (n // 2, n - n // 2)
        self.bases = [_tensor(schur.schur_matrix(h), like) for h in self.halves]
        self.blocks, order = [], []
        for d1, rows in schur.multiplets(high).items():
            for d2, columns in schur.multiplets(low).items():
                values, vectors = schur.eigen((d1, d2), self.halves)
                self.blocks.append(
                    (
                        len(rows) * len(columns),
                        d1 * d2,
                        _tensor(values, like),
                        _tensor(vectors, like),
                    )
                )
                pairs = rows[:, None, :, None].astype(np.int64) << low | columns[None, :, None, :]
                order.append(pairs.ravel())
        self.order = torch.as_tensor(np.concatenate(order), device=like.device)
        self.back = torch.argsort(self.order)

    def __call__(self, rhs: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """``rhs`` (games, 2^n), ``shift`` (games,) → (G + shift)^{-1} rhs with entry ∅ zero."""
        games, (high, low) = len(rhs), self.bases
        x = high @ rhs.view(games, len(high), len(low)) @ low.T
        x = x.view(games, -1).index_select(1, self.order)
        start, parts = 0, []
        for count, size, values, vectors in self.blocks:
            part = x[:, start : start + count * size].reshape(games, count, size)
            start += count * size
            parts.append(
                ((part @ vectors) / (values + shift[:, None])[:, None] @ vectors.T).view(games, -1)
            )
        x = torch.cat(parts, dim=1).index_select(1, self.back)
        x = (high.T @ x.view(games, len(high), len(low)) @ low).reshape(games, -1)
        x[:, 0] = 0.0
        return x


def forward(i_and: torch.Tensor, i_or: torch.Tensor) -> torch.Tensor:
    """D x with the lattice's fast transforms; entry ∅ comes out as 0 up to rounding."""
    triggered = lattice.zeta_(i_or.clone())
    return lattice.zeta_(i_and.clone()).add_(triggered[..., -1:]).sub_(triggered.flip(-1))


def adjoint(dual: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Dᵀλ, its AND and its OR half, with entry ∅ zero."""
    contained, holding = lattice.zeta_(dual.clone()), lattice.superset_zeta_(dual.clone())
    met = (contained[..., -1:] - contained.flip(-1)).contiguous()
    holding[..., 0] = 0.0
    met[..., 0] = 0.0
    return holding, met


def _tensor(array: np.ndarray, like: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(array).to(like.device, like.dtype)


def _clip(x: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    return torch.minimum(torch.maximum(x, -limit), limit)


class _Chunk:
    """The state of one chunk of games."""

    def __init__(self, problem: Problem, inverse: GramInverse, exact: bool, plan: Schedule) -> None:
        self.p, self.inverse, self.exact, self.plan = problem, inverse, exact, plan
        v, bound = problem.v, problem.bound
        self.zero = torch.zeros_like(bound)
        least = adjoint(inverse(v, self.zero))
        typical = (least[0].abs().sum(-1) + least[1].abs().sum(-1)) / (2 * (v.shape[-1] - 1))
        self.limit = plan.theta * typical[:, None] * problem.weights
        scales = [
            plan.mu(*game)
            for game in zip(bound.tolist(), [problem.n] * len(v), typical.tolist(), strict=True)
        ]
        self.mu = torch.tensor(scales, dtype=v.dtype, device=v.device)[:, None]
        self.shift = self.zero if exact else self.mu[:, 0] ** -2
        self.box = self.mu * bound[:, None]
        self.w = [torch.zeros_like(v) for _ in range(3)]
        self.sums = [torch.zeros_like(v) for _ in range(3)]
        self.totals = [torch.zeros_like(v) for _ in range(3)]
        self.windows = self.age = 0
        self.short_gap = torch.full_like(bound, torch.inf)
        self.dual, self.gradient = torch.zeros_like(v), (torch.zeros_like(v), torch.zeros_like(v))

    def step(self, keep: bool) -> None:
        (w_and, w_or, w_e), (g_and, g_or) = self.w, self.gradient
        u_and, u_or, e = _clip(w_and, self.limit), _clip(w_or, self.limit), _clip(w_e, self.box)
        missing = forward(w_and - 2 * u_and - g_and, w_or - 2 * u_or - g_or) - self.p.v
        if not self.exact:
            missing += (2 * e - w_e - self.dual / self.mu) / self.mu
        self.dual += self.inverse(missing, self.shift)
        g_and, g_or = self.gradient = adjoint(self.dual)
        w_and.sub_(u_and.add_(g_and), alpha=self.plan.alpha)
        w_or.sub_(u_or.add_(g_or), alpha=self.plan.alpha)
        if not self.exact:
            w_e.sub_(w_e - e + self.dual / self.mu, alpha=self.plan.alpha)
        if keep:
            for total, w in zip(self.sums, self.w, strict=True):
                total.add_(w)

    def window(self) -> list[torch.Tensor]:
        """One window of iterations; the average state of it, or of all windows since the last long
        average."""
        for total in self.sums:
            total.zero_()
        for step in range(1, self.plan.window + 1):
            self.step(step % self.plan.every == 0)
        self.windows += 1
        self.age += self.plan.window
        for total, recent in zip(self.totals, self.sums, strict=True):
            total.add_(recent)
        early = self.age <= self.plan.early * self.plan.window
        self.is_long = not early and bool(self.plan.long(self.windows, self.age))
        states = self.plan.window // self.plan.every * (self.windows if self.is_long else 1)
        mean = [x / states for x in (self.totals if self.is_long else self.sums)]
        if self.is_long or early:
            self.windows = 0
            for total in self.totals:
                total.zero_()
        return mean

    def restart(self, mean: list[torch.Tensor], gap: torch.Tensor) -> None:
        """Continue from a long average where it is much better than the last short one (an orbit's
        centre)."""
        if not self.is_long:
            self.short_gap = gap
            return
        better = (gap < self.plan.restart * self.short_gap)[:, None]
        for state, average in zip(self.w, mean, strict=True):
            state.copy_(torch.where(better, average, state))

    def certify(self, mean: list[torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Feasible (and, or), sparse (and, or) and λ from an averaged state."""
        w_and, w_or, w_e = mean
        u_and, u_or, e = _clip(w_and, self.limit), _clip(w_or, self.limit), _clip(w_e, self.box)
        z_and, z_or = w_and - u_and, w_or - u_or
        drive, x_and, x_or = forward(u_and, u_or), z_and, z_or
        if not self.exact:
            drive += (w_e - e) / self.mu
            x_and, x_or = self._project(z_and, z_or, e / self.mu, self.shift)
        for _ in range(2):  # the second time for the rounding of the first
            inside = _clip(self.p.v - forward(x_and, x_or), self.p.bound[:, None])
            x_and, x_or = self._project(x_and, x_or, inside, self.zero)
        return x_and, x_or, z_and, z_or, self.inverse(drive, self.shift)

    def _project(
        self, i_and: torch.Tensor, i_or: torch.Tensor, slack: torch.Tensor, shift: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The smallest change of x (and, for shift > 0, of the slack) that fits v exactly."""
        missing = self.p.v - forward(i_and, i_or) - slack
        g_and, g_or = adjoint(self.inverse(missing, shift))
        return i_and + g_and, i_or + g_or


def _solve_chunk(problem: Problem, inverse: GramInverse, exact: bool) -> Solution:
    plan = Schedule.of(exact)
    state, best = _Chunk(problem, inverse, exact, plan), Solution.zeros(problem.v)
    upper, lower = torch.full_like(problem.bound, torch.inf), torch.zeros_like(problem.bound)
    open_ = torch.ones_like(problem.bound, dtype=torch.bool)
    age = 0
    while age < problem.max_iterations and bool(open_.any()):
        mean = state.window()
        x_and, x_or, z_and, z_or, dual = state.certify(mean)
        age = state.age
        above = weighted_l1(x_and, x_or, problem.weights)
        below = lower_bound(problem.v, dual, problem.bound, problem.weights)
        state.restart(mean, above - below)
        up, down = open_ & (above < upper), open_ & (below > lower)
        upper, lower = torch.where(up, above, upper), torch.where(down, below, lower)
        for mask, new, old in (
            (up, x_and, best.i_and),
            (up, x_or, best.i_or),
            (down, dual, best.dual),
            (open_, z_and, best.sparse_and),
            (open_, z_or, best.sparse_or),
        ):
            old.copy_(torch.where(mask[:, None], new, old))
        best.iterations[open_] = age
        best.broken |= open_ & ~torch.isfinite(above)
        if age >= plan.first:
            open_ &= ~(upper - lower <= problem.tol * (1 - 1e-9) * upper) & ~best.broken
    return best


def chunk_size(length: int, device_type: str) -> int:
    """Games that go through together: by 2^n and the kind of device alone."""
    most, values = _CHUNK["cpu" if device_type == "cpu" else "other"]
    return max(1, min(most, values // max(length, 1)))


def solve(problem: Problem, exact: bool, tick: Callable[[int], object]) -> Solution:
    """Solve every game of ``problem``; ``exact`` says κ' = 0 for all of them; ``tick(games)``
    reports progress."""
    v = problem.v
    size = chunk_size(v.shape[-1], v.device.type)
    inverse, answer = GramInverse(problem.n, v), Solution.zeros(v)
    for start in range(0, len(v), size):
        games = torch.arange(start, min(start + size, len(v)), device=v.device)
        solved = _solve_chunk(_pad(problem.take(games), size - len(games)), inverse, exact)
        answer.put(games, solved.take(slice(len(games))))
        tick(len(games))
    return answer


def _pad(problem: Problem, short: int) -> Problem:
    """``short`` zero games more; they are certified at the first check and keep the matrix
    products' shapes fixed."""
    if not short:
        return problem
    v = torch.cat([problem.v, problem.v.new_zeros(short, problem.v.shape[-1])])
    return dataclasses.replace(
        problem, v=v, bound=torch.cat([problem.bound, problem.bound.new_zeros(short)])
    )
