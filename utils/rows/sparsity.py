"""D1, D2, L1, L2, L7, L12, F4: exactness and sparsity of the AND-OR model."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from .. import extract, lattice, sparsify, stats
from ..claims import Part
from ..interactions import Interactions
from ..jobs.runs import GamesJob
from ..jobs.study import Extracted
from ..metrics import attribution, salience, sparsity
from ..params import Sparsity
from ..train import Run

__all__ = ["FIRST", "LAST", "attribution_table", "controls", "count_parts", "identity_errors", "kappa_controls",
           "kappa_parts", "kappa_table", "match_table", "profiles", "shapley_errors", "sparsity_parts"]

FIRST, LAST = 0, 1
"""Checkpoints of the arrays judged here: before training, after training."""


def identity_errors(exact: Extracted, bounded: Extracted) -> dict[str, torch.Tensor]:
    """Errors of every game: ``matching`` of the split without noise terms, ``within_kappa`` with them, ``duality``.

    matching: max_T |v - model| / max |v|. within_kappa: max_T |v - model| / (kappa |v(N) - v(∅)|), at most 1.
    """
    v, off = bounded.v, bounded.error
    allowed = bounded.kappa * (v[..., -1] - v[..., 0]).abs()
    scale = v.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    # A game with v(N) = v(∅) is allowed no noise term at all: rounding counts as 0, anything else is infinitely too much.
    none = torch.where(off <= 1e-9 * scale, 0.0, torch.inf).to(off)
    within = torch.where(allowed > 0, off / allowed.clamp(min=torch.finfo(off.dtype).tiny), none)
    return {"matching": exact.error / scale, "within_kappa": within, "duality": sparsity.duality_error(v)}


def _trained(e: Extracted, values: torch.Tensor, certified_only: bool, at: int = LAST) -> np.ndarray:
    """Mean over images of ``values`` (R, C, X) at one checkpoint: one number per seed (R,)."""
    keep = e.converged[:, at].double() if certified_only else torch.ones_like(values[:, at])
    return ((values[:, at] * keep).nansum(-1) / keep.sum(-1)).numpy()


def sparsity_parts(p: Sparsity, e: Extracted, smooth: Extracted, certified_only: bool = False) -> list[Part]:
    """D2: share of interactions that carry p.mass, and Gini above the untrained network (N0) and smooth games (N3).

    e: checkpoints (first, last); smooth: null games matched to e's, of which the last checkpoint counts.
    """
    gini = sparsity.gini(e.merged)
    nulls = np.maximum(_trained(e, gini, certified_only, FIRST),
                       _trained(smooth, sparsity.gini(smooth.merged), certified_only))
    return [Part("mass90", _trained(e, sparsity.mass_fraction(e.merged, p.mass), certified_only)),
            Part("gini_above_null", _trained(e, gini, certified_only) - nulls)]


def _counts(e: Extracted, rule: salience.Rule) -> torch.Tensor:
    return salience.salient_counts(e.merged, salience.threshold(e.merged, e.v, rule)).double()


def count_parts(p: Sparsity, e: Extracted, smooth: Extracted, certified_only: bool = False) -> list[Part]:
    """L2: :func:`sparsity_parts` and the mean number of salient interactions per image, against the paper's count."""
    number = _trained(e, _counts(e, p.salience), certified_only)
    suffix = "_cifar" if p.dataset == "cifar10" else ""
    return [*sparsity_parts(p, e, smooth, certified_only),
            Part(f"count_not_fewer{suffix}", number), Part(f"count_not_more{suffix}", number)]


def controls(p: Sparsity, e: Extracted, smooth: Extracted, noise: Extracted) -> dict[str, dict[str, float]]:
    """Means over seeds and images for the trained network and each null, under every salience rule."""
    cases = {"trained": (e, LAST), "untrained (N0)": (e, FIRST), "iid noise (N2)": (noise, 0),
             "smooth random (N3)": (smooth, LAST)}
    found = {}
    for label, (games, at) in cases.items():
        merged = games.merged
        found[label] = {"mass90": float(sparsity.mass_fraction(merged, p.mass)[:, at].mean()),
                        "gini": float(sparsity.gini(merged)[:, at].nanmean())}
        found[label] |= {f"salient, {rule}": float(_counts(games, rule)[:, at].mean()) for rule in salience.RULES}
    return found


def _similarities(a: Extracted, b: Extracted, top: int = 50) -> dict[str, torch.Tensor]:
    """Cosine, Spearman correlation and overlap of the ``top`` strongest interactions of each game: (R, C, X) each."""
    one, two = (torch.cat([e.merged.and_[..., 1:], e.merged.or_[..., 1:]], -1) for e in (a, b))
    strongest = [x.abs().topk(min(top, x.shape[-1]), -1).indices for x in (one, two)]
    marks = [torch.zeros_like(one, dtype=torch.bool).scatter(-1, index, True) for index in strongest]
    ranks = [stats.spearman(x, y) for x, y in zip(one.flatten(0, -2).numpy(), two.flatten(0, -2).numpy(), strict=True)]
    return {"cosine": torch.nn.functional.cosine_similarity(one, two, dim=-1),
            "rank_correlation": torch.tensor(ranks, dtype=torch.float64).view(one.shape[:-1]),
            "top50_overlap": (marks[0] & marks[1]).sum(-1) / (marks[0] | marks[1]).sum(-1).double()}


