"""M1 to M6: principal feature components as players; how few components and interactions are
needed.

Each ``*_case`` gives the judge's keyword arguments of one row on one system: the parts of both
readings, its premises, the variants that must agree and those that are reported. Each ``*_parts``
is the row's statistic, a pure function of arrays (networks × checkpoints × images) that the
simulations call as well.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise
from ..evidence.matching import identity_errors, match_table
from ..interactions import Interactions
from ..jobs.components import Analysis
from ..jobs.games import CertifiedGames
from ..metrics import faithfulness, sparsity
from ..params import FiveGroups
from ..players.components import Components

__all__ = [
    "FIRST",
    "JUDGED_ALPHA",
    "LAST",
    "accuracy_case",
    "accuracy_parts",
    "accuracy_table",
    "basis",
    "certified",
    "crossing_case",
    "crossing_parts",
    "crossing_table",
    "eigen_table",
    "fit_case",
    "fit_parts",
    "fit_table",
    "matching_case",
    "matching_table",
    "remainder_table",
    "scope_of",
    "sparsity_case",
    "sparsity_parts",
    "sparsity_table",
    "spread",
    "variance_case",
    "variance_parts",
]

FIRST, LAST = 0, -1
JUDGED_ALPHA = 60
_LEAST_SCORE = 0.1
_ENOUGH_IMAGES = 1000
PAPER_GAP = 0.01
"""Certified gap from which M4's 12 patches count: many of them are background, whose games the
split closes slowly; a share of interactions moves by less than their strength does."""

PAPER_PLAYERS = (10, 12)
"""M4: components and raw patches in the paper."""


def scope_of(p: FiveGroups, a: Analysis) -> str:
    """For what a verdict speaks: networks, training, and what the players are."""
    config, seeds = a.system.jobs[0].config, ", ".join(map(str, p.seeds))
    return (
        f"{len(p.seeds)} networks {a.system.name} (seeds {seeds}) trained for {config.steps} "
        "steps of plain SGD (lr "
        f"{config.lr:g}, batch {config.batch}) on {config.n_train} images of {p.dataset}; "
        f"{p.images} "
        f"{'test' if p.image_split == 'test' else 'training'} images; "
        f"players: {p.n_players} principal components of layer {a.layer} (PCA over "
        f"{p.pca_images} training images x "
        f"{p.checkpoints} checkpoints), masked by those of the mean image; kappa {p.kappa:g}"
    )


def basis(p: FiveGroups, a: Analysis, *used: CertifiedGames) -> dict[str, Any]:
    """Seeds, scope, test accuracies, and the largest share of uncertified games in what the row
    uses (default: main)."""
    return {
        "seeds": p.seeds,
        "scope": scope_of(p, a),
        "accuracy": [run.test_accuracy for run in a.runs],
        "uncertified": max(e.uncertified for e in used or [a.main]),
    }


def certified(parts: Callable[[bool], list[Part]]) -> dict[str, Any]:
    """The parts, and the variant in which uncertified games are dropped; ``parts`` takes that
    choice."""
    return {"parts": parts(False), "variants": {"uncertified games dropped": parts(True)}}


def _kept(e: CertifiedGames, values: torch.Tensor, certified_only: bool = False) -> np.ndarray:
    """``values`` (R, C, X) of games, NaN for uncertified ones if asked."""
    return (
        torch.where(e.converged, values.double(), torch.nan).numpy()
        if certified_only
        else values.double().numpy()
    )


def spread(units: np.ndarray) -> float:
    """Standard deviation across images, the mean over networks: (S, X), NaN left out.

    Never 0: where no image differs from another, any difference is worth the claim.
    """
    y = np.asarray(units, dtype=float)
    usable = y[(~np.isnan(y)).sum(1) > 1]
    return max(float(np.nanstd(usable, axis=1, ddof=1).mean()), 1e-12) if len(usable) else 1e-12


def _means(values: np.ndarray) -> list[float]:
    """Mean over images of each network, (S, X) with NaN left out."""
    return stats.unit_means(values).tolist()


# M1 -----------------------------------------------------------------------------------------------


def matching_case(p: FiveGroups, a: Analysis) -> dict[str, Any]:
    """M1: errors of the reconstruction before and after training; what the dropped remainder ε
    changes is a control."""
    found = identity_errors(a.exact, a.ends)
    control = {
        "the remainder, by step": remainder_table(a).to_dict("list"),
        "largest duality error": float(found.pop("duality").max()),
    }
    return {"errors": found, "scope": scope_of(p, a), "control": control}


def matching_table(p: FiveGroups, a: Analysis) -> pd.DataFrame:
    """Score against model on masks of one image, with and without noise terms; and g(f_N) against
    g(f) of all images."""
    masks = match_table(a.ends, p.order_weights[0], p.tol)
    whole = torch.stack([g.whole[LAST] for g in a.games]).flatten()
    rest = pd.DataFrame(
        {
            "split": "left-out remainder: $g(f_N)$ against $g(f)$",
            "score": whole.numpy(),
            "model": a.main.v[:, LAST, :, -1].flatten().numpy(),
        }
    )
    return pd.concat(
        [masks.assign(what="masked features of one image"), rest.assign(what="images, all seeds")],
        ignore_index=True,
    )


def remainder_table(a: Analysis) -> pd.DataFrame:
    """What dropping ε changes, by training step: mean |g(f) - g(f_N)| and mean |g(f)| over images
    and seeds."""
    whole = torch.stack([g.whole for g in a.games])
    off = (whole - a.main.v[..., -1]).abs()
    return pd.DataFrame(
        {
            "step": a.main.steps,
            "mean |g(f) - g(f_N)|": off.mean((0, 2)).numpy(),
            "mean |g(f)|": whole.abs().mean((0, 2)).numpy(),
        }
    )


# M2 and M3 ----------------------------------------------------------------------------------------


def variance_parts(share: np.ndarray, ratio: np.ndarray, untrained: np.ndarray) -> list[Part]:
    """M2 per network (S,): share of the variance; specific: log(λ10/λ11), pooled, minus
    untrained."""
    return [
        Part("variance_share", share),
        Part("gap_minus_untrained", np.log(ratio) - np.log(untrained)),
    ]


def variance_case(p: FiveGroups, a: Analysis) -> dict[str, Any]:
    """M2, per network: share of the pooled variance in the first r components, and the gap after
    them."""
    r = p.n_players

    def ratios(found: Sequence[Components]) -> np.ndarray:
        # Features that span only r dimensions have no eigenvalue r + 1 to compare with.
        return np.array(
            [
                float(c.eigenvalues[r - 1] / c.eigenvalues[r])
                if c.rank > r and len(c.eigenvalues) > r
                else np.nan
                for c in found
            ]
        )

    ten = Premise("ten components", r == 10, f"the claim speaks of 10 components, n_players is {r}")
    shares = [c.share for c in a.pca]
    control = {
        "share before training (N0)": [c.share for c in a.start],
        "components": r,
        "eigenvalue r over eigenvalue r+1": ratios(a.pca),
        "the same before training (N0)": ratios(a.start),
        "numbers in a feature": int(a.pca[0].mean.numel()),
    }
    return {
        "parts": variance_parts(np.array(shares), ratios(a.pca), ratios(a.start)),
        "premises": [ten],
        "control": control,
        **basis(p, a),
    }


def eigen_table(a: Analysis) -> pd.DataFrame:
    """Eigenvalues over the total variance, descending: mean and range over seeds, pooled over
    training and untrained."""
    pieces = []
    for label, found in (("pooled over training", a.pca), ("untrained", a.start)):
        count = min(len(c.eigenvalues) for c in found)
        values = np.array([(c.eigenvalues[:count] / c.total).numpy() for c in found])
        pieces.append(
            pd.DataFrame(
                {
                    "system": a.system.name,
                    "features": label,
                    "rank": range(1, count + 1),
                    "share": values.mean(0),
                    "low": values.min(0),
                    "high": values.max(0),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def accuracy_parts(difference: np.ndarray) -> list[Part]:
    """M3 per network (S,): equivalence, a bound on either side."""
    return [Part("not_lower", difference), Part("not_higher", difference)]


def accuracy_case(p: FiveGroups, a: Analysis) -> dict[str, Any]:
    """M3, per seed: test accuracy with r components minus with the whole feature, after
    training."""
    difference = np.array([float(x.components[LAST] - x.whole[LAST]) for x in a.accuracy])
    count = a.accuracy[0].images
    enough = Premise(
        "test images",
        count >= _ENOUGH_IMAGES,
        f"{count} test images, at least {_ENOUGH_IMAGES} are needed",
    )
    ten = Premise(
        "ten components",
        p.n_players == 10,
        f"the claim speaks of 10 components, n_players is {p.n_players}",
    )
    control = {
        f"{name}, {state}": [float(getattr(x, field)[k]) for x in a.accuracy]
        for name, field in (
            ("whole feature", "whole"),
            ("components", "components"),
            ("random directions", "random"),
        )
        for state, k in (("untrained (N0)", FIRST), ("trained", LAST))
    }
    return {
        "parts": accuracy_parts(difference),
        "premises": [enough, ten],
        "control": {"test images": count, **control},
        **basis(p, a),
    }


def accuracy_table(a: Analysis) -> pd.DataFrame:
    """Table 1's columns: accuracy with the whole feature, its components, random directions; mean
    and range over seeds."""
    pieces = []
    for state, k in (("untrained", FIRST), ("trained", LAST)):
        for label, field in (
            ("whole feature", "whole"),
            ("principal components", "components"),
            ("random directions", "random"),
        ):
            values = [float(getattr(x, field)[k]) for x in a.accuracy]
            pieces.append(
                {
                    "system": a.system.name,
                    "network": state,
                    "using": label,
                    "accuracy": np.mean(values),
                    "low": min(values),
                    "high": max(values),
                }
            )
    return pd.DataFrame(pieces)


# M4 -----------------------------------------------------------------------------------------------


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


def sparsity_case(p: FiveGroups, a: Analysis) -> dict[str, Any]:
    """M4: fraction of interactions with 90 % of the strength, components minus raw patches."""
    patches12 = dataclasses.replace(a.paper, converged=a.paper.gap <= PAPER_GAP)

    def fraction(e: CertifiedGames, only: bool = False) -> np.ndarray:
        return _kept(e, sparsity.mass_fraction(e.merged), only)

    def parts(only: bool, raw: CertifiedGames = a.raw) -> list[Part]:
        return sparsity_parts(
            fraction(a.ends, only), fraction(raw, only), fraction(patches12, only)[:, LAST]
        )

    own, equal = fraction(a.ends), fraction(a.raw)
    patches = f"{p.paper_patches} patches out of all 4x4 cells, the paper's comparison"
    control = {
        "components": _means(own[:, LAST]),
        f"{p.n_players} raw patches": _means(equal[:, LAST]),
        patches: _means(fraction(a.paper)[:, LAST]),
        "components minus as many patches": _means(own[:, LAST] - equal[:, LAST]),
        "the same before training (N0)": _means(own[:, FIRST] - equal[:, FIRST]),
    }
    other = (p.n_players, p.paper_patches) != PAPER_PLAYERS
    return {
        **certified(parts),
        "reported": {name: parts(False, e) for name, e in a.draws.items()},
        "control": control,
        "changed": f"{p.n_players} components and {p.paper_patches} patches instead of 10 and 12"
        if other
        else None,
        **basis(p, a, a.main, a.raw, patches12),
    }


def sparsity_table(a: Analysis, points: int = 120) -> pd.DataFrame:
    """Relative strength at each rank (Fig. 3), over all 2^(n+1) interactions of its kind: mean over
    images and seeds."""
    cases = {
        "feature components": a.ends,
        "raw patches, as many": a.raw,
        "raw patches as in the paper": a.paper,
    }
    pieces = []
    for label, e in cases.items():
        curve = sparsity.ranked(e.merged[:, LAST]).mean(1)
        ranks = np.unique(np.geomspace(1, curve.shape[-1], points).round().astype(int))
        part = curve[:, ranks - 1]
        pieces.append(
            pd.DataFrame(
                {
                    "system": a.system.name,
                    "players": label,
                    "rank": ranks,
                    "low": part.amin(0).numpy(),
                    "strength": part.mean(0).numpy(),
                    "high": part.amax(0).numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


# M5 -----------------------------------------------------------------------------------------------


def _crossings(
    found: Interactions, v: torch.Tensor, order: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last crossing of games (..., 2^n), NaN where |g(f_N)| is below 0.1."""
    whole = v[..., -1]
    pair = faithfulness.crossings(faithfulness.matching_error(found, v, order), whole, found.n)
    first, last = (torch.where(whole.abs() >= _LEAST_SCORE, x, torch.nan) for x in pair)
    return first, last


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


