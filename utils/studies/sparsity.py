"""01: games before and after training, with their nulls, at several kappas and sizes."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from .. import claims, extract
from ..evidence.likeness import Kappas
from ..evidence.sparsity import COUNT_RULE, MASS
from ..interactions import Interactions
from ..jobs import Job
from ..jobs.games import CertifiedGames, Splits
from ..jobs.layered import LayerSplits
from ..jobs.trained import TrainJob
from ..params import Layerwise
from ..params import Sparsity as Settings
from ..train import Run, TrainConfig
from . import networks as games_of
from .base import Analysis, Study, analyses
from .layerwise import layer_splits
from .networks import Trained, accuracies, scope

__all__ = [
    "Sparsity",
    "changed_count",
    "changed_kappas",
    "changed_mass",
    "counted_games",
    "plan",
    "studies",
]

_COUNT_IMAGES = {"cifar10": 30}
"""Images of L2 by data set, as in Cheng et al. 2024, App. M.4; 100 where nothing is said. Its
threshold is a maximum over samples, so that the count falls with their number: the number belongs
to the statistic."""
_KAPPAS = (0.03, 0.04, 0.05)
"""Those of the registered L12."""
_LEAST_PLAYERS = 10
"""The bound of D2 is for ten players or more: with fewer, any game fills a larger share of its
interactions."""


@dataclasses.dataclass(frozen=True, eq=False)
class Sparsity(Study[CertifiedGames]):
    """Games of one system at the checkpoints (first, last), each with its null ``smooth``.

    exact: split without noise terms; noise: independent noise matched to the last checkpoint;
    coarse: solved to three times the tolerance; counted: L2's own images; count_suffix: of the name
    of its bound, None where the data have none; kappas: L12's; slopes (n,): integrated gradients of
    the first image by the first network, None of tokens and where that is not here; sizes: M15's,
    of each number of players at the last checkpoint.
    """

    exact: CertifiedGames = dataclasses.field(kw_only=True)
    noise: CertifiedGames = dataclasses.field(kw_only=True)
    coarse: CertifiedGames = dataclasses.field(kw_only=True)
    counted: Study[CertifiedGames] = dataclasses.field(kw_only=True)
    count_suffix: str | None = dataclasses.field(kw_only=True)
    kappas: Study[Kappas] = dataclasses.field(kw_only=True)
    slopes: torch.Tensor | None = dataclasses.field(kw_only=True)
    sizes: dict[int, CertifiedGames] = dataclasses.field(kw_only=True)


def studies(p: Settings) -> list[Sparsity]:
    """A study per system of ``p``: what is missing is trained, scored and split."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> Sparsity:
    every = analyses(p, system.of)
    found = {k: games_of.loaded(system, splits) for k, splits in _splits(p, system).items()}
    games = {
        a: dataclasses.replace(found[a, "games"], nulls={"smooth": found[a, "smooth"]})
        for a in every
    }
    main = every[0]
    facts = ((system.of,), system.seeds, scope(p, system), accuracies(system, runs))
    others = {k: found[main, f"kappa {k:g}"] for k in p.kappas if k != p.kappa}
    inner = {kappa: one.load() for kappa, one in _inner(p, system).items()}
    kappas = Kappas(found[main, "games"], others, inner)
    return Sparsity(
        *facts,
        games=games,
        changed=changed_mass(p),
        exact=found[main, "exact"],
        noise=found[main, "noise"],
        coarse=found[main, "coarse"],
        counted=Study(*facts, {main: _counted(p, system, found)}, changed_count(p, system)),
        count_suffix=_count_suffix(system),
        kappas=Study(*facts, {main: kappas}, changed_kappas(p)),
        slopes=_slopes(p, system, runs[0]) if runs else None,
        sizes={n: splits.load() for n, splits in _sizes(p, system).items()},
    )


def _splits(p: Settings, system: Trained) -> dict[tuple[Analysis, str], Splits]:
    """Every split of the study, by analysis and what it is."""
    every = analyses(p, system.of)
    ends, main = system.ends, every[0]

    def splits(a: Analysis = main, **how: object) -> Splits:
        return games_of.planned(p, system, order_weight=a.order_weight, draw=a.draw, **how)

    found = {(a, "games"): splits(a, checkpoints=ends) for a in every}
    found |= {(a, "smooth"): splits(a, checkpoints=ends, null="smooth") for a in every}
    found |= {
        (main, f"kappa {k:g}"): splits(checkpoints=ends, kappa=k) for k in p.kappas if k != p.kappa
    }
    return found | {
        (main, "exact"): splits(checkpoints=ends, kappa=0.0),
        (main, "noise"): splits(checkpoints=ends[-1:], null="iid"),
        (main, "coarse"): splits(checkpoints=ends, tol=3 * p.tol),
        (main, "counted"): counted_games(p, system),
    }


