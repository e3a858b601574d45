"""D2, L2: how sparse interactions are, and how many are salient."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part
from ..jobs.games import CertifiedGames
from ..metrics import salience, sparsity

__all__ = [
    "COUNT_RULE",
    "FIRST",
    "LAST",
    "MASS",
    "concentration",
    "controls",
    "count",
    "number_parts",
    "other_rules",
    "profiles",
    "salient_counts",
    "sparse_parts",
    "spread",
    "untrained_known",
]

FIRST, LAST = 0, -1
"""Checkpoints of the arrays judged here: before training, where that is known, and after it."""

MASS, COUNT_RULE = 0.9, "max_over_samples"
"""What the registered statistics of D2 and L2 are made with."""


def untrained_known(e: CertifiedGames) -> bool:
    """Whether there are games from before training: not where others trained the network."""
    return len(e.steps) > 1


def _kept(values: torch.Tensor, e: CertifiedGames, at: int) -> np.ndarray:
    """Values (R, C, X) at one checkpoint; NaN where a game is uncertified and only certified ones
    count."""
    found = values[:, at].numpy().astype(float)
    return np.where(e.converged[:, at].numpy(), found, np.nan) if e.certified_only else found


def sparse_parts(mass: np.ndarray, gini: np.ndarray, rivals: np.ndarray) -> list[Part]:
    """D2 from arrays: mass, gini (S, X) of the trained networks, rivals (S, K, X) Gini coefficients
    of the K nulls.

    As stated: the mean share of interactions that holds 90 % of the strength. Specific: the Gini
    coefficient minus that of the stronger null, which other networks choose on other images.
    """
    choice = stats.cross_chosen(rivals, lambda means: int(np.nanargmax(means)))
    return [
        Part.of("mass90", mass),
        Part.of("gini_above_null", gini - stats.chosen(rivals, choice), spread(gini)),
    ]


def spread(units: np.ndarray) -> float:
    """Standard deviation across images (S, X), averaged over networks: the unit of smallest effects
    of our own."""
    return float(np.nanmean(np.nanstd(units, axis=1, ddof=1)))


def concentration(mass: float = MASS) -> Callable[[CertifiedGames], list[Part]]:
    """D2 as a statistic of games at the checkpoints (first, last) with their null ``smooth``, of
    which the last one counts."""

    def statistic(e: CertifiedGames) -> list[Part]:
        smooth = e.nulls["smooth"]
        gini, theirs = sparsity.gini(e.merged), sparsity.gini(smooth.merged)
        rivals = [_kept(gini, e, FIRST)] if untrained_known(e) else []
        rivals = np.stack([*rivals, _kept(theirs, smooth, LAST)], axis=1)
        share = sparsity.mass_fraction(e.merged, mass)
        return sparse_parts(_kept(share, e, LAST), _kept(gini, e, LAST), rivals)

    return statistic


def salient_counts(e: CertifiedGames, rule: salience.Rule) -> torch.Tensor:
    return salience.salient_counts(e.merged, salience.threshold(e.merged, e.v, rule)).double()


def number_parts(count: np.ndarray, untrained: np.ndarray, suffix: str | None = "") -> list[Part]:
    """L2 from arrays (S, X): salient interactions per image of the trained and of the untrained
    networks (N0). suffix: None leaves out the number itself, where no paper bounds it."""
    return [
        *([] if suffix is None else [Part.of(f"count{suffix}", count)]),
        Part.of("count_minus_null", count - untrained, spread(count)),
    ]


def count(
    rule: salience.Rule = COUNT_RULE, suffix: str | None = ""
) -> Callable[[CertifiedGames], list[Part]]:
    """L2 as a statistic of its own games at the checkpoints (first, last); thresholds are those of
    all images, whatever is left out. suffix: of the part's name, where a data set has its own
    bound; None where it has none."""

    def statistic(e: CertifiedGames) -> list[Part]:
        found = salient_counts(e, rule)
        return number_parts(_kept(found, e, LAST), _kept(found, e, FIRST), suffix)

    return statistic


def other_rules(
    e: CertifiedGames, rule: salience.Rule, suffix: str | None
) -> dict[str, list[Part]]:
    """L2 by the papers' other rules of salience, shown beside it."""
    return {f"salience {r}": count(r, suffix)(e) for r in salience.RULES if r != rule}


def controls(e: CertifiedGames, noise: CertifiedGames, mass: float) -> dict[str, dict[str, float]]:
    """Means over seeds and images for the trained network and each null, under every salience
    rule."""
    cases = {
        "trained": (e, LAST),
        **({"untrained (N0)": (e, FIRST)} if untrained_known(e) else {}),
        "iid noise (N2)": (noise, 0),
        "smooth random (N3)": (e.nulls["smooth"], LAST),
    }
    found = {}
    for label, (games, at) in cases.items():
        merged = games.merged
        found[label] = {
            "mass90": float(sparsity.mass_fraction(merged, mass)[:, at].mean()),
            "gini": float(sparsity.gini(merged)[:, at].nanmean()),
        }
        found[label] |= {
            f"salient, {rule}": float(salient_counts(games, rule)[:, at].mean())
            for rule in salience.RULES
        }
    return found


def profiles(cases: Mapping[str, CertifiedGames], points: int = 120) -> pd.DataFrame:
    """Mean strength (of a game's largest) at each rank, averaged over images; lowest and highest
    seed as a band.

    cases: label → arrays of which the last checkpoint is drawn; "untrained" is the first checkpoint
    of "trained", where that is known.
    """
    pieces = []
    first = {"untrained": cases["trained"]} if untrained_known(cases["trained"]) else {}
    for label, e in {**cases, **first}.items():
        curve = sparsity.ranked(e.merged[:, FIRST if label == "untrained" else LAST]).mean(1)
        ranks = np.unique(np.geomspace(1, curve.shape[-1], points).round().astype(int))
        part = curve[:, ranks - 1]
        pieces.append(
            pd.DataFrame(
                {
                    "games": label,
                    "rank": ranks,
                    "strength": part.mean(0).numpy(),
                    "low": part.amin(0).numpy(),
                    "high": part.amax(0).numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
