"""D3a, D3b, D4, D11a, D11b: complexity falls, then rises, in step with over-fitting; and what there
is before training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from .. import claims, lattice, stats
from ..claims import Part, Premise, Verdict
from ..jobs.games import CertifiedGames
from ..metrics import dynamics, nulls, orders, salience, sparsity
from ..metrics.unimodal import unimodal_distance
from ..params import TwoPhase
from ..train import Run

__all__ = [
    "EDGE",
    "GRID",
    "alignment",
    "alignment_parts",
    "bar_table",
    "changed",
    "drawn",
    "fall_parts",
    "gap_controls",
    "gap_parts",
    "gap_table",
    "gap_verdict",
    "law_parts",
    "loss_gaps",
    "mean_orders",
    "median_turn",
    "moments_in_time",
    "other_images",
    "overfits",
    "phase_controls",
    "phase_table",
    "phase_verdict",
    "pooled_parts",
    "pure_shares",
    "require_duality",
    "rise_parts",
    "shape_parts",
    "shape_table",
    "signal",
    "spindle_controls",
    "spindle_table",
    "split_shares",
    "start_verdict",
    "turning_points",
    "turning_steps",
    "uncertified",
]

EDGE = dynamics.EDGE
GRID = 64
"""Points, even in log time, on which a loss gap is fitted; the loss is measured at about 40 steps
of the same window."""
_SHIFTS = 1000

Floats = NDArray[np.float64]
Others = Mapping[str, tuple[CertifiedGames, CertifiedGames | None]]


def require_duality(e: CertifiedGames) -> None:
    """ArithmeticError unless OR is AND on inverted masks and the model rebuilds v up to its noise
    terms: a bug, then."""
    duality = float(sparsity.duality_error(e.v).max())
    allowed = e.kappa * (e.v[..., -1] - e.v[..., 0]).abs()
    excess = float((e.error - allowed).max())
    scale = float(e.v.abs().max())
    print(
        f"max |I_or + I_and of the inverted game| / max |v| = {duality:.1e}; max |v - model| "
        f"beyond kappa = {excess:.1e}"
    )
    if duality > 1e-8 or excess > 1e-8 * scale:
        raise ArithmeticError(
            "the identities of the AND-OR model fail: this is a bug, nothing below may be believed"
        )


def uncertified(main: CertifiedGames, others: Others, checkpoint: int | None = None) -> float:
    """Largest share of games above the split's tolerance among all analyses, at one checkpoint or
    over all."""
    every = [main, *(e for pair in others.values() for e in pair if e is not None)]
    done = [e.converged if checkpoint is None else e.converged[:, checkpoint] for e in every]
    return max(float((~c).double().mean()) for c in done)


def signal(e: CertifiedGames, factor: float = 10.0) -> Premise:
    """The games must stand out of the network's rounding: at every checkpoint, E_x |v(N) - v(∅)| ≥
    factor x its error."""
    strength = (e.v[..., -1] - e.v[..., 0]).abs().mean(-1)
    rounding = e.noise_floor / 2 ** (e.found.n / 2)
    weak = [
        int(step)
        for step, ok in zip(e.steps, (strength >= factor * rounding).all(0).tolist(), strict=True)
        if not ok
    ]
    return Premise(
        "the games stand out of rounding",
        not weak,
        f"at step(s) {weak} the mean of |v(N) - v(∅)| is below {factor:g} times the rounding of "
        "the scores",
    )


# --- D3a, D3b: the fall and the rise


def mean_orders(
    e: CertifiedGames, rule: salience.Rule | None = None, certified_only: bool = False
) -> Floats:
    """Mean order of each image's interactions: (S networks, C checkpoints, X images); NaN where an
    image has no strength.

    rule: of salient interactions only. certified_only: NaN for an image with an uncertified
    checkpoint in that network.
    """
    weighted, strength = e.moments(rule, certified_only)
    return torch.where(strength > 0, weighted / strength, torch.nan).numpy()


def turning_points(mu: Floats) -> NDArray[np.int64]:
    """t* for each network and half of the images, from ``mu`` (S, C, X): (S, 2) indices of
    checkpoints.

    The inner checkpoint of least mean order of the *other* networks on the *other* half: a minimum
    that is judged on what chose it finds a rise in noise.
    """
    if mu.shape[1] < 2 * EDGE + 1:
        raise ValueError(f"two phases need at least {2 * EDGE + 1} checkpoints, got {mu.shape[1]}")
    return EDGE + stats.cross_chosen(mu[:, EDGE : mu.shape[1] - EDGE], _least)


def _least(values: Floats) -> int:
    return int(np.argmin(np.where(np.isnan(values), np.inf, values)))


def fall_parts(mu: Floats) -> list[Part]:
    """D3a from ``mu`` (S, C, X): mean over images of the mean order before training minus that at
    t*."""
    return [Part.of("fall", mu[:, 0] - stats.chosen(mu, turning_points(mu)))]


def rise_parts(mu: Floats) -> list[Part]:
    """D3b from ``mu`` (S, C, X): mean over images of the mean order at the end of training minus
    that at t*."""
    return [Part.of("rise", mu[:, -1] - stats.chosen(mu, turning_points(mu)))]


def pooled_parts(e: CertifiedGames, name: str) -> list[Part]:
    """``fall`` or ``rise`` as a ratio of sums over images, the same t*: images of larger scores
    count for more."""
    weighted, strength = (x.numpy() for x in e.moments())
    where, end = turning_points(mean_orders(e)), {"fall": 0, "rise": -1}[name]
    turn = [stats.chosen(x, where) for x in (weighted, strength)]

    def difference(keep: NDArray[np.bool_]) -> Floats:
        ratio = [
            w[:, keep].sum(1) / s[:, keep].sum(1)
            for w, s in ((weighted[:, end], strength[:, end]), turn)
        ]
        return ratio[0] - ratio[1]

    return [Part.jackknifed(name, difference, weighted.shape[2])]


def other_images(p: TwoPhase) -> tuple[str, TwoPhase]:
    """The same study of images of the other split, and its name: training images where test images
    are explained."""
    split = "train" if p.image_split == "test" else "test"
    return f"{'training' if split == 'train' else 'test'} images", p.model_copy(
        update={"image_split": split}
    )


def changed(p: TwoPhase) -> str | None:
    """What of ``p`` makes another statistic than the registered one, in words: such numbers are a
    sensitivity."""
    return "training instead of test images" if p.image_split == "train" else None


def phase_verdict(
    row: str,
    p: TwoPhase,
    system: str,
    main: CertifiedGames,
    others: Others,
    noise: CertifiedGames,
    **common: Any,
) -> Verdict:
    """D3a or D3b of one system: both ends of the face and certified games only must agree; other
    analyses are shown.

    others: further analyses by name, those called ``order weight …`` are gates. common: what else
    the judge is told.
    """
    parts, name = {"D3a": (fall_parts, "fall"), "D3b": (rise_parts, "rise")}[row]
    gates, shown = _sorted({key: parts(mean_orders(e)) for key, (e, _) in others.items()})
    gates["uncertified games dropped"] = parts(mean_orders(main, certified_only=True))
    shown["ratio of sums over images"] = pooled_parts(main, name)
    shown[f"salient interactions only ({p.salience})"] = parts(mean_orders(main, p.salience))
    return claims.judge(
        row,
        system,
        parts(mean_orders(main)),
        variants=gates,
        reported=shown,
        control=phase_controls(p, main, noise),
        **common,
    )


def gap_verdict(
    row: str, system: str, main: CertifiedGames, others: Others, runs: Sequence[Run], **common: Any
) -> Verdict:
    """D4 of one system, gates and other analyses as in :func:`phase_verdict`."""
    gates, shown = _sorted({key: gap_parts(e, runs) for key, (e, _) in others.items()})
    gates["uncertified games dropped"] = gap_parts(main, runs, certified_only=True)
    return claims.judge(
        row,
        system,
        gap_parts(main, runs),
        variants=gates,
        reported=shown,
        control=gap_controls(main, runs),
        **common,
    )


def _sorted(analyses: dict[str, list[Part]]) -> tuple[dict[str, list[Part]], dict[str, list[Part]]]:
    """Those that must agree (the other end of the face), and those that are only shown."""
    return (
        {name: x for name, x in analyses.items() if name.startswith("order")},
        {name: x for name, x in analyses.items() if not name.startswith("order")},
    )


def phase_controls(p: TwoPhase, e: CertifiedGames, noise: CertifiedGames) -> dict[str, object]:
    """Mean order over time, that of independent noise (N2) through the same split, and where t* was
    chosen."""
    mu = mean_orders(e)
    weighted, strength = e.moments()
    return {
        "step": e.steps.tolist(),
        "mean order": np.nanmean(mu, axis=(0, 2)).tolist(),
        "mean order, ratio of sums over images": (weighted.sum(-1) / strength.sum(-1))
        .mean(0)
        .tolist(),
        "mean order of independent noise before training (N2)": float(
            np.nanmean(mean_orders(noise))
        ),
        "t* chosen for each network, by half of the images": e.steps[turning_points(mu)].tolist(),
        "inner checkpoints": e.steps[[EDGE, -EDGE - 1]].tolist(),
        "salience rule of the figure": p.salience,
    }


# --- D4: in step with the loss gap


def overfits(runs: list[Run]) -> Premise:
    """The claim's premise: the test loss turns up in every seed (its minimum lies before the last
    tenth of the steps)."""
    late = [
        run.config.seed
        for run in runs
        if run.losses["step"][run.losses["test_loss"].idxmin()] > 0.9 * run.config.steps
    ]
    return Premise(
        "the test loss turns up in every seed",
        not late,
        f"the test loss of seed(s) {late} is lowest in the last tenth of training, so they do "
        "not over-fit: "
        "train for more steps or on fewer images",
    )


def loss_gaps(steps: ArrayLike, runs: Sequence[Run]) -> tuple[Floats, Floats]:
    """(Test minus training loss) / their sum in the window of the checkpoints ``steps``: log steps
    (G,), gaps (S, G)."""
    inner = np.asarray(steps)[np.asarray(steps) > 0]
    grid = np.linspace(np.log(inner[0]), np.log(inner[-1]), GRID)
    curves = [
        (
            run.losses["step"].to_numpy(),
            run.losses["test_loss"].to_numpy(),
            run.losses["train_loss"].to_numpy(),
        )
        for run in runs
    ]
    return grid, np.stack(
        [
            dynamics.on_log_grid(at, (test - train) / (test + train), grid)
            for at, test, train in curves
        ]
    )


def moments_in_time(x: Floats, curves: Floats) -> tuple[float, Floats]:
    """Change point in log time of the average of ``curves`` (S, K), and of the averages without
    each network (S,)."""
    networks = len(curves)
    whole = curves.mean(0, keepdims=True)
    left = (networks * whole - curves) / (networks - 1) if networks > 1 else np.empty((0, len(x)))
    found = dynamics.change_points(x, np.concatenate([whole, left]))
    return float(found[0]), found[1:]


def alignment_parts(x: Floats, mu: Floats, grid: Floats, gaps: Floats) -> list[Part]:
    """D4: where the loss gap and the mean order turn upwards, compared.

    x (K,): log steps of the checkpoints after initialisation, mu (S, K): mean order of each
    network; grid (G,), gaps (S, G): normalised loss gap, in the same window. Distance: (log t_gap -
    log t*) in mean cells of ``x``. Both moments are change points of curves averaged over networks,
    since a single network's curve is too rough to have one; the networks are the sample, so they
    are jackknifed, and the values are the S pseudo-values: their t interval is the jackknife's. The
    images enter through each network's own average only. NaN where a curve, or one of its averages
    with a network left out, never turns upwards. The shift test moves t_gap circularly through the
    window.
    """
    cell, window = (x[-1] - x[0]) / (len(x) - 1), x[-1] - x[0]
    (gap, gap_left), (turn, turn_left) = moments_in_time(grid, gaps), moments_in_time(x, mu)
    distance, left = (gap - turn) / cell, (gap_left - turn_left) / cell
    networks = len(mu)
    values = networks * distance - (networks - 1) * left if networks > 1 else np.array([distance])
    if np.isnan(values).any():
        return [Part("distance", np.full(networks, np.nan)), Part("circular_shift", pvalue=1.0)]
    places = [np.clip((t - x[0]) / window, 0, 1)[None] * (_SHIFTS - 1) for t in (gap, turn)]
    test = stats.event_shift_test(*places, _SHIFTS)
    return [
        Part("distance", values),
        Part("circular_shift", pvalue=test.pvalue, estimate=abs(distance)),
    ]


def alignment(
    e: CertifiedGames, runs: Sequence[Run], certified_only: bool = False
) -> tuple[Floats, Floats, Floats, Floats]:
    """What :func:`alignment_parts` takes: log steps, mean orders, log grid, normalised gaps. Step 0
    is left out."""
    later = e.steps > 0
    mu = mean_orders(e, certified_only=certified_only)[:, later]
    curves = np.stack(
        [stats.unit_means(network) for network in mu]
    )  # (S, K), a mean over images each
    return np.log(e.steps[later].astype(float)), curves, *loss_gaps(e.steps, runs)


def gap_parts(e: CertifiedGames, runs: Sequence[Run], certified_only: bool = False) -> list[Part]:
    """D4 of a system, see :func:`alignment_parts`."""
    return alignment_parts(*alignment(e, runs, certified_only))


def gap_controls(e: CertifiedGames, runs: Sequence[Run]) -> dict[str, object]:
    """Both moments, of the averaged curves and of each network's own, and the factor that is one
    extraction cell."""
    x, mu, grid, gaps = alignment(e, runs)
    return {
        "t* (step)": float(np.exp(moments_in_time(x, mu)[0])),
        "t_gap (step)": float(np.exp(moments_in_time(grid, gaps)[0])),
        "t* of each network": np.exp(dynamics.change_points(x, mu)).tolist(),
        "t_gap of each network": np.exp(dynamics.change_points(grid, gaps)).tolist(),
        "factor between neighbouring checkpoints": float(np.exp((x[-1] - x[0]) / (len(x) - 1))),
    }


def turning_steps(e: CertifiedGames, runs: Sequence[Run]) -> dict[str, float]:
    """The two moments in steps, to be marked in a figure; one that is not there is left out."""
    x, mu, grid, gaps = alignment(e, runs)
    found = {
        "$t_{gap}$": np.exp(moments_in_time(grid, gaps)[0]),
        "$t^*$": np.exp(moments_in_time(x, mu)[0]),
    }
    return {label: float(step) for label, step in found.items() if np.isfinite(step)}


# --- D11a, D11b: before training


def split_shares(e: CertifiedGames, certified_only: bool = False) -> Floats:
    """Share of each image's strength in each order before training, after the split: (S, X, n);
    NaN: no strength."""
    positive, negative = orders.strength_by_order(e.found[:, 0].merge_first_order())
    return _normalised(positive - negative, e.converged[:, 0] if certified_only else None)


def pure_shares(v: torch.Tensor) -> Floats:
    """The same of the pure AND (Harsanyi) interactions of games ``v`` (S, X, 2^n)."""
    return _normalised(orders.by_order(lattice.and_interactions(v).abs()))


def _normalised(strength: torch.Tensor, keep: torch.Tensor | None = None) -> Floats:
    total = strength.sum(-1, keepdim=True)
    good = (total > 0) if keep is None else (total > 0) & keep[..., None]
    return torch.where(good, strength / total, torch.nan).numpy()


def _profiles(shares: Floats) -> tuple[Floats, Floats]:
    """Mean profile over images (S, n), and without each image (S, X, n); images without a profile
    are left out."""
    columns = np.moveaxis(shares, -1, 0)
    return np.stack([stats.unit_means(c) for c in columns], -1), np.stack(
        [stats.leave_one_out(c) for c in columns], -1
    )


def shape_parts(shares: Floats) -> list[Part]:
    """D11a from the order shares (S, X, n) before training: do both ends lie below half of the
    peak, and is there one?

    ``ends``: 1 - 2 share_end / share_peak, the end with the larger share and the peak chosen by the
    other networks and the other images (a peak at an end gives -1). ``unimodal``: total variation
    of the mean profile to the nearest unimodal one.
    """
    options = np.moveaxis(shares, -1, 1)  # (S, n, X)
    sides = options[:, [0, -1]]
    end, peak = (stats.chosen(o, stats.cross_chosen(o, _most)) for o in (sides, options))
    whole, left = _profiles(shares)
    return [
        Part(
            "ends",
            1 - 2 * stats.unit_means(end) / stats.unit_means(peak),
            1 - 2 * stats.leave_one_out(end) / stats.leave_one_out(peak),
        ),
        Part("unimodal", unimodal_distance(whole), unimodal_distance(left)),
    ]


def _most(values: Floats) -> int:
    return int(np.argmax(np.where(np.isnan(values), -np.inf, values)))


def law_parts(pure: Floats, split: Floats, noise: Floats) -> list[Part]:
    """D11b from order shares (S, X, n): total variation of mean profiles from those of noise.

    pure: of the network's pure AND interactions, against C(n, k) 2^(k/2); split, noise: of the
    network's and of matched independent games after the same split, against each other.
    """
    law = orders.spindle(pure.shape[-1]).numpy()
    (h, h_left), (ours, ours_left), (theirs, theirs_left) = (
        _profiles(s) for s in (pure, split, noise)
    )
    return [
        Part("harsanyi", np.abs(h - law).sum(-1) / 2, np.abs(h_left - law).sum(-1) / 2),
        Part(
            "after_split",
            np.abs(ours - theirs).sum(-1) / 2,
            np.abs(ours_left - theirs_left).sum(-1) / 2,
        ),
    ]


def start_verdict(
    row: str,
    system: str,
    main: CertifiedGames,
    noise: CertifiedGames,
    others: Others,
    **common: Any,
) -> Verdict:
    """D11a or D11b of one system; others: further analyses by name with their noise games, gates as
    for the phases."""

    def law(e: CertifiedGames, null: CertifiedGames, only: bool = False) -> list[Part]:
        return law_parts(pure_shares(e.v[:, 0]), split_shares(e, only), split_shares(null, only))

    def shape(e: CertifiedGames, null: CertifiedGames, only: bool = False) -> list[Part]:
        return shape_parts(split_shares(e, only))

    parts: Callable[..., list[Part]] = {"D11a": shape, "D11b": law}[row]
    gates, shown = _sorted({name: parts(e, null) for name, (e, null) in others.items()})
    gates["uncertified games dropped"] = parts(main, noise, True)
    return claims.judge(
        row,
        system,
        parts(main, noise),
        variants=gates,
        reported=shown,
        control=spindle_controls(main),
        **common,
    )


def spindle_controls(e: CertifiedGames, seed: int = 0) -> dict[str, float]:
    """Mean distance from the spindle of games that are not noise, and of the network from a flat
    distribution."""
    n, start = e.found.n, e.v[:, 0]
    law, flat = orders.spindle(n).numpy(), np.full(n, 1 / n)
    cases = {
        "linear games": nulls.additive_games(start, seed),
        "games of the size only": nulls.size_games(start, seed),
        "independent noise": nulls.iid_games(start, seed),
    }
    found = {
        f"{name} from the spindle": np.abs(_profiles(pure_shares(v))[0] - law)
        for name, v in cases.items()
    }
    found["the untrained network from the uniform distribution"] = np.abs(
        _profiles(pure_shares(start))[0] - flat
    )
    return {name: float(gaps.sum(-1).mean() / 2) for name, gaps in found.items()}


def spindle_table(e: CertifiedGames, noise: CertifiedGames, seed: int = 0) -> pd.DataFrame:
    """Order shares before training: the formula, the network and controls (pure AND), and both
    after the split."""
    n, start = e.found.n, e.v[:, 0]
    pure, split = "pure AND (Harsanyi)", "after the AND-OR split"
    cases = {
        (pure, "formula"): np.broadcast_to(orders.spindle(n).numpy(), (len(start), 1, n)),
        (pure, "untrained"): pure_shares(start),
        (pure, "iid noise"): pure_shares(nulls.iid_games(start, seed)),
        (pure, "linear control"): pure_shares(nulls.additive_games(start, seed)),
        (pure, "size-only control"): pure_shares(nulls.size_games(start, seed)),
        (split, "untrained"): split_shares(e),
        (split, "iid noise"): split_shares(noise),
    }
    return _share_table(cases)


def shape_table(p: TwoPhase, main: CertifiedGames, others: Others) -> pd.DataFrame:
    """Order shares before training after the split, at both ends of the face, and half of the peak,
    which D11a asks for."""
    cases = {}
    for panel, e in drawn(p, main, others).items():
        shares = split_shares(e)
        peak = _profiles(shares)[0].max(-1)
        cases[panel, "untrained"] = shares
        cases[panel, "half of the peak"] = np.broadcast_to(
            peak[:, None, None] / 2, (len(peak), 1, e.found.n)
        )
    return _share_table(cases)


def _share_table(cases: Mapping[tuple[str, str], Floats]) -> pd.DataFrame:
    """Mean over images, then over networks, with the networks' range, of shares (S, X, n) by
    (panel, games)."""
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": panel,
                    "games": label,
                    "order": range(1, shares.shape[-1] + 1),
                    "share": s.mean(0),
                    "low": s.min(0),
                    "high": s.max(0),
                }
            )
            for (panel, label), shares in cases.items()
            for s in [np.nanmean(shares, axis=1)]
        ],
        ignore_index=True,
    )


# --- figures of the two phases


def bar_table(e: CertifiedGames, name: str, count: int, rule: salience.Rule | None) -> pd.DataFrame:
    """Strength per order at ``count`` checkpoints, the first, the last and the turning point among
    them.

    Positive and negative salient interactions, summed within a sample, averaged over images and
    seeds.
    """
    tau = salience.threshold(e.merged, e.v, rule) if rule else None
    positive, negative = (x.mean((0, 2)) for x in orders.strength_by_order(e.merged, tau))
    chosen = np.linspace(0, len(e.steps) - 1, count).round().astype(int)
    turning = int(np.median(turning_points(mean_orders(e))))
    inner = 1 + int(np.abs(chosen[1:-1] - turning).argmin())
    chosen[inner] = min(max(turning, chosen[inner - 1] + 1), chosen[inner + 1] - 1)
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "system": name,
                    "time": f"step {e.steps[c]}",
                    "order": range(1, e.found.n + 1),
                    "positive": positive[c].numpy(),
                    "negative": negative[c].numpy(),
                }
            )
            for c in chosen
        ],
        ignore_index=True,
    )


def drawn(
    p: TwoPhase, main: CertifiedGames, others: Others, *more: str
) -> dict[str, CertifiedGames]:
    """The analyses that a figure of the mean order shows: both ends of the face, and those named in
    ``more``."""
    return {
        f"order weight {p.order_weights[0]:+g}": main,
        **{name: e for name, (e, _) in others.items() if name.startswith("order") or name in more},
    }


def median_turn(e: CertifiedGames) -> float:
    """The median step of t* over networks and halves of the images."""
    return float(np.median(e.steps[turning_points(mean_orders(e))]))


def phase_table(name: str, analyses: Mapping[str, CertifiedGames]) -> pd.DataFrame:
    """Mean order at each checkpoint, a curve per analysis: mean over networks of their means over
    images, with the interval over networks and images."""
    rows = []
    for label, e in analyses.items():
        mu = mean_orders(e)
        for c, step in enumerate(e.steps):
            span = stats.crossed(
                stats.unit_means(mu[:, c]), stats.leave_one_out(mu[:, c])
            ).interval()
            rows.append(
                {
                    "panel": name,
                    "curve": label,
                    "step": int(step),
                    "value": span.estimate,
                    "low": span.low,
                    "high": span.high,
                }
            )
    return pd.DataFrame(rows)


def gap_table(name: str, e: CertifiedGames, runs: Sequence[Run]) -> pd.DataFrame:
    """The normalised loss gap, averaged over networks."""
    grid, gaps = loss_gaps(e.steps, runs)
    return pd.DataFrame(
        {"panel": name, "curve": "loss gap", "step": np.exp(grid), "value": gaps.mean(0)}
    )
