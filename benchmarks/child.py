"""What must be measured in a process of its own: peak memory, and the first call with and without a
compiled cache.

``python -m benchmarks.child CASE '{"n": 10, …}'`` prints one line of JSON; :func:`measure` starts
it and reads that line.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import torch

from utils import extract, lattice, paths, provenance, runtime, sparsify

from . import networks

__all__ = ["measure", "peak_during"]


def measure(
    case: str, environment: dict[str, str] | None = None, here: bool = False, **arguments: Any
) -> dict[str, Any]:
    """Run ``case`` in a fresh Python with the same threads; its answer. RuntimeError with its last
    words if it fails.

    here: run it in this process instead, which the quick variant does: to start Python and torch
    costs seconds.
    """
    if here:
        return CASES[case](**arguments)
    answer = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", case, json.dumps(arguments)],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    if answer.returncode:
        raise RuntimeError(f"the measurement {case} {arguments} failed:\n{answer.stderr[-2000:]}")
    return json.loads(answer.stdout.splitlines()[-1])


def peak_during(run: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """``peak``: bytes at the peak; ``increase``: over what was held before ``run``; ``seconds``;
    and its result.

    Where the kernel allows it the peak of the past is forgotten first; where not, ``increase`` is
    an upper bound.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    before, start = psutil.Process().memory_info().rss, time.perf_counter()
    result = run()
    seconds = time.perf_counter() - start
    peak = provenance.peak_memory()
    return {"peak": peak, "increase": max(0, peak - before), "seconds": seconds}, result


def smooth_games(count: int, n: int) -> torch.Tensor:
    """Random games (count, 2^n) whose AND interactions shrink by half with every order."""
    noise = torch.randn(
        count, 1 << n, generator=torch.Generator().manual_seed(n), dtype=torch.float64
    )
    return lattice.zeta_((noise * 0.5 ** lattice.order(n)).contiguous())


def _scores(n: int, rows: int | None = None) -> dict[str, Any]:
    """Peak memory of scoring one image with LeNet on all 2^n masks."""
    model = networks.untrained("lenet")
    extract.scores(model, networks.random_players("lenet", 1, 6), 0, rows=rows)
    players = networks.random_players("lenet", 1, n)
    return peak_during(lambda: extract.scores(model, players, 0, rows=rows))[0]


def _split(n: int, games: int, kappa: float) -> dict[str, Any]:
    """Peak memory of splitting up to the first certificate, after the same at n = 6: code is not
    work space."""
    sparsify.split(smooth_games(games, 6), kappa=kappa, tol=1.0)
    v = smooth_games(games, n)
    return peak_during(lambda: sparsify.split(v, kappa=kappa, tol=1.0))[0]


def _first_call(n: int) -> dict[str, Any]:
    """Seconds of the first split of a process (with κ and without) and of the same again."""
    v = smooth_games(16, n)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        sparsify.split(v, tol=0.01)
        sparsify.split(v, kappa=0.0, tol=0.01)
        seconds.append(time.perf_counter() - start)
    return {"first": seconds[0], "again": seconds[1]}


def _large(n: int, probe: int, quick: bool) -> dict[str, Any]:
    """One image, trained LeNet, all 2^n masks → AND interactions; the cost is predicted from
    ``probe`` players first."""
    run = networks.trained("lenet", quick)
    model = run.model(run.steps[-1])
    small, label = networks.players_of("lenet", quick, 1, probe)
    idle = psutil.Process().memory_info().rss
    work, _ = peak_during(lambda: extract.scores(model, small, label))
    again, _ = peak_during(lambda: _end_to_end(model, small, label))
    # The micro-batch has the same size for every n; the scores, the transform's own copy and its
    # slabs come on top.
    predicted = {
        "seconds": again["seconds"] * (1 << (n - probe)),
        "increase": work["peak"] - idle + 3 * (8 << n),
    }
    print(
        f"n = {n}: {1 << n:,} masked inputs, predicted "
        f"{runtime.human_time(predicted['seconds'])} and "
        f"{runtime.human_bytes(predicted['increase'])}",
        file=sys.stderr,
        flush=True,
    )
    players, label = networks.players_of("lenet", quick, 1, n)
    measured, (v, found) = peak_during(lambda: _end_to_end(model, players, label))
    error = (lattice.zeta_(found.clone()) - v).abs().max() / v.abs().max()
    measured["increase"] = (
        measured["peak"] - idle
    )  # what the trial took may not have gone back to the system
    return {"predicted": predicted, "measured": measured, "error": float(error)}


def _end_to_end(
    model: torch.nn.Module, players: list, label: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    v = extract.scores(model, players, label)
    return v, lattice.and_interactions(v)


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    "scores": _scores,
    "split": _split,
    "first_call": _first_call,
    "large": _large,
}


if __name__ == "__main__":
    runtime.set_threads()
    print(json.dumps(CASES[sys.argv[1]](**json.loads(sys.argv[2]))))
