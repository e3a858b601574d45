"""The size of a job in numbers: players, games, checkpoints, steps, operations of a forward pass.

Read from specifications alone, so that finished jobs of an older code count too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from .. import datasets, models
from .records import Spec

__all__ = ["NAMES", "entries", "sizes", "uncounted"]

NAMES = ("one", "masks", "forward", "lattice", "steps", "training")
"""What seconds are a sum of: a start; masked inputs; their floating-point operations; entries of
the games' lattices times n; training steps; their operations."""


def sizes(spec: Spec, among: Mapping[str, Spec]) -> np.ndarray:
    """The numbers ``NAMES`` of a job, all 0 or more; ``among``: jobs that it needs, by digest."""
    values = _Fields(spec, among)
    masks, n = entries(spec, among), values.number("n", 10)
    layers = len(values.first("layers") or (0,))
    flops = _operations(values.training()) or 0.0
    steps, batch = values.number("steps", 0), values.number("batch", 1)
    return np.array(
        [
            1.0,
            masks * layers / 1e6,
            masks * flops / 1e9,
            masks * n / 1e6,
            steps * layers / 1e3,
            3 * steps * batch * flops / 1e9,
        ]
    )


def entries(spec: Spec, among: Mapping[str, Spec]) -> float:
    """Masked inputs of a job: checkpoints times samples times draws times 2^n."""
    values = _Fields(spec, among)
    images = values.number("images", 0) or values.number("per_class", 1) * 10
    times = math.prod(float(spec["fields"].get(name) or 1) for name in ("draws", "copies"))
    return images * values.number("checkpoints", 1) * times * 2.0 ** values.number("n", 10)


def uncounted(spec: Spec, among: Mapping[str, Spec]) -> str | None:
    """The network and data set of a job whose forward pass could not be counted, so that its
    predicted seconds are too few; None where it was, or where the job is about no network."""
    training = _Fields(spec, among).training()
    if training is None or _operations(training) is not None:
        return None
    return f"{training[0]} on {training[2]}"


class _Fields:
    """The fields of a job and of those it needs, the nearest first."""

    def __init__(self, spec: Spec, among: Mapping[str, Spec]) -> None:
        self.levels = list(_levels(spec, among))

    def first(self, name: str) -> Any:
        return next((one[name] for one in self.levels if one.get(name) is not None), None)

    def number(self, name: str, default: float) -> float:
        """A number, or the length of a list."""
        found = self.first(name)
        if isinstance(found, list | tuple):
            return float(len(found))
        return default if found is None else float(found)

    def training(self) -> tuple[str, int | None, str] | None:
        """Network, width and data set that it is about; None of a value table."""
        one = next((one for one in self.levels if "model" in one and "dataset" in one), None)
        return None if one is None else (str(one["model"]), one["width"], str(one["dataset"]))


def _levels(spec: Spec, among: Mapping[str, Spec]) -> Iterator[dict[str, Any]]:
    waiting: list[Any] = [spec["fields"]]
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, dict):
            if "job" in one and one.get("digest") in among:
                waiting.append(among[one["digest"]]["fields"])
                continue
            yield one
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one[:1]  # further ones are of the same size


@functools.cache
def _operations(training: tuple[str, int | None, str] | None) -> float | None:
    """Floating-point operations of one sample's forward pass, at least two per parameter; 0 where
    there is no network, None where its data set or weights are not on this machine."""
    if training is None:
        return 0.0
    model, width, name = training
    try:
        data = datasets.find(name)
        spec = models.InputSpec(tuple(data.shape), len(data.classes), len(data.about.vocabulary))
        network = models.build(model, spec, width).eval()
        dtype = torch.int64 if data.kind == "text" else torch.float32
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            network(torch.zeros(1, *data.shape, dtype=dtype))
        return float(
            max(counter.get_total_flops(), 2 * sum(p.numel() for p in network.parameters()))
        )
    except (ValueError, OSError, ImportError, datasets.MissingData):
        return None
