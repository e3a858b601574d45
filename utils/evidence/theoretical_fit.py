"""D10: the predicted against the real distribution over orders in the second phase."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from .. import lattice, stats, theory
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import dynamics, orders
from .exactness import signal
from .mean_order import mean_orders

__all__ = [
    "CANDIDATES",
    "LATEST",
    "NOISE",
    "RIVALS",
    "SAMPLING",
    "TIMES",
    "Courses",
    "Judged",
    "Prediction",
    "beside",
    "controls",
    "courses",
    "fit_controls",
    "fit_parts",
    "halves",
    "harsanyi",
    "has_times",
    "judged",
    "order_shares",
    "prediction",
    "premises",
    "share_distance",
    "target_steps",
    "times",
]

TIMES = ("early", "intermediate", "late")
"""The moments of the second phase at which theory and network are compared, as in Fig. 4 of Ren Q.
et al. 2024."""

LATEST = 0.5
"""Targets come from checkpoints up to this fraction of the last step: the last ones gave the ground
truth themselves."""

CANDIDATES = 5
"""So many of the last of these checkpoints may be targets: a second phase must have begun there."""

NOISE = r"fitted noise level $\sigma^2$"
"""Panel of the figure that shows the fitted path."""

SAMPLING = "other half"
"""Beside the models: the fitting half's own distribution, whose distance says what so few images
can show at all."""

RIVALS = tuple(model for model in theory.MODELS if model != "noise")


def target_steps(steps: Sequence[int]) -> tuple[int, ...]:
    """The checkpoints that D10 needs: the first, the last ``CANDIDATES`` within ``LATEST`` of
    training, and the last."""
    inner = [step for step in steps if 0 < step <= LATEST * steps[-1]]
    return (steps[0], *inner[-CANDIDATES:], steps[-1])


def halves(images: int, shared: int) -> tuple[np.ndarray, np.ndarray]:
    """Two halves of the images, each holding the same half of the first ``shared``: those that
    chose a turning point."""
    every, chose = np.arange(images), np.arange(images) < min(shared, images)
    first = np.where(
        chose, every < min(shared, images) // 2, every < (images + min(shared, images)) // 2
    )
    return every[first], every[~first]


def times(mu: np.ndarray, steps: Sequence[int], targets: Sequence[int]) -> np.ndarray:
    """Which targets are early, intermediate and late for each network and half: (S, 2, 3) indices,
    -1 where there is none.

    mu (S, C, X): each image's mean order at all checkpoints ``steps``. The second phase begins at
    t*, the inner checkpoint of least mean order on *other networks and the other half* of these
    images; early is the first target from there on, late the last one, intermediate the one midway.
    One target alone is no course: none.
    """
    edge = dynamics.EDGE
    found = np.full((len(mu), 2, len(TIMES)), -1)
    choice = edge + stats.cross_chosen(
        mu[:, edge : len(steps) - edge], lambda curve: int(np.nanargmin(curve))
    )
    last = [k for k, step in enumerate(targets) if 0 < step < targets[-1]]
    for s, h in np.ndindex(*choice.shape):
        points = [k for k in last if targets[k] >= steps[choice[s, h]]]
        if len(points) > 1:
            found[s, h] = (
                points[0],
                points[(len(points) - 1) // 2] if len(points) > 2 else -1,
                points[-1],
            )
    return found


@dataclasses.dataclass(frozen=True)
class Courses:
    """Strengths per order of S networks and X images: real (S, T, X, n) at T targets, first and
    last included; predicted: model → (S, G, X, n) for the G values of its parameter in grids."""

    real: np.ndarray
    predicted: Mapping[str, np.ndarray]
    grids: Mapping[str, np.ndarray]


@functools.lru_cache(maxsize=8)
def courses(
    e: CertifiedGames, models: tuple[str, ...] = theory.MODELS, *, tau: float = 0.0, fine: int = 12
) -> Courses:
    """From interactions to strengths per order; every model is given the same w*, the merged ones
    of the last checkpoint.

    tau: only interactions of at least that fraction of the mean |v(N) - v(∅)| count, in both; 0
    counts all.
    """
    merged, grids = e.merged, {m: theory.parameter_grid(m, e.found.n, fine) for m in models}
    least = (
        None
        if not tau
        else tau * (e.v[..., -1] - e.v[..., 0]).abs().mean(-1, keepdim=True).expand(e.v.shape[:-1])
    )
    positive, negative = orders.strength_by_order(merged, least)
    predicted = {
        m: np.stack(
            [
                theory.strengths_by_order(
                    merged.and_[s, -1],
                    merged.or_[s, -1],
                    grids[m],
                    model=m,
                    tau=tau,
                    initial=(merged.and_[s, 0], merged.or_[s, 0]) if m == "mix" else None,
                ).numpy()
                for s in range(len(e.v))
            ]
        )
        for m in models
    }
    return Courses(
        (positive - negative).numpy(), predicted, {m: g.numpy() for m, g in grids.items()}
    )


def order_shares(strength: np.ndarray) -> np.ndarray:
    total = strength.sum(-1, keepdims=True)
    return np.divide(strength, total, out=np.full_like(strength, np.nan), where=total > 0)


def share_distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Total variation of strengths (..., n) made shares; 1 where one of them is empty."""
    return np.nan_to_num(np.abs(order_shares(a) - order_shares(b)).sum(-1) / 2, nan=1.0)


