"""D1, D2, L1, L2, L7, L12, F4, M15: exactness and sparsity of the AND-OR model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import extract, lattice, sparsify, stats
from ..claims import Part
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..jobs.layered import Layered, layered
from ..jobs.runs import GamesJob
from ..jobs.study import System, certified_games
from ..metrics import attribution, identification, salience, sparsity
from ..params import Layerwise, Sparsity
from ..train import Run

__all__ = [
    "COUNT_IMAGES",
    "COUNT_RULE",
    "FIRST",
    "KAPPAS",
    "LAST",
    "LEAST_PLAYERS",
    "MASS",
    "agreement_controls",
    "attribution_table",
    "changed_count",
    "changed_kappas",
    "changed_mass",
    "controls",
    "count_case",
    "count_parts",
    "count_sample",
    "exponents",
    "growth",
    "growth_statement",
    "growth_table",
    "identity_errors",
    "kappa_case",
    "kappa_layers",
    "kappa_parts",
    "kappa_table",
    "match_table",
    "number_parts",
    "profiles",
    "shapley_errors",
    "similarity_parts",
    "sparse_parts",
    "sparsity_case",
    "sparsity_parts",
    "spread",
]

FIRST, LAST = 0, 1
"""Checkpoints of the arrays judged here: before training, after training."""

COUNT_IMAGES = {"cifar10": 30}
"""Images of L2 by data set, as in Cheng et al. 2024, App. M.4; 100 where nothing is said. Its
threshold is a maximum over samples, so that the count falls with their number: the number belongs
to the statistic."""

MASS, COUNT_RULE, KAPPAS = 0.9, "max_over_samples", (0.03, 0.04, 0.05)
"""What the registered statistics of D2, L2 and L12 are made with."""

LEAST_PLAYERS = 10
"""The bound of D2 is for ten players or more: with fewer, any game fills a larger share of its
interactions."""


def identity_errors(exact: CertifiedGames, bounded: CertifiedGames) -> dict[str, torch.Tensor]:
    """Errors of every game: ``matching`` of the split without noise terms, ``within_kappa`` with
    them, ``duality``.

    matching: max_T |v - model| / max |v|. within_kappa: max_T |v - model| / (kappa |v(N) - v(∅)|),
    at most 1.
    """
    v, off = bounded.v, bounded.error
    allowed = bounded.kappa * (v[..., -1] - v[..., 0]).abs()
    scale = v.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    # A game with v(N) = v(∅) is allowed no noise term at all: rounding counts as 0, anything else
    # is infinitely too much.
    none = torch.where(off <= 1e-9 * scale, 0.0, torch.inf).to(off)
    within = torch.where(allowed > 0, off / allowed.clamp(min=torch.finfo(off.dtype).tiny), none)
    return {
        "matching": exact.error / scale,
        "within_kappa": within,
        "duality": sparsity.duality_error(v),
    }


def _kept(values: torch.Tensor, e: CertifiedGames, at: int, certified_only: bool) -> np.ndarray:
    """Values (R, C, X) at one checkpoint; NaN where a game is uncertified and only certified ones
    count."""
    found = values[:, at].numpy().astype(float)
    return np.where(e.converged[:, at].numpy(), found, np.nan) if certified_only else found


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


def sparsity_parts(
    p: Sparsity, e: CertifiedGames, smooth: CertifiedGames, certified_only: bool = False
) -> list[Part]:
    """D2. e: checkpoints (first, last); smooth: null games matched to e's, of which the last
    checkpoint counts."""
    gini, theirs = sparsity.gini(e.merged), sparsity.gini(smooth.merged)
    rivals = np.stack(
        [_kept(gini, e, FIRST, certified_only), _kept(theirs, smooth, LAST, certified_only)], axis=1
    )
    mass = sparsity.mass_fraction(e.merged, p.mass)
    return sparse_parts(
        _kept(mass, e, LAST, certified_only), _kept(gini, e, LAST, certified_only), rivals
    )


def sparsity_case(
    p: Sparsity,
    e: CertifiedGames,
    smooth: CertifiedGames,
    others: Mapping[str, tuple[CertifiedGames, CertifiedGames | None]],
) -> dict[str, object]:
    """D2's arguments of the judge."""
    return {
        "parts": sparsity_parts(p, e, smooth),
        "uncertified": max(e.uncertified, smooth.uncertified),
        "variants": {
            "uncertified games dropped": sparsity_parts(p, e, smooth, certified_only=True)
        },
        "reported": {name: sparsity_parts(p, one, null) for name, (one, null) in others.items()},
        "changed": changed_mass(p),
    }


