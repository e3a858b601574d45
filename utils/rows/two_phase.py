"""D3, D4, D11: complexity falls, then rises, in step with over-fitting; and what there is before training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from .. import lattice, stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.study import Extracted
from ..metrics import dynamics, nulls, orders, salience
from ..train import Run

__all__ = ["GRID", "bar_table", "gap_parts", "gap_steps", "loss_gap", "mean_order_table", "overfits", "phase_parts",
           "spindle_controls", "spindle_parts", "spindle_table", "turning_steps"]

GRID = 128
"""Points, even in log time, on which a loss gap is smoothed and searched."""


def phase_parts(e: Extracted, rule: salience.Rule | None = None, certified_only: bool = False) -> list[Part]:
    """D3, per seed: fall and rise of the mean order around its minimum, chosen on one half and judged on the other."""
    weighted, strength = e.moments(rule, certified_only)
    found = [dynamics.two_phase(w, s) for w, s in zip(weighted, strength, strict=True)]
    return [Part("phase1", [f.fall for f in found]), Part("phase2", [f.rise for f in found]),
            Part("interior", [float(f.interior) for f in found])]


def overfits(runs: list[Run]) -> Premise:
    """The claim's premise: the test loss turns up in every seed (its minimum lies before the last tenth of the steps)."""
    late = [run.config.seed for run in runs
            if run.losses["step"][run.losses["test_loss"].idxmin()] > 0.9 * run.config.steps]
    return Premise("the test loss turns up in every seed", not late,
                   f"the test loss of seed(s) {late} is lowest in the last tenth of training, so they do not over-fit: "
                   "train for more steps or on fewer images")


