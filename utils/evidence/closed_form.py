"""D5, D7, D8, D9: the noisy regression's closed form on synthetic games, and what it does to each
order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import mpmath
import numpy as np
import pandas as pd
import torch

from .. import lattice, theory

__all__ = [
    "DEVIATION",
    "DIGITS",
    "GRID",
    "LEVELS",
    "RATIO",
    "NormRatios",
    "closed_form_errors",
    "few_rows",
    "learnt_tables",
    "monte_carlo",
    "no_noise_errors",
    "norm_ratios",
    "norm_spreads",
    "norm_table",
    "ratio_table",
    "truth_table",
]

LEVELS = (0.0, 1e-6, 1e-3, 0.1, 1.0, 10.0)
"""Noise levels σ² at which the closed form is compared with a dense solve."""

GRID = tuple(10.0 ** (-4 + j / 4) for j in range(25))
"""The 25 noise levels, 1e-4 to 1e2, on which Proposition 1 is judged."""

_SEARCH = 10.0 ** np.arange(
    -11, 2.01, 1 / 24
)  # where counterexamples are looked for: far below the grid as well
DIGITS = 60
"""Decimal digits in which a counterexample is confirmed."""

RATIO, DEVIATION = r"$\|m_k\|/\|m_{k+1}\|$", r"$1 - \|m_k\|/\|m_{k+1}\|$ (%)"
"""Rows of D8's figure."""


