"""Over-relaxed ADMM with the exact inverse, in torch: any device, games as the batch axis.

State W = (W_and, W_or, W_e) = z + u, slack e scaled by μ, per game:

    u = clip(W_x, ±θw);  e = clip(W_e, ±μκ̂);  λ = (G + I/μ²)^{-1} [D(W_x - 2u) + (2e - W_e)/μ - v]
    W_x -= α(u + Dᵀλ);  W_e -= α(W_e - e + λ/μ);   z = W_x - u is the sparse iterate

The average of W over the last ``window`` iterations is certified in float64 (z repaired to a feasible point above, λ
scaled to a dual point below). The games go through in fixed chunks, a short last one padded with zero games, so that a
game's bits depend neither on its neighbours' number nor on the memory that is free.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch

from . import schur
from .certificate import adjoint, forward, lower_bound, weighted_l1
from .problem import Problem, Solution

__all__ = ["GramInverse", "solve"]

ALPHA = 1.9  # over-relaxation
_CHUNK_VALUES = {"cpu": 1 << 16, "other": 1 << 20}  # games·2^n per chunk: fits a core's cache; fills a GPU


class GramInverse:
    """(G + shift)^{-1} for a batch of games, as matrix products on the two halves of the cube.

    Each half is rotated to its own Schur basis (2^{n/2} square); there G couples only pairs of multiplets of one
    (d1, d2), all by the same d1·d2 block, whose eigenvectors serve every game's own shift.
    """

    def __init__(self, n: int, like: torch.Tensor) -> None:
        self.halves = (n // 2, n - n // 2)
        rows = [[(d, where) for d, where in schur.multiplets(h).items()] for h in self.halves]
        def tensor(x):
            return torch.as_tensor(x).to(like.device, like.dtype)

        self.bases = [tensor(schur.schur_matrix(h)[_flat(r)]) for h, r in zip(self.halves, rows, strict=True)]
        self.blocks = []
        start1 = 0
        for d1, where1 in rows[0]:
            start2 = 0
            for d2, where2 in rows[1]:
                values, vectors = schur.eigen(n, (d1, d2), self.halves)
                self.blocks.append((slice(start1, start1 + where1.size), slice(start2, start2 + where2.size),
                                    d1, d2, tensor(values), tensor(vectors)))
                start2 += where2.size
            start1 += where1.size

    def __call__(self, rhs: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """``rhs`` (games, 2^n), ``shift`` (games,) → (G + shift)^{-1} rhs, entry ∅ exactly zero up to rounding."""
        games = rhs.shape[0]
        low, high = self.bases
        x = low @ rhs.view(games, low.shape[0], high.shape[0]) @ high.T
        for rows, columns, d1, d2, values, vectors in self.blocks:
            part = x[:, rows, columns]
            split = part.reshape(games, part.shape[1] // d1, d1, part.shape[2] // d2, d2).transpose(2, 3)
            y = split.reshape(games, -1, d1 * d2) @ vectors
            y = (y / (values + shift[:, None])[:, None]) @ vectors.T
            x[:, rows, columns] = y.reshape(split.shape).transpose(2, 3).reshape(part.shape)
        solved = (low.T @ x @ high).reshape(rhs.shape)
        solved[:, 0] = 0.0
        return solved


def _flat(rows: list) -> list[int]:
    return [int(i) for _, where in rows for i in where.ravel()]


def _clip(x: torch.Tensor, limit: torch.Tensor) -> torch.Tensor:
    return torch.minimum(torch.maximum(x, -limit), limit)


class _Chunk:
    """The state of one chunk of games."""

    def __init__(self, problem: Problem, inverse: GramInverse, exact: bool) -> None:
        self.p, self.inverse, self.exact = problem, inverse, exact
        v, bound = problem.v, problem.bound
        self.zero = torch.zeros_like(bound)
        least = adjoint(inverse(v, self.zero))
        theta = (least[0].abs().sum(-1) + least[1].abs().sum(-1)) / (2 * (v.shape[-1] - 1))
        self.limit = theta[:, None] * problem.weights * (2.0 if exact else 1.0)
        self.mu = (0.007 / bound.clamp_min(1e-9)).clamp(0.05, 1.0)[:, None]
        self.shift = self.zero if exact else self.mu[:, 0] ** -2
        self.box = self.mu * bound[:, None]
        self.w = [torch.zeros_like(v) for _ in range(3)]
        self.mean = [torch.zeros_like(v) for _ in range(3)]

    def step(self) -> None:
        w_and, w_or, w_e = self.w
        u_and, u_or, e = _clip(w_and, self.limit), _clip(w_or, self.limit), _clip(w_e, self.box)
        rhs = forward(w_and - 2 * u_and, w_or - 2 * u_or) - self.p.v
        if not self.exact:
            rhs += (2 * e - w_e) / self.mu
        dual = self.inverse(rhs, self.shift)
        g_and, g_or = adjoint(dual)
        w_and.sub_(u_and.add_(g_and), alpha=ALPHA)
        w_or.sub_(u_or.add_(g_or), alpha=ALPHA)
        if not self.exact:
            w_e.sub_(w_e - e + dual / self.mu, alpha=ALPHA)
        for total, w in zip(self.mean, self.w, strict=True):
            total.add_(w)

    def certify(self, window: int) -> tuple[torch.Tensor, ...]:
        """Feasible (and, or), the sparse (and, or) and λ from the average of the window, which is then cleared."""
        w_and, w_or, w_e = (total / window for total in self.mean)
        for total in self.mean:
            total.zero_()
        u_and, u_or, e = _clip(w_and, self.limit), _clip(w_or, self.limit), _clip(w_e, self.box)
        z_and, z_or = w_and - u_and, w_or - u_or
        drive = forward(u_and, u_or)
        x_and, x_or = z_and, z_or
        if not self.exact:
            drive += (w_e - e) / self.mu
            x_and, x_or = self._project(z_and, z_or, e / self.mu, self.shift)
        residual = self.p.v - forward(x_and, x_or)
        inside = _clip(residual, self.p.bound[:, None])
        x_and, x_or = self._project(x_and, x_or, inside, self.zero)
        return x_and, x_or, z_and, z_or, self.inverse(drive, self.shift)

    def _project(self, i_and: torch.Tensor, i_or: torch.Tensor, slack: torch.Tensor,
                 shift: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The smallest change of x (and, for shift > 0, of the slack) that fits v exactly."""
        missing = self.p.v - forward(i_and, i_or) - slack
        g_and, g_or = adjoint(self.inverse(missing, shift))
        return i_and + g_and, i_or + g_or