def loss_gap(run: Run, normalised: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Smoothed test minus training loss on the log grid: steps and gap (GRID,); ``normalised``: over their sum."""
    gap = run.losses["test_loss"] - run.losses["train_loss"]
    if normalised:
        gap = gap / (run.losses["test_loss"] + run.losses["train_loss"])
    steps, values = dynamics.on_log_grid(run.losses["step"].to_numpy(), gap.to_numpy(), GRID)
    return steps, dynamics.smooth(values)


def gap_steps(runs: list[Run], normalised: bool = False) -> np.ndarray:
    """t_gap of each seed: step at which the loss gap has left its minimum by 5 % of its range."""
    curves = [loss_gap(run, normalised) for run in runs]
    return np.array([steps[dynamics.gap_start(values)] for steps, values in curves])


def turning_steps(e: Extracted, rule: salience.Rule | None = None, certified_only: bool = False) -> np.ndarray:
    """t* of each seed: the checkpoint of least mean order over all images, step 0 excluded."""
    weighted, strength = e.moments(rule, certified_only)
    mu = (weighted.sum(-1) / strength.sum(-1)).numpy()[:, e.steps > 0]
    return e.steps[e.steps > 0][mu.argmin(1)]


def gap_parts(e: Extracted, runs: list[Run], normalised: bool = False, certified_only: bool = False) -> list[Part]:
    """D4: |log t_gap - log t*| in extraction cells, and its circular-shift test over the seeds."""
    t_gap, t_star = gap_steps(runs, normalised), turning_steps(e, certified_only=certified_only)
    inner = np.log(e.steps[e.steps > 0].astype(float))
    cell = (inner[-1] - inner[0]) / (len(inner) - 1)
    distance = np.abs(np.log(t_gap) - np.log(t_star)) / cell
    per_point = (inner[-1] - inner[0]) / (GRID - 1)
    test = stats.event_shift_test(np.log(t_gap) / per_point, np.log(t_star) / per_point, GRID)
    return [Part("distance", distance), Part("circular_shift", pvalue=test.pvalue, estimate=float(distance.mean()))]


def _shares(found: Interactions) -> torch.Tensor:
    return orders.order_shares(found.merge_first_order())


def _harsanyi(v: torch.Tensor) -> Interactions:
    return Interactions(lattice.and_interactions(v), torch.zeros_like(v))


def spindle_parts(e: Extracted, noise: Extracted, certified_only: bool = False) -> list[Part]:
    """D11, per seed: distance of the untrained network's order shares from noise, before and after the split.

    e, noise: interactions of the network's and of the matched iid games, whose checkpoint 0 counts.
    """
    n = e.found.n
    plain = orders.total_variation(orders.order_shares(_harsanyi(e.v[:, 0])), orders.spindle(n))
    ours, theirs = e.found[:, 0], noise.found[:, 0]
    if certified_only:
        keep, kept = e.converged[:, 0, :, None], noise.converged[:, 0, :, None]
        ours, theirs = Interactions(ours.and_ * keep, ours.or_ * keep), Interactions(theirs.and_ * kept, theirs.or_ * kept)
    split = orders.total_variation(_shares(ours), _shares(theirs))
    return [Part("harsanyi", plain.numpy()), Part("after_split", split.numpy())]


def spindle_controls(e: Extracted, seed: int = 0) -> dict[str, float]:
    """Mean distance from the spindle of games that are not noise, and of the network from a flat distribution."""
    n, start = e.found.n, e.v[:, 0]
    flat = torch.full((n,), 1 / n, dtype=torch.float64)
    cases = {"linear games": nulls.additive_games(start, seed), "games of the size only": nulls.size_games(start, seed),
             "independent noise": nulls.iid_games(start, seed)}
    found = {f"{name} from the spindle": orders.total_variation(orders.order_shares(_harsanyi(v)), orders.spindle(n))
             for name, v in cases.items()}
    found["the untrained network from the uniform distribution"] = orders.total_variation(
        orders.order_shares(_harsanyi(start)), flat)
    return {name: float(values.mean()) for name, values in found.items()}


def spindle_table(e: Extracted, noise: Extracted, seed: int = 0) -> pd.DataFrame:
    """Order shares before training: the formula, the network and controls (pure AND), and both after the split."""
    n, start = e.found.n, e.v[:, 0]
    cases = {
        ("pure AND (Harsanyi)", "formula"): orders.spindle(n).expand(len(start), n),
        ("pure AND (Harsanyi)", "untrained"): orders.order_shares(_harsanyi(start)),
        ("pure AND (Harsanyi)", "iid noise"): orders.order_shares(_harsanyi(nulls.iid_games(start, seed))),
        ("pure AND (Harsanyi)", "linear control"): orders.order_shares(_harsanyi(nulls.additive_games(start, seed))),
        ("pure AND (Harsanyi)", "size-only control"): orders.order_shares(_harsanyi(nulls.size_games(start, seed))),
        ("after the AND-OR split", "untrained"): _shares(e.found[:, 0]),
        ("after the AND-OR split", "iid noise"): _shares(noise.found[:, 0]),
    }
    return pd.concat([pd.DataFrame({"panel": panel, "games": label, "order": range(1, n + 1), "share": s.mean(0).numpy(),
                                    "low": s.amin(0).numpy(), "high": s.amax(0).numpy()})
                      for (panel, label), s in cases.items()], ignore_index=True)


def bar_table(e: Extracted, name: str, count: int, rule: salience.Rule | None) -> pd.DataFrame:
    """Strength per order at ``count`` checkpoints, the first, the last and the turning point among them.

    Positive and negative salient interactions, summed within a sample, averaged over images and seeds.
    """
    tau = salience.threshold(e.merged, e.v, rule) if rule else None
    positive, negative = (x.mean((0, 2)) for x in orders.strength_by_order(e.merged, tau))
    chosen = np.linspace(0, len(e.steps) - 1, count).round().astype(int)
    turning = int(np.searchsorted(e.steps, np.median(turning_steps(e))))
    inner = 1 + int(np.abs(chosen[1:-1] - turning).argmin())
    chosen[inner] = min(max(turning, chosen[inner - 1] + 1), chosen[inner + 1] - 1)
    return pd.concat([pd.DataFrame({
        "system": name, "time": f"step {e.steps[c]}", "order": range(1, e.found.n + 1),
        "positive": positive[c].numpy(), "negative": negative[c].numpy()}) for c in chosen], ignore_index=True)


def mean_order_table(e: Extracted, label: str, rule: salience.Rule | None = None) -> pd.DataFrame:
    """Mean order at each checkpoint: mean over seeds, with its 95 % t interval across seeds."""
    weighted, strength = e.moments(rule)
    mu = (weighted.sum(-1) / strength.sum(-1)).numpy()
    spans = [stats.t_interval(column) for column in mu.T]
    return pd.DataFrame({"split": label, "step": e.steps, "mean order": mu.mean(0),
                         "low": [s.low for s in spans], "high": [s.high for s in spans]})