def _both_crossings(e: CertifiedGames, only: bool = False) -> list[np.ndarray]:
    return [_kept(e, x, only) for x in _crossings(e.merged, e.v)]


def _random_order(found: Interactions, seed: int = 0) -> torch.Tensor:
    shape = (*found.and_.shape[:-1], 2 * (found.and_.shape[-1] - 1))
    return torch.rand(
        shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).argsort(-1)


def crossing_case(p: FiveGroups, a: Analysis) -> dict[str, Any]:
    """M5: share of interactions needed to come within 10 % of g(f_N), at first and for good."""
    names, merged = ("first crossing", "last crossing"), a.ends.merged
    trained, noise = _both_crossings(a.ends), _both_crossings(a.noise)
    random = [x.numpy() for x in _crossings(merged, a.ends.v, _random_order(merged))]
    control = {
        f"{label}: {name}": _means(x[:, state])
        for label, found, state in (
            ("untrained (N0)", trained, FIRST),
            ("independent noise (N2)", noise, LAST),
            ("interactions in random order", random, LAST),
        )
        for name, x in zip(names, found, strict=True)
    }
    control |= {
        "share of images left out, |g| < 0.1": float(np.isnan(trained[0][:, LAST]).mean()),
        "share of images whose error does not stay within 10 %": float(
            (trained[1][:, LAST] == 1).mean()
        ),
    }
    others = {name: e.at(0, len(e.steps) - 1) for name, e in a.others.items()} | {
        "no noise terms": a.exact
    }
    return {
        **certified(lambda only: crossing_parts(*_both_crossings(a.ends, only))),
        "reported": {name: crossing_parts(*_both_crossings(e)) for name, e in others.items()},
        "control": control,
        **basis(p, a, a.main, a.noise),
    }