def _solve_chunk(problem: Problem, inverse: GramInverse, exact: bool) -> Solution:
    first, window = (50, 25) if exact else (100, 50)
    state, answer = _Chunk(problem, inverse, exact), Solution.zeros(problem.v)
    open_ = torch.ones(len(problem.v), dtype=torch.bool, device=problem.v.device)
    for iteration in range(window, problem.max_iterations + window, window):
        for _ in range(window):
            state.step()
        if iteration < first:
            for total in state.mean:
                total.zero_()
            continue
        found = state.certify(window)
        upper = weighted_l1(found[0], found[1], problem.weights)
        lower = lower_bound(problem.v, found[4], problem.bound, problem.weights)
        closed = upper - lower <= problem.tol * (1 - 1e-9) * upper
        last = iteration >= problem.max_iterations
        done = (open_ & (closed | last)).nonzero()[:, 0]
        count = torch.full((len(problem.v),), iteration, device=problem.v.device)
        answer.put(done, Solution(*(x[done] for x in found), iterations=count[done], broken=~open_[done]))
        open_[done] = False
        if not bool(open_.any()):
            break
    return answer


def solve(problem: Problem, exact: bool, tick: Callable[[int], None]) -> Solution:
    """Solve every game of ``problem``; ``exact`` says κ' = 0 for all of them; ``tick(games)`` reports progress."""
    v = problem.v
    values = _CHUNK_VALUES["cpu" if v.device.type == "cpu" else "other"]
    size = max(1, values // v.shape[-1])
    inverse, answer = GramInverse(problem.n, v), Solution.zeros(v)
    for start in range(0, len(v), size):
        games = torch.arange(start, min(start + size, len(v)), device=v.device)
        part = problem.take(games)
        short = size - len(games)
        padded = _pad(part, short)
        solved = _solve_chunk(padded, inverse, exact)
        answer.put(games, Solution(**{k: x[: len(games)] for k, x in vars(solved).items()}))
        tick(len(games))
    return answer


def _pad(problem: Problem, short: int) -> Problem:
    """``short`` zero games more; they are solved at once and keep the shapes of the matrix products fixed."""
    if not short:
        return problem
    v = torch.cat([problem.v, problem.v.new_zeros(short, problem.v.shape[-1])])
    return dataclasses.replace(problem, v=v, bound=torch.cat([problem.bound, problem.bound.new_ones(short)]))