def changed_mass(p: Sparsity) -> str | None:
    """What makes a run's D2 another statistic than the registered one, in words; None: nothing."""
    found = [f"mass {p.mass:g} instead of {MASS:g}"] * (p.mass != MASS)
    found += [f"{p.n_players} players, the bound is for {LEAST_PLAYERS} or more"] * (
        p.n_players < LEAST_PLAYERS
    )
    return "; ".join(found) or None


def count_sample(p: Sparsity, system: System) -> CertifiedGames:
    """L2's own games: its number of images, before and after training; the images of the other rows
    do not enter."""
    ends = (0, system.jobs[0].config.steps)
    return certified_games(p, system, images=p.count_images, steps=ends)


def _counts(e: CertifiedGames, rule: salience.Rule) -> torch.Tensor:
    return salience.salient_counts(e.merged, salience.threshold(e.merged, e.v, rule)).double()


def number_parts(count: np.ndarray, untrained: np.ndarray, suffix: str = "") -> list[Part]:
    """L2 from arrays (S, X): salient interactions per image of the trained and of the untrained
    networks (N0)."""
    return [
        Part.of(f"count{suffix}", count),
        Part.of("count_minus_null", count - untrained, spread(count)),
    ]


def count_parts(
    p: Sparsity, e: CertifiedGames, certified_only: bool = False, rule: salience.Rule | None = None
) -> list[Part]:
    """L2, from :func:`count_sample`; thresholds are those of all its images, whatever is left
    out."""
    count = _counts(e, rule or p.salience)
    return number_parts(
        _kept(count, e, LAST, certified_only),
        _kept(count, e, FIRST, certified_only),
        "_cifar" if p.dataset == "cifar10" else "",
    )


def count_case(p: Sparsity, e: CertifiedGames) -> dict[str, object]:
    """L2's arguments of the judge; the other rules of the papers are shown beside it."""
    others = [rule for rule in salience.RULES if rule != p.salience]
    return {
        "parts": count_parts(p, e),
        "uncertified": e.uncertified,
        "changed": changed_count(p),
        "variants": {"uncertified games dropped": count_parts(p, e, certified_only=True)},
        "reported": {f"salience {rule}": count_parts(p, e, rule=rule) for rule in others},
    }


def changed_count(p: Sparsity) -> str | None:
    """As :func:`changed_mass`, for L2."""
    usual = COUNT_IMAGES.get(p.dataset, 100)
    found = [f"{p.count_images} images instead of {usual}"] * (p.count_images != usual)
    found += [f"salience {p.salience} instead of {COUNT_RULE}"] * (p.salience != COUNT_RULE)
    return "; ".join(found) or None


def controls(
    p: Sparsity, e: CertifiedGames, smooth: CertifiedGames, noise: CertifiedGames
) -> dict[str, dict[str, float]]:
    """Means over seeds and images for the trained network and each null, under every salience
    rule."""
    cases = {
        "trained": (e, LAST),
        "untrained (N0)": (e, FIRST),
        "iid noise (N2)": (noise, 0),
        "smooth random (N3)": (smooth, LAST),
    }
    found = {}
    for label, (games, at) in cases.items():
        merged = games.merged
        found[label] = {
            "mass90": float(sparsity.mass_fraction(merged, p.mass)[:, at].mean()),
            "gini": float(sparsity.gini(merged)[:, at].nanmean()),
        }
        found[label] |= {
            f"salient, {rule}": float(_counts(games, rule)[:, at].mean()) for rule in salience.RULES
        }
    return found


# L12 ----------------------------------------------------------------------------------------------


def kappa_layers(p: Sparsity, system: System) -> dict[float, Layered]:
    """The layers of 05_layerwise_change, split with each kappa; probes as there."""
    shared = {
        name: getattr(p, name) for name in Layerwise.model_fields if name in type(p).model_fields
    }
    return {
        kappa: layered(Layerwise(**{**shared, "kappa": kappa, "second_draw": False}), system)
        for kappa in p.kappas
    }


def _two_inner(names: Sequence[str]) -> list[int]:
    """Two probed layers, at a third and at two thirds of the depth; the output layer, which is
    last, is none."""
    probed = len(names) - 1
    return sorted({round((probed - 1) / 3), round(2 * (probed - 1) / 3)})