# --- D10: theory against network ------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Judged:
    """Distances of D10: value[model] (S, 2, T), fitted on one half and judged on the other;
    without[model] (S, 2, T, X) with one image left out of the judged half (or of the fitting half,
    which the sampling distance knows); fitted[model] (S, 2, T) the parameter. SAMPLING is one of
    the models."""

    value: Mapping[str, np.ndarray]
    without: Mapping[str, np.ndarray]
    fitted: Mapping[str, np.ndarray]


def judged(found: Courses, split: tuple[np.ndarray, np.ndarray]) -> Judged:
    """Every model fitted on one half of the images and judged on the other, both ways; ``without``
    keeps the fits."""
    networks, targets, images, _ = found.real.shape
    value, without = (
        {m: np.full((networks, 2, targets, *more), np.nan) for m in (*found.predicted, SAMPLING)}
        for more in ((), (images,))
    )
    fitted = {m: np.full((networks, 2, targets), np.nan) for m in found.predicted}
    for h in (0, 1):
        judge, choose = split[h], split[1 - h]
        real = [found.real[:, :, part] for part in (judge, choose)]
        sums = [x.sum(2) for x in real]
        own, theirs = (total[:, :, None] - x for total, x in zip(sums, real, strict=True))
        value[SAMPLING][:, h] = share_distance(*sums)
        without[SAMPLING][:, h][..., judge] = share_distance(own, sums[1][:, :, None])
        without[SAMPLING][:, h][..., choose] = share_distance(theirs, sums[0][:, :, None])
        for m, paths in found.predicted.items():
            # (S, T, G): the fit; ties go to the smaller value, which comes first on the grid.
            best = share_distance(paths[:, None, :, choose].sum(3), sums[1][:, :, None]).argmin(-1)
            fitted[m][:, h] = found.grids[m][best]
            there = np.stack(
                [paths[s][best[s]][:, judge] for s in range(networks)]
            )  # (S, T, X of the half, n)
            total = there.sum(2)
            value[m][:, h] = share_distance(total, sums[0])
            without[m][:, h][..., judge] = share_distance(total[:, :, None] - there, own)
            without[m][:, h][..., choose] = value[m][:, h, :, None]
    return Judged(value, without, fitted)


