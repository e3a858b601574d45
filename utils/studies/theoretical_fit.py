"""03: the course of training, more images at the moments to predict, and noisy copies."""

from __future__ import annotations

import dataclasses

import torch

from .. import claims
from ..evidence.theoretical_fit import Prediction, target_steps
from ..jobs import Job, ensure_all
from ..jobs.games import CertifiedGames, Splits
from ..jobs.perturbed import Perturbed, PerturbedJob
from ..params import TheoreticalFit as Settings
from ..train import Run
from . import networks as games_of
from .base import Analysis, Study, analyses
from .networks import Trained, accuracies, scope

__all__ = ["TheoreticalFit", "changed", "noisy_copies", "plan", "scope_of_copies", "studies"]


@dataclasses.dataclass(frozen=True, eq=False)
class TheoreticalFit(Study[Prediction]):
    """One system's games to predict.

    course: the fewer images of 02_two_phase_dynamics, at all checkpoints; noisy: noise level ->
    scores of noisy copies of every trained network (R seeds, X, copies, 2^n), the level that is
    judged first, none where no row asks for them; noisy_scope: for what these speak.
    """

    course: Study[CertifiedGames] = dataclasses.field(kw_only=True)
    noisy: dict[float, Perturbed] = dataclasses.field(kw_only=True)
    noisy_scope: str = dataclasses.field(kw_only=True)


def studies(p: Settings) -> list[TheoreticalFit]:
    """A study per system of ``p``: what is missing is trained, scored and split."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> TheoreticalFit:
    courses, targets = _splits(p, system)
    course = {a: splits.load() for a, splits in courses.items()}
    games = {a: Prediction(splits.load(), course[a]) for a, splits in targets.items()}
    facts = ((system.of,), system.seeds, scope(p, system), accuracies(system, runs))
    return TheoreticalFit(
        *facts,
        games=games,
        changed=changed(p),
        course=Study(*facts, games=course),
        noisy=noisy_copies(p, system),
        noisy_scope=scope_of_copies(p, system),
    )


def _splits(p: Settings, system: Trained) -> tuple[dict[Analysis, Splits], dict[Analysis, Splits]]:
    """The course of training, and the games to predict, at every end of the face."""
    steps = target_steps(system.jobs[0].config.checkpoint_steps)
    ends = [a for a in analyses(p, system.of) if a.decides]
    course = {a: games_of.planned(p, system, order_weight=a.order_weight) for a in ends}
    more = {"images": p.fit_images, "steps": steps}
    target = {a: games_of.planned(p, system, order_weight=a.order_weight, **more) for a in ends}
    return course, target


def changed(p: Settings) -> str | None:
    """What makes D10 another statistic than the registered one, in words; None: nothing."""
    found = [f"{p.fit_images} images instead of 100"] * (p.fit_images != 100)
    found += [f"{p.image_split} images"] * (p.image_split != "test")
    return "; ".join(found) or None


def _perturbed(p: Settings, system: Trained) -> dict[float, list[PerturbedJob]]:
    if claims.why_not("D6", system.of) is not None:
        return {}
    games = games_of.games_jobs(p, system, images=p.noise_images, split="train")
    return {
        noise: [
            PerturbedJob(games=job, noise=noise, copies=p.noise_copies, seed=seed)
            for job, seed in zip(games, system.seeds, strict=True)
        ]
        for noise in p.weight_noise
    }


def scope_of_copies(p: Settings, system: Trained) -> str:
    """For what a verdict on noisy copies speaks."""
    return (
        f"{scope(p, system)}; {p.noise_copies} noisy copies of each, {p.noise_images} "
        f"{system.of.data.noun}"
    )


def noisy_copies(p: Settings, system: Trained) -> dict[float, Perturbed]:
    """Noise level -> scores of noisy copies of every seed's network, stacked over seeds."""
    found = {}
    for noise, jobs in _perturbed(p, system).items():
        name = f"noise of {noise:g} on the weights of {system.name}"
        parts: list[Perturbed] = ensure_all(jobs, name)
        v, floor = ([getattr(part, field) for part in parts] for field in ("v", "noise_floor"))
        found[noise] = Perturbed(torch.stack(v), torch.stack(floor))
    return found


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study."""
    found: list[Job] = [
        job for by in _splits(p, system) for splits in by.values() for job in splits.jobs
    ]
    return [*found, *(job for jobs in _perturbed(p, system).values() for job in jobs)]
