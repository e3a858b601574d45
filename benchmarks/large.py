"""n = 20: a million masked inputs of one image, end to end, with the cost predicted before it is
paid."""

from __future__ import annotations

from collections.abc import Iterator

from utils import runtime

from . import child, networks
from .harness import Row, Settings, say

__all__ = ["rows"]


def rows(settings: Settings) -> Iterator[Row]:
    """Scores and AND interactions of one image for the trained LeNet, in a process of its own."""
    n, probe = settings.pick((20, 13), (9, 7))
    networks.trained("lenet", settings.quick)  # so that the other process finds it in the job cache
    found = [
        child.measure("large", here=settings.quick, n=n, probe=probe, quick=settings.quick)
        for _ in range(settings.runs(1))
    ]
    say(
        f"  predicted {runtime.human_time(found[0]['predicted']['seconds'])} and "
        f"{runtime.human_bytes(found[0]['predicted']['increase'])}"
    )
    case = f"lenet, 1 sample, n = {n}"
    seconds = tuple(one["measured"]["seconds"] for one in found)
    told = (
        f"predicted {found[0]['predicted']['seconds']:.3g} s from n = {probe}; largest |v - Σ I| "
        "/ max |v| = "
        f"{max(one['error'] for one in found):.0e}"
    )
    yield Row("large", case, "ours: scores + and_interactions", "s", seconds, note=told)
    yield Row(
        "large",
        case,
        "ours: masked inputs",
        "inputs/s",
        tuple((1 << n) / s for s in seconds),
        "higher",
    )
    for kind, note in (
        (
            "increase",
            f"over the idle process; predicted {found[0]['predicted']['increase'] / 2**20:.0f} MiB",
        ),
        ("peak", "whole process"),
    ):
        yield Row(
            "large",
            case,
            f"peak memory, {kind}" if kind == "increase" else "peak memory",
            "MiB",
            tuple(one["measured"][kind] / 2**20 for one in found),
            note=note,
        )
