"""What each kind of work costs on this machine: measured (``reproduce plan --calibrate``), else as
it was on the machine where this was written."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ... import io, paths
from .work import Amounts, amounts

__all__ = ["BUILT_IN", "Prices", "known", "place", "save", "seconds"]


class Prices(NamedTuple):
    """work: seconds of one thread per unit of each kind of work (:func:`.work.amounts`); kinds: what
    remains of a kind of job, as a factor; machine: whose they are."""

    work: Mapping[str, float]
    kinds: Mapping[str, float]
    machine: Mapping[str, Any]

    def of(self, kind: str, work: Amounts) -> float:
        """Seconds of a job of that kind with so much work."""
        return self.kinds.get(kind, 1.0) * sum(
            self.work[name] * amount for name, amount in work.items() if name in self.work
        )


BUILT_IN = Prices(
    work={
        "jobs": 0.1,
        "conv_scored": 1.2e-11,
        "matmul_scored": 2e-11,
        "scored_moved": 1e-9,
        "scored_inputs": 1e-9,
        "scored_calls": 5e-6,
        "scored_games": 1e-3,
        "conv_trained": 2e-11,
        "matmul_trained": 3e-11,
        "trained_moved": 2e-9,
        "trained_weights": 1e-10,
        "trained_calls": 4e-5,
        "loaded": 1e-9,
        "saved": 1e-8,
        "split": 1.4e-3,
        "split_iid": 3e-3,
        "split_smooth": 3e-3,
        "split_additive": 1.4e-3,
        "split_size": 1.4e-3,
        "looped": 2e-3,
        "probed": 1e-9,
        "probe_weights": 2e-10,
        "probe_calls": 2e-4,
        "decomposed": 1e-10,
        "toy_steps": 1e-4,
    },
    kinds={},
    machine={},
)


def seconds(job: Any) -> float:
    """How long ``job`` takes with one thread, from nothing, on this machine's CPU: microseconds to
    say, some milliseconds at the first job of a network. It decides no output."""
    return known().of(job.kind, amounts(job))


def place() -> Path:
    """Where this machine's prices are kept: beside the finished jobs."""
    return paths.job_cache() / ".costs.json"


def known() -> Prices:
    """This machine's prices, or the built-in ones where none were measured."""
    path = place()
    try:
        return _read(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        return BUILT_IN


@functools.lru_cache(maxsize=4)
def _read(path: Path, _written: int) -> Prices:
    try:
        found = io.read_sealed(path)
        same = set(found["work"]) == set(BUILT_IN.work)
    except (io.DamagedFileError, KeyError, TypeError):
        return BUILT_IN
    return Prices(found["work"], found["kinds"], found["machine"]) if same else BUILT_IN


def save(prices: Prices) -> Path:
    """Keep this machine's prices."""
    path = place()
    path.parent.mkdir(parents=True, exist_ok=True)
    io.write_sealed(path, prices._asdict())
    return path
