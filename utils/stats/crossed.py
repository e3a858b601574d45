"""Intervals when *networks* and *units* (images, pairs of images, classes) are both a sample: 6.4
of the protocol.

Every network sees the same units, so a statistic of S networks and X units varies for two reasons:
other networks, and other units. The variance of the average over networks is A + B: A from the
spread of the networks' values, B from the jackknife over units, and the degrees of freedom follow
Satterthwaite. Selections (a turning point, a threshold) are held fixed while units are left out;
see :mod:`utils.stats.selection`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import special

from .basic import Floats, Interval

__all__ = ["Crossed", "crossed", "leave_one_out", "pseudo_values", "unit_means"]


@dataclass(frozen=True)
class Crossed:
    """An estimate over networks and units: its variance is ``networks`` + ``units`` on ``df``
    degrees of freedom.

    n networks entered, ``dropped`` had no value; ``n_units`` units (0: the networks alone are the
    sample). A variance that cannot be had (one network, an undefined leave-one-out) is infinite:
    nothing is concluded from it.
    """

    estimate: float
    networks: float
    units: float
    df: float
    n: int
    n_units: int
    dropped: int

    @property
    def error(self) -> float:
        """Standard error of the estimate."""
        return math.sqrt(self.networks + self.units)

    def interval(self, level: float = 0.95) -> Interval:
        """The two-sided t interval; the point itself where nothing varies, the whole line where
        nothing is known."""
        what = "t over networks" + (" and units" if self.n_units else "")
        if self.error == 0:
            half = 0.0
        elif not math.isfinite(self.error):
            half = math.inf
        else:
            half = float(special.stdtrit(self.df, 0.5 + level / 2)) * self.error
        return Interval(
            self.estimate,
            self.estimate - half,
            self.estimate + half,
            level,
            self.n,
            what,
            self.dropped,
        )

    def p_above(self, bound: float, inclusive: bool = False) -> float:
        """One-sided p of the hypothesis 'at or below ``bound``': small where the estimate lies well
        above it."""
        if self.error == 0:
            return float(not (self.estimate > bound or (inclusive and self.estimate == bound)))
        if not math.isfinite(self.error):
            return 1.0
        return float(special.stdtr(self.df, (bound - self.estimate) / self.error))

    def p_below(self, bound: float, inclusive: bool = False) -> float:
        """One-sided p of the hypothesis 'at or above ``bound``': small where the estimate lies well
        below it."""
        mirrored = Crossed(
            -self.estimate, self.networks, self.units, self.df, self.n, self.n_units, self.dropped
        )
        return mirrored.p_above(-bound, inclusive)


def crossed(
    values: ArrayLike,
    without: ArrayLike | None = None,
    *,
    unit_variance: float | None = None,
    n_units: int | None = None,
    given: bool = False,
) -> Crossed:
    """The average of ``values`` (S,), one per network, with its variance over networks and units.

    without (S, X): the same statistic of each network with unit x left out; B = (X-1)/X Σ_x (θ_(-x)
    - mean)² of their averages over networks. unit_variance, n_units: B and X had otherwise (a
    bootstrap over units, for medians). Neither: the networks are the only sample. A network whose
    value is NaN is dropped and counted. given: a network that others trained is no sample of
    networks; A is left out and the answer speaks for this network alone.

    Raises ValueError for other shapes, infinite values, or no value at all.
    """
    every = np.asarray(values, dtype=np.float64)
    if every.ndim != 1 or np.isinf(every).any():
        raise ValueError(f"one finite value (or NaN) per network is needed, got {every.tolist()}")
    kept = ~np.isnan(every)
    x = every[kept]
    count, dropped = len(x), int((~kept).sum())
    if not count:
        raise ValueError(f"no value is left of {len(every)} (all are NaN)")
    same = np.ptp(x) == 0
    estimate = float(x[0]) if same else float(x.mean())
    a = (
        0.0
        if given or (same and count > 1)
        else math.inf
        if count == 1
        else float(x.var(ddof=1) / count)
    )
    b, units = 0.0, 0
    if without is not None:
        replicates = np.asarray(without, dtype=np.float64)
        if replicates.ndim != 2 or len(replicates) != len(every):
            raise ValueError(
                f"without= must be (networks, units), {len(every)} networks, got shape "
                f"{replicates.shape}"
            )
        mean = replicates[kept].mean(axis=0)
        units = len(mean)
        b = _jackknife_variance(mean)
    elif unit_variance is not None:
        if n_units is None or not unit_variance >= 0:
            raise ValueError("a unit_variance= (0 or more) comes with n_units=")
        b, units = float(unit_variance), n_units
    return Crossed(estimate, a, b, _satterthwaite(a, count, b, units), count, units, dropped)


def _jackknife_variance(replicates: Floats) -> float:
    units = len(replicates)
    if units < 2 or not np.isfinite(replicates).all():
        return math.inf
    if np.ptp(replicates) <= 1e-14 * np.abs(replicates).max():  # equal but for rounding
        return 0.0
    return float((units - 1) / units * ((replicates - replicates.mean()) ** 2).sum())


def _satterthwaite(a: float, networks: int, b: float, units: int) -> float:
    parts = [(v, k - 1) for v, k in ((a, networks), (b, units)) if v > 0 and k > 1]
    if not parts or not math.isfinite(a + b):
        return 1.0
    return (a + b) ** 2 / sum(v**2 / df for v, df in parts)


def unit_means(units: ArrayLike) -> Floats:
    """Mean over units of each network: ``(S, X)`` -> ``(S,)``; NaN units are left out, a network
    without any is NaN."""
    y = _units(units)
    kept = ~np.isnan(y)
    count = kept.sum(axis=1)
    total = np.where(kept, y, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def leave_one_out(units: ArrayLike) -> Floats:
    """The mean over units of each network without unit x: ``(S, X)`` -> ``(S, X)``; NaN units are
    left out."""
    y = _units(units)
    kept = ~np.isnan(y)
    filled = np.where(kept, y, 0.0)
    count, total = kept.sum(axis=1, keepdims=True), filled.sum(axis=1, keepdims=True)
    left = count - kept
    return np.where(left > 0, (total - filled) / np.maximum(left, 1), np.nan)


def pseudo_values(values: ArrayLike, without: ArrayLike) -> Floats:
    """X θ - (X-1) θ_(-x) for each network and unit, ``(S,)`` and ``(S, X)`` -> ``(S, X)``.

    For a mean over units they are the units' own values; ``without`` is rebuilt from them, so they
    are what a twin keeps.
    """
    replicates = np.asarray(without, dtype=np.float64)
    units = replicates.shape[1]
    return units * np.asarray(values, dtype=np.float64)[:, None] - (units - 1) * replicates


def _units(units: ArrayLike) -> Floats:
    y = np.asarray(units, dtype=np.float64)
    if y.ndim != 2:
        raise ValueError(f"expected (networks, units), got shape {y.shape}")
    if np.isinf(y).any():
        raise ValueError("infinite value among the units")
    return y
