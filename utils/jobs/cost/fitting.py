"""Prices fitted to jobs whose seconds are known, and how wrong they are on others.

Seconds are sums over kinds of work, errors are ratios: so the logarithm of the sum is fitted, over
the logarithms of the prices. What the jobs say nothing about stays where it was, for a gentle pull
leads back to the prices that the fit starts from, all of them scaled to this machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares

from .prices import Prices
from .work import Amounts

__all__ = ["Errors", "Timed", "errors", "fitted"]

_PULL = 0.3
"""Of a price towards its start, in units of one job's error of a factor e."""
_PULL_KIND = 1.0
_BRIEF = 0.2
"""Seconds below which a job's time is half chance: it counts less."""


class Timed(NamedTuple):
    """A job that was timed: its kind, its work, its seconds."""

    kind: str
    work: Amounts
    seconds: float


class Errors(NamedTuple):
    """Predicted against measured seconds of ``jobs``: the median factor between them, the worst
    one, and predicted over measured of the sum."""

    jobs: int
    median: float
    worst: float
    total: float

    def __str__(self) -> str:
        return (
            f"{self.jobs} jobs, off by a factor of {self.median:.2f} (median) and "
            f"{self.worst:.1f} (worst); their sum is {self.total:.2f} of the measured"
        )


def errors(prices: Prices, timed: Sequence[Timed]) -> Errors:
    """How far ``prices`` are from what ``timed`` jobs took; ValueError for none."""
    if not timed:
        raise ValueError("no timed job to compare with")
    predicted = np.array([prices.of(one.kind, one.work) for one in timed])
    measured = np.array([one.seconds for one in timed])
    factors = np.exp(np.abs(np.log(predicted / measured)))
    total = float(predicted.sum() / measured.sum())
    return Errors(len(timed), float(np.median(factors)), float(factors.max()), total)


def fitted(start: Prices, timed: Sequence[Timed]) -> Prices:
    """``start`` moved to what ``timed`` jobs took."""
    if not timed:
        return start
    names, kinds = list(start.work), sorted({one.kind for one in timed})
    work = np.array([[one.work.get(name, 0.0) for name in names] for one in timed])
    of_kind = np.array([[one.kind == kind for kind in kinds] for one in timed], dtype=float)
    seconds = np.array([one.seconds for one in timed])
    count = Counter(one.kind for one in timed)
    # Many jobs of a kind tell little more than some of them; brief ones tell least.
    weight = np.array([count[one.kind] ** -0.25 for one in timed]) * seconds / (seconds + _BRIEF)
    prices = np.array([start.work[name] for name in names])
    factors = np.array([start.kinds.get(kind, 1.0) for kind in kinds])
    guess = work @ prices * (of_kind @ factors)
    scale = float(np.exp(np.median(np.log(seconds / guess))))
    logs = np.log(prices * scale)

    def off(moved: np.ndarray) -> np.ndarray:
        ours, theirs = moved[: len(names)], moved[len(names) :]
        found = np.log(work @ np.exp(logs + ours)) + of_kind @ (np.log(factors) + theirs)
        pulls = (_PULL * ours, _PULL_KIND * theirs)
        return np.concatenate([weight * (found - np.log(seconds)), *pulls])

    got = least_squares(off, np.zeros(len(names) + len(kinds)), loss="soft_l1", f_scale=0.5).x
    return start._replace(
        work=dict(zip(names, np.exp(logs + got[: len(names)]).tolist(), strict=True)),
        kinds={
            **start.kinds,
            **dict(
                zip(kinds, (factors * np.exp(got[len(names) :])).tolist(), strict=True)
            ),
        },
    )
