"""From the parameters of 06_iou_stability to arrays: layers, noisy inputs and class means of each
system, over its seeds."""

from __future__ import annotations

import dataclasses

import torch

from .. import runtime
from ..params import Agreement
from .base import Job
from .class_means import ClassGamesJob, ClassMeans, ClassMeansJob
from .games import CertifiedGames
from .noisy_inputs import Kind, NoisyInputsJob, OutputNoiseJob
from .probed import OUTPUT, LayerGamesJob, ProbesJob, layers_of
from .runs import GamesJob, TrainJob
from .side_by_side import ensure_all
from .study import System, split_games

__all__ = [
    "Noisy",
    "at_layers",
    "class_checkpoints",
    "class_means",
    "class_means_in_time",
    "layer_names",
    "noisy",
]

NULL_DRAWS = 10


def layer_names(p: Agreement, system: System) -> list[str]:
    """The layer that is judged and, where this is another one, the output layer as a control."""
    config = system.jobs[0].config
    layer = p.layers[config.model]
    known = (*layers_of(system.jobs[0]), OUTPUT)
    if layer not in known:
        raise ValueError(
            f"layers: {config.model} has no layer {layer!r}; there are: {', '.join(known)}"
        )
    return list(dict.fromkeys([layer, OUTPUT]))


def _probes(p: Agreement, system: System, job: TrainJob) -> ProbesJob | None:
    layer = layer_names(p, system)[0]
    return (
        None
        if layer == OUTPUT
        else ProbesJob(train=job, layers=(layer,), device=str(runtime.device(p.device)))
    )


def at_layers(
    p: Agreement, system: System, *, order_weight: float | None = None, draw: int = 0
) -> CertifiedGames:
    """The interactions of p.pair_images images of p.image_split at :func:`layer_names`, after
    training: (R, L, X, 2^n)."""
    device = str(runtime.device(p.device))
    jobs: list[Job] = []
    for job in system.jobs:
        probes = _probes(p, system, job)
        jobs.append(
            LayerGamesJob.of(probes, p.pair_images, p.n_players, draw, device, split=p.image_split)
            if probes
            else GamesJob.of(job, p.pair_images, p.n_players, draw, device, split=p.image_split)
        )
    last = None if layer_names(p, system)[0] != OUTPUT else (system.jobs[0].config.checkpoints - 1,)
    return split_games(p, system.name, jobs, order_weight=order_weight, checkpoints=last)


@dataclasses.dataclass(frozen=True)
class Noisy:
    """Games at one layer under noise, split again for every draw: R seeds, E draws, X images.

    split: the clean games (index 0 of the second axis) and their noisy copies, (R, 1 + E, X, 2^n);
    tol: of the split.
    """

    split: CertifiedGames
    tol: float


def _noisy_job(p: Agreement, system: System, job: TrainJob, seed: int) -> NoisyInputsJob:
    games = GamesJob.of(
        job, p.noise_images, p.n_players, 0, str(runtime.device(p.device)), split="train"
    )
    return NoisyInputsJob(
        games=games, probes=_probes(p, system, job), noise=p.noise, draws=p.noise_draws, seed=seed
    )


def noisy(
    p: Agreement,
    system: System,
    *,
    layer: int = 0,
    order_weight: float | None = None,
    null: Kind | None = None,
) -> Noisy:
    """Every noisy game of every seed at one of :func:`layer_names`, split on its own.

    null: the clean games with independent or permuted noise of the same size in place of the noise
    on the image, at the judged layer; for a curve, so at most 10 draws.
    """
    jobs: list[Job] = [
        _noisy_job(p, system, job, seed) for job, seed in zip(system.jobs, p.seeds, strict=True)
    ]
    ensure_all(jobs, f"scores of noisy images of {system.name}")
    draws = min(p.noise_draws, NULL_DRAWS) if null else p.noise_draws
    if null:
        jobs = [
            OutputNoiseJob(games=job, how=null, draws=draws, seed=seed)
            for job, seed in zip(jobs, p.seeds, strict=True)
        ]
    rows = tuple(range(layer * (1 + draws), (layer + 1) * (1 + draws)))
    return Noisy(
        split_games(
            p,
            f"{system.name}, {f'{null} noise' if null else 'noisy images'}",
            jobs,
            checkpoints=rows,
            order_weight=order_weight,
        ),
        p.tol,
    )


def class_means(
    p: Agreement, system: System, *, order_weight: float | None = None, checkpoint: int = -1
) -> list[ClassMeans]:
    """Class means of training and test images, one per seed, with p.mean_tol as the tolerance of
    the split."""
    device = str(runtime.device(p.device))
    games = [
        ClassGamesJob(
            train=job,
            per_class=p.class_images,
            n=p.class_players,
            seed=seed,
            checkpoint=checkpoint,
            device=device,
        )
        for job, seed in zip(system.jobs, p.seeds, strict=True)
    ]
    means = [
        ClassMeansJob(
            games=job,
            kappa=p.kappa,
            tol=p.mean_tol,
            order_weight=p.order_weights[0] if order_weight is None else order_weight,
        )
        for job in games
    ]
    ensure_all(games, f"scores of images of each class, {system.name}")
    return ensure_all(means, f"class means of {system.name}")


def class_means_in_time(
    p: Agreement, system: System, *, order_weight: float | None = None
) -> list[list[ClassMeans]]:
    """:func:`class_means` at each of :func:`class_checkpoints`."""
    return [
        class_means(p, system, order_weight=order_weight, checkpoint=c)
        for c in class_checkpoints(p)
    ]


def class_checkpoints(p: Agreement) -> list[int]:
    """Indices of the checkpoints of D16: p.class_checkpoints of them, evenly spaced from the first
    quarter to the last."""
    last = p.checkpoints - 1
    return list(
        dict.fromkeys(torch.linspace(last / 4, last, p.class_checkpoints).round().long().tolist())
    )
