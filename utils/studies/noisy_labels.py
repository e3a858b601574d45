"""07: networks trained on wrong labels, games of memorised images and of clean ones beside them."""

from __future__ import annotations

import dataclasses

from .. import runtime
from ..evidence.noisy_labels import NoisyGames
from ..jobs import Job, ensure_all
from ..jobs.components import PCAJob
from ..jobs.games import Splits
from ..jobs.mislabelled import Memorised, MemorisedJob, MislabelledJob
from ..jobs.scored import GamesJob
from ..jobs.token_components import TokenMislabelledJob
from ..params import NoisyLabels as Settings
from . import networks as games_of
from .base import Analysis, Networks, Study, analyses
from .networks import Trained, accuracies, scope

__all__ = ["NoisyLabels", "plan", "studies", "systems"]


@dataclasses.dataclass(frozen=True, eq=False)
class NoisyLabels(Networks):
    """Networks of one system trained on labels of which a share is wrong.

    known: what each network says of its training images; patches, components: games between the
    players of a sample, and between components of its features (None where the system names no
    layer to take them from).
    """

    known: list[Memorised]
    patches: Study[NoisyGames]
    components: Study[NoisyGames] | None


def systems(p: Settings) -> list[Trained]:
    """The systems that ``p`` names, trained on labels of which a share is wrong.

    Their losses are measured seldom: nothing here is judged by them, and it would cost a third of
    the training.
    """
    return games_of.systems(p, label_noise=p.label_noise, loss_every_ratio=1.5)


def studies(p: Settings) -> list[NoisyLabels]:
    """A study per system of ``p``: what is missing is trained, scored and split."""
    found = systems(p)
    runs = games_of.trained(found)
    return [_study(p, s, accuracies(s, runs[s])) for s in found]


def _study(p: Settings, system: Trained, accuracy: list[float]) -> NoisyLabels:
    known = ensure_all(_memorised(p, system), f"answers of {system.name}")
    facts = ((system.of,), system.seeds)
    sides: list[Study[NoisyGames] | None] = []
    for components in _kinds(system):
        splits = _splits(p, system, components)
        jobs = [job.games for job in next(iter(splits.values())).jobs]
        images = ensure_all(jobs, f"scores of mislabelled images, {system.name}")
        games = {a: NoisyGames(one.load(), images) for a, one in splits.items()}
        sides.append(Study(*facts, _scope(p, system, components), None, games=games))
    patches, components = (*sides, None)[:2]
    return NoisyLabels(*facts, _scope(p, system, False), accuracy, known, patches, components)


def _kinds(system: Trained) -> tuple[bool, ...]:
    """Whether games are between feature components: both kinds, where there is a layer of them."""
    return (False,) if system.of.half_depth is None else (False, True)


def _memorised(p: Settings, system: Trained) -> list[MemorisedJob]:
    return [MemorisedJob(train=job, device=str(runtime.device(p.device))) for job in system.jobs]


def _splits(p: Settings, system: Trained, components: bool) -> dict[Analysis, Splits]:
    """Games between patches, or between feature components, which have no second draw. Analyses
    beside the main one are of the first two groups alone."""
    name = f"mislabelled images, {system.name}"
    main, *others = [a for a in analyses(p, system.of) if not (components and a.draw)]
    found = {main: games_of.planned_splits(p, system, _games(p, system, components), name=name)}
    for a in others:
        some = {"groups": 2} if a.draw else {}
        jobs = _games(p, system, components, a.draw, **some)
        how = {"order_weight": a.order_weight, "checkpoints": None if a.draw else (0, 1)}
        found[a] = games_of.planned_splits(p, system, jobs, name=name, **how)
    return found


def _games(
    p: Settings, system: Trained, components: bool, draw: int = 0, **rest: int
) -> list[MislabelledJob]:
    samples = games_of.games_jobs(p, system, draw)
    of_tokens = components and system.of.kind == "text"
    how = TokenMislabelledJob if of_tokens else MislabelledJob
    found = []
    for sample, known in zip(samples, _memorised(p, system), strict=True):
        parts = _pca(p, system, sample) if components else None
        found.append(how(sample=sample, memorised=known, pca=parts, **rest))
    return found


def _pca(p: Settings, system: Trained, sample: GamesJob) -> PCAJob:
    return PCAJob(
        train=sample.train,
        layer=system.of.half_depth,
        images=p.pca_images,
        r=p.n_players,
        device=sample.device,
    )


def _scope(p: Settings, system: Trained, components: bool) -> str:
    """For what a verdict speaks, with the noise and how images were chosen."""
    layer = system.of.half_depth
    players = f"; players: {p.n_players} principal components of {layer}" if components else ""
    return (
        f"{scope(p, system)}; {p.label_noise:.0%} of the training labels wrong; {p.images} "
        "memorised mislabelled and as "
        f"many clean images of the same given classes, others in each network{players}"
    )


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study (one of :func:`systems`)."""
    splits = [_splits(p, system, components) for components in _kinds(system)]
    return [job for by in splits for one in by.values() for job in one.jobs]