def _likeness(a: CertifiedGames, b: CertifiedGames, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of all interactions and Jaccard similarity of the salient sets, (R, X) each, at one
    checkpoint or layer."""
    one, two = (e.merged[:, at] for e in (a, b))
    cosine = torch.nn.functional.cosine_similarity(
        *(torch.cat([x.and_[..., 1:], x.or_[..., 1:]], -1) for x in (one, two)), dim=-1
    )
    taus = [salience.threshold(x, e.v[:, at], "max_per_sample") for x, e in ((one, a), (two, b))]
    return cosine.numpy(), identification.salient_jaccard(one, two, *taus).numpy()


def similarity_parts(cosine: np.ndarray, overlap: np.ndarray) -> list[Part]:
    """L12 from arrays (S, K, X): K comparisons (other kappas, places in the network), the least
    similar of each image."""
    return [Part.of("cosine", _least(cosine)), Part.of("salient_overlap", _least(overlap))]


def _least(x: np.ndarray) -> np.ndarray:
    filled = np.where(np.isnan(x), np.inf, x).min(axis=1)
    return np.where(np.isinf(filled), np.nan, filled)


def kappa_parts(
    main: CertifiedGames,
    others: Mapping[float, CertifiedGames],
    inner: Mapping[float, Layered],
    certified_only: bool = False,
) -> list[Part]:
    """L12: every other kappa against the main one, at the output and at two layers (Cheng et al.
    2024, App. J)."""
    found = []
    for kappa, other in others.items():
        pairs = [(main, other, LAST)]
        pairs += [
            (inner[main.kappa].e, inner[kappa].e, layer)
            for layer in _two_inner(inner[kappa].layers)
        ]
        for a, b, at in pairs:
            keep = (a.converged[:, at] & b.converged[:, at]).numpy() if certified_only else True
            found.append([np.where(keep, values, np.nan) for values in _likeness(a, b, at)])
    cosine, overlap = (np.stack(values, axis=1) for values in zip(*found, strict=True))
    return similarity_parts(cosine, overlap)


def kappa_case(
    p: Sparsity,
    main: CertifiedGames,
    others: Mapping[float, CertifiedGames],
    inner: Mapping[float, Layered],
) -> dict[str, object]:
    """L12's arguments of the judge."""
    done = [main, *others.values(), *(x.e for x in inner.values())]
    return {
        "parts": kappa_parts(main, others, inner),
        "uncertified": max(e.uncertified for e in done),
        "variants": {
            "uncertified games dropped": kappa_parts(main, others, inner, certified_only=True)
        },
        "changed": changed_kappas(p),
    }


def changed_kappas(p: Sparsity) -> str | None:
    """As :func:`changed_mass`, for L12."""
    return (
        None
        if p.kappas == KAPPAS and p.kappa == KAPPAS[1]
        else f"kappas {', '.join(f'{k:g}' for k in p.kappas)} instead of "
        f"{', '.join(f'{k:g}' for k in KAPPAS)}"
    )


def agreement_controls(
    main: CertifiedGames,
    others: Mapping[float, CertifiedGames],
    inner: Mapping[float, Layered],
    again: Mapping[str, CertifiedGames],
) -> dict[str, object]:
    """Mean cosine and overlap by kappa and place, and of ``again``: the same games at equal kappa,
    solved another way."""
    found: dict[str, object] = {}
    for kappa, other in others.items():
        places = {"output": (main, other, LAST)}
        names = inner[kappa].layers
        places |= {names[k]: (inner[main.kappa].e, inner[kappa].e, k) for k in _two_inner(names)}
        for place, pair in places.items():
            found[f"kappa {kappa:g}, {place}"] = [float(np.nanmean(x)) for x in _likeness(*pair)]
    for name, other in again.items():
        found[f"equal kappa, {name}"] = [float(np.nanmean(x)) for x in _likeness(main, other, LAST)]
    return {"cosine and overlap of salient sets": found}


# M15 ----------------------------------------------------------------------------------------------


def growth(p: Sparsity, system: System) -> pd.DataFrame:
    """M15: salient interactions per image (mean over images) of each seed's trained network, for
    p.size_players players."""
    rows = []
    for n in p.size_players:
        e = certified_games(p, system, n=n, steps=(system.jobs[0].config.steps,))
        counts = _counts(e, "mean_output")[:, 0].mean(-1)
        rows += [
            {"players": n, "seed": seed, "count": float(x)}
            for seed, x in zip(p.seeds, counts, strict=True)
        ]
    return pd.DataFrame(rows)


def exponents(table: pd.DataFrame) -> np.ndarray:
    """Least-squares slope of log count over log n, a number per seed."""
    return np.array(
        [
            np.polyfit(np.log(part["players"]), np.log(part["count"]), 1)[0]
            for _, part in table.groupby("seed")
        ]
    )


def growth_statement(table: pd.DataFrame) -> str:
    """M15 in a sentence."""
    found = exponents(table)
    return (
        f"the salient count grows as n to the power {found.mean():.2f} (seeds {found.min():.2f} "
        f"to {found.max():.2f}) "
        f"over n = {table.players.min()} to {table.players.max()}; the papers bound it by "
        "1.9-2.2 and by 0.9-1.2"
    )


def growth_table(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """M15's curve: mean over seeds with the lowest and highest seed."""
    found = table.groupby("players")["count"].agg(["mean", "min", "max"]).reset_index()
    return found.rename(columns={"mean": "count", "min": "low", "max": "high"}).assign(
        panel=name, games="trained"
    )


# Tables -------------------------------------------------------------------------------------------


def profiles(cases: Mapping[str, CertifiedGames], points: int = 120) -> pd.DataFrame:
    """Mean strength (of a game's largest) at each rank, averaged over images; lowest and highest
    seed as a band.

    cases: label → arrays of which the last checkpoint is drawn; "untrained" is the first checkpoint
    of "trained".
    """
    pieces = []
    for label, e in {**cases, "untrained": cases["trained"]}.items():
        curve = sparsity.ranked(e.merged[:, FIRST if label == "untrained" else -1]).mean(1)
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


def match_table(p: Sparsity, e: CertifiedGames, masks: int = 256) -> pd.DataFrame:
    """Score against model on ``masks`` masks of the first image of the first seed, after training,
    as certified."""
    v = e.v[0, LAST, 0]
    chosen = torch.linspace(0, len(v) - 1, min(masks, len(v))).round().long()
    pieces = []
    for kappa in (0.0, e.kappa):
        got = sparsify.split(v, kappa=kappa, order_weight=p.order_weights[0], tol=p.tol)
        model = lattice.reconstruct(got.i_and, got.i_or)[chosen]
        pieces.append(
            pd.DataFrame(
                {
                    "split": f"kappa = {kappa:g}",
                    "mask": chosen.numpy(),
                    "score": v[chosen].numpy(),
                    "model": model.numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def kappa_table(
    main: CertifiedGames, others: Mapping[float, CertifiedGames], top: int = 60
) -> pd.DataFrame:
    """The ``top`` strongest interactions at the main kappa and the same ones at the others: first
    image, first seed."""
    found = {main.kappa: main, **others}
    values = {
        k: torch.cat([e.merged.and_[0, LAST, 0, 1:], e.merged.or_[0, LAST, 0, 1:]])
        for k, e in found.items()
    }
    order = values[main.kappa].argsort(descending=True)
    strongest = values[main.kappa].abs().argsort(descending=True)[:top]
    ranked = [i for i in order.tolist() if i in set(strongest.tolist())]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "kappa": f"kappa = {k:g}",
                    "rank": range(1, len(ranked) + 1),
                    "interaction": values[k][ranked].numpy(),
                }
            )
            for k in sorted(values)
        ],
        ignore_index=True,
    )


def shapley_errors(p: Sparsity, e: CertifiedGames) -> dict[str, torch.Tensor]:
    """L7, F4: max over players of |Shapley value - rebuilt from interactions| / max |Shapley
    value|, for every game.

    Rebuilt twice: from the AND-OR split without noise terms, and from the game's Harsanyi dividends
    alone.
    """
    v = e.v[:, LAST]
    got = sparsify.split(v, kappa=0.0, order_weight=p.order_weights[0], tol=p.tol)
    none = torch.zeros_like(v)
    direct = attribution.shapley(v)
    rebuilt = [
        attribution.shapley_of(Interactions(*pair))
        for pair in ((got.i_and, got.i_or), (lattice.and_interactions(v), none))
    ]
    scale = direct.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    return {"shapley": torch.stack([(direct - one).abs().amax(-1) / scale for one in rebuilt])}


def attribution_table(p: Sparsity, e: CertifiedGames, job: GamesJob, run: Run) -> pd.DataFrame:
    """Attributions of the first image's players by the first seed's trained network: Shapley values
    computed in two ways, and integrated gradients, which know nothing of interactions."""
    v = e.v[0, LAST, 0]
    got = sparsify.split(v, kappa=0.0, order_weight=p.order_weights[0], tol=p.tol)
    players, labels, _ = job.players()
    slopes = extract.integrated_gradients(run.model(run.steps[-1]), players[0], int(labels[0]))
    found = {
        "Shapley value": attribution.shapley(v),
        "from interactions": attribution.shapley_of(Interactions(got.i_and, got.i_or)),
        "integrated gradients": slopes,
    }
    return pd.concat(
        [
            pd.DataFrame(
                {"player": range(e.found.n), "attribution": values.numpy(), "method": method}
            )
            for method, values in found.items()
        ],
        ignore_index=True,
    )
