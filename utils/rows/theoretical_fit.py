"""D10, D15: the predicted against the real distribution over orders in the second phase, and the
fitted noise over time."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import lattice, stats, theory
from ..claims import Part, Premise
from ..evidence.exactness import signal
from ..evidence.mean_order import mean_orders
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import dynamics, orders
from ..params import TheoreticalFit

__all__ = [
    "CANDIDATES",
    "FLOOR",
    "LATEST",
    "NOISE",
    "RIVALS",
    "SAMPLING",
    "TIMES",
    "Courses",
    "Judged",
    "changed",
    "courses",
    "fit_case",
    "fit_controls",
    "fit_parts",
    "fit_tables",
    "fitted_paths",
    "halves",
    "harsanyi",
    "has_times",
    "judged",
    "noise_slopes",
    "noise_statement",
    "noise_table",
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

FLOOR = 1e-6
"""Least fitted noise level whose logarithm is taken (D15): below it the prediction is w* itself."""

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


def courses(
    e: CertifiedGames, models: Sequence[str] = theory.MODELS, *, tau: float = 0.0, fine: int = 12
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


def _shares(strength: np.ndarray) -> np.ndarray:
    total = strength.sum(-1, keepdims=True)
    return np.divide(strength, total, out=np.full_like(strength, np.nan), where=total > 0)


def _distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Total variation of strengths (..., n) made shares; 1 where one of them is empty."""
    return np.nan_to_num(np.abs(_shares(a) - _shares(b)).sum(-1) / 2, nan=1.0)


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
        value[SAMPLING][:, h] = _distance(*sums)
        without[SAMPLING][:, h][..., judge] = _distance(own, sums[1][:, :, None])
        without[SAMPLING][:, h][..., choose] = _distance(theirs, sums[0][:, :, None])
        for m, paths in found.predicted.items():
            # (S, T, G): the fit; ties go to the smaller value, which comes first on the grid.
            best = _distance(paths[:, None, :, choose].sum(3), sums[1][:, :, None]).argmin(-1)
            fitted[m][:, h] = found.grids[m][best]
            there = np.stack(
                [paths[s][best[s]][:, judge] for s in range(networks)]
            )  # (S, T, X of the half, n)
            total = there.sum(2)
            value[m][:, h] = _distance(total, sums[0])
            without[m][:, h][..., judge] = _distance(total[:, :, None] - there, own)
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


def fit_case(
    p: TheoreticalFit,
    e: CertifiedGames,
    ends: Mapping[str, CertifiedGames],
    shared: CertifiedGames,
    others: Mapping[str, CertifiedGames],
) -> tuple[dict[str, object], pd.DataFrame, pd.DataFrame]:
    """D10's arguments of the judge, and its figure's bars and curves.

    e, ends: the games to predict at the targets, also at other order weights; shared, others: the
    games of 02_two_phase_dynamics at all checkpoints, whose mean orders choose the turning points.
    """
    steps, split = shared.steps.tolist(), halves(p.fit_images, shared.v.shape[2])

    def parts(
        one: CertifiedGames,
        order: CertifiedGames,
        halves_: tuple[np.ndarray, np.ndarray] = split,
        **how: float,
    ) -> list[Part]:
        return fit_parts(
            judged(courses(one, **how), halves_),
            times(mean_orders(order), steps, one.steps.tolist()),
        )

    found = {"all interactions": courses(e), f"salient, tau = {p.tau:g}": courses(e, tau=p.tau)}
    tables = {name: (one, judged(one, split)) for name, one in found.items()}
    distances, chosen = (
        tables["all interactions"][1],
        times(mean_orders(shared), steps, e.steps.tolist()),
    )
    kept = _certified(e)
    case = {
        "parts": fit_parts(distances, chosen),
        "premises": [signal(e), has_times(chosen)],
        "variants": {
            **{name: parts(one, others[name]) for name, one in ends.items()},
            "uncertified games dropped": parts(
                kept, shared, halves(kept.v.shape[2], shared.v.shape[2])
            ),
        },
        "reported": {
            f"salient interactions only, tau = {p.tau:g}": parts(e, shared, tau=p.tau),
            "pure AND interactions": parts(harsanyi(e), shared),
        },
        "uncertified": max(e.uncertified, *(one.uncertified for one in ends.values()), 0.0),
        "changed": changed(p.fit_images, p.image_split),
        "control": fit_controls(distances, chosen, e.steps.tolist()),
    }
    return case, *fit_tables(e, tables, chosen, shared.v.shape[2])


def changed(images: int, split: str) -> str | None:
    """What makes a run's D10 another statistic than the registered one, in words; None: nothing."""
    found = [f"{images} images instead of 100"] * (images != 100) + [f"{split} images"] * (
        split != "test"
    )
    return "; ".join(found) or None


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