def _over(times_: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean over a network's times and halves: (S, 2, 3) and (S, 2, T, ...) → (S, ...); NaN without
    times."""
    rows = []
    for s in range(len(values)):
        picked = [values[s, h, k] for h in (0, 1) for k in times_[s, h] if k >= 0]
        rows.append(np.mean(picked, axis=0) if picked else np.full(values.shape[3:], np.nan))
    return np.stack(rows)


def _best_rival(times_: np.ndarray, found: Judged, rivals: Sequence[str]) -> np.ndarray:
    """(S, 2): for each network and judged half the rival that is nearest in the other networks on
    the other half."""
    every = np.stack([found.value[m] for m in rivals], axis=-1)
    mean = np.full((len(every), 2, len(rivals)), np.nan)
    for s, h in np.ndindex(len(every), 2):
        picked = [every[s, h, k] for k in times_[s, h] if k >= 0]
        mean[s, h] = np.mean(picked, axis=0) if picked else np.nan
    rest = [np.delete(mean, s, axis=0) if len(mean) > 1 else mean for s in range(len(mean))]
    pooled = [
        [
            np.nan_to_num(np.nanmean(r[:, 1 - h], axis=0), nan=1.0)
            if np.isfinite(r[:, 1 - h]).any()
            else np.ones(len(rivals))
            for h in (0, 1)
        ]
        for r in rest
    ]
    return np.argmin(pooled, axis=-1)


def fit_parts(found: Judged, times_: np.ndarray) -> list[Part]:
    """D10: distance beyond what two halves of the images differ by; and beyond that of the best
    rival, chosen elsewhere."""
    rivals = [m for m in found.fitted if m != "noise"]
    choice = _best_rival(times_, found, rivals)

    def rival(of: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.stack(
            [[of[rivals[choice[s, h]]][s, h] for h in (0, 1)] for s in range(len(choice))]
        )

    excess = [_over(times_, of["noise"] - of[SAMPLING]) for of in (found.value, found.without)]
    above = [_over(times_, of["noise"] - rival(of)) for of in (found.value, found.without)]
    return [Part("distance", *excess), Part("distance_minus_best_rival", *above)]


def has_times(times_: np.ndarray) -> Premise:
    """The second phase must hold two checkpoints that may be predicted, whatever half and networks
    choose."""
    return Premise(
        "two checkpoints in the second phase",
        bool((times_[..., 0] >= 0).all()),
        f"at least 2 of the last {CANDIDATES} checkpoints up to {LATEST:.0%} of training must "
        "lie in the second "
        "phase, and for some network fewer do: ask for more checkpoints, or train for longer",
    )


def harsanyi(e: CertifiedGames) -> CertifiedGames:
    """The ablation of the split: the pure AND (Harsanyi) interactions of v, which are exact and
    leave nothing to choose."""
    return dataclasses.replace(
        e, found=Interactions(lattice.and_interactions(e.v), torch.zeros_like(e.v))
    )


def _certified(e: CertifiedGames) -> CertifiedGames:
    """Only images all of whose checkpoints are certified in every network; all where that would
    leave too few."""
    whole = e.converged.all(1).all(0)
    return (
        e
        if bool(whole.all()) or int(whole.sum()) < 4
        else dataclasses.replace(
            e,
            v=e.v[:, :, whole],
            found=e.found[:, :, whole],
            **{name: getattr(e, name)[:, :, whole] for name in ("gap", "converged", "l1", "error")},
        )
    )


@dataclasses.dataclass(frozen=True, eq=False)
class Prediction:
    """Games to predict, ``e``, at the targets; ``course``: fewer images at all checkpoints, whose
    mean orders choose the turning points."""

    e: CertifiedGames
    course: CertifiedGames

    @property
    def uncertified(self) -> float:
        """Share of the games to predict above the split's tolerance."""
        return self.e.uncertified

    def certified(self) -> Prediction:
        """The same without images that are not certified throughout."""
        return dataclasses.replace(self, e=_certified(self.e))

    @property
    def halves(self) -> tuple[np.ndarray, np.ndarray]:
        """The images that fit and the images that judge, and the other way round."""
        return halves(self.e.v.shape[2], self.course.v.shape[2])

    @property
    def times(self) -> np.ndarray:
        """Which targets are early, intermediate and late, see :func:`times`."""
        return times(mean_orders(self.course), self.course.steps.tolist(), self.e.steps.tolist())


def prediction(x: Prediction, tau: float = 0.0) -> list[Part]:
    """D10 of one system; tau: of salient interactions only, see :func:`courses`."""
    return fit_parts(judged(courses(x.e, tau=tau), x.halves), x.times)


def beside(x: Prediction, tau: float) -> dict[str, list[Part]]:
    """Shown without deciding: salient interactions only, and without the split."""
    pure = dataclasses.replace(x, e=harsanyi(x.e))
    return {
        f"salient interactions only, tau = {tau:g}": prediction(x, tau),
        "pure AND interactions": prediction(pure),
    }


def premises(x: Prediction) -> list[Premise]:
    """The games stand out of rounding, and the second phase holds what can be predicted."""
    return [signal(x.e), has_times(x.times)]


def controls(x: Prediction) -> dict[str, object]:
    """What goes with D10, see :func:`fit_controls`."""
    return fit_controls(judged(courses(x.e), x.halves), x.times, x.e.steps.tolist())


def fit_controls(found: Judged, times_: np.ndarray, targets: Sequence[int]) -> dict[str, object]:
    """Held-out distance of every model per time, how often each rival was the best, the steps that
    were compared."""
    rivals = [m for m in found.fitted if m != "noise"]
    best = np.asarray(rivals)[_best_rival(times_, found, rivals)].ravel().tolist()
    at = {
        name: [
            (s, h, times_[s, h, k])
            for s, h in np.ndindex(*times_.shape[:2])
            if times_[s, h, k] >= 0
        ]
        for k, name in enumerate(TIMES)
    }
    mean = {
        m: {
            name: float(np.mean([x[one] for one in ones])) if ones else None
            for name, ones in at.items()
        }
        for m, x in found.value.items()
    }
    return {
        "held-out distance": mean,
        "best rival of other networks and images": {m: best.count(m) for m in rivals},
        "steps compared": {
            name: sorted({int(targets[k]) for _, _, k in ones}) for name, ones in at.items()
        },
    }
