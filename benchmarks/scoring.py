"""Masked scoring against the plain forward pass on inputs that are there already, in its best
layout and batch size."""

from __future__ import annotations

import copy
import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

from utils import extract
from utils.players import Players

from . import child, networks
from .harness import Competitor, Row, Settings, say, timed

__all__ = ["rows"]

_TARGET = 0.9  # of the plain pass, where every mask goes through the whole network
_SUMMED = {"mlp7": 1.2, "lenet": 1.2}  # where the first layer's answers are sums over players
_FLAT = 1.1  # peak of more masks over peak of fewer
_BATCHES = (32, 128, 512)


def rows(settings: Settings) -> Iterator[Row]:
    """Throughput of the four networks, each with its share of the plain pass; then peak memory over
    n."""
    n = settings.pick(10, 5)
    samples = settings.pick(
        {"mlp7": 16, "lenet": 16, "resnet20": 2, "vgg11": 2}, {"mlp7": 1, "lenet": 1}
    )
    for name, count in samples.items():
        yield from _network(name, count, n, settings)
    yield from _memory(settings)


def _network(name: str, samples: int, n: int, settings: Settings) -> Iterator[Row]:
    model, players = networks.untrained(name), networks.random_players(name, samples, n)
    with torch.inference_mode():
        ready = torch.cat([one.masked(torch.arange(1 << n)) for one in players])
    size = extract.micro_batch(model, ready[:1])
    plain, chosen = _best_plain(model, ready, {size, *settings.pick(_BATCHES, (32,))})
    found = timed(
        {
            "ours: scores": Competitor(lambda: extract.scores(model, players, 0)),
            "ours: scores, path auto": Competitor(
                lambda: extract.scores(model, players, 0, path="auto")
            ),
            "ours: masking alone": Competitor(lambda: _mask(players, size)),
            **{layout: Competitor(run) for layout, run in plain.items()},
        },
        settings.runs(3),
    )
    case = f"{name}, n = {n}, {samples} sample{'s' * (samples > 1)}"
    note = "random images and weights"
    for layout, timing in found.items():
        yield Row(
            "scoring",
            case,
            layout,
            "inputs/s",
            timing.rates(len(ready)),
            "higher",
            first_call=timing.first,
            note=f"{note}; batches of {chosen.get(layout, size)}",
        )
    best = [
        min(found[layout].seconds[k] for layout in plain)
        for k in range(len(found["ours: scores"].seconds))
    ]
    far = float(
        (extract.scores(model, players, 0, path="auto") - extract.scores(model, players, 0))
        .abs()
        .max()
    )
    floor = max(extract.noise_floor(model, one, 0) for one in players[:2]) / 2 ** (n / 2)
    for ours, words, target in (
        ("ours: scores", "share of the best plain pass", _TARGET),
        (
            "ours: scores, path auto",
            "share of the best plain pass, path auto",
            _SUMMED.get(name, _TARGET),
        ),
    ):
        spent = found[ours].seconds
        yield Row(
            "scoring",
            case,
            f"ours: {words}",
            "share",
            tuple(one / own for one, own in zip(best, spent, strict=True)),
            "higher",
            target=target,
            note="round by round, masking and log-odds included"
            + (f"; differs by {far:.1e}, rounding alone {floor:.1e}" if "auto" in ours else ""),
        )


def _mask(players: Sequence[Players], size: int) -> None:
    """Make the masked inputs and throw them away: the part of scoring that the plain pass is
    spared."""
    with torch.inference_mode():
        for one in players:
            for subsets in torch.arange(1 << one.n).split(size):
                one.masked(subsets)


def _plain(model: nn.Module, inputs: torch.Tensor, batch: int) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            for part in inputs.split(batch):
                model(part)

    return run


def _best_plain(
    model: nn.Module, ready: torch.Tensor, batches: set[int]
) -> tuple[dict[str, Callable[[], None]], dict[str, int]]:
    """For each layout the forward pass at its fastest batch size (tried once on a part), and that
    size."""
    layouts = {"plain forward, contiguous": (model, ready)}
    if any(isinstance(module, nn.Conv2d) for module in model.modules()):
        last = {"memory_format": torch.channels_last}
        layouts["plain forward, channels last"] = (
            copy.deepcopy(model).to(**last),
            ready.to(**last),
        )
    runs, chosen = {}, {}
    for layout, (network, inputs) in layouts.items():
        part = inputs[:512] if inputs[0].numel() > 1000 else inputs[:4096]
        spent = {
            batch: _seconds(_plain(network, part, batch))
            for batch in sorted(batches)
            if batch <= len(part)
        }
        chosen[layout] = min(spent, key=spent.get) if spent else max(batches)
        runs[layout] = _plain(network, inputs, chosen[layout])
    return runs, chosen


def _seconds(run: Callable[[], None]) -> float:
    run()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _memory(settings: Settings) -> Iterator[Row]:
    sizes = settings.pick((10, 12, 14), (6,))
    peaks: dict[int, list[float]] = {n: [] for n in sizes}
    for _, n in itertools.product(range(settings.runs(3)), sizes):
        say(f"  peak memory of scoring at n = {n}")
        peaks[n].append(child.measure("scores", n=n)["peak"] / 2**20)
    for n in sizes:
        yield Row(
            "scoring",
            f"lenet, 1 sample, n = {n}",
            "peak memory",
            "MiB",
            tuple(peaks[n]),
            target=None
            if n == sizes[0]
            else _FLAT * Row("", "", "", "", tuple(peaks[sizes[0]])).median,
            note=f"whole process; {8 << n:,} bytes of it are the answer",
        )