def kappa_parts(main: Extracted, others: Mapping[float, Extracted], certified_only: bool = False) -> list[Part]:
    """L12: the least similar of the other kappas to the main one, per seed (Cheng et al. 2024, Appendix J)."""
    pairs = [{name: _trained(main, value, certified_only) for name, value in _similarities(main, other).items()}
             for other in others.values()]
    return [Part(name, np.min([pair[name] for pair in pairs], axis=0)) for name in pairs[0]]


def kappa_controls(main: Extracted, others: Mapping[float, Extracted]) -> dict[str, float]:
    """Rank correlation with each other kappa over the interactions salient in either, mean over seeds and images."""
    found = {}
    for kappa, other in others.items():
        pairs = []
        for games in (main, other):
            merged = games.merged[:, LAST]
            tau = salience.threshold(merged, games.v[:, LAST], "max_per_sample")
            pairs.append((torch.cat([merged.and_, merged.or_], -1), torch.cat(merged.salient(tau), -1)))
        (one, here), (two, there) = pairs
        either = (here | there).flatten(0, -2)
        ranks = [stats.spearman(x[k].numpy(), y[k].numpy())
                 for x, y, k in zip(one.flatten(0, -2), two.flatten(0, -2), either, strict=True) if int(k.sum()) > 2]
        found[f"rank correlation of salient interactions with kappa = {kappa:g}"] = float(np.nanmean(ranks))
    return found


def profiles(cases: Mapping[str, Extracted], points: int = 120) -> pd.DataFrame:
    """Mean strength (of a game's largest) at each rank, averaged over images; lowest and highest seed as a band.

    cases: label → arrays of which the last checkpoint is drawn; "untrained" is the first checkpoint of "trained".
    """
    pieces = []
    for label, e in {**cases, "untrained": cases["trained"]}.items():
        curve = sparsity.ranked(e.merged[:, FIRST if label == "untrained" else -1]).mean(1)
        ranks = np.unique(np.geomspace(1, curve.shape[-1], points).round().astype(int))
        part = curve[:, ranks - 1]
        pieces.append(pd.DataFrame({"games": label, "rank": ranks, "strength": part.mean(0).numpy(),
                                    "low": part.amin(0).numpy(), "high": part.amax(0).numpy()}))
    return pd.concat(pieces, ignore_index=True)


def match_table(p: Sparsity, e: Extracted, masks: int = 256) -> pd.DataFrame:
    """Score against model on ``masks`` masks of the first image of the first seed, after training, as certified."""
    v = e.v[0, LAST, 0]
    chosen = torch.linspace(0, len(v) - 1, min(masks, len(v))).round().long()
    pieces = []
    for kappa in (0.0, e.kappa):
        got = sparsify.split(v, kappa=kappa, order_weight=p.order_weights[0], tol=p.tol)
        model = lattice.reconstruct(got.i_and, got.i_or)[chosen]
        pieces.append(pd.DataFrame({"split": f"kappa = {kappa:g}", "mask": chosen.numpy(), "score": v[chosen].numpy(),
                                    "model": model.numpy()}))
    return pd.concat(pieces, ignore_index=True)


def kappa_table(main: Extracted, others: Mapping[float, Extracted], top: int = 60) -> pd.DataFrame:
    """The ``top`` strongest interactions at the main kappa and the same ones at the others: first image, first seed."""
    found = {main.kappa: main, **others}
    values = {k: torch.cat([e.merged.and_[0, LAST, 0, 1:], e.merged.or_[0, LAST, 0, 1:]]) for k, e in found.items()}
    order = values[main.kappa].argsort(descending=True)
    strongest = values[main.kappa].abs().argsort(descending=True)[:top]
    ranked = [i for i in order.tolist() if i in set(strongest.tolist())]
    return pd.concat([pd.DataFrame({"kappa": f"kappa = {k:g}", "rank": range(1, len(ranked) + 1),
                                    "interaction": values[k][ranked].numpy()}) for k in sorted(values)], ignore_index=True)


def shapley_errors(p: Sparsity, e: Extracted) -> dict[str, torch.Tensor]:
    """L7, F4: max over players of |Shapley value - rebuilt from interactions| / max |Shapley value|, for every game.

    Rebuilt twice: from the AND-OR split without noise terms, and from the game's Harsanyi dividends alone.
    """
    v = e.v[:, LAST]
    got = sparsify.split(v, kappa=0.0, order_weight=p.order_weights[0], tol=p.tol)
    none = torch.zeros_like(v)
    direct = attribution.shapley(v)
    rebuilt = [attribution.shapley_of(Interactions(*pair)) for pair in ((got.i_and, got.i_or),
                                                                         (lattice.and_interactions(v), none))]
    scale = direct.abs().amax(-1).clamp(min=torch.finfo(v.dtype).tiny)
    return {"shapley": torch.stack([(direct - one).abs().amax(-1) / scale for one in rebuilt])}


def attribution_table(p: Sparsity, e: Extracted, job: GamesJob, run: Run) -> pd.DataFrame:
    """Attributions of the first image's players by the first seed's trained network: Shapley values computed in two ways,
    and integrated gradients, which know nothing of interactions."""
    v = e.v[0, LAST, 0]
    got = sparsify.split(v, kappa=0.0, order_weight=p.order_weights[0], tol=p.tol)
    players, labels, _ = job.players()
    slopes = extract.integrated_gradients(run.model(run.steps[-1]), players[0], int(labels[0]))
    found = {"Shapley value": attribution.shapley(v), "from interactions": attribution.shapley_of(
        Interactions(got.i_and, got.i_or)), "integrated gradients": slopes}
    return pd.concat([pd.DataFrame({"player": range(e.found.n), "attribution": values.numpy(), "method": method})
                      for method, values in found.items()], ignore_index=True)
