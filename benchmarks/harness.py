"""How a number is taken: warm-up first, then all competitors in turn, A B C A B C …, and every run
is kept."""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

__all__ = ["Competitor", "Row", "Settings", "Timing", "say", "timed"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How much to measure. quick: tiny sizes and one run, to see that everything works; its numbers
    mean nothing."""

    quick: bool = False
    repeats: int = 5

    def pick(self, full: T, quick: T) -> T:
        """``full``, or ``quick`` in the quick variant."""
        return quick if self.quick else full

    def runs(self, most: int) -> int:
        """Runs of something slow: at most ``most``."""
        return min(self.repeats, most)


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table: what one competitor gave in one case, run by run.

    values: one per run, in ``unit``; better: which way is good; target: the bound asked for, None
    where nothing was; holds: what must be true besides for the target to count as met (such as: all
    games certified); first_call: seconds of the warm-up call, compilation included; note: what the
    reader must know to compare.
    """

    family: str
    case: str
    competitor: str
    unit: str
    values: tuple[float, ...]
    better: Literal["lower", "higher"] = "lower"
    target: float | None = None
    holds: bool = True
    first_call: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The middle run."""
        return statistics.median(self.values)

    @property
    def met(self) -> str:
        """``yes``, ``no``, or nothing where there is no target."""
        if self.target is None:
            return ""
        reached = (
            self.median <= self.target if self.better == "lower" else self.median >= self.target
        )
        return "yes" if reached and self.holds else "no"


@dataclasses.dataclass(frozen=True)
class Competitor:
    """Something to be timed: ``run`` in every round; ``warm`` once before, where a whole run would
    be too long."""

    run: Callable[[], Any]
    warm: Callable[[], Any] | None = None


@dataclasses.dataclass(frozen=True)
class Timing:
    """Seconds of the warm-up and of every run, and what the last run returned."""

    first: float
    seconds: tuple[float, ...]
    result: Any

    def rates(self, count: int) -> tuple[float, ...]:
        """``count`` things per run as things per second."""
        return tuple(count / seconds for seconds in self.seconds)

    def per(self, count: int, scale: float = 1.0) -> tuple[float, ...]:
        """Seconds (times ``scale``) for one of ``count`` things."""
        return tuple(scale * seconds / count for seconds in self.seconds)


def timed(competitors: Mapping[str, Competitor], repeats: int) -> dict[str, Timing]:
    """Warm each up, then run all in turn ``repeats`` times, so that a slow minute of the machine
    hits all alike."""
    first = {name: _clock(each.warm or each.run)[0] for name, each in competitors.items()}
    seconds: dict[str, list[float]] = {name: [] for name in competitors}
    results: dict[str, Any] = {}
    for _ in range(repeats):
        for name, each in competitors.items():
            spent, results[name] = _clock(each.run)
            seconds[name].append(spent)
    return {name: Timing(first[name], tuple(seconds[name]), results[name]) for name in competitors}


def _clock(run: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def say(text: str) -> None:
    """Progress, on stderr: the table alone goes to stdout."""
    print(text, file=sys.stderr, flush=True)
