"""D3, D4, D11: complexity falls, then rises, in step with over-fitting; and what there is before training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from .. import lattice, stats
from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.study import Extracted
from ..metrics import dynamics, nulls, orders, salience, sparsity
from ..params import TwoPhase
from ..train import Run

__all__ = ["GRID", "bar_table", "dynamics_tables", "gap_controls", "gap_parts", "gap_steps", "loss_gap", "overfits",
           "phase_controls", "phase_parts", "require_duality", "signal", "spindle_controls", "spindle_parts",
           "spindle_table", "turning_steps", "uncertified"]

GRID = 128
"""Points, even in log time, on which a loss gap is smoothed and searched."""

Others = Mapping[str, tuple[Extracted, Extracted | None]]


def require_duality(e: Extracted) -> None:
    """ArithmeticError unless OR is AND on inverted masks and the model rebuilds v up to its noise terms: a bug, then."""
    duality = float(sparsity.duality_error(e.v).max())
    allowed = e.kappa * (e.v[..., -1] - e.v[..., 0]).abs()
    excess = float((e.error - allowed).max())
    scale = float(e.v.abs().max())
    print(f"max |I_or + I_and of the inverted game| / max |v| = {duality:.1e}; max |v - model| beyond kappa = {excess:.1e}")
    if duality > 1e-8 or excess > 1e-8 * scale:
        raise ArithmeticError("the identities of the AND-OR model fail: this is a bug, nothing below may be believed")


def uncertified(main: Extracted, others: Others, checkpoint: int | None = None) -> float:
    """Largest share of games above the split's tolerance among all analyses, at one checkpoint or over all."""
    every = [main, *(e for pair in others.values() for e in pair if e is not None)]
    done = [e.converged if checkpoint is None else e.converged[:, checkpoint] for e in every]
    return max(float((~c).double().mean()) for c in done)


def signal(e: Extracted, factor: float = 10.0) -> Premise:
    """The games must stand out of the network's rounding: at every checkpoint, E_x |v(N) - v(∅)| ≥ factor x its error."""
    strength = (e.v[..., -1] - e.v[..., 0]).abs().mean(-1)
    rounding = e.noise_floor / 2 ** (e.found.n / 2)
    weak = [int(step) for step, ok in zip(e.steps, (strength >= factor * rounding).all(0).tolist(), strict=True) if not ok]
    return Premise("the games stand out of rounding", not weak,
                   f"at step(s) {weak} the mean of |v(N) - v(∅)| is below {factor:g} times the rounding of the scores")


def phase_parts(e: Extracted, rule: salience.Rule | None = None, certified_only: bool = False) -> list[Part]:
    """D3, per seed: fall and rise of the mean order around its minimum, chosen on one half and judged on the other."""
    weighted, strength = e.moments(rule, certified_only)
    found = [dynamics.two_phase(w, s) for w, s in zip(weighted, strength, strict=True)]
    return [Part("phase1", [f.fall for f in found]), Part("phase2", [f.rise for f in found]),
            Part("interior", [float(f.interior) for f in found])]


def phase_controls(p: TwoPhase, e: Extracted, noise: Extracted) -> dict[str, object]:
    """Mean order over time, that of independent noise (N2) through the same split, and t* of each seed."""
    weighted, strength = e.moments()
    mean = (weighted.sum(-1) / strength.sum(-1)).mean(0)
    within = weighted / strength
    noisy, total = noise.moments()
    return {"step": e.steps.tolist(), "mean order": mean.tolist(),
            "mean order, each image normalised by its own strength": within.nanmean((0, 2)).tolist(),
            "mean order of independent noise before training (N2)": float((noisy.sum(-1) / total.sum(-1)).mean()),
            "t* of each seed": turning_steps(e).tolist(), "salience rule of the figure": p.salience}


def gap_controls(e: Extracted, runs: list[Run]) -> dict[str, object]:
    """Both moments of each seed, and the distance that is one extraction cell."""
    inner = e.steps[e.steps > 0]
    return {"t* of each seed": turning_steps(e).tolist(), "t_gap of each seed": gap_steps(runs).tolist(),
            "t_gap of each seed, normalised gap": gap_steps(runs, normalised=True).tolist(),
            "factor between neighbouring checkpoints": float((inner[-1] / inner[0]) ** (1 / (len(inner) - 1)))}


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
    grid = np.log(loss_gap(runs[0])[0])
    places = [np.interp(np.log(t), grid, np.arange(GRID)) for t in (t_gap, t_star)]
    test = stats.event_shift_test(*places, GRID)
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


def _mean_order_table(e: Extracted, label: str, normalised: bool = False) -> pd.DataFrame:
    """Mean order at each checkpoint: mean over seeds, with its 95 % t interval across seeds.

    normalised: each image divided by its own strength first, so that no image speaks louder for its larger scores.
    """
    weighted, strength = e.moments()
    mu = ((weighted / strength).nanmean(-1) if normalised else weighted.sum(-1) / strength.sum(-1)).numpy()
    spans = [stats.t_interval(column) for column in mu.T]
    return pd.DataFrame({"curve": label, "step": e.steps, "value": mu.mean(0),
                         "low": [s.low for s in spans], "high": [s.high for s in spans]})


def dynamics_tables(p: TwoPhase, main: Extracted, others: Others, runs: list[Run]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Curves of the D4 figure: mean order (left scale) and loss gap (right), raw and normalised in a panel each."""
    labels = {f"order weight {p.order_weights[0]:+g}": main,
              **{name: e for name, (e, _) in others.items() if name.startswith("order")}}
    left, right = [], []
    for panel, normalised in (("raw", False), ("normalised", True)):
        left += [_mean_order_table(e, label, normalised).assign(panel=panel) for label, e in labels.items()]
        curves = [loss_gap(run, normalised) for run in runs]
        gap = np.mean([values for _, values in curves], axis=0)
        right.append(pd.DataFrame({"curve": "loss gap", "step": curves[0][0], "value": gap, "panel": panel}))
    return pd.concat(left, ignore_index=True), pd.concat(right, ignore_index=True)