def crossing_table(a: Analysis, points: int = 100) -> pd.DataFrame:
    """Matching error against α (Fig. 4), in units of the mean |g(f_N)|: mean over images, range
    over seeds."""
    merged = a.ends.merged
    least = [float(np.mean(_means(x[:, LAST]))) for x in _both_crossings(a.ends)]
    panel = f"{a.system.name}: $\\hat\\alpha/2^{{r+1}}$ = {least[0]:.1%} (for good: {least[1]:.1%})"
    cases = {
        "trained": (a.ends, LAST, None),
        "untrained": (a.ends, FIRST, None),
        "iid noise": (a.noise, LAST, None),
        "random order": (a.ends, LAST, _random_order(merged)),
    }
    pieces = []
    for label, (e, state, order) in cases.items():
        error = faithfulness.matching_error(e.merged, e.v, order)[:, state].mean(1)
        curve = error / e.v[:, state, :, -1].abs().mean(-1, keepdim=True)
        alphas = np.unique(np.geomspace(1, curve.shape[-1] - 1, points).round().astype(int))
        part = curve[:, alphas]
        pieces.append(
            pd.DataFrame(
                {
                    "panel": panel,
                    "games": label,
                    "alpha": alphas,
                    "error": part.mean(0).numpy(),
                    "low": part.amin(0).numpy(),
                    "high": part.amax(0).numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


# M6 -----------------------------------------------------------------------------------------------


def fit_parts(error: np.ndarray) -> list[Part]:
    """M6 from root mean square errors over the deviation of the output (S, 2, X), untrained and
    trained."""
    beyond = error[:, LAST] - error[:, FIRST]
    return [
        Part.of("relative_error", error[:, LAST]),
        Part.of("relative_error_beyond_untrained", beyond, scale=spread(beyond)),
    ]


def _errors(e: CertifiedGames, only: bool = False, alpha: int = JUDGED_ALPHA) -> np.ndarray:
    return _kept(e, faithfulness.top_model_error(e.merged, e.v, alpha), only)


def fit_case(p: FiveGroups, a: Analysis) -> dict[str, Any]:
    """M6: error of the model of the 60 strongest interactions over all masks, in deviations of the
    output."""
    possible = 2 ** (p.n_players + 1)
    few = Premise(
        "60 is few",
        possible >= 10 * JUDGED_ALPHA,
        f"60 of {possible} interactions are not few: 9 or more players are needed, n_players is "
        f"{p.n_players}",
    )
    control = {
        f"{alpha} interactions": _means(_errors(a.ends, alpha=alpha)[:, LAST]) for alpha in p.alphas
    }
    control |= {
        "untrained (N0), 60 interactions": _means(_errors(a.ends)[:, FIRST]),
        "independent noise (N2), 60 interactions": _means(_errors(a.noise)[:, LAST]),
    }
    others = {name: e.at(0, len(e.steps) - 1) for name, e in a.others.items()} | {
        "no noise terms": a.exact
    }
    return {
        **certified(lambda only: fit_parts(_errors(a.ends, only))),
        "premises": [few],
        "control": control,
        "reported": {name: fit_parts(_errors(e)) for name, e in others.items()},
        **basis(p, a, a.main, a.noise),
    }


def fit_table(p: FiveGroups, a: Analysis, neighbours: int = 50) -> pd.DataFrame:
    """Fig. 5, first image of the first seed: outputs on all masks, ascending, with errors smoothed
    over ``neighbours`` masks (panel "smoothed"); and every single error (panel "histogram")."""
    v, found = a.ends.v[0, LAST, 0], a.ends.merged[0, LAST, 0]
    order = v.argsort()
    lines = [
        pd.DataFrame({"curve": "output $g(f_S)$", "mask": range(len(v)), "value": v[order].numpy()})
    ]
    errors = []
    window = np.ones(min(neighbours, len(v))) / min(neighbours, len(v))
    for alpha in p.alphas:
        off = (v - faithfulness.top_model(found, alpha))[order].numpy()
        name = f"error, {alpha} interactions"
        smooth = np.convolve(off, window, "same") / np.convolve(np.ones(len(off)), window, "same")
        lines.append(pd.DataFrame({"curve": name, "mask": range(len(v)), "value": smooth}))
        errors.append(pd.DataFrame({"curve": name, "mask": range(len(v)), "value": off}))
    panels = {"smoothed": lines, "histogram": errors}
    return pd.concat(
        [one.assign(panel=name) for name, many in panels.items() for one in many], ignore_index=True
    )
