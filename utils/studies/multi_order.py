"""09: trained and untrained games, games under attack, and those of Bayesian networks."""

from __future__ import annotations

import dataclasses

import torch

from .. import claims
from ..jobs import Job, ensure_all
from ..jobs.attacked import Attacked, AttackedJob
from ..jobs.bayesian import BayesianGames, BayesianGamesJob, BayesianTrainJob
from ..jobs.games import CertifiedGames, Splits
from ..params import MultiOrder as Settings
from ..train import Run
from . import networks as games_of
from .base import Analysis, Networks, Study
from .networks import Trained, accuracies, scope

__all__ = ["Bayesian", "MultiOrder", "bayesian_studies", "plan", "studies"]


@dataclasses.dataclass(frozen=True, eq=False)
class MultiOrder(Networks):
    """Games of one system's trained networks, clean and moved, and ``start`` (R, X, 2^n): those of
    the untrained ones; no split."""

    attacked: Attacked
    start: torch.Tensor


@dataclasses.dataclass(frozen=True, eq=False)
class Bayesian(Study[CertifiedGames]):
    """Bayesian and standard networks of one system; runs: per seed their accuracies."""

    runs: list[BayesianGames] = dataclasses.field(kw_only=True)


def studies(p: Settings) -> list[MultiOrder]:
    """A study per system of ``p``: what is missing is trained and scored."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> MultiOrder:
    found: list[Attacked] = ensure_all(_attacked(p, system), f"attacks on {system.name}")
    start: list[Attacked] = ensure_all(_start(p, system), f"scores of {system.name}")
    parts = ("clean", "moved", "fooled")
    return MultiOrder(
        (system.of,),
        system.seeds,
        scope(p, system),
        accuracies(system, runs),
        Attacked(*(torch.stack([getattr(one, name) for one in found]) for name in parts)),
        torch.stack([one.clean for one in start]),
    )


def _attacked(p: Settings, system: Trained) -> list[AttackedJob]:
    """Clean games, and moved ones where samples are images: other inputs are not attacked."""
    sizes = p.attack_sizes if claims.why_not("F2", system.of) is None else ()
    return [
        AttackedJob(games=job, sizes=sizes, steps=p.attack_steps, seed=seed)
        for job, seed in zip(games_of.games_jobs(p, system), system.seeds, strict=True)
    ]


def _start(p: Settings, system: Trained) -> list[AttackedJob]:
    return [AttackedJob(games=job, checkpoint=0) for job in games_of.games_jobs(p, system)]


def _bayesian_systems(p: Settings) -> list[Trained]:
    """The systems that are trained once more as Bayesian networks; none by default."""
    return [s for s in games_of.systems(p) if s.of in [p.of(name) for name in p.bayesian]]


def bayesian_studies(p: Settings) -> list[Bayesian]:
    """F1: a study per network that ``p`` names as Bayesian."""
    return [_bayesian(p, system) for system in _bayesian_systems(p)]


def _bayesian(p: Settings, system: Trained) -> Bayesian:
    jobs, splits = _bayesian_jobs(p, system)
    ensure_all([job.bayes for job in jobs], f"training Bayesian {system.name}")
    games = {a: one.load() for a, one in splits.items()}
    runs: list[BayesianGames] = ensure_all(jobs, f"scores of Bayesian {system.name}")
    accuracy = [float(one.accuracy[0]) for one in runs]
    return Bayesian((system.of,), system.seeds, scope(p, system), accuracy, games=games, runs=runs)


def _bayesian_jobs(
    p: Settings, system: Trained
) -> tuple[list[BayesianGamesJob], dict[Analysis, Splits]]:
    jobs = [
        BayesianGamesJob(games=games, bayes=BayesianTrainJob(standard=job))
        for games, job in zip(games_of.games_jobs(p, system), system.jobs, strict=True)
    ]
    name = f"Bayesian and standard {system.name}"
    splits = {
        Analysis(w): games_of.planned_splits(p, system, jobs, name=name, order_weight=w)
        for w in p.order_weights
    }
    return jobs, splits


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study, and of its Bayesian networks where it has any."""
    found: list[Job] = [*_attacked(p, system), *_start(p, system)]
    for one in _bayesian_systems(p):
        if one.id == system.id:
            found += [job for s in _bayesian_jobs(p, one)[1].values() for job in s.jobs]
    return found
