"""The course of training: when interactions are simplest, and when over-fitting starts."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

__all__ = ["EDGE", "TwoPhase", "cell_of", "gap_start", "halves", "on_log_grid", "smooth", "two_phase"]

EDGE = 2
"""Checkpoints at either end that cannot be the turning point: two phases need points on both sides of it."""


@dataclasses.dataclass(frozen=True)
class TwoPhase:
    """Fall and rise of the mean order around its minimum, each half of the images judging the other's choice.

    fall = mu_0 - mu_t*, rise = mu_T - mu_t* (both averaged over the halves, in orders); turning: index of t* for each
    half; interior: whether the unrestricted minimum of every half lies away from both ends.
    """

    fall: float
    rise: float
    turning: tuple[int, ...]
    interior: bool


def halves(samples: int) -> tuple[list[int], list[int]]:
    """Two halves of the sample axis, in order; samples come one of each class in turn, so both hold every class."""
    return list(range(samples // 2)), list(range(samples // 2, samples))


def two_phase(weighted: torch.Tensor, strength: torch.Tensor) -> TwoPhase:
    """Two-phase statistics of one network from its order moments (C, X): checkpoints by samples.

    The minimum is chosen on one half of the samples among the inner checkpoints and judged on the other half, and vice
    versa: a minimum judged where it was chosen finds two phases in noise. Raises ValueError for fewer than 2 samples
    or fewer than 2 EDGE + 1 checkpoints (Ren Q. et al. 2024, two-phase claim; the halving is ours).
    """
    checkpoints, samples = weighted.shape
    if samples < 2 or checkpoints < 2 * EDGE + 1:
        raise ValueError(f"two_phase needs at least 2 samples and {2 * EDGE + 1} checkpoints, "
                         f"got {samples} and {checkpoints}")
    falls, rises, turning, interior = [], [], [], []
    one, other = halves(samples)
    for choose, judge in ((one, other), (other, one)):
        chosen = weighted[:, choose].sum(1) / strength[:, choose].sum(1)
        judged = weighted[:, judge].sum(1) / strength[:, judge].sum(1)
        t = EDGE + int(chosen[EDGE:checkpoints - EDGE].argmin())
        falls.append(float(judged[0] - judged[t]))
        rises.append(float(judged[-1] - judged[t]))
        turning.append(t)
        interior.append(EDGE <= int(chosen.argmin()) < checkpoints - EDGE)
    return TwoPhase(sum(falls) / 2, sum(rises) / 2, tuple(turning), all(interior))


def on_log_grid(steps: np.ndarray, values: np.ndarray, points: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """A curve over training steps ≥ 1, interpolated on ``points`` log-spaced steps; step 0 is left out.

    steps (K,), values (K,) → (points,), (points,). A shift along this grid is a shift in log time.
    """
    later = np.asarray(steps) >= 1
    log_steps = np.log(np.asarray(steps, dtype=float)[later])
    grid = np.linspace(log_steps[0], log_steps[-1], points)
    return np.exp(grid), np.interp(grid, log_steps, np.asarray(values, dtype=float)[later])


def smooth(values: np.ndarray, window: int = 5) -> np.ndarray:
    """Moving average of a curve on the log grid, its ends padded by their own value: (K,) → (K,)."""
    padded = np.pad(values, window // 2, mode="edge")
    return np.convolve(padded, np.ones(window) / window, mode="valid")


def gap_start(values: np.ndarray, fraction: float = 0.05) -> int:
    """Index at which a (smoothed) loss gap has left its minimum by more than ``fraction`` of its range.

    The first index after the minimum where the curve exceeds minimum + fraction * (maximum - minimum); the last index
    if it never does (a curve whose minimum is its end).
    """
    low = int(values.argmin())
    above = values[low:] > values.min() + fraction * (values.max() - values.min())
    return low + int(above.argmax()) if above.any() else len(values) - 1


def cell_of(step: float, checkpoints: np.ndarray) -> float:
    """Position of ``step`` on the log-spaced checkpoints (step 0 excluded), in cells: 0 at the first, 1 at the second."""
    inner = np.asarray(checkpoints, dtype=float)
    inner = inner[inner >= 1]
    return float(np.interp(np.log(step), np.log(inner), np.arange(len(inner))))
