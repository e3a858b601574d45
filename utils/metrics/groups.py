"""Five kinds of course that an interaction can take during training, and the random courses they
are judged against.

The definitions printed in Table 2 of Ren J. et al. 2025 overlap and tolerate no noise;
:func:`classify` is an operational rule of ours that puts every curve into exactly one group,
:func:`printed` the definitions to the letter.
"""

from __future__ import annotations

import dataclasses

import numba
import numpy as np
import torch

__all__ = [
    "GROUPS",
    "MARGIN",
    "MARGINS",
    "PAPER_COUNTS",
    "TOP",
    "WIDTH",
    "RandomCourses",
    "checkpoints_needed",
    "classify",
    "counts",
    "excess_distance",
    "persistence",
    "printed",
    "shares",
    "smoothed",
    "strongest",
]

GROUPS = ("reliable", "withdrawn", "forgotten", "betraying", "fluctuating")

PAPER_COUNTS: dict[str, tuple[float, ...]] = {
    "VGG-11, CIFAR-10": (28.4, 26.4, 6.0, 26.6, 12.6),
    "RN-20, CIFAR-10": (33.4, 26.2, 16.6, 17.8, 6.0),
    "VGG-11, MNIST": (44.2, 21.4, 5.8, 20.8, 7.8),
    "RN-20, MNIST": (49.6, 18.2, 18.0, 12.6, 1.6),
    "RN-18, Tiny ImageNet": (4.0, 39.0, 20.4, 20.4, 16.2),
    "CNN, SST-2": (33.6, 14.4, 0.4, 12.8, 38.8),
}
"""Table 3 of Ren J. et al. 2025: mean number of interactions in each group among the 100 strongest,
in GROUPS' order."""

MARGINS, MARGIN, WIDTH, TOP = (0.05, 0.1, 0.2), 0.1, 3, 100
"""Tolerances η of the rule at which M7 and M9 are judged, the one of all other statements, the
checkpoints of its moving average, and the number of interactions of an image that are grouped."""


def checkpoints_needed(width: int) -> int:
    """Checkpoints from which on curves averaged over ``width`` of them can rise and fall: two
    disjoint windows and one."""
    return max(2 * width + 1, 5)