def _truth(n: int, games: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        games, 1 << n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def _triggers(n: int) -> torch.Tensor:
    """J (2^n, 2^n) as it is defined: J[S, T] = 1 where T ⊆ S. The one place with a dense matrix: it
    is the check."""
    masks = torch.arange(1 << n)
    return ((masks[None, :] & ~masks[:, None]) == 0).double()


def _dense_solve(n: int, truth: torch.Tensor, sigma2: float) -> torch.Tensor:
    """ŵ (games, 2^n) from (JᵀJ + 2^n σ² D) ŵ = JᵀJ w*, by elimination and one step of iterative
    refinement.

    Elimination alone loses digits to the condition number, 10^8 at n = 10; the closed form does
    not.
    """
    gram = _triggers(n).T @ _triggers(n)
    penalty = 2.0**n * sigma2 * (2.0 ** lattice.order(n).double())[:, None]
    factors = torch.linalg.lu_factor(gram + torch.diagflat(penalty))
    first = torch.linalg.lu_solve(*factors, gram @ truth.T)
    return (first + torch.linalg.lu_solve(*factors, gram @ (truth.T - first) - penalty * first)).T


def closed_form_errors(sizes: Sequence[int]) -> pd.DataFrame:
    """D5: relative difference between closed form and dense solve, a row per n in ``sizes`` and
    level in LEVELS."""
    rows = []
    for n in sizes:
        truth = _truth(n, games=3)
        for level, found in zip(LEVELS, theory.noisy_weights(truth, LEVELS), strict=True):
            solved = _dense_solve(n, truth, level)
            rows.append(
                {
                    "n": n,
                    "sigma2": level,
                    "error": float((found - solved).abs().max() / solved.abs().max()),
                }
            )
    return pd.DataFrame(rows)


def monte_carlo(
    n: int = 3, sigma2: float = 0.05, draws: int = 200_000, perturbations: int = 200
) -> dict[str, float]:
    """D5's controls: the regression itself, drawn row by row (Ren Q. et al. 2024, Theorem 3 is its
    expectation).

    Loss at ŵ by formula and by draws (with the draws' standard error), the largest difference
    between ŵ and least squares on the drawn rows, and by how much the least of random steps away
    from ŵ raises the loss (below 0: no minimum).
    """
    truth = _truth(n, games=1)[0]
    learnt = theory.noisy_weights(truth, [sigma2])[0]
    triggers, targets = theory.noisy_rows(truth, sigma2, draws, seed=1)
    squares = (targets - triggers @ learnt).square()
    steps = (
        _truth(n, perturbations, seed=2)
        * torch.logspace(-3, 1, perturbations, dtype=torch.float64)[:, None]
    )
    loss = theory.noisy_loss(learnt, truth, sigma2)
    return {
        "loss by formula": float(loss),
        "loss by Monte Carlo": float(squares.mean()),
        "its standard error": float(squares.std() / draws**0.5),
        "largest difference to least squares on noisy rows": float(
            (torch.linalg.lstsq(triggers, targets).solution - learnt).abs().max()
        ),
        "least rise of the loss over random steps": float(
            (theory.noisy_loss(learnt + steps, truth.expand_as(steps), sigma2) - loss).min()
        ),
    }


def learnt_tables(n: int = 4) -> tuple[pd.DataFrame, pd.DataFrame]:
    """D5's figure: ŵ of one planted interaction per order (a chain of sets, w* = 1) against σ².

    Lines (closed form) and points (dense solve; least squares on 200 000 noisy rows): columns row,
    panel, sigma2, order, value, and ``method`` of the points.
    """
    chain = torch.tensor([(1 << k) - 1 for k in range(1, n + 1)])
    truth = torch.zeros(1 << n, dtype=torch.float64)
    truth[chain] = 1.0
    levels = torch.logspace(-5, 2, 85, dtype=torch.float64)
    solved, drawn = levels[::12], [0.01, 0.1, 1.0]
    values = {
        "closed form": (levels, theory.noisy_weights(truth, levels)),
        "dense solve": (
            solved,
            torch.stack([_dense_solve(n, truth[None], float(s))[0] for s in solved]),
        ),
        "least squares on noisy rows": (
            drawn,
            torch.stack([_least_squares(truth, s) for s in drawn]),
        ),
    }
    tables = [
        pd.DataFrame(
            {
                "row": r"$\hat w_T$",
                "panel": f"n = {n}",
                "method": method,
                "sigma2": float(s),
                "order": range(1, n + 1),
                "value": w[chain].numpy(),
            }
        )
        for method, (at, found) in values.items()
        for s, w in zip(at, found, strict=True)
    ]
    whole = pd.concat(tables, ignore_index=True)
    line = whole["method"] == "closed form"
    return whole[line], whole[~line]


def _least_squares(truth: torch.Tensor, sigma2: float) -> torch.Tensor:
    triggers, targets = theory.noisy_rows(truth, sigma2, 200_000, seed=1)
    return torch.linalg.lstsq(triggers, targets).solution


def norm_table(n: int, levels: Sequence[float] = LEVELS) -> pd.DataFrame:
    """D7's figure: norm of every row of M̂, built column by column from unit vectors: columns
    panel, sigma2, order, norm."""
    order = lattice.order(n).numpy()
    unit = torch.eye(1 << n, dtype=torch.float64)
    tables = []
    for level in levels:
        columns = theory.noisy_weights(unit, [level])[
            0
        ]  # row S of this is M̂ applied to the S-th unit vector
        tables.append(
            pd.DataFrame(
                {
                    "panel": f"n = {n}",
                    "sigma2": f"{level:g}",
                    "order": order,
                    "norm": columns.norm(dim=0).numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def few_rows(table: pd.DataFrame, most: int = 8) -> pd.DataFrame:
    """The part of :func:`norm_table` that can be drawn and kept: n up to ``most`` (or the smallest
    n), without σ² = 0."""
    n = table["panel"].str.removeprefix("n = ").astype(int)
    return table[(n <= max(most, n.min())) & (table["sigma2"] != "0")]


def norm_spreads(table: pd.DataFrame) -> pd.Series:
    """D7: (max - min) / max of the row norms of ``table`` within each (n, σ², order)."""
    norms = table.groupby(["panel", "sigma2", "order"])["norm"]
    return (norms.max() - norms.min()) / norms.max()


def no_noise_errors(sizes: Sequence[int]) -> pd.DataFrame:
    """D9: relative difference between learnt and true interactions at σ² = 0, by the closed form
    and by a dense solve."""
    rows = []
    for n in sizes:
        truth = _truth(n, games=3)
        for method, found in (
            ("closed form", theory.noisy_weights(truth, [0.0])[0]),
            ("dense solve", _dense_solve(n, truth, 0.0)),
        ):
            rows.append(
                {
                    "n": n,
                    "method": method,
                    "error": float((found - truth).abs().max() / truth.abs().max()),
                }
            )
    return pd.DataFrame(rows)


def truth_table(sizes: Sequence[int]) -> pd.DataFrame:
    """D9's figure: how far ŵ is from w* as the noise goes to 0, relative; at 0 itself the
    difference is no point of it."""
    levels = torch.logspace(-14, 2, 65, dtype=torch.float64)
    tables = []
    for n in sizes:
        truth = _truth(n, games=1)[0]
        gap = (theory.noisy_weights(truth, levels) - truth).abs().amax(-1) / truth.abs().max()
        tables.append(
            pd.DataFrame(
                {
                    "panel": "",
                    "players": f"n = {n}",
                    "sigma2": levels.numpy(),
                    "distance": gap.numpy(),
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


@dataclass(frozen=True)
class NormRatios:
    """Proposition 1 on a grid and beyond it.

    values: the registry's thresholds; statement: what holds, where, and where it fails;
    counterexamples: a row per n with n, k, sigma2 (a decimal string, exact), one_minus_ratio and
    ratio in 60 digits; points: numbers on the grid.
    """

    values: dict[str, float]
    statement: str
    counterexamples: pd.DataFrame
    points: int


def norm_ratios(sizes: Sequence[int], grid: Sequence[float] = GRID) -> NormRatios:
    """D8: ‖m_k‖/‖m_(k+1)‖ over all k, every n in ``sizes`` and ``grid``, and a search for
    counterexamples below it.

    The sentence is generated from what was computed: Proposition 1 (Ren Q. et al. 2024) is stated
    for all n and σ².
    """
    ratios = {n: np.asarray(theory.norm_ratios(n, np.asarray(grid))) for n in sorted(sizes)}
    least = {n: float(r.min()) for n, r in ratios.items()}
    rises = {n: float(np.diff(r, axis=0).min()) for n, r in ratios.items()}
    found = pd.DataFrame(
        [c for n in range(2, max(sizes) + 1) if (c := _counterexample(n)) is not None],
        columns=["n", "k", "sigma2", "one_minus_ratio", "ratio_60_digits"],
    )
    values = {"smallest_ratio": min(least.values()), "monotone": min(rises.values())}
    points = sum(r.size for r in ratios.values())
    return NormRatios(values, _statement(grid, least, rises, found), found, points)


def _counterexample(n: int) -> dict[str, object] | None:
    """The pair of orders and the noise level at which the ratio is least over all noise levels
    searched, if below 1."""
    levels = _SEARCH
    for _ in range(2):  # on the whole range, then between the neighbours of its best point
        ratios = np.asarray(theory.norm_ratios(n, levels))
        at, k = np.unravel_index(ratios.argmin(), ratios.shape)
        best = levels[at]
        levels = best * 10.0 ** np.linspace(-1 / 24, 1 / 24, 33)
    level = f"{best:.2e}"
    exact = theory.norm_ratios_mp(n, [level], digits=DIGITS)[0][int(k)]
    if exact >= 1:
        return None
    return {
        "n": n,
        "k": int(k),
        "sigma2": level,
        "one_minus_ratio": float(1 - exact),
        "ratio_60_digits": mpmath.nstr(exact, DIGITS),
    }


def _statement(
    grid: Sequence[float], least: dict[int, float], rises: dict[int, float], found: pd.DataFrame
) -> str:
    def names(sizes: Sequence[int]) -> str:
        return ", ".join(map(str, sizes))

    def those(values: dict[int, float], bound: float) -> tuple[list[int], list[int]]:
        return [n for n in values if values[n] > bound], [n for n in values if values[n] <= bound]

    where = f"at {len(grid)} grid values of sigma^2 from {min(grid):.0e} to {max(grid):.0e}"
    above, below = those(least, 1.0)
    rising, falling = those(rises, 0.0)
    said = [
        f"ratio > 1 for all k {where} for n = {names(above)}" if above else "",
        f"not for n = {names(below)}" if below else "",
        f"growing with sigma^2 there for n = {names(rising)}" if rising else "",
        f"not for n = {names(falling)}" if falling else "",
    ]
    sentence = "; ".join(part for part in said if part)
    if found.empty:
        return (
            f"{sentence}. No counterexample was found for n up to {max(least)} and "
            "sigma^2 from 1e-11 to 1e2."
        )
    first, worst = found.iloc[0], found.loc[found["one_minus_ratio"].idxmax()]
    cases = " and ".join(
        f"{c.ratio_60_digits[:10]}... at n = {c.n}, k = {c.k}, sigma^2 = {c.sigma2}"
        for c in ((first,) if worst.n == first.n else (first, worst))
    )
    return (
        f"{sentence}. As a universal statement it is false: in {DIGITS}-digit arithmetic the "
        f"ratio is {cases}; no such "
        f"case was found for n below {first.n}."
    )


def ratio_table(sizes: Sequence[int]) -> pd.DataFrame:
    """D8's figure: the ratios over the judged grid's range; 1 - ratio in per cent where the noise
    is weak, above -2."""
    tables = []
    for n, (row, levels) in itertools.product(
        sorted(sizes),
        ((RATIO, np.logspace(-4, 2, 49)), (DEVIATION, np.logspace(-10, -3, 85))),
    ):
        ratios = np.asarray(theory.norm_ratios(n, levels))
        shown = ratios if row == RATIO else 100 * (1 - ratios)
        at, k = np.nonzero(shown > -2)
        tables.append(
            pd.DataFrame(
                {
                    "row": row,
                    "panel": f"n = {n}",
                    "order": k,
                    "sigma2": levels[at],
                    "value": shown[at, k],
                }
            )
        )
    return pd.concat(tables, ignore_index=True).sort_values(
        "row", key=lambda rows: rows == DEVIATION, kind="stable"
    )
