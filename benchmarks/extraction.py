"""End to end, per sample and network: scores on all masks, then the certified split with its
defaults."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import torch

from utils import extract, sparsify

from . import networks
from .harness import Competitor, Row, Settings, timed

__all__ = ["rows"]


def rows(settings: Settings) -> Iterator[Row]:
    """Seconds per sample, and how they divide between scoring and splitting."""
    n = settings.pick(10, 5)
    samples = settings.pick(
        {"mlp7": 32, "lenet": 32, "resnet20": 2, "vgg11": 1}, {"mlp7": 2, "lenet": 2}
    )
    found = timed(
        {
            name: Competitor(_extraction(name, count, n, settings.quick))
            for name, count in samples.items()
        },
        settings.runs(3),
    )
    for name, timing in found.items():
        scoring, splitting, certified = timing.result
        kind = "trained, MNIST images" if name in networks.NETWORKS else "random weights and images"
        count = samples[name]
        case = f"{name}, n = {n}, {count} sample{'s' * (count > 1)}"
        yield Row(
            "extraction",
            case,
            "ours: scores + split",
            "s/sample",
            timing.per(count),
            first_call=timing.first,
            note=f"{kind}; last run: scores {scoring:.3g} s, split {splitting:.3g} s, "
            f"{certified:.0%} certified",
        )


def _extraction(
    name: str, count: int, n: int, quick: bool
) -> Callable[[], tuple[float, float, float]]:
    if name in networks.NETWORKS:
        run = networks.trained(name, quick)
        model = run.model(run.steps[-1])
        players, labels = networks.players_of(name, quick, count, n)
    else:
        model, players = networks.untrained(name), networks.random_players(name, count, n)
        labels = torch.zeros(count, dtype=torch.int64)

    def extraction() -> tuple[float, float, float]:
        start = time.perf_counter()
        v = extract.scores(model, players, labels)
        middle = time.perf_counter()
        found = sparsify.split(v)
        return middle - start, time.perf_counter() - middle, float(found.converged.double().mean())

    return extraction
