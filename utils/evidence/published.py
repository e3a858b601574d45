"""O2: what the papers' optimiser makes of games whose optimum is certified."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise
from ..jobs.identified import Compared
from ..metrics import identification, orders, salience
from ..sparsify.published import Loop

__all__ = [
    "CONVERGED",
    "Ways",
    "convergence",
    "course",
    "excess",
    "excess_table",
    "optimum_name",
    "published",
    "ratio_parts",
    "share_table",
]

CONVERGED = 0.01
"""Excess over the certified optimum below which an answer of the published optimiser is called
converged, as in O2."""


def optimum_name(kappa: float, own: float) -> str:
    """Name of the certified optimum of the papers' own objective at ``kappa``, in a study whose
    kappa is ``own``."""
    return "certified, order weight 0" + ("" if kappa == own else f", kappa {kappa:g}")


@dataclasses.dataclass(frozen=True, eq=False)
class Ways:
    """Every way of splitting the same games, by name: certified ones, and the published ``loops``.

    kappa: of the study, at which settings are judged; steps (C,): of the checkpoints split.
    """

    by: Mapping[str, Compared]
    loops: Mapping[str, Loop]
    kappa: float
    steps: np.ndarray
    certified_only: bool = False

    def optimum(self, kappa: float | None = None) -> Compared:
        """The certified optimum of the papers' objective, at the study's kappa or another."""
        return self.by[optimum_name(self.kappa if kappa is None else kappa, self.kappa)]

    @property
    def judged(self) -> dict[str, Compared]:
        """The published settings with the study's kappa."""
        return {k: self.by[k] for k, loop in self.loops.items() if loop.kappa == self.kappa}

    @property
    def references(self) -> list[Compared]:
        """The certified points of the face: what the published answers are compared with."""
        return [way for way in self.by.values() if not way.loop and way.kappa == self.kappa]

    @property
    def uncertified(self) -> float:
        """Share of games whose optimum is not certified to the tolerance."""
        return float((~self.optimum().converged).double().mean())

    def certified(self) -> Ways:
        """The same for statistics of games with a certified optimum."""
        return dataclasses.replace(self, certified_only=True)


def published(loops: Mapping[str, Loop]) -> Premise:
    """What is judged must be the published loop: not fewer iterations than the public code runs."""
    short = [name for name, loop in loops.items() if loop.iterations < 10_000]
    return Premise(
        "published settings",
        not short,
        f"the setting(s) {', '.join(short)} run fewer than the published 10000 iterations",
    )


def excess(x: Ways) -> list[Part]:
    """O2, per seed: the best published setting of each game against the certified optimum of the
    same objective."""
    optimum = x.optimum()
    best = torch.stack([way.strength for way in x.judged.values()]).amin(0)
    keep = optimum.converged if x.certified_only else torch.ones_like(optimum.converged)
    return ratio_parts(*((y * keep).sum(1).numpy() for y in (best, optimum.strength)))


def ratio_parts(best: np.ndarray, optimum: np.ndarray) -> list[Part]:
    """O2 from arrays (S, X), strengths summed over checkpoints: the ratio of their sums over
    images, minus 1."""

    def excess(keep: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):  # no strength at all has no excess: NaN
            return best[:, keep].sum(1) / optimum[:, keep].sum(1) - 1

    return [Part.jackknifed("excess", excess, best.shape[1])]


def _nearest(way: Compared, references: list[Compared], rule: salience.Rule) -> dict[str, float]:
    """Likeness of an explanation and the certified one most like it: a wide face must not count
    against an optimiser."""
    found = way.found.merge_first_order()
    own, likeness, distance = salience.threshold(found, way.v, rule), [], []
    for other in references:
        theirs = other.found.merge_first_order()
        tau = salience.threshold(theirs, other.v, rule)
        likeness.append(float(identification.salient_jaccard(found, theirs, own, tau).nanmean()))
        shares = (orders.order_shares(x) for x in (found, theirs))
        distance.append(float(orders.total_variation(*shares).mean()))
    return {
        "Jaccard of salient sets, nearest certified": max(likeness),
        "total variation of order shares, nearest certified": min(distance),
    }


def convergence(x: Ways, rule: salience.Rule) -> pd.DataFrame:
    """A row per published setting: excess of its answers, share that is converged or worse than the
    start, a label.

    Also how far its salient sets and order shares are from the nearest certified explanation at
    this notebook's kappa.
    """
    rows = []
    for name, loop in x.loops.items():
        way, optimum = x.by[name], x.optimum(loop.kappa)
        excess = way.strength / optimum.strength - 1
        worse = float((way.strength > way.start).double().mean())
        near = float((excess < CONVERGED).double().mean())
        label = "diverges" if worse > 0.5 else "converges" if near >= 0.95 else "stops early"
        rows.append(
            {
                "setting": name,
                "learning rate": loop.learning_rate,
                "iterations": loop.iterations,
                "kappa": loop.kappa,
                "excess": float(way.strength.sum() / optimum.strength.sum() - 1),
                "excess, last iterate as it is": float(way.raw.sum() / optimum.strength.sum() - 1),
                "excess of the start": float(way.start.sum() / optimum.strength.sum() - 1),
                "share within 1 %": near,
                "share worse than the start": worse,
                "it": label,
                **_nearest(way, x.references, rule),
            }
        )
    return pd.DataFrame(rows)


def excess_table(x: Ways, name: str) -> pd.DataFrame:
    """Excess over the certified optimum by checkpoint: mean over seeds with its 95 % t interval;
    start and settings."""
    optimum = x.optimum()
    cases = {"start (γ = δ = 0)": (optimum.start, optimum)}
    cases |= {
        label: (x.by[label].strength, x.optimum(loop.kappa)) for label, loop in x.loops.items()
    }
    rows = []
    for label, (strength, best) in cases.items():
        ratio = (strength.sum(-1) / best.strength.sum(-1)).numpy()
        rows.append(course(ratio, x.steps, label).assign(panel=name))
    return pd.concat(rows, ignore_index=True)


def course(values: np.ndarray, steps: np.ndarray, label: str) -> pd.DataFrame:
    """Values (R, C) as a curve over the checkpoints: mean over seeds and its t interval; a column
    of NaN stays NaN."""
    spans = [stats.t_interval(x) if np.isfinite(x).any() else None for x in values.T]
    facts = [(s.estimate, s.low, s.high) if s else (np.nan,) * 3 for s in spans]
    return pd.DataFrame(facts, columns=["value", "low", "high"]).assign(curve=label, step=steps)


def share_table(x: Ways) -> pd.DataFrame:
    """Share of strength in each order under every way of splitting, at the checkpoints that all of
    them split."""
    rows = []
    for name, way in x.by.items():
        share = orders.order_shares(way.found.merge_first_order()).mean(0)
        rows += [
            pd.DataFrame(
                {
                    "split": name,
                    "step": f"step {step}",
                    "order": range(1, share.shape[-1] + 1),
                    "share": share[c].numpy(),
                }
            )
            for c, step in enumerate(x.steps)
        ]
    return pd.concat(rows, ignore_index=True)