def counted_games(p: Settings, system: Trained) -> Splits:
    """L2's own games: its number of images, before and after training; the images of the other rows
    do not enter."""
    if not system.jobs:
        return games_of.planned(p, system)
    ends = tuple(dict.fromkeys((0, system.jobs[0].config.steps)))
    return games_of.planned(p, system, images=p.count_images, steps=ends)


def _counted(
    p: Settings, system: Trained, found: dict[tuple[Analysis, str], CertifiedGames]
) -> CertifiedGames:
    """L2's games before and after training; of given weights, before it, those of the network as
    it is initialised here."""
    after = next(games for (_, what), games in found.items() if what == "counted")
    if not system.weighted:
        return after
    before = _untrained(p, system).load()
    names = ("v", "gap", "converged", "l1", "error", "saturated", "noise_floor")
    both = {name: torch.cat([getattr(e, name) for e in (before, after)], 1) for name in names}
    and_, or_ = (
        torch.cat([getattr(e.found, name) for e in (before, after)], 1) for name in ("and_", "or_")
    )
    steps = np.concatenate([before.steps, after.steps])
    return dataclasses.replace(after, **both, found=Interactions(and_, or_), steps=steps)


def _untrained(p: Settings, system: Trained) -> Splits:
    """L2's games of the network of given weights as it is initialised here, from seed 0: the first
    checkpoint of a training of one step."""
    given = system.jobs[0].config
    few = {"weights": None, "steps": 1, "checkpoints": 2, "n_test": 10, "file": given.file}
    job = TrainJob.of(TrainConfig(**{**given.model_dump(), **few}))
    first = dataclasses.replace(system, jobs=(job,))
    return games_of.planned(p, first, images=p.count_images, steps=(0,))


def _inner(p: Settings, system: Trained) -> dict[float, LayerSplits]:
    """The layers of 05_layerwise_change, split with each kappa; probes as there, none where the
    system names none."""
    if system.of.probes is None:
        return {}
    shared = {
        name: getattr(p, name) for name in Layerwise.model_fields if name in type(p).model_fields
    }
    return {
        kappa: layer_splits(Layerwise(**{**shared, "kappa": kappa, "second_draw": False}), system)
        for kappa in p.kappas
    }


def _count_suffix(system: Trained) -> str | None:
    """Of the as-stated bound of L2 that claims.yaml has for these data; None: it has none."""
    bounds = claims.load().row("L2").thresholds_for(system.id)
    return next((s for s in ("", "_cifar") if f"count{s}" in bounds), None)


def _slopes(p: Settings, system: Trained, run: Run) -> torch.Tensor | None:
    """None of tokens, which have no gradient."""
    if system.of.kind == "text":
        return None
    players, labels, _ = games_of.games_jobs(p, system)[0].players()
    return extract.integrated_gradients(
        run.model(run.steps[-1]), players[0], int(labels[0]), score=system.of.score
    )


def _sizes(p: Settings, system: Trained) -> dict[int, Splits]:
    """M15: games of the trained networks between p.size_players players."""
    if not system.jobs:
        return {}
    last = (system.jobs[0].config.steps,)
    return {n: games_of.planned(p, system, n=n, steps=last) for n in p.size_players}


def changed_mass(p: Settings) -> str | None:
    """What makes a run's D2 another statistic than the registered one, in words; None: nothing."""
    found = [f"mass {p.mass:g} instead of {MASS:g}"] * (p.mass != MASS)
    found += [f"{p.n_players} players, the bound is for {_LEAST_PLAYERS} or more"] * (
        p.n_players < _LEAST_PLAYERS
    )
    return "; ".join(found) or None


def changed_count(p: Settings, system: Trained) -> str | None:
    """As :func:`changed_mass`, for L2."""
    usual = _COUNT_IMAGES.get(system.of.data.name, 100)
    found = [f"{p.count_images} images instead of {usual}"] * (p.count_images != usual)
    found += [f"salience {p.salience} instead of {COUNT_RULE}"] * (p.salience != COUNT_RULE)
    return "; ".join(found) or None


def changed_kappas(p: Settings) -> str | None:
    """As :func:`changed_mass`, for L12."""
    if p.kappas == _KAPPAS and p.kappa == _KAPPAS[1]:
        return None
    given, usual = (", ".join(f"{k:g}" for k in kappas) for kappas in (p.kappas, _KAPPAS))
    return f"kappas {given} instead of {usual}"


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study."""
    inner = [one.splits for one in _inner(p, system).values()]
    found = [*_splits(p, system).values(), *inner, *_sizes(p, system).values()]
    found += [_untrained(p, system)] if system.weighted else []
    return [job for splits in found for job in splits.jobs]
