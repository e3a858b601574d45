"""D10: the predicted against the real distribution over orders in the second phase."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import lattice, theory
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.study import Extracted
from ..metrics import dynamics, orders

__all__ = ["LATEST", "NOISE", "SAMPLING", "TIMES", "HeldOut", "Times", "fit_controls", "fit_parts", "fit_reported",
           "fit_tables", "fit_variants", "harsanyi", "has_times", "held_out", "phase2_times"]

TIMES = ("early", "intermediate", "late")
"""The moments of the second phase at which theory and network are compared, as in Fig. 4 of Ren Q. et al. 2024."""

LATEST = 0.5
"""Targets come from checkpoints up to this fraction of the last step: the last ones gave the ground truth themselves."""

NOISE = r"fitted noise level $\sigma^2$"
"""Panel of the figure that shows the fitted path."""

SAMPLING = "other half"
"""Beside the models: the fitting half's own distribution, whose distance says what so few images can show at all."""

Times = tuple[dict[int, str], dict[int, str]]
"""For each half of the images, as the one that chooses: checkpoints by the names of TIMES, or none."""


# --- D10: theory against network ------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """One model fitted on one half of the images of one seed at one checkpoint, and judged on the other half.

    value: the parameter (σ² of the theory, λ, K or a of a rival); fitted, distance: total variation on the half that
    chose it and on the other; real, predicted (n,): shares over orders on the judged half. time: a name of TIMES or "".
    model: one of utils.theory.MODELS, or SAMPLING.
    """

    seed: int
    half: int
    checkpoint: int
    time: str
    model: str
    value: float
    fitted: float
    distance: float
    real: torch.Tensor
    predicted: torch.Tensor


def _halves(e: Extracted, seed: int, certified_only: bool) -> list[tuple[list[int], list[int]]]:
    """(choosing, judging) images of both directions; certified_only drops those with an uncertified checkpoint."""
    whole = e.converged[seed].all(0)
    one, other = ([i for i in half if whole[i] or not certified_only] for half in dynamics.halves(e.v.shape[2]))
    return [(one, other), (other, one)]


def phase2_times(e: Extracted, certified_only: bool = False) -> Times:
    """Moments of the second phase: t*, the last checkpoint within the first half of training, and the one midway.

    t* is the inner checkpoint of least mean order over all seeds on the half of the images that also fits (see
    :func:`utils.metrics.dynamics.two_phase`): the second phase starts there, with almost nothing but low orders, as the
    paper's early bars show. Two checkpoints are an early and a late one; where there is one, there is no phase to speak of.
    """
    inner = slice(dynamics.EDGE, len(e.steps) - dynamics.EDGE)
    weighted, strength = (moment[:, inner] for moment in e.moments(certified_only=certified_only))
    if weighted.shape[1] == 0:
        return {}, {}
    one, other = (_named(e, weighted[..., half].sum((0, 2)) / strength[..., half].sum((0, 2)))
                  for half in dynamics.halves(e.v.shape[2]))
    return one, other


def _named(e: Extracted, mean_order: torch.Tensor) -> dict[int, str]:
    turning = dynamics.EDGE + int(mean_order.argmin())
    points = [c for c in range(turning, len(e.steps)) if e.steps[c] <= LATEST * e.steps[-1]]
    early, middle, late = TIMES
    between = {points[(len(points) - 1) // 2]: middle} if len(points) > 2 else {}
    return {points[0]: early, **between, points[-1]: late} if len(points) > 1 else {}


def has_times(e: Extracted) -> Premise:
    """The second phase must hold two checkpoints that may be predicted, whichever half of the images chooses."""
    return Premise("two checkpoints in the second phase", all(phase2_times(e)),
                   f"at least 2 checkpoints are needed from the turning point to {LATEST:.0%} of training, and fewer of the "
                   f"{len(e.steps)} lie there: ask for more checkpoints, or train for longer")


def harsanyi(e: Extracted) -> Extracted:
    """The ablation of the split: the pure AND (Harsanyi) interactions of v, which are exact and leave nothing to choose."""
    return dataclasses.replace(e, found=Interactions(lattice.and_interactions(e.v), torch.zeros_like(e.v)))


def held_out(e: Extracted, times: Times, *, tau: float = 0.0, everywhere: bool = False,
             certified_only: bool = False) -> list[HeldOut]:
    """All models, fitted on one half of the images and judged on the other, at ``times`` (``everywhere``: all checkpoints).

    Every model is given the same w*: the merged interactions of the last checkpoint on the same images. tau: salience of
    both distributions, 0 counts all. Checkpoints where a real distribution has no salient interaction are left out.
    """
    merged = e.merged
    found = []
    for seed in range(len(merged.and_)):
        for half, (chosen, (choose, judge)) in enumerate(zip(times, _halves(e, seed, certified_only), strict=True)):
            at = list(range(len(e.steps))) if everywhere else sorted(chosen)
            if at and choose and judge:
                games = [(merged.and_[seed][:, part], merged.or_[seed][:, part]) for part in (choose, judge)]
                found += [HeldOut(seed, half, c, chosen.get(c, ""), *rest) for c, *rest in _cross_fit(*games, at, tau)]
    return found


Games = tuple[torch.Tensor, torch.Tensor]  # AND and OR interactions, (C, X, 2^n) each


def _cross_fit(choose: Games, judge: Games, at: list[int], tau: float) -> list[tuple]:
    """(checkpoint, model, value, fitted, distance, real, predicted) of every model, and of SAMPLING, at ``at``."""
    wanted, real = (theory.order_distribution(conj[at], disj[at], tau) for conj, disj in (choose, judge))
    some = (~(wanted.isnan() | real.isnan()).any(-1)).nonzero().flatten().tolist()
    wanted, real, at = wanted[some], real[some], [at[i] for i in some]
    if not at:
        return []
    apart = orders.total_variation(wanted, real).tolist()
    found: list[tuple] = [(c, SAMPLING, float("nan"), 0.0, apart[i], real[i], wanted[i]) for i, c in enumerate(at)]
    for model in theory.MODELS:
        start = [tuple(w[0] for w in half) if model == "mix" else None for half in (choose, judge)]
        fit = theory.fit_model(choose[0][-1], choose[1][-1], wanted, model=model, tau=tau, initial=start[0])
        every = theory.predicted_shares(judge[0][-1], judge[1][-1], fit.value, model=model, tau=tau, initial=start[1])
        distance = orders.total_variation(every, real).nan_to_num(nan=1.0)  # nothing salient is predicted: all is missed
        found += [(c, model, *numbers, real[i], every[i]) for i, (c, *numbers) in enumerate(
            zip(at, fit.value.tolist(), fit.distance.tolist(), distance.tolist(), strict=True))]
    return found


def _frame(found: Sequence[HeldOut]) -> pd.DataFrame:
    names = ["seed", "half", "checkpoint", "time", "model", "value", "fitted", "distance"]
    return pd.DataFrame([[getattr(one, name) for name in names] for one in found], columns=names)


def _judged(found: Sequence[HeldOut]) -> pd.DataFrame:
    """A row per seed: held-out distance of the theory and of the best rival (its ``name``), means over halves and times.

    The best rival is the one that comes closest on the *judged* halves: the theory has to beat every one of them. A rival
    chosen on the fitting half is overfitted (three compete), so that the theory would beat it where nothing is learnt.
    """
    table = _frame([one for one in found if one.time])
    means = table.groupby(["seed", "model"])["distance"].mean().unstack("model")
    rivals = means.drop(columns=["noise", SAMPLING])
    return pd.DataFrame({"theory": means["noise"], "rival": rivals.min(axis=1), "name": rivals.idxmin(axis=1)})


def fit_parts(found: Sequence[HeldOut], seeds: int) -> list[Part]:
    """D10, per seed: mean held-out distance over times and halves, and by how much it is below the best rival's.

    NaN for a seed without times.
    """
    values = np.full((2, seeds), np.nan)
    if any(one.time for one in found):
        judged = _judged(found)
        values[0, judged.index] = judged["theory"]
        values[1, judged.index] = judged["theory"] - judged["rival"]
    return [Part("distance", values[0]), Part("distance_minus_best_rival", values[1])]


Others = Mapping[str, tuple[Extracted, Extracted | None]]


def _parts(e: Extracted, **how: bool) -> list[Part]:
    return fit_parts(held_out(e, phase2_times(e, **how), **how), len(e.v))


def fit_variants(e: Extracted, others: Others) -> dict[str, list[Part]]:
    """Analyses that must agree: the other ends of the face of optima, and only games with a certificate."""
    found = {name: _parts(other) for name, (other, _) in others.items() if name.startswith("order")}
    return {**found, "uncertified games dropped": _parts(e, certified_only=True)}


def fit_reported(e: Extracted, others: Others, salient: Sequence[HeldOut]) -> dict[str, list[Part]]:
    """Analyses that are shown without deciding: second draw of players, salient interactions only, no split at all."""
    seeds, times = len(e.v), phase2_times(e)
    found = {name: _parts(other) for name, (other, _) in others.items() if not name.startswith("order")}
    return {**found, "salient interactions only": fit_parts(salient, seeds),
            "pure AND interactions": fit_parts(held_out(harsanyi(e), times), seeds)}


def fit_controls(e: Extracted, found: Sequence[HeldOut]) -> dict[str, object]:
    """Held-out distance of every model per time, the rivals that were compared, the steps, and σ² over the whole course."""
    table = _frame(found)
    at = table[table["time"] != ""]
    path = table[table["model"] == "noise"].groupby("checkpoint")["value"].median()
    distance = at.groupby(["model", "time"])["distance"].mean().to_dict()
    rivals = _judged(found)["name"].value_counts() if len(at) else pd.Series(dtype=int)
    steps = at.groupby("time")["checkpoint"].unique()
    return {
        "held-out distance": {m: {t: distance.get((m, t)) for t in TIMES} for m in (*theory.MODELS, SAMPLING)},
        "best rival, number of seeds": {name: int(count) for name, count in rivals.sort_index().items()},
        "steps compared": {t: sorted(e.steps[steps[t]].tolist()) if t in steps else [] for t in TIMES},
        "fitted sigma2, median over seeds and halves": {str(e.steps[c]): value for c, value in path.items()}}


def fit_tables(e: Extracted, cases: Mapping[str, Sequence[HeldOut]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """D10's figure: bars (real and predicted shares per case and time) and curves over all checkpoints of the first case.

    Bars are means over seeds and halves of what was judged, low and high their quartiles. Curves: the fitted σ² and the
    held-out distance of every model, median and quartiles.
    """
    bars = []
    for case, found in cases.items():
        for time in TIMES:
            judged = [one for one in found if one.time == time and one.model == "noise"]
            if judged:
                steps = sorted({int(e.steps[one.checkpoint]) for one in judged})
                name = f"{time}\nstep {steps[0]}" + (f" to {steps[-1]}" if len(steps) > 1 else "")
                bars += [_bars([one.real for one in judged], "real").assign(row=case, time=name),
                         _bars([one.predicted for one in judged], "theory").assign(row=case, time=name)]
    columns = ["shares", "order", "share", "low", "high", "row", "time"]
    curves = _frame(next(iter(cases.values())))
    sigma2 = _course(e, curves[(curves["model"] == "noise") & (curves["value"] > 0)], "value", NOISE)
    return (pd.concat(bars, ignore_index=True) if bars else pd.DataFrame(columns=columns),
            pd.concat([sigma2, _course(e, curves, "distance", "held-out distance")], ignore_index=True))


def _bars(shares: list[torch.Tensor], kind: str) -> pd.DataFrame:
    stacked = torch.stack(shares).nan_to_num()
    return pd.DataFrame({"shares": kind, "order": range(1, stacked.shape[1] + 1), "share": stacked.mean(0).numpy(),
                         "low": stacked.quantile(0.25, 0).numpy(), "high": stacked.quantile(0.75, 0).numpy()})


def _course(e: Extracted, table: pd.DataFrame, column: str, panel: str) -> pd.DataFrame:
    """Median and quartiles over seeds and halves of a column at every checkpoint, a line per model."""
    names = {SAMPLING: SAMPLING, "noise": "theory", "exponential": "exponential shrink", "cut": "hard cut",
             "mix": "mix with initial"}
    lines = table.groupby(["model", "checkpoint"], sort=False)[column].quantile([0.25, 0.5, 0.75]).unstack().reset_index()
    return pd.DataFrame({"panel": panel, "model": lines["model"].map(names), "step": e.steps[lines["checkpoint"]],
                         "value": lines[0.5], "low": lines[0.25], "high": lines[0.75]})