def smoothed(curves: np.ndarray, width: int) -> np.ndarray:
    """Moving average over ``width`` (odd) checkpoints, ends padded by their own value, then each
    curve over its maximum.

    (..., C) → (..., C): the largest |c| is 1; a curve of zeros stays zero.
    """
    pad = [(0, 0)] * (curves.ndim - 1) + [(width // 2, width // 2)]
    padded = np.pad(np.asarray(curves, dtype=float), pad, mode="edge")
    c = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1).mean(-1)
    largest = np.abs(c).max(-1, keepdims=True)
    return np.divide(c, largest, out=np.zeros_like(c), where=largest > 0)


def _sign_changes(c: np.ndarray, margin: float) -> np.ndarray:
    """Changes of sign among the points with |c| > margin: (..., C) → (...)."""
    last, changes = np.zeros(c.shape[:-1]), np.zeros(c.shape[:-1], dtype=int)
    for t in range(c.shape[-1]):
        sign = np.where(np.abs(c[..., t]) > margin, np.sign(c[..., t]), 0.0)
        changes += sign * last < 0
        last = np.where(sign != 0, sign, last)
    return changes


def _reversals(a: np.ndarray, swing: float) -> np.ndarray:
    """Turns of a ≥ 0 from rising to falling or back, where either leg is longer than ``swing``:
    (..., C) → (...)."""
    high, low = a[..., 0].copy(), a[..., 0].copy()
    way, turns = np.zeros(a.shape[:-1]), np.zeros(a.shape[:-1], dtype=int)
    for t in range(1, a.shape[-1]):
        x = a[..., t]
        high, low = np.maximum(high, x), np.minimum(low, x)
        up, down = (way <= 0) & (x - low > swing), (way >= 0) & (high - x > swing)
        down &= ~up
        turns += (up & (way < 0)) | (down & (way > 0))
        low, high = np.where(down, x, low), np.where(up, x, high)
        high, low = np.where(down, x, high), np.where(up, x, low)
        way = np.where(up, 1, np.where(down, -1, way))
    return turns


def classify(curves: np.ndarray, margin: float = 0.1, width: int = 3) -> np.ndarray:
    """Group of each curve I(S | x, θ_t), (..., C) → int (...): a position in GROUPS, -1 for a curve
    of zeros.

    The curve is smoothed and divided by its maximum: c_t. Then, in this order (a rule of ours for
    Table 2 of the paper):

    1. betraying: exactly one change of sign among the points with |c_t| > margin;
    2. fluctuating: two or more such changes, or three or more turns of |c_t| whose legs are longer
       than 2 margin;
    3. reliable: |c_t| loses at most ``margin`` in all;
    4. forgotten: |c_t| gains at most ``margin`` in all;
    5. withdrawn: up to an inner maximum |c_t| loses, and after it gains, at most ``margin``, and
       both its rise and its fall are longer than that; everything else fluctuates.
    """
    c = smoothed(curves, width)
    a, steps = np.abs(c), np.diff(np.abs(c), axis=-1)
    changes = _sign_changes(c, margin)
    time, peak = np.arange(a.shape[-1] - 1), a.argmax(-1)[..., None]
    loss, gain = np.maximum(-steps, 0), np.maximum(steps, 0)
    single = ((loss * (time < peak)).sum(-1) <= margin) & (
        (gain * (time >= peak)).sum(-1) <= margin
    )
    rises_and_falls = (1 - a[..., 0] > margin) & (1 - a[..., -1] > margin)
    inner = (peak[..., 0] > 0) & (peak[..., 0] < a.shape[-1] - 1)
    cases = [
        a.max(-1) == 0,
        changes == 1,
        (changes > 1) | (_reversals(a, 2 * margin) >= 3),
        loss.sum(-1) <= margin,
        gain.sum(-1) <= margin,
        single & rises_and_falls & inner,
    ]
    return np.select(cases, [-1, 3, 4, 0, 2, 1], default=4)


def printed(curves: np.ndarray) -> dict[str, np.ndarray]:
    """Which of the definitions of Table 2, to the letter, each curve fits: group → bool (...),
    (..., C) given.

    The slope at t is the step from t to t+1; t_mid is an inner point; "oscillate around zero" is
    read as at least two changes of sign of both the curve and its slope.
    """
    slope = np.diff(curves, axis=-1)
    grows = curves[..., :-1] * slope
    up, down = grows >= 0, grows <= 0
    before = np.logical_and.accumulate(up, -1)
    after = np.logical_and.accumulate(down[..., ::-1], -1)[..., ::-1]
    plus, minus = curves >= 0, curves <= 0
    sides = [
        np.logical_and.accumulate(x, -1)[..., :-2]
        & np.logical_and.accumulate(y[..., ::-1], -1)[..., ::-1][..., 2:]
        for x, y in ((plus, minus), (minus, plus))
    ]
    return {
        "reliable": up.all(-1),
        "withdrawn": (before[..., :-1] & after[..., 1:]).any(-1),
        "forgotten": down.all(-1),
        "betraying": (sides[0] | sides[1]).any(-1),
        "fluctuating": (_sign_changes(curves, 0.0) >= 2) & (_sign_changes(slope, 0.0) >= 2),
    }


def counts(labels: np.ndarray) -> np.ndarray:
    """Curves in each group, (..., T) → (..., 5); curves of zeros (-1) are left out."""
    return (np.asarray(labels)[..., None] == np.arange(len(GROUPS))).sum(-2)


def shares(labels: np.ndarray) -> np.ndarray:
    """Share of each group among the curves that have one: (..., T) → (..., 5); NaN where there is
    none."""
    found = counts(labels).astype(float)
    total = found.sum(-1, keepdims=True)
    return np.divide(found, total, out=np.full_like(found, np.nan), where=total > 0)


def strongest(peak: torch.Tensor, top: int) -> torch.Tensor:
    """Positions of the ``top`` curves of each sample with the largest ``peak`` = max_t |I|: (X, M)
    → int64 (X, top or M)."""
    return peak.topk(min(top, peak.shape[-1]), dim=-1).indices


def persistence(curves: torch.Tensor) -> torch.Tensor:
    """ρ of x_t = ρ x_(t-1) + innovation, least squares over all curves of a sample at once: (X, M,
    C) → (X,), at most 1.

    About 0 for independent values, 1 for random walks and constants.
    """
    before, after = curves[..., :-1], curves[..., 1:]
    square = before.square().sum((-2, -1))
    return torch.where(
        square > 0, (before * after).sum((-2, -1)) / square.clamp(min=1e-300), 1.0
    ).clamp(-1.0, 1.0)


@numba.njit(nogil=True)
def _peaks(
    first: np.ndarray, innovations: np.ndarray, rho: np.ndarray, signs: np.ndarray
) -> np.ndarray:
    # Every interaction's course is walked for its largest value only: nothing of the size of all
    # courses is stored.
    found = np.empty(first.shape)
    for x in range(first.shape[0]):
        for m in range(first.shape[1]):
            value, bits = first[x, m], signs[x, m]
            peak = abs(value)
            for t in range(innovations.shape[0]):
                step = innovations[t, x, m]
                value = rho[x] * value + (step if bits >> t & 1 else -step)
                peak = max(peak, abs(value))
            found[x, m] = peak
    return found


@dataclasses.dataclass(frozen=True)
class RandomCourses:
    """A random course for every curve: its first value and its innovations x_t - ρ x_(t-1), each
    sign drawn anew.

    first (X, M), innovations (C - 1, X, M), rho (X, 1): 1 is a random walk, whose innovations are
    the steps. So each course belongs to the order of its interaction and has the variance of its
    steps, at every time. Made for *all* interactions before the strongest are selected: walks of
    selected curves would not have been selected themselves, and even genuine walks would then
    differ from their null. Only the selected are ever built: a course is its signs, one bit a step.
    """

    first: torch.Tensor
    innovations: torch.Tensor
    rho: torch.Tensor

    @classmethod
    def of(cls, curves: torch.Tensor, rho: torch.Tensor | None = None) -> RandomCourses:
        """Those of curves (X, M, C); rho (X,): persistence, default 1."""
        rho = torch.ones(len(curves), dtype=curves.dtype) if rho is None else rho
        moved = curves.movedim(-1, 0).contiguous()
        return cls(moved[0], moved[1:] - rho[:, None] * moved[:-1], rho[:, None])

    def signs(self, generator: torch.Generator) -> torch.Tensor:
        """A set of courses: (X, M), bit t is the sign of innovation t."""
        return torch.randint(0, 2 ** len(self.innovations), self.first.shape, generator=generator)

    def peaks(self, signs: torch.Tensor) -> torch.Tensor:
        """Largest |x| of every course: (X, M)."""
        return torch.from_numpy(
            _peaks(
                self.first.numpy(), self.innovations.numpy(), self.rho[:, 0].numpy(), signs.numpy()
            )
        )

    def curves(self, signs: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        """The courses at positions ``index`` (X, T) of each sample: (X, T, C)."""
        found, chosen = [self.first.gather(1, index)], signs.gather(1, index)
        for t, step in enumerate(self.innovations):
            picked = step.gather(1, index)
            found.append(
                self.rho * found[-1] + torch.where((chosen >> t & 1).bool(), picked, -picked)
            )
        return torch.stack(found, -1)


def excess_distance(found: np.ndarray, null: np.ndarray) -> np.ndarray:
    """L1 distance of shares (..., 5) from those of B null sets (B, ..., 5), minus the null sets'
    own: (...). B ≥ 2.

    A distance is never negative. Here the network and each null set are held against the mean of
    the *other* null sets, so that a network which is one more null set has 0 on average, exactly.
    """
    others = (null.sum(0) - null) / (len(null) - 1)
    return (np.abs(found - others).sum(-1) - np.abs(null - others).sum(-1)).mean(0)
