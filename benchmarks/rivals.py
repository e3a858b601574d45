"""The split against what one would do instead: the published loop, fast and dense, and a linear
programme by HiGHS.

Order weight 0 throughout, the papers' own objective, so that every competitor minimises the same
thing.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy.optimize import linprog
from scipy.sparse import csr_array, vstack

from utils import sparsify
from utils.sparsify import PaperSettings

from . import networks
from .harness import Competitor, Row, Settings, Timing, say, timed
from .published import dense_loop, matrices

__all__ = ["rows"]

_FAMILY, _KAPPA = "rivals", 0.04
_PATIENCE = 60.0  # seconds that one run of the published loop may take
_TRIAL = 100  # iterations that predict them


def rows(settings: Settings) -> Iterator[Row]:
    """HiGHS at n ≤ 8, then the published loop at n = 10 and 12."""
    for n, games in settings.pick(((6, 8), (8, 2)), ((4, 2),)):
        yield from _against_highs(n, games, settings)
    for n, games, compared, dense in settings.pick(
        ((10, 64, 64, 10_000), (12, 64, 8, 200)), ((5, 4, 2, 50),)
    ):
        yield from _against_published(
            n, networks.trained_games(n, games, settings.quick), compared, dense, settings
        )


def _ours(v: torch.Tensor, tol: float) -> sparsify.Split:
    return sparsify.split(v, kappa=_KAPPA, order_weight=0.0, tol=tol)


def _paper(v: torch.Tensor, iterations: int) -> sparsify.Split:
    return sparsify.split(
        v,
        kappa=_KAPPA,
        order_weight=0.0,
        solver="paper",
        paper=PaperSettings(iterations=iterations),
    )


def _lp(v: torch.Tensor) -> list[dict[str, Any]]:
    """The split as a linear programme in x = x⁺ - x⁻, a game at a time; rows T ≠ ∅, columns S ≠ ∅
    of AND, then OR."""
    subsets = np.arange(1, v.shape[-1])
    inside = (subsets[None, :] & ~subsets[:, None]) == 0
    meets = (subsets[None, :] & subsets[:, None]) != 0
    half = csr_array(
        np.hstack([inside, meets, -inside.astype(int), -meets.astype(int)]).astype(float)
    )
    both, problems = csr_array(vstack([half, -half])), []
    for game in v.numpy():
        target, bound = (game - game[0])[1:], _KAPPA * abs(game[-1] - game[0])
        problems.append(
            {
                "c": np.ones(4 * len(subsets)),
                "A_ub": both,
                "method": "highs",
                "b_ub": np.concatenate([bound + target, bound - target]),
            }
        )
    return problems


def _against_highs(n: int, games: int, settings: Settings) -> Iterator[Row]:
    say(f"  HiGHS at n = {n}")
    v = networks.trained_games(n, games, settings.quick)
    problems = _lp(v)
    found = timed(
        {
            "ours, gap ≤ 0.1%": Competitor(partial(_ours, v, 1e-3)),
            "HiGHS (scipy)": Competitor(
                lambda: torch.tensor([linprog(**each).fun for each in problems]),
                lambda: linprog(**problems[0]),
            ),
        },
        settings.runs(3),
    )
    case, optimum = f"n = {n}, κ = {_KAPPA}, {games} games", found["HiGHS (scipy)"].result
    for name, timing in found.items():
        yield Row(
            _FAMILY, case, name, "games/s", timing.rates(games), "higher", first_call=timing.first
        )
    excess = float(((found["ours, gap ≤ 0.1%"].result.objective - optimum) / optimum).max())
    yield Row(_FAMILY, case, "ours: worst excess over HiGHS", "share", (excess,), target=1e-3)


def _against_published(
    n: int, v: torch.Tensor, compared: int, dense: int, settings: Settings
) -> Iterator[Row]:
    """``compared`` of the games go through the published loop too; ``dense`` steps of it on
    matrices, on one game."""
    part, full = v[:compared], settings.pick(PaperSettings().iterations, 50)
    trial = timed(
        {"trial": Competitor(partial(_paper, part, _TRIAL), partial(_paper, part, 2))}, 1
    )["trial"].seconds[0]
    iterations = min(full, max(_TRIAL, int(_PATIENCE / trial * _TRIAL)))
    say(
        f"  the published loop at n = {n}: {iterations} iterations, about "
        f"{trial * iterations / _TRIAL:.0f} s a run"
    )
    loose, close = "ours, gap ≤ 1%", "ours, gap ≤ 0.1%"
    paper, matrix = (
        "published loop, our fast transforms",
        "published loop, dense matrices (written by us)",
    )
    matrices(n)
    found = timed(
        {
            loose: Competitor(partial(_ours, v, 1e-2)),
            close: Competitor(partial(_ours, part, 1e-3)),
            paper: Competitor(partial(_paper, part, iterations), partial(_paper, part, 2)),
            matrix: Competitor(
                partial(dense_loop, part[0], _KAPPA, PaperSettings(iterations=dense)),
                partial(dense_loop, part[0], _KAPPA, PaperSettings(iterations=2)),
            ),
        },
        settings.runs(2),
    )
    bound = found[close].result.lower_bound
    took = {loose: len(v), close: compared, paper: compared, matrix: 1}
    steps = {
        paper: f"{iterations} steps, lr 1e-5, float64",
        matrix: f"{dense} steps, lr 1e-5, float32, matrices built "
        "before"
        + (
            ""
            if dense == full
            else f"; rate told for {full} steps, {full / dense:.0f} times as many"
        ),
    }
    for name, timing in found.items():
        longer = full / dense if name == matrix else 1.0
        yield Row(
            _FAMILY,
            f"n = {n}, κ = {_KAPPA}, ε = 0",
            name,
            "games/s",
            tuple(took[name] / s / longer for s in timing.seconds),
            "higher",
            first_call=timing.first,
            note=f"{took[name]} game{'s' * (took[name] > 1)}; {steps.get(name, 'certified')}",
        )
    yield from _objectives(
        n,
        {
            loose: found[loose].result.objective[:compared],
            close: found[close].result.objective,
            paper: found[paper].result.objective,
        },
        bound,
    )
    if dense == full:
        yield _ratio(n, matrix, found[matrix].result[None], bound[:1])
    yield from _issue_check(n, found[loose], found[paper], iterations)


def _ratio(n: int, name: str, objective: torch.Tensor, bound: torch.Tensor) -> Row:
    ratios = (objective / bound).double()
    return Row(
        _FAMILY,
        f"n = {n}, objective reached",
        name,
        "× lower bound",
        (float(ratios.median()),),
        note=f"median of {len(ratios)}, feasible, over the certified lower bound; "
        f"range {float(ratios.min()):.4g} … {float(ratios.max()):.4g}",
    )


def _objectives(n: int, objectives: dict[str, torch.Tensor], bound: torch.Tensor) -> Iterator[Row]:
    for name, objective in objectives.items():
        yield _ratio(n, name, objective, bound)


def _issue_check(n: int, ours: Timing, paper: Timing, iterations: int) -> Iterator[Row]:
    """In one batch: at least 95 % certified at 1 %, and on no game worse than the published loop
    made feasible."""
    compared = len(paper.result.objective)
    share = float(ours.result.converged.double().mean())
    yield Row(
        _FAMILY,
        f"n = {n}, {len(ours.result.gap)} games in one batch",
        "ours: certified gap ≤ 1%",
        "share",
        (share,),
        "higher",
        target=0.95,
        note=f"worst gap {float(ours.result.gap.max()):.2%}",
    )
    better = float((ours.result.objective[:compared] <= paper.result.objective).double().mean())
    yield Row(
        _FAMILY,
        f"n = {n}, {compared} games",
        "ours: objective ≤ published",
        "share",
        (better,),
        "higher",
        target=1.0,
        note=f"against {iterations} published steps, made feasible",
    )
