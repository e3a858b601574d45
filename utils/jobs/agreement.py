"""From the parameters of 06_iou_stability to arrays: layers, noisy inputs and class means of each system, over its seeds."""

from __future__ import annotations

import dataclasses

import torch

from .. import runtime
from ..params import Agreement
from .base import Job
from .class_means import ClassGamesJob, ClassMeans, ClassMeansJob
from .noisy_inputs import NoisyInputsJob, OutputNoiseJob
from .probed import OUTPUT, LayerGamesJob, ProbesJob, layers_of
from .runs import GamesJob, TrainJob
from .side_by_side import ensure_all
from .study import Extracted, System, split_games

__all__ = ["Noisy", "at_layers", "class_means", "layer_names", "noisy", "resplit"]


def layer_names(p: Agreement, system: System) -> list[str]:
    """The layer that is judged and, where this is another one, the output layer as a control."""
    config = system.jobs[0].config
    layer = p.layers[config.model]
    known = (*layers_of(system.jobs[0]), OUTPUT)
    if layer not in known:
        raise ValueError(f"layers: {config.model} has no layer {layer!r}; there are: {', '.join(known)}")
    return list(dict.fromkeys([layer, OUTPUT]))


def _probes(p: Agreement, system: System, job: TrainJob) -> ProbesJob | None:
    layer = layer_names(p, system)[0]
    return None if layer == OUTPUT else ProbesJob(train=job, layers=(layer,), device=str(runtime.device(p.device)))


def at_layers(p: Agreement, system: System, *, order_weight: float | None = None, draw: int = 0) -> Extracted:
    """The interactions of p.pair_images images at :func:`layer_names`, after training: (R, L, X, 2^n)."""
    device = str(runtime.device(p.device))
    jobs: list[Job] = []
    for job in system.jobs:
        probes = _probes(p, system, job)
        jobs.append(LayerGamesJob.of(probes, p.pair_images, p.n_players, draw, device) if probes
                    else GamesJob.of(job, p.pair_images, p.n_players, draw, device))
    last = None if layer_names(p, system)[0] != OUTPUT else (system.jobs[0].config.checkpoints - 1,)
    return split_games(p, system.name, jobs, order_weight=order_weight, checkpoints=last)


@dataclasses.dataclass(frozen=True)
class Noisy:
    """Games at one layer under input noise: R seeds, E draws, X images.

    clean: the split of the clean games (R, 1, X, 2^n); v, null (R, 1 + E, X, 2^n): scores of the clean image (index 0)
    and of its noisy copies, and clean scores plus independent output noise of the variance measured; floor (R,): size
    below which an interaction may be rounding.
    """

    clean: Extracted
    v: torch.Tensor
    null: torch.Tensor
    floor: torch.Tensor


def _noisy_jobs(p: Agreement, system: System, draw: int) -> tuple[list[NoisyInputsJob], list[OutputNoiseJob]]:
    device = str(runtime.device(p.device))
    noisy_jobs = [NoisyInputsJob(games=GamesJob.of(job, p.noise_images, p.n_players, draw, device),
                                 probes=_probes(p, system, job), noise=p.noise, draws=p.noise_draws, seed=seed)
                  for job, seed in zip(system.jobs, p.seeds, strict=True)]
    return noisy_jobs, [OutputNoiseJob(games=job, seed=job.seed) for job in noisy_jobs]


def noisy(p: Agreement, system: System, *, layer: int = 0, order_weight: float | None = None, draw: int = 0) -> Noisy:
    """The noisy games of every seed at one of :func:`layer_names`, and the split of the clean ones."""
    rows = slice(layer * (1 + p.noise_draws), (layer + 1) * (1 + p.noise_draws))
    jobs, null_jobs = _noisy_jobs(p, system, draw)
    games = ensure_all(jobs, f"scores of noisy images of {system.name}")
    null = ensure_all(null_jobs, f"output noise for {system.name}")
    return Noisy(split_games(p, system.name, jobs, order_weight=order_weight, checkpoints=(rows.start,)),
                 torch.stack([g.v[rows] for g in games]), torch.stack([g.v[rows] for g in null]),
                 torch.stack([g.noise_floor[rows.start] for g in games]))


def resplit(p: Agreement, system: System) -> tuple[Extracted, Extracted]:
    """Every noisy game of the judged layer, and every game with output noise, split on its own: (R, 1 + E, X, 2^n) each."""
    rows = tuple(range(1 + p.noise_draws))
    jobs, null_jobs = _noisy_jobs(p, system, 0)
    return (split_games(p, f"{system.name}, noisy images", jobs, checkpoints=rows),
            split_games(p, f"{system.name}, output noise", null_jobs, checkpoints=rows))


def class_means(p: Agreement, system: System, *, order_weight: float | None = None, draw: int = 0) -> list[ClassMeans]:
    """Class means of training and test images, one per seed, with p.mean_tol as the tolerance of the split."""
    device = str(runtime.device(p.device))
    games = [ClassGamesJob(train=job, per_class=p.class_images, n=p.class_players, draw=draw, seed=seed, device=device)
             for job, seed in zip(system.jobs, p.seeds, strict=True)]
    means = [ClassMeansJob(games=job, kappa=p.kappa, tol=p.mean_tol, rule=p.salience,
                           order_weight=p.order_weights[0] if order_weight is None else order_weight) for job in games]
    ensure_all(games, f"scores of images of each class, {system.name}")
    return ensure_all(means, f"class means of {system.name}")
