"""M2 to M6: the rows' statistics, pure functions of arrays (networks x checkpoints x images) that
the simulations of their criteria call as well."""

from __future__ import annotations

import numpy as np

from ..claims import Part

__all__ = [
    "FIRST",
    "LAST",
    "accuracy_parts",
    "crossing_parts",
    "fit_parts",
    "sparsity_parts",
    "spread",
    "variance_parts",
]

FIRST, LAST = 0, -1
"""Checkpoints that rows compare: before and after training."""


def spread(units: np.ndarray) -> float:
    """Standard deviation across images, the mean over networks: (S, X), NaN left out.

    Never 0: where no image differs from another, any difference is worth the claim.
    """
    y = np.asarray(units, dtype=float)
    usable = y[(~np.isnan(y)).sum(1) > 1]
    return max(float(np.nanstd(usable, axis=1, ddof=1).mean()), 1e-12) if len(usable) else 1e-12


def variance_parts(share: np.ndarray, ratio: np.ndarray, untrained: np.ndarray) -> list[Part]:
    """M2 per network (S,): share of the variance; specific: log(λ10/λ11), pooled, minus
    untrained."""
    return [
        Part("variance_share", share),
        Part("gap_minus_untrained", np.log(ratio) - np.log(untrained)),
    ]


def accuracy_parts(difference: np.ndarray) -> list[Part]:
    """M3 per network (S,): equivalence, a bound on either side."""
    return [Part("not_lower", difference), Part("not_higher", difference)]


def sparsity_parts(components: np.ndarray, equal: np.ndarray, paper: np.ndarray) -> list[Part]:
    """M4 from fractions of interactions with 90 % of the strength: components and as many raw
    patches (S, 2, X), untrained and trained; the paper's 12 raw patches (S, X), trained.

    As stated: the paper's comparison. Specific: with equal numbers of players, minus the same of
    the untrained network.
    """
    stated = components[:, LAST] - paper
    beyond = (components[:, LAST] - equal[:, LAST]) - (components[:, FIRST] - equal[:, FIRST])
    return [
        Part.of("fewer_than_paper_patches", stated, scale=spread(stated)),
        Part.of("fewer_than_patches_beyond_untrained", beyond, scale=spread(beyond)),
    ]


def crossing_parts(first: np.ndarray, last: np.ndarray) -> list[Part]:
    """M5 from first and last crossings (S, 2, X), untrained and trained; NaN where |g(f_N)| is
    below 0.1."""
    found = []
    for name, x in (("first_crossing", first), ("last_crossing", last)):
        beyond = x[:, LAST] - x[:, FIRST]
        found += [
            Part.of(name, x[:, LAST]),
            Part.of(f"{name}_beyond_untrained", beyond, scale=spread(beyond)),
        ]
    return found


def fit_parts(error: np.ndarray) -> list[Part]:
    """M6 from root mean square errors over the deviation of the output (S, 2, X), untrained and
    trained."""
    beyond = error[:, LAST] - error[:, FIRST]
    return [
        Part.of("relative_error", error[:, LAST]),
        Part.of("relative_error_beyond_untrained", beyond, scale=spread(beyond)),
    ]