def fit_tables(
    e: CertifiedGames,
    cases: Mapping[str, tuple[Courses, Judged]],
    times_: np.ndarray,
    shared: int,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """D10's figure: bars (real and predicted shares per case and time) and curves over the targets
    of the first case.

    Bars are means over seeds and halves of what was judged, low and high their quartiles. Curves:
    the fitted σ² and the held-out distance of every model, median and quartiles.
    """
    split, bars = halves(e.v.shape[2], shared), []
    for case, (found, distances) in cases.items():
        for k, time in enumerate(TIMES):
            pairs = [
                (s, h, times_[s, h, k])
                for s, h in np.ndindex(*times_.shape[:2])
                if times_[s, h, k] >= 0
            ]
            if not pairs:
                continue
            steps = sorted({int(e.steps[c]) for _, _, c in pairs})
            name = f"{time}\nstep {steps[0]}" + (f" to {steps[-1]}" if len(steps) > 1 else "")
            real = [_shares(found.real[s, c, split[h]].sum(0)) for s, h, c in pairs]
            at = np.searchsorted(
                found.grids["noise"], [distances.fitted["noise"][one] for one in pairs]
            )
            theirs = [
                _shares(found.predicted["noise"][s, g, split[h]].sum(0))
                for (s, h, _), g in zip(pairs, at, strict=True)
            ]
            bars += [
                _bars(real, "real").assign(row=case, time=name),
                _bars(theirs, "theory").assign(row=case, time=name),
            ]
    columns = ["shares", "order", "share", "low", "high", "row", "time"]
    first = next(iter(cases.values()))[1]
    curves = [
        _course(
            e, "noise", np.where(first.fitted["noise"] > 0, first.fitted["noise"], np.nan), NOISE
        )
    ]
    curves += [_course(e, m, x, "held-out distance") for m, x in first.value.items()]
    return (
        pd.concat(bars, ignore_index=True) if bars else pd.DataFrame(columns=columns),
        pd.concat(curves, ignore_index=True),
    )


def _bars(shares: list[np.ndarray], kind: str) -> pd.DataFrame:
    stacked = np.nan_to_num(np.stack(shares))
    return pd.DataFrame(
        {
            "shares": kind,
            "order": range(1, stacked.shape[1] + 1),
            "share": stacked.mean(0),
            "low": np.quantile(stacked, 0.25, 0),
            "high": np.quantile(stacked, 0.75, 0),
        }
    )


_NAMES = {
    SAMPLING: SAMPLING,
    "noise": "theory",
    "exponential": "exponential shrink",
    "cut": "hard cut",
    "mix": "mix with initial",
}


def _course(e: CertifiedGames, model: str, values: np.ndarray, panel: str) -> pd.DataFrame:
    """Median and quartiles over seeds and halves (S, 2, T) at the targets, but for the first and
    the last one."""
    inner = values[:, :, 1:-1].reshape(-1, values.shape[2] - 2)
    kept = np.isfinite(inner).any(0)
    low, middle, high = (
        np.nanquantile(inner[:, kept], [0.25, 0.5, 0.75], axis=0)
        if kept.any()
        else np.empty((3, 0))
    )
    return pd.DataFrame(
        {
            "panel": panel,
            "model": _NAMES[model],
            "step": e.steps[1:-1][kept],
            "value": middle,
            "low": low,
            "high": high,
        }
    )


# --- D15: the fitted noise over time --------------------------------------------------------------


def _slopes(path: np.ndarray, log_steps: np.ndarray) -> np.ndarray:
    """Least-squares slope over log t of (..., T)."""
    centred = log_steps - log_steps.mean()
    return (path * centred).sum(-1) / (centred**2).sum()


def _standardised(path: np.ndarray) -> np.ndarray:
    """Each path in its own standard deviations; a constant one is 0 throughout."""
    spread = path.std(-1, keepdims=True)
    return np.divide(
        path - path.mean(-1, keepdims=True), spread, out=np.zeros_like(path), where=spread > 0
    )


def fitted_paths(e: CertifiedGames) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """σ² of the theory and λ of exponential shrinking at every checkpoint up to half of the
    training, (S, T) each, and the steps (T,). All images of a network together; w* are its
    interactions at the last checkpoint."""
    found = courses(e, ("noise", "exponential"))
    inner = (e.steps > 0) & (e.steps <= LATEST * e.steps[-1])
    real = found.real[:, inner].sum(2)
    best = {
        m: _distance(paths.sum(2)[:, None], real[:, :, None]).argmin(-1)
        for m, paths in found.predicted.items()
    }
    return {m: found.grids[m][at] for m, at in best.items()}, e.steps[inner]


def noise_slopes(e: CertifiedGames) -> dict[str, np.ndarray]:
    """D15 per network: slope of log σ² (floored) over log t, and that of the standardised path
    minus the rival's."""
    paths, steps = fitted_paths(e)
    log_steps, level = np.log(steps.astype(float)), np.log(np.maximum(paths["noise"], FLOOR))
    above = _slopes(_standardised(level), log_steps) - _slopes(
        _standardised(paths["exponential"]), log_steps
    )
    return {
        "slope of log sigma^2 over log t": _slopes(level, log_steps),
        "standardised, minus the rival's": above,
    }


def noise_statement(e: CertifiedGames) -> str:
    """D15 in a sentence, with the reason why it is no verdict."""
    slope = noise_slopes(e)["slope of log sigma^2 over log t"]
    return (
        f"the fitted log sigma^2 has a slope of {slope.mean():.2f} (networks {slope.min():.2f} "
        f"to {slope.max():.2f}) "
        "per e-fold of time; the last checkpoint is its own ground truth, and random walks that "
        "start with low orders "
        "have such a slope too, so it decides nothing"
    )


def noise_table(e: CertifiedGames, name: str) -> pd.DataFrame:
    """Fitted σ² and λ of the networks over the steps, each divided by its largest value: mean,
    lowest, highest network."""
    paths, steps = fitted_paths(e)
    rows = []
    for m, label in (("noise", "theory"), ("exponential", "exponential shrink")):
        values = paths[m] / np.maximum(paths[m].max(1, keepdims=True), np.finfo(float).tiny)
        rows.append(
            pd.DataFrame(
                {
                    "step": steps,
                    "value": values.mean(0),
                    "low": values.min(0),
                    "high": values.max(0),
                    "model": label,
                    "panel": name,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)
