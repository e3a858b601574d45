"""From a notebook's settings to trained networks and the splits of their games: the same networks,
samples and splits for every claim."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import runtime, train
from ..datasets.values import Values
from ..jobs import Job, ensure_all
from ..jobs.games import CertifiedGames, Splits
from ..jobs.given import GivenGamesJob
from ..jobs.scored import GamesJob
from ..jobs.split import Null, SplitJob
from ..jobs.trained import TrainJob
from ..params import Study
from ..systems import System
from ..train import Training, Weights

__all__ = [
    "Trained",
    "accuracies",
    "games_jobs",
    "loaded",
    "made",
    "planned",
    "planned_splits",
    "sampled",
    "scope",
    "splits_of",
    "systems",
    "trained",
]

_SPLIT = {"train": "training", "test": "test"}


@dataclasses.dataclass(frozen=True)
class Trained:
    """A system as a run trains it, one network per seed; nothing is computed yet.

    Weights that others trained are one network, of seed 0; a value table has none here.
    """

    of: System
    seeds: tuple[int, ...]
    jobs: tuple[TrainJob, ...]

    @property
    def id(self) -> str:
        """network/data."""
        return self.of.id

    @property
    def name(self) -> str:
        """The network in print."""
        return self.of.name

    @property
    def checkpoints(self) -> int:
        """How many there are of each network: 1 where others trained it."""
        return self.jobs[0].config.checkpoints if self.jobs else 1

    @property
    def weighted(self) -> bool:
        """Whether its weights are those of others."""
        return bool(self.jobs) and self.jobs[0].config.weights is not None

    @property
    def ends(self) -> tuple[int, ...]:
        """Indices of the first checkpoint and of the last; of that alone where there is one."""
        return tuple(dict.fromkeys((0, self.checkpoints - 1)))


def systems(p: Study, **others: Any) -> list[Trained]:
    """The systems that ``p`` names, each trained from every seed; those that this notebook does not
    train are left out. others: further settings of every training (a label noise, say)."""
    return [_trained(p, s, others) for s in p.chosen if _takes_part(p, s)]


def _takes_part(p: Study, system: System) -> bool:
    return isinstance(system.data, Values) or p.training_of(system) is not None


def _trained(p: Study, system: System, others: dict[str, Any]) -> Trained:
    if isinstance(system.data, Values):
        return Trained(system, (0,), ())
    training = p.training_of(system)
    common = {
        "dataset": system.data.name,
        "model": system.network.name,
        "width": system.width,
        "file": system.file,
        "device": str(runtime.device(p.device)),
        "n_test": system.test_samples,
    }
    if isinstance(training, Weights):
        return Trained(system, (0,), (TrainJob.of(_given_weights(system, training, common)),))
    assert isinstance(training, Training)
    common |= {
        **training.model_dump(),
        "checkpoints": p.checkpoints,
        "loss_images": min(system.loss_samples, training.n_train),
        **others,
    }
    configs = [train.TrainConfig(seed=seed, **common) for seed in p.seeds]
    return Trained(system, p.seeds, tuple(TrainJob.of(config) for config in configs))


def _given_weights(system: System, weights: Weights, common: dict[str, Any]) -> train.TrainConfig:
    """Nothing is trained: a batch of any size will do, and not all samples need be read."""
    told = train.TrainConfig(steps=0, checkpoints=1, weights=weights, **common).told()
    count = min(weights.n_train, len(told))
    few = {"n_train": count, "loss_images": min(system.loss_samples, count), "batch": 1}
    return train.TrainConfig(steps=0, checkpoints=1, weights=weights, **few, **common)


def loaded(system: Trained, splits: Splits) -> CertifiedGames:
    """The certified games of ``splits``. The one checkpoint of given weights is the network after
    its training, of nobody knows how many steps: step 1, as in a value table, for 0 is the
    network before it."""
    games = splits.load()
    return dataclasses.replace(games, steps=np.array([1])) if system.weighted else games


def trained(found: Sequence[Trained]) -> dict[Trained, list[train.Run]]:
    """The trained networks of each system, a run per seed. All are trained at once, on all the
    cores there are."""
    runs = iter(
        ensure_all(
            [job for system in found for job in system.jobs],
            f"training {', '.join(system.name for system in found)}",
        )
    )
    return {system: [next(runs) for _ in system.jobs] for system in found}


def accuracies(system: Trained, runs: Sequence[train.Run]) -> list[float]:
    """Of each seed's network at the end of training: test accuracy, of a regression R²; of a value
    table what its source says."""
    if isinstance(system.of.data, Values):
        return [system.of.data.accuracy]
    return [run.test_accuracy for run in runs]


def scope(p: Study, system: Trained) -> str:
    """For what a verdict on ``system`` speaks, in a sentence."""
    return f"{made(p, system)}; {sampled(p, system)}; kappa {p.kappa:g}"


def made(p: Study, system: Trained) -> str:
    """How many networks there are and how they came about."""
    of, training = system.of, p.training_of(system.of)
    if isinstance(of.data, Values):
        return f"1 network {of.name}, whose games were given: {of.data.source}"
    if isinstance(training, Weights):
        return f"1 network {of.name}, weights given: {training.source}"
    assert isinstance(training, Training)
    how = "plain SGD" if training.optimizer == "sgd" and not training.momentum else "SGD"
    return (
        f"{len(system.seeds)} networks {of.name} (seeds {', '.join(map(str, system.seeds))}) "
        f"trained for {training.steps} steps of "
        f"{'AdamW' if training.optimizer == 'adamw' else how} (lr {training.lr:g}, batch "
        f"{training.batch}) on {training.n_train} {of.data.noun} of {of.data.name}"
    )


def sampled(p: Study, system: Trained, count: int | None = None) -> str:
    """What is explained of the data and between which players; count: of samples, default those of
    ``p``."""
    of = system.of
    which = "" if isinstance(of.data, Values) else f"{_SPLIT[p.image_split]} "
    after = f" (the first {p.skip_images} passed over)" if p.skip_images else ""
    return (
        f"{count or p.images} {which}{of.data.noun}{after}, {p.n_players} {of.unit} each, "
        f"baseline: {of.masked_by}"
    )


def games_jobs(
    p: Study,
    system: Trained,
    draw: int = 0,
    *,
    images: int | None = None,
    n: int | None = None,
    steps: tuple[int, ...] | None = None,
    split: str | None = None,
) -> list[GamesJob | GivenGamesJob]:
    """The job of each seed that scores the samples of ``p`` with one draw of players.

    images, n, split: another number of samples or players, other samples; steps: only these
    checkpoints, default all.
    """
    if isinstance(system.of.data, Values):
        return [_given(system.of, images or p.images, p.skip_images)]
    n = n or p.n_players
    how = system.of.players
    if draw:
        again = how.again(how.repeat + draw, system.of.data, n)
        if again is None:
            raise ValueError(f"{system.id}: {n} {how.unit} have no second draw")
        how = again
    return [
        GamesJob(
            train=job,
            split=split or p.image_split,
            images=images or p.images,
            skip=p.skip_images,
            n=n,
            how=how,
            score=system.of.score,
            steps=steps,
            rows=p.micro_batch,
            device=str(runtime.device(p.device)),
        )
        for job in system.jobs
    ]


def _given(of: System, images: int, skip: int) -> GivenGamesJob:
    table = f"{of.data.network}/{of.data.name}"
    return GivenGamesJob(table=table, sha256=of.data.sha256, images=images, skip=skip, file=of.file)


def planned(
    p: Study,
    system: Trained,
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
    return planned_splits(p, system, jobs, **how)


def planned_splits(
    p: Study, system: Trained, jobs: Sequence[Job], *, name: str | None = None, **how: Any
) -> Splits:
    """Splits of the games of ``jobs``, one per seed of ``system``, that nobody has computed yet.

    name: in progress bars, default the network's; how: see :func:`splits_of`.
    """
    return splits_of(p, name or system.name, system.seeds, jobs, **how)


def splits_of(
    p: Study,
    name: str,
    seeds: Sequence[int],
    jobs: Sequence[Job],
    *,
    kappa: float | None = None,
    order_weight: float | None = None,
    null: Null | None = None,
    checkpoints: tuple[int, ...] | None = None,
    solver: str = "certified",
    tol: float | None = None,
) -> Splits:
    """Splits of the games of ``jobs``, one per seed, called ``name`` in progress bars.

    kappa, order_weight, tol: default p.kappa, the
    first of p.order_weights, p.tol. null: split null games matched to the network's instead.
    checkpoints: indices, default all.
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
            for seed, job in zip(seeds, jobs, strict=True)
        ),
    )
