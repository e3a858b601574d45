"""O5: which statements of the papers hold, whatever splits the games?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from .. import claims, stats
from ..jobs.identified import Compared
from ..metrics import orders, salience, sparsity
from .face import Face
from .published import Ways

__all__ = ["STATEMENTS", "Statement", "described", "statements"]


def _fall_and_rise(way: Compared) -> tuple[np.ndarray, np.ndarray]:
    """Per seed mu_first - mu_low and mu_last - mu_low: ``low`` is the inner checkpoint that the
    *other* seeds choose."""
    weighted, strength = orders.order_moments(way.found.merge_first_order())
    mu = (weighted.sum(-1) / strength.sum(-1)).numpy()
    if len(mu) < 2:
        return np.full(1, np.nan), np.full(1, np.nan)
    falls, rises = [], []
    for seed, course in enumerate(mu):
        low = 1 + int(np.delete(mu, seed, 0).mean(0)[1:-1].argmin())
        falls.append(course[0] - course[low])
        rises.append(course[-1] - course[low])
    return np.array(falls), np.array(rises)


def _low_minus_high(way: Compared) -> np.ndarray:
    """L3 at the output: share of salient AND strength in orders below n/2 minus that above, at the
    last checkpoint."""
    found = way.found.merge_first_order()[:, -1]
    tau = salience.threshold(found, way.v[:, -1], "max_per_sample")
    conj = torch.where(found.salient(tau)[0], found.and_.abs(), 0.0).sum(1)
    low, high = (
        conj[:, side].sum(-1) for side in (found.order < found.n / 2, found.order > found.n / 2)
    )
    return ((low - high) / conj.sum(-1)).numpy()


def _salient_count(way: Compared) -> np.ndarray:
    found = way.found.merge_first_order()[:, -1]
    tau = salience.threshold(found, way.v[:, -1], "max_over_samples")
    return salience.salient_counts(found, tau).double().mean(-1).numpy()


def _mass(way: Compared) -> np.ndarray:
    return sparsity.mass_fraction(way.found.merge_first_order()[:, -1]).mean(-1).numpy()


@dataclasses.dataclass(frozen=True)
class Statement:
    """A sentence of the papers as an inequality on one number per seed; bounds (low, high), None
    where open."""

    text: str
    values: Callable[[Compared], np.ndarray]
    bounds: Callable[[str], tuple[float | None, float | None]]


def _bounds(row: str, name: str) -> Callable[[str], tuple[float | None, float | None]]:
    """The registered size of a row's threshold for a system, whichever of its names (``count``,
    ``count_cifar``) applies."""

    def found(system: str) -> tuple[float | None, float | None]:
        t = next(
            t
            for k, t in claims.load().row(row).thresholds_for(system).items()
            if k.startswith(name)
        )
        return t.low, t.high

    return found


STATEMENTS = (
    Statement("D3: mean order falls", lambda way: _fall_and_rise(way)[0], lambda _: (0.0, None)),
    Statement(
        "D3: mean order rises again", lambda way: _fall_and_rise(way)[1], lambda _: (0.0, None)
    ),
    Statement("L3: low minus high orders, output", _low_minus_high, lambda _: (0.0, None)),
    Statement("L2: salient interactions", _salient_count, _bounds("L2", "count")),
    Statement("D2: share that holds 90 %", _mass, _bounds("D2", "mass90")),
)
"""What is asked of every way of splitting; D3 with the turning point chosen on the other seeds, as
few images are split."""


def _decided(values: np.ndarray, bounds: tuple[float | None, float | None]) -> dict[str, object]:
    """Holds where the interval lies within the bounds, fails where it lies outside of one, else
    open."""
    if not np.isfinite(values).any():
        return {"estimate": np.nan, "low": np.nan, "high": np.nan, "decision": "open"}
    span = stats.t_interval(values)
    low, high = (
        x if x is not None else end for x, end in zip(bounds, (-np.inf, np.inf), strict=True)
    )
    decision = (
        "holds"
        if low < span.low and span.high < high
        else "fails"
        if span.high < low or span.low > high
        else "open"
    )
    return {"estimate": span.estimate, "low": span.low, "high": span.high, "decision": decision}


def statements(system: str, ways: Ways, face: Face) -> pd.DataFrame:
    """Every statement under every way of splitting: estimate, t interval across seeds, and whether
    it holds."""
    everything = {
        f"all games, order weight {w:+g}": Compared.of(e)
        for w, e in zip(face.weights, face.ends, strict=True)
    }
    return pd.DataFrame(
        [
            {"statement": s.text, "way": name, **_decided(s.values(way), s.bounds(system))}
            for s in STATEMENTS
            for name, way in {**everything, **ways.by}.items()
        ]
    )


def described(table: pd.DataFrame, ways: Ways, face: Face) -> str:
    """O5 in a sentence, made from the table: what holds at both ends, what the published settings
    decide otherwise."""
    grid = table.pivot(index="statement", columns="way", values="decision").loc[
        [s.text for s in STATEMENTS]
    ]
    low, high = (grid[f"all games, order weight {w:+g}"] for w in face.weights)
    own = grid[f"certified, order weight {face.weights[0]:+g}"]
    both, one = grid.index[(low == "holds") & (high == "holds")], grid.index[(low != high)]
    other = {name: grid.index[(grid[name] != own)].tolist() for name in ways.loops}
    found = [
        f"holding at both ends of the face: {'; '.join(both) or 'none'}",
        f"decided differently at the two ends: {'; '.join(one) or 'none'}",
    ]
    found += [
        f"decided differently by the published optimiser ({name}): {'; '.join(rows) or 'none'}"
        for name, rows in other.items()
    ]
    return ". ".join(found) + "."
