"""From a notebook's parameters to the arrays it judges: the same networks, images and splits for
every claim."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from .. import models, runtime, train
from ..params import Study
from .base import Job
from .games import Splits
from .runs import GamesJob, Null, SplitJob, TrainJob
from .side_by_side import ensure_all

__all__ = [
    "System",
    "accuracies",
    "games_jobs",
    "planned",
    "planned_splits",
    "scope",
    "systems",
    "trained",
]


# Training images on which the training loss is measured: as many as the embedded test set has, so
# that both losses are known equally well and measuring them does not cost more than the training.
_LOSS_IMAGES = 2000


@dataclasses.dataclass(frozen=True)
class System:
    """What a verdict speaks of: a network on a data set, one trained network per seed."""

    id: str
    name: str
    jobs: tuple[TrainJob, ...]

    def runs(self) -> list[train.Run]:
        """The trained networks, a run per seed."""
        return ensure_all(self.jobs, f"training {self.name}")


def systems(p: Study) -> list[System]:
    """The systems that ``p`` names: networks x data set, each trained from every seed."""
    found = []
    for network in p.networks:
        settings = p.training[network].model_dump()
        configs = [
            train.TrainConfig(
                dataset=p.dataset,
                model=network,
                seed=seed,
                checkpoints=p.checkpoints,
                loss_images=min(_LOSS_IMAGES, settings["n_train"]),
                device=str(runtime.device(p.device)),
                **settings,
            )
            for seed in p.seeds
        ]
        width = settings["width"]
        found.append(
            System(
                f"{network}{f'_w{width}' if width else ''}/{p.dataset}",
                f"{models.MODELS[network].title}{f' of width {width}' if width else ''}",
                tuple(TrainJob.of(config) for config in configs),
            )
        )
    return found


def trained(systems: Sequence[System]) -> dict[System, list[train.Run]]:
    """The trained networks of each system, a run per seed. All are trained at once, on all the
    cores there are."""
    runs = ensure_all(
        [job for system in systems for job in system.jobs],
        f"training {', '.join(system.name for system in systems)}",
    )
    found = iter(runs)
    return {system: [next(found) for _ in system.jobs] for system in systems}


def accuracies(runs: list[train.Run]) -> list[float]:
    """Test accuracy of each seed's network at the end of training."""
    return [run.test_accuracy for run in runs]


_SPLIT = {"train": "training", "test": "test"}


def scope(p: Study, system: System) -> str:
    """For what a verdict on ``system`` speaks, in a sentence."""
    config = system.jobs[0].config
    seeds = ", ".join(map(str, p.seeds))
    return (
        f"{len(p.seeds)} networks {system.name} (seeds {seeds}) trained for {config.steps} steps "
        "of plain SGD (lr "
        f"{config.lr:g}, batch {config.batch}) on {config.n_train} images of {p.dataset}; "
        f"{p.images} "
        f"{_SPLIT[p.image_split]} images, {p.n_players} patches each, baseline: mean image; "
        f"kappa {p.kappa:g}"
    )


def games_jobs(
    p: Study,
    system: System,
    draw: int = 0,
    *,
    images: int | None = None,
    n: int | None = None,
    steps: tuple[int, ...] | None = None,
    split: str | None = None,
) -> list[GamesJob]:
    """The job of each seed that scores the images of ``p`` with one draw of players.

    images, n, split: another number of images or players, other images; steps: only these
    checkpoints, default all.
    """
    return [
        GamesJob.of(
            job,
            images or p.images,
            n or p.n_players,
            draw,
            str(runtime.device(p.device)),
            split=split or p.image_split,
            steps=steps,
        )
        for job in system.jobs
    ]


def planned(
    p: Study,
    system: System,
    *,
    draw: int = 0,
    images: int | None = None,
    n: int | None = None,
    steps: tuple[int, ...] | None = None,
    split: str | None = None,
    **how: Any,
) -> Splits:
    """The jobs of one system's certified games, of what ``p`` asks for.

    draw: which draw of players; images, n, steps, split: see :func:`games_jobs`; how: kappa,
    order_weight, tol, null, checkpoints, solver, see :func:`planned_splits`.
    """
    jobs = games_jobs(p, system, draw, images=images, n=n, steps=steps, split=split)
    return planned_splits(p, system.name, jobs, **how)


def planned_splits(
    p: Study,
    name: str,
    jobs: Sequence[Job],
    *,
    kappa: float | None = None,
    order_weight: float | None = None,
    null: Null | None = None,
    checkpoints: tuple[int, ...] | None = None,
    solver: str = "certified",
    tol: float | None = None,
) -> Splits:
    """Splits of the games of ``jobs``, one per seed, that nobody has computed yet.

    kappa, order_weight, tol: default p.kappa, the first of p.order_weights, p.tol. null: split null
    games matched to the network's instead. checkpoints: indices, default all.
    """
    chosen = {
        "checkpoints": checkpoints,
        "null": null,
        "kappa": p.kappa if kappa is None else kappa,
        "tol": tol or p.tol,
        "solver": solver,
        "order_weight": p.order_weights[0] if order_weight is None else order_weight,
    }
    return Splits(
        name,
        tuple(
            SplitJob(games=job, null_seed=seed, **chosen)
            for seed, job in zip(p.seeds, jobs, strict=True)
        ),
    )
