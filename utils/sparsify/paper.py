"""The published sparsifier: full-batch subgradient descent with momentum, on our fast transforms.

The public code of the lab learns p and q (our γ and -δ) by SGD on dense 2^n x 2^n matrices, in
float32. This is the same loop with the same fixed schedule, in float64 and O(n 2^n) a step; its
subgradient is the sign of the interactions sent back through the transposed transforms, so no
automatic differentiation is needed. Kept as published: p = q = 0 at the start, q clipped at the
*start* of an iteration (so the last step may leave the bound), δ_∅ free, order 0 counted in the
loss, the last iterate returned, no stopping test. Not kept: at the end the answer is made feasible
(δ_∅ = 0, |δ_T| ≤ κ').

The loop has no notion of scale: multiplying v by c acts as dividing the learning rate by c.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from .. import lattice

__all__ = ["PaperSettings", "chunk_size", "solve_paper"]


@dataclasses.dataclass(frozen=True)
class PaperSettings:
    """The published hyper-parameters; ``preset`` names the ones found in the code and its README.

    learning_rate: 1e-5 in the image code, 1e-4 for tables, 1e-6 in the README's text. iterations:
    10,000 (20,000 for language models). The rate falls log-spaced to learning_rate·final_ratio.
    """

    learning_rate: float = 1e-5
    iterations: int = 10_000
    momentum: float = 0.9
    final_ratio: float = 0.1

    def __post_init__(self) -> None:
        if not (
            self.learning_rate > 0
            and self.iterations >= 1
            and 0 <= self.momentum < 1
            and self.final_ratio > 0
        ):
            raise ValueError(
                "PaperSettings needs learning_rate > 0, iterations >= 1, 0 <= momentum < 1 and "
                f"final_ratio > 0, got {self}"
            )

    @classmethod
    def preset(cls, name: str) -> PaperSettings:
        """``image`` (the default), ``tabular``, ``language`` or ``patient`` (lr 1e-6, 50,000 steps:
        its best)."""
        presets = {
            "image": cls(),
            "tabular": cls(learning_rate=1e-4),
            "language": cls(iterations=20_000),
            "patient": cls(learning_rate=1e-6, iterations=50_000),
        }
        if name not in presets:
            raise ValueError(
                f"no PaperSettings preset {name!r}: choose one of {', '.join(presets)}"
            )
        return presets[name]

    def rates(self) -> list[float]:
        """The learning rate of every iteration."""
        start = np.log10(self.learning_rate)
        return np.logspace(start, start + np.log10(self.final_ratio), self.iterations).tolist()


class PaperSolution(NamedTuple):
    """Interactions (games, 2^n) of the last iterate as published (raw) and after the projection
    (feasible)."""

    i_and: torch.Tensor
    i_or: torch.Tensor
    raw_and: torch.Tensor
    raw_or: torch.Tensor


def _interactions(
    v: torch.Tensor, p: torch.Tensor, q: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """AND and OR interactions of v_and = ½(v+q)+p, v_or = ½(v+q)-p; the lab's code keeps v_or(∅) as
    OR order 0."""
    half = 0.5 * (v + q)
    v_or = half - p
    i_or = lattice.mobius_(v_or.flip(-1)).neg_()
    i_or[:, 0] = v_or[:, 0]
    return lattice.mobius_(half + p), i_or


def _subgradient(i_and: torch.Tensor, i_or: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Of Σ_S |I_and(S)| + |I_or(S)|, order 0 included, with respect to p and q."""
    g_and = lattice.mobius_(i_and.sign().flip(-1)).flip(-1)
    sign = i_or.sign()
    bias = sign[:, 0].clone()
    sign[:, 0] = 0.0
    g_or = lattice.mobius_(sign.flip(-1)).neg_()
    g_or[:, 0] += bias
    return g_and - g_or, 0.5 * (g_and + g_or)


def solve_paper(
    v: torch.Tensor, bound: torch.Tensor, settings: PaperSettings, tick: Callable[[int], object]
) -> PaperSolution:
    """Run the loop on games ``v`` (games, 2^n) with v(∅) = 0 and δ bounded by ``bound`` (games,),
    unscaled.

    In fixed chunks, the last one padded with zero games: rounding then depends on no neighbour,
    which matters here, because the loop amplifies it. ``tick(steps)`` is told the iterations done,
    of ``settings.iterations`` per chunk.
    """
    size = chunk_size(v)
    parts = []
    for start in range(0, len(v), size):
        games, limit = v[start : start + size], bound[start : start + size]
        short = size - len(games)
        padded = torch.cat([games, games.new_zeros(short, v.shape[-1])])
        found = _descend(
            padded, torch.cat([limit, limit.new_zeros(short)])[:, None], settings, tick
        )
        parts.append([x[: len(games)] for x in found])
    if not parts:
        return PaperSolution(*(torch.zeros_like(v) for _ in range(4)))
    return PaperSolution(*(torch.cat(x) for x in zip(*parts, strict=True)))


def chunk_size(v: torch.Tensor) -> int:
    """Games that go through the loop together: by the device and n alone."""
    games, values = (64, 1 << 16) if v.device.type == "cpu" else (1024, 1 << 22)
    return max(1, min(games, values // v.shape[-1]))


def _descend(
    v: torch.Tensor, limit: torch.Tensor, settings: PaperSettings, tick: Callable[[int], object]
) -> tuple[torch.Tensor, ...]:
    p, q, push_p, push_q = (torch.zeros_like(v) for _ in range(4))
    for rate in settings.rates():
        q = torch.minimum(torch.maximum(q, -limit), limit)
        g_p, g_q = _subgradient(*_interactions(v, p, q))
        push_p.mul_(settings.momentum).add_(g_p)
        push_q.mul_(settings.momentum).add_(g_q)
        p = p - rate * push_p
        q = q - rate * push_q
        tick(1)
    raw = _interactions(v, p, q)
    q = torch.minimum(torch.maximum(q, -limit), limit)
    q[:, 0] = 0.0
    return (*_interactions(v, p, q), *raw)
