"""06: networks read at a layer, their games under noise, and class means of training and test
images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

from .. import claims
from ..evidence.class_similarity import ClassCourse, Classes
from ..evidence.overlap import Kind
from ..evidence.stability import Noisy
from ..jobs import Job
from ..jobs.games import Splits
from ..jobs.noisy_inputs import Kind as Null
from ..jobs.noisy_inputs import NoisyInputsJob, OutputNoiseJob
from ..params import Agreement as Settings
from ..players import GridDraw
from ..train import Run
from . import networks as games_of
from .base import Analysis, Study, analyses
from .class_means import class_studies, means_jobs
from .input_noise import input_noise
from .layer_pairs import AtLayers, at_layers, changed, layer_names, pairs, probes
from .networks import Trained, accuracies

__all__ = ["IouStability", "input_noise", "pairs", "plan", "studies"]

_NULL_DRAWS = 10


@dataclasses.dataclass(frozen=True, eq=False)
class IouStability(AtLayers):
    """One system's networks.

    noisy: games of the judged layer under noise, by kind of interaction, {} where samples take
    none; means: class means at the end of training, None where samples share no players; course: at
    some checkpoints, None where the row is not run.
    """

    noisy: dict[Kind, Study[Noisy]]
    means: Study[Classes] | None
    course: Study[ClassCourse] | None


def studies(p: Settings) -> list[IouStability]:
    """A study per system of ``p``: what is missing is trained, scored and split."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> IouStability:
    accuracy = accuracies(system, runs)
    shared = system.of.kind in GridDraw.takes
    means, course = class_studies(p, system, accuracy) if shared else (None, None)
    return IouStability(
        of=system,
        accuracy=accuracy,
        layers=layer_names(system),
        games={a: splits.load() for a, splits in at_layers(p, system).items()},
        noisy=_noisy(p, system, accuracy) if _takes_noise(system) else {},
        means=means,
        course=course,
    )


def _takes_noise(system: Trained) -> bool:
    """Whether a row under noise speaks of it: tokens cannot be moved a little."""
    return any(claims.why_not(row, system.of) is None for row in ("L6", "L10"))


def _under_noise(p: Settings, system: Trained) -> dict[tuple[Analysis, Null | None], Splits]:
    """L6, L10: every noisy game of every seed at the judged layer, split on its own.

    By null, and for the main analysis alone: the clean games with independent or permuted noise of
    the same size in place of the noise on the image; for a curve, so at most 10 draws.
    """
    jobs = _noisy_jobs(p, system)
    main, *others = [a for a in analyses(p, system.of) if a.decides]
    found = {(a, None): _noisy_splits(p, system, a, jobs) for a in (main, *others)}
    for null in get_args(Null):
        draws = min(p.noise_draws, _NULL_DRAWS)
        renamed = [
            OutputNoiseJob(games=job, how=null, draws=draws, seed=seed)
            for job, seed in zip(jobs, system.seeds, strict=True)
        ]
        found[main, null] = _noisy_splits(p, system, main, renamed, null)
    return found


def _noisy_jobs(p: Settings, system: Trained) -> list[NoisyInputsJob]:
    samples = games_of.games_jobs(p, system, images=p.noise_images, split="train")
    return [
        NoisyInputsJob(
            games=sample,
            probes=probes(p, system, sample.train),
            noise=p.noise,
            draws=p.noise_draws,
            seed=seed,
        )
        for sample, seed in zip(samples, system.seeds, strict=True)
    ]


def _noisy_splits(
    p: Settings, system: Trained, a: Analysis, jobs: Sequence[Any], null: Null | None = None
) -> Splits:
    """Splits of the first layer of ``jobs``: its clean games and their noisy copies."""
    name = f"{system.name}, {f'{null} noise' if null else 'noisy images'}"
    rows = tuple(range(1 + jobs[0].draws))
    how = {"checkpoints": rows, "order_weight": a.order_weight}
    return games_of.planned_splits(p, system, jobs, name=name, **how)


def _noisy(p: Settings, system: Trained, accuracy: list[float]) -> dict[Kind, Study[Noisy]]:
    done = {what: splits.load() for what, splits in _under_noise(p, system).items()}
    facts = ((system.of,), system.seeds, _noise_scope(p, system), accuracy)
    found = {}
    for kind in get_args(Kind):
        rest = (p.tol, kind, p.salience, p.min_sets)
        games = {a: Noisy(e, *rest) for (a, null), e in done.items() if null is None}
        nulls = {null: Noisy(e, *rest) for (_, null), e in done.items() if null is not None}
        main = next(iter(games))
        games[main] = dataclasses.replace(games[main], nulls=nulls)
        found[kind] = Study(*facts, games, changed(p, "salience", "noise", "min_sets"))
    return found


def _noise_scope(p: Settings, system: Trained) -> str:
    of = system.of
    return (
        f"{len(system.seeds)} networks {system.id} (seeds {', '.join(map(str, system.seeds))}), "
        f"read at {layer_names(system)[0]}; {p.noise_images} training {of.data.noun} under "
        f"{p.noise_draws} draws of noise of standard deviation {p.noise:g}, split again in each, "
        f"{p.n_players} {of.unit}, baseline: {of.masked_by}; kappa {p.kappa:g}"
    )


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study; L14 needs none."""
    noisy = _under_noise(p, system) if _takes_noise(system) else {}
    splits = [*at_layers(p, system).values(), *noisy.values()]
    means = means_jobs(p, system).values() if system.of.kind in GridDraw.takes else []
    return [*(job for one in splits for job in one.jobs), *(job for jobs in means for job in jobs)]
