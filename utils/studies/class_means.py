"""06, D12 and D16: class means of training and of test images."""

from __future__ import annotations

import torch

from .. import runtime
from ..evidence.class_similarity import ClassCourse, Classes
from ..jobs import ensure_all
from ..jobs.class_means import ClassGamesJob, ClassMeans, ClassMeansJob
from ..params import Agreement as Settings
from .base import Analysis, Study, analyses
from .networks import Trained

__all__ = ["class_checkpoints", "class_studies", "means_jobs"]


def class_studies(
    p: Settings, system: Trained, accuracy: list[float]
) -> tuple[Study[Classes], Study[ClassCourse] | None]:
    """Class means at the end of training, and at :func:`class_checkpoints` where there are any."""
    facts = ((system.of,), system.seeds, _scope(p, system), accuracy)
    done = {key: _classes(jobs, system) for key, jobs in means_jobs(p, system).items()}
    chosen, every = class_checkpoints(p), system.jobs[0].config.checkpoint_steps
    means = {a: x for (a, at), x in done.items() if at == -1}
    if not chosen:
        return Study(*facts, means), None
    steps = [int(every[at]) for at in chosen]
    course = {a: ClassCourse([done[a, at] for at in chosen], steps) for a in means}
    return Study(*facts, means), Study(*facts, course)


def means_jobs(p: Settings, system: Trained) -> dict[tuple[Analysis, int], list[ClassMeansJob]]:
    """Class means of every network at both ends of the face and at each checkpoint (index), with
    p.mean_tol as the tolerance of the split."""
    ends = [a for a in analyses(p, system.of) if a.decides]
    places = (-1, *class_checkpoints(p))
    return {(a, at): _jobs(p, system, a, at) for a in ends for at in places}


def _jobs(p: Settings, system: Trained, a: Analysis, checkpoint: int) -> list[ClassMeansJob]:
    common = {"per_class": p.class_images, "n": p.class_players, "checkpoint": checkpoint}
    common |= {"score": system.of.score, "rows": p.micro_batch}
    device = str(runtime.device(p.device))
    return [
        ClassMeansJob(
            games=ClassGamesJob(train=job, seed=seed, device=device, **common),
            kappa=p.kappa,
            tol=p.mean_tol,
            order_weight=a.order_weight,
        )
        for job, seed in zip(system.jobs, system.seeds, strict=True)
    ]


def _classes(jobs: list[ClassMeansJob], system: Trained) -> Classes:
    ensure_all([job.games for job in jobs], f"scores of images of each class, {system.name}")
    means: list[ClassMeans] = ensure_all(jobs, f"class means of {system.name}")
    return Classes(means)


def class_checkpoints(p: Settings) -> list[int]:
    """Indices of the checkpoints of D16: p.class_checkpoints of them, evenly spaced from the first
    quarter to the last."""
    last = p.checkpoints - 1
    return list(
        dict.fromkeys(torch.linspace(last / 4, last, p.class_checkpoints).round().long().tolist())
    )


def _scope(p: Settings, system: Trained) -> str:
    config = system.jobs[0].config
    return (
        f"{len(system.seeds)} networks {system.id} (seeds "
        f"{', '.join(map(str, system.seeds))}) trained for {config.steps} steps on "
        f"{config.n_train} images; per class {p.class_images} images in each of two training "
        f"halves and of the test images, drawn anew for each seed; {p.class_players} cells of the "
        f"central grid, the same in all, baseline: mean image; kappa {p.kappa:g}, gap "
        f"{p.mean_tol:g}"
    )
