"""What an explanation will take, scoring and split together, before the first mask is scored."""

from __future__ import annotations

import dataclasses
import time
import warnings

import torch
from torch import nn

from .. import runtime, sparsify
from ..players import Players
from ..sparsify import certified
from .scores import Cost, predict

__all__ = ["ExplanationCost", "expected", "require_room"]

_MEASURED, _TYPICAL = 32, 2000
"""Iterations of the split that are timed, and those that it is taken to need: real networks at
n = 14 took 1,100 and 1,600 in the median, at a gap of 1 %; smooth ones take fewer, noise more."""


@dataclasses.dataclass(frozen=True)
class ExplanationCost:
    """Of one sample: ``scoring`` its masks, then the split, ``split_seconds`` if it takes a usual
    number of iterations, and ``split_bytes`` at its peak."""

    scoring: Cost
    split_seconds: float
    split_bytes: int

    def __str__(self) -> str:
        return (
            f"{self.scoring}; then the split: about {runtime.human_time(self.split_seconds)} (more "
            f"where the strength is spread), {runtime.human_bytes(self.split_bytes)}"
        )


def require_room(n: int, device: torch.device) -> None:
    """MemoryError, naming the largest n that fits, where the scores of one sample on 2^n masks and
    their split cannot be held."""
    free = runtime.available_memory(device)
    most = max((k for k in range(1, n) if _bytes(k, device) <= free), default=0)
    runtime.require_memory(
        _bytes(n, device),
        f"an explanation of n = {n} players, 2^{n} masks scored and split,",
        device=device,
        hint=f"n = {most} players fit",
    )


def _bytes(n: int, device: torch.device) -> int:
    return (8 << n) + certified.memory_needed(1, 1 << n, device.type)


def expected(
    model: nn.Module,
    players: Players,
    *,
    kappa: float,
    order_weight: float,
    device: torch.device,
) -> ExplanationCost:
    """Measured: one micro-batch of the network, and a few iterations of the split on a game of
    independent noise. MemoryError as :func:`require_room`."""
    require_room(players.n, device)
    scoring = predict(model, [players], device=device)
    noise = torch.randn(1, 1 << players.n, generator=torch.Generator().manual_seed(0))
    seconds = 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # so few iterations certify nothing
        for iterations in (1, _MEASURED):  # one to warm up
            start = time.perf_counter()
            sparsify.split(
                noise.double().to(device),
                kappa=kappa,
                order_weight=order_weight,
                max_iterations=iterations,
            )
            seconds = time.perf_counter() - start
    return ExplanationCost(
        scoring,
        seconds * _TYPICAL / _MEASURED,
        certified.memory_needed(1, 1 << players.n, device.type),
    )
