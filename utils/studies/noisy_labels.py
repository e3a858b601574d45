"""07: networks trained on wrong labels, games of memorised images and of clean ones beside them."""

from __future__ import annotations

import dataclasses

from .. import runtime, train
from ..evidence.noisy_labels import NoisyGames
from ..jobs import Job, ensure_all
from ..jobs import study as games_of
from ..jobs.components import PCAJob
from ..jobs.games import Splits
from ..jobs.mislabelled import Memorised, MemorisedJob, MislabelledJob
from ..jobs.runs import GamesJob, TrainJob
from ..jobs.study import System, accuracies, scope
from ..params import NoisyLabels as Settings
from .base import Analysis, Networks, Study, analyses

__all__ = ["NoisyLabels", "plan", "studies", "systems"]


@dataclasses.dataclass(frozen=True, eq=False)
class NoisyLabels(Networks):
    """Networks of one system trained on labels of which a share is wrong.

    known: what each network says of its training images; patches, components: games between patches
    of an image, and between components of its features.
    """

    known: list[Memorised]
    patches: Study[NoisyGames]
    components: Study[NoisyGames]


def systems(p: Settings) -> list[System]:
    """The systems that ``p`` names, trained on labels of which a share is wrong.

    Their losses are measured seldom: nothing here is judged by them, and it would cost a third of
    the training.
    """
    changed = {"label_noise": p.label_noise, "loss_every_ratio": 1.5}
    return [
        dataclasses.replace(
            system,
            jobs=tuple(
                TrainJob.of(train.TrainConfig(**{**job.config.model_dump(), **changed}))
                for job in system.jobs
            ),
        )
        for system in games_of.systems(p)
    ]


def studies(p: Settings) -> list[NoisyLabels]:
    """A study per system of ``p``: what is missing is trained, scored and split."""
    found = systems(p)
    runs = games_of.trained(found)
    return [_study(p, s, accuracies(runs[s])) for s in found]


def _study(p: Settings, system: System, accuracy: list[float]) -> NoisyLabels:
    known = ensure_all(_memorised(p, system), f"answers of {system.name}")
    facts = (system.id, system.name, p.seeds)
    sides = []
    for components in (False, True):
        splits = _splits(p, system, components)
        jobs = [job.games for job in next(iter(splits.values())).jobs]
        images = ensure_all(jobs, f"scores of mislabelled images, {system.name}")
        games = {a: NoisyGames(one.load(), images) for a, one in splits.items()}
        sides.append(Study(*facts, _scope(p, system, components), None, games=games))
    return NoisyLabels(*facts, _scope(p, system, False), accuracy, known, *sides)


def _memorised(p: Settings, system: System) -> list[MemorisedJob]:
    return [MemorisedJob(train=job, device=str(runtime.device(p.device))) for job in system.jobs]


def _splits(p: Settings, system: System, components: bool) -> dict[Analysis, Splits]:
    """Games between patches, or between feature components, which have no second draw. Analyses
    beside the main one are of the first two groups alone."""
    name = f"mislabelled images, {system.name}"
    main, *others = [a for a in analyses(p) if not (components and a.draw)]
    found = {main: games_of.planned_splits(p, name, _games(p, system, components))}
    for a in others:
        some = {"groups": 2} if a.draw else {}
        jobs = _games(p, system, components, a.draw, **some)
        how = {"order_weight": a.order_weight, "checkpoints": None if a.draw else (0, 1)}
        found[a] = games_of.planned_splits(p, name, jobs, **how)
    return found


def _games(
    p: Settings, system: System, components: bool, draw: int = 0, **rest: int
) -> list[MislabelledJob]:
    device, found = str(runtime.device(p.device)), []
    for job, known in zip(system.jobs, _memorised(p, system), strict=True):
        layer = p.layers[job.config.model]
        pca = PCAJob(train=job, layer=layer, images=p.pca_images, r=p.n_players, device=device)
        sample = GamesJob.of(job, p.images, p.n_players, draw, device)
        parts = pca if components else None
        found.append(MislabelledJob(sample=sample, memorised=known, pca=parts, **rest))
    return found


def _scope(p: Settings, system: System, components: bool) -> str:
    """For what a verdict speaks, with the noise and how images were chosen."""
    layer = p.layers[system.jobs[0].config.model]
    players = f"; players: {p.n_players} principal components of {layer}" if components else ""
    return (
        f"{scope(p, system)}; {p.label_noise:.0%} of the training labels wrong; {p.images} "
        "memorised mislabelled and as "
        f"many clean images of the same given classes, others in each network{players}"
    )


def plan(p: Settings, system: System) -> list[Job]:
    """The jobs of one system's study (one of :func:`systems`)."""
    splits = [_splits(p, system, components) for components in (False, True)]
    return [job for by in splits for one in by.values() for job in one.jobs]
