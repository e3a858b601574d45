"""The certified split on games of trained networks: speed, share certified, memory, first call."""

from __future__ import annotations

import dataclasses
import tempfile
import warnings
from collections.abc import Iterator
from functools import partial

import torch

from utils import sparsify

from . import child, networks
from .harness import Competitor, Row, Settings, say, timed

__all__ = ["rows"]


@dataclasses.dataclass(frozen=True)
class Case:
    """One line of the targets: games/s at a gap, and the share of games that must be certified for
    it to count."""

    n: int
    games: int
    kappa: float
    order_weight: float
    tol: float
    target: float
    certified: float = 0.95
    torch_games: int = (
        0  # the torch backend takes part with the first so many of the games; 0: not at all
    )
    runs: int = 5


# Enough games to keep sixteen lanes on each core filled while the slowest finish, as in a
# notebook's jobs.
CASES = (
    Case(10, 1024, 0.04, 0.0, 1e-2, 1000.0, 1.0, torch_games=64, runs=3),
    Case(10, 512, 0.04, 0.2, 1e-3, 150.0, 1.0, torch_games=64, runs=3),
    Case(12, 192, 0.04, 0.0, 1e-2, 100.0, torch_games=16, runs=3),
    Case(12, 96, 0.04, 0.2, 1e-3, 15.0, torch_games=16, runs=2),
    Case(14, 96, 0.04, 0.0, 1e-2, 5.0, runs=3),
    Case(16, 1, 0.0, 0.0, 1e-2, 1 / 30, 1.0, runs=3),
)
QUICK = (Case(5, 4, 0.04, 0.0, 1e-2, 1000.0, 1.0, torch_games=2), Case(6, 2, 0.0, 0.2, 1e-3, 150.0))


def rows(settings: Settings) -> Iterator[Row]:
    """Games per second at the asked gap, then first calls, then memory."""
    for case in settings.pick(CASES, QUICK):
        say(f"  {case}")
        yield from _speed(case, settings)
    yield from _first_call(settings)
    yield from _memory(settings)


def _speed(case: Case, settings: Settings) -> Iterator[Row]:
    v = networks.trained_games(case.n, case.games, settings.quick)
    options = {"kappa": case.kappa, "order_weight": case.order_weight, "tol": case.tol}
    # Two games and two windows warm up whatever is compiled; a whole run of the slowest cases would
    # cost minutes.
    competitors = {
        "ours": Competitor(
            partial(_split, v, **options),
            partial(_split, v[:2], **options, max_iterations=200),
        )
    }
    if case.torch_games:
        part = v[: case.torch_games]
        competitors["ours, backend torch"] = Competitor(
            partial(_split, part, **options, backend="torch"),
            partial(_split, part[:2], **options, backend="torch", max_iterations=200),
        )
    label = (
        f"n = {case.n}, κ = {case.kappa:g}, ε = {case.order_weight:g}, gap ≤ "
        f"{case.tol:.1%}, {_count(case.games)}"
    )
    for name, timing in timed(competitors, settings.runs(case.runs)).items():
        found, ours = timing.result, name == "ours"
        share = float(found.converged.double().mean())
        iterations = torch.quantile(
            found.iterations.double(), torch.tensor([0.5, 0.95], dtype=torch.float64)
        ).tolist()
        yield Row(
            "split",
            label,
            name,
            "games/s",
            timing.rates(len(found.gap)),
            "higher",
            target=case.target if ours else None,
            holds=share >= case.certified,
            first_call=timing.first,
            note=f"{share:.1%} certified (asked {case.certified:.0%}), worst gap "
            f"{float(found.gap.max()):.2%}, "
            f"iterations median {iterations[0]:.0f}, 95 % {iterations[1]:.0f}, "
            f"{int(found.float64_games.sum())} fell to float64"
            + ("" if ours else f"; the first {len(found.gap)} games"),
        )


def _split(v: torch.Tensor, **options: object) -> sparsify.Split:
    """Without the warning of games above ``tol``: a warm-up stops early, and a row has its share
    certified in the note."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*were not certified", RuntimeWarning)
        return sparsify.split(v, **options)


def _count(games: int) -> str:
    return f"{games} game{'s' * (games > 1)}"


def _first_call(settings: Settings) -> Iterator[Row]:
    """A fresh process's first splits: with the compiled cache as it is, and (not in the quick
    variant) with none."""
    n = settings.pick(10, 4)
    found = [child.measure("first_call", here=settings.quick, n=n) for _ in range(settings.runs(2))]
    again = f"the same again {1e3 * found[0]['again']:.0f} ms"
    case = f"n = {n}, κ = 0.04 and 0, 16 games"
    yield Row(
        "split",
        case,
        "ours, first call of a process",
        "s",
        tuple(one["first"] for one in found),
        note=again,
    )
    if not settings.quick:
        with tempfile.TemporaryDirectory() as folder:
            cold = child.measure("first_call", {"NUMBA_CACHE_DIR": folder}, n=n)
        yield Row(
            "split",
            case,
            "ours, first call ever (compiles)",
            "s",
            (cold["first"],),
            note="empty compiled cache",
        )


def _memory(settings: Settings) -> Iterator[Row]:
    """Peak memory at n and n + 2: four times the values, so at most about four times the memory."""
    for games, kappa, sizes in settings.pick(
        [(4, 0.04, (12, 14)), (1, 0.0, (16, 18))], [(2, 0.04, (6, 8))]
    ):
        peaks = [
            child.measure("split", here=settings.quick, n=n, games=games, kappa=kappa)["increase"]
            / 2**20
            for n in sizes
        ]
        for n, peak in zip(sizes, peaks, strict=True):
            yield Row(
                "split",
                f"n = {n}, κ = {kappa:g}, {_count(games)}",
                "ours, peak memory",
                "MiB",
                (peak,),
                note=f"over the idle process; a game is {8 * 2**n / 2**20:.2g} MiB; smooth "
                "random games",
            )
        growth = peaks[1] / max(peaks[0], 4096 / 2**20)  # memory is counted in pages
        yield Row(
            "split",
            f"n = {sizes[0]} → {sizes[1]}, κ = {kappa:g}",
            "ours, growth of peak memory",
            "×",
            (growth,),
            target=5.0,
            note="O(2^n) is 4",
        )
