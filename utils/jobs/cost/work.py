"""How much of what a job has to do, by kind of work: counted from its specification alone.

``conv_…`` and ``matmul_…`` are floating-point operations, ``…_moved`` numbers written by layers,
``…_calls`` calls of a layer, ``split`` the work of one game of ten players at a tolerance of 1 %.
What each costs on this machine stands in :mod:`utils.jobs.cost.prices`.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from .networks import Size, size_of

__all__ = ["Amounts", "amounts", "memory", "players_of"]

Amounts = dict[str, float]
_BATCH = 256
"""Samples of a forward pass where nothing else is known."""
_DOUBLE = 8
_WORKER_BYTES = 700e6
"""Memory of a process with torch and the compiled kernels, before a job."""


def amounts(job: Any) -> Amounts:
    """Kind of work → how much of it; of a kind of job that is not known here the start alone.

    ``job``: a job, or what a finished one recorded (see :mod:`utils.jobs.cost.recorded`).
    """
    found: Amounts = defaultdict(float, jobs=1.0)
    if count := _COUNTED.get(job.kind):
        count(job, found)
    return dict(found)


def players_of(job: Any) -> tuple[int, int, int]:
    """Checkpoints (or layers, draws, groups), samples and players of a job that gives games."""
    kind = job.kind
    if kind == "toy":
        return job.checkpoints, job.images, 6
    if kind == "given_games":
        told = re.search(r"_n(\d+)$", job.table)
        return 1, job.images, int(told[1]) if told else 10
    if kind == "component-games":
        return _kept(job.pca.train), job.features.sample.images, job.pca.r
    if kind == "layergames":
        return len(job.probes.layers) + 1, job.sample.images, job.sample.n
    if kind == "noisy_inputs":
        layers = 1 + (len(job.probes.layers) if job.probes else 0)
        return layers * (1 + job.draws), job.games.images, job.games.n
    if kind == "output_noise":
        return 1 + job.draws, job.games.games.images, job.games.games.n
    if kind.endswith("mislabelled"):
        return job.groups, job.sample.images, job.pca.r if job.pca else job.sample.n
    if kind == "class_games":
        classes = size_of(job.train.config).classes
        return 3, classes * job.per_class, job.n
    if kind == "last-games":
        return 1, job.images, job.n
    if kind == "games":
        return _kept(job.train) if job.steps is None else len(job.steps), job.images, job.n
    return 3, job.games.images, job.games.n  # bayesian_games and its like


def memory(job: Any) -> float:
    """Bytes of the process that computes ``job``, its own start included: arrays and activations
    that live at one time, generously."""
    found = amounts(job)
    held = found.get("held", 0.0) * 4
    games = found.get("games", 0.0) * _DOUBLE
    return _WORKER_BYTES + 1.5 * held + 3 * games


def _kept(train: Any) -> int:
    return 1 if train.config.weights is not None else train.config.checkpoints


def _forward(
    found: Amounts, size: Size, rows: float, share: float = 1.0, batch: int = _BATCH
) -> None:
    """``rows`` forward passes through a ``share`` of the network."""
    found["conv_scored"] += rows * share * size.conv
    found["matmul_scored"] += rows * share * size.matmul
    found["scored_moved"] += rows * share * size.activations
    found["scored_inputs"] += rows * size.inputs
    found["scored_calls"] += share * size.leaves * max(1.0, rows / batch)
    found["held"] = max(found["held"], batch * (size.activations + size.inputs) + size.parameters)


def _backward(found: Amounts, size: Size, steps: float, batch: float) -> None:
    """``steps`` of training: forward, backward, the weights moved."""
    rows = steps * batch
    found["conv_trained"] += 3 * rows * size.conv
    found["matmul_trained"] += 3 * rows * size.matmul
    found["trained_moved"] += rows * size.activations
    found["trained_weights"] += steps * size.parameters
    found["trained_calls"] += steps * size.leaves
    found["held"] = max(found["held"], 3 * batch * size.activations + 4 * size.parameters)


def _scoring(found: Amounts, job: Any, train: Any, passes: float, share: float = 1.0) -> Size:
    """All masks of ``passes`` samples of the job ``job``."""
    size = size_of(train.config)
    _, _, n = players_of(job)
    _forward(found, size, passes * 2.0**n, share)
    found["games"] += passes * 2.0**n
    found["scored_games"] += passes
    return size


def _splitting(found: Amounts, games: float, n: int, tol: float, key: str = "split") -> None:
    found[key] += games * game_work(n, tol)
    found["games"] += 6 * games * 2.0**n


def game_work(n: int, tol: float) -> float:
    """Work of the certified split of one game, in units of ten players at 1 %.

    Steps: an iteration is n 2^n operations, the number of iterations grows with n, and from n = 13
    on a game's arrays leave the cache. Measured at n = 10 to 16.
    """
    growth = 2.0 ** (1.58 * (min(n, 12) - 10) + 2.5 * max(0, n - 12))
    return max(growth, 0.05) * (0.01 / min(max(tol, 1e-5), 0.1)) ** 0.58


def _train(job: Any, found: Amounts) -> None:
    config, size = job.config, size_of(job.config)
    if config.weights is not None:
        found["held"] = size.parameters
        return
    _backward(found, size, config.steps, config.batch)
    measured = 1 + math.log(max(config.steps, 2)) / math.log(config.loss_every_ratio)
    seen = config.loss_images or config.n_train or 2000
    _forward(found, size, (measured + config.checkpoints) * (seen + (config.n_test or 2000)))
    found["saved"] += config.checkpoints * size.parameters
    found["held"] += (config.n_train or 10_000) * size.inputs


def _games(job: Any, found: Amounts) -> None:
    checkpoints, images, _ = players_of(job)
    size = _scoring(found, job, job.train, checkpoints * images)
    found["loaded"] += checkpoints * size.parameters


def _component_games(job: Any, found: Amounts) -> None:
    checkpoints, images, _ = players_of(job)
    # The half of the network behind the layer; its features are what is masked.
    _scoring(found, job, job.pca.train, checkpoints * images, share=0.5)


def _layer_games(job: Any, found: Amounts, draws: int = 1, sample: Any = None) -> None:
    sample = job.sample if sample is None else sample
    size = _scoring(found, job, sample.train, sample.images * draws)
    rows = sample.images * draws * 2.0**sample.n
    features = sum(size.layers.get(name, 0) for name in (job.probes.layers if job.probes else ()))
    found["matmul_scored"] += 2 * rows * features * size.classes
    found["scored_moved"] += rows * features


def _noisy_inputs(job: Any, found: Amounts) -> None:
    _layer_games(job, found, 1 + job.draws, job.games)


def _attacked(job: Any, found: Amounts) -> None:
    size = size_of(job.games.train.config)
    _scoring(found, job, job.games.train, job.games.images * (1 + 2 * len(job.sizes)))
    _backward(found, size, job.steps * len(job.sizes), job.games.images)


def _perturbed(job: Any, found: Amounts) -> None:
    _scoring(found, job, job.games.train, job.games.images * (1 + job.copies))


def _bayesian_games(job: Any, found: Amounts) -> None:
    _scoring(found, job, job.games.train, job.games.images * (1 + job.bayes.draws))


def _bayesian(job: Any, found: Amounts) -> None:
    config, size = job.standard.config, size_of(job.standard.config)
    _backward(found, size, 2 * config.steps, config.batch)


def _mislabelled(job: Any, found: Amounts) -> None:
    share = 0.5 if job.pca else 1.0
    _scoring(found, job, job.sample.train, job.groups * job.sample.images, share)


def _features(job: Any, found: Amounts) -> None:
    train = job.sample.train
    _forward(found, size_of(train.config), _kept(train) * job.sample.images)


def _memorised(job: Any, found: Amounts) -> None:
    _forward(found, size_of(job.train.config), job.train.config.n_train or 10_000)


def _pca(job: Any, found: Amounts) -> None:
    size = size_of(job.train.config)
    checkpoints = _kept(job.train) if job.checkpoints is None else len(job.checkpoints)
    rows, features = float(checkpoints * job.images), float(size.layers.get(job.layer, 1000))
    _forward(found, size, rows, share=0.5)
    found["decomposed"] += rows * features * min(rows, features)
    found["held"] += 4 * rows * features


def _accuracy(job: Any, found: Amounts) -> None:
    _forward(found, size_of(job.pca.train.config), 2 * 2.5 * job.images)


def _maps(job: Any, found: Amounts) -> None:
    size = size_of(job.sample.train.config)
    _backward(found, size, 2.0 * job.images * job.pca.r, job.points)
    found["trained_weights"] = 0.0


def _word_maps(job: Any, found: Amounts) -> None:
    size = size_of(job.sample.train.config)
    _forward(found, size, 2.0 * job.images * 2.0**job.sample.n, share=0.5)


def _probes(job: Any, found: Amounts) -> None:
    config, size = job.train.config, size_of(job.train.config)
    samples = job.n_train or config.n_train or 10_000
    _forward(found, size, samples)
    features = sum(size.layers.get(name, 1000) for name in job.layers)
    steps, batch = job.config.steps, min(job.config.batch, samples)
    found["probed"] += float(steps) * batch * features
    found["probe_weights"] += float(steps) * features * size.classes
    found["probe_calls"] += float(steps) * len(job.layers)
    found["held"] += samples * features


def _split(job: Any, found: Amounts) -> None:
    checkpoints, images, n = players_of(job.games)
    if job.checkpoints is not None:
        checkpoints = len(job.checkpoints)
    key = "split" if job.null is None else f"split_{job.null}"
    _splitting(found, checkpoints * images, n, job.tol, key)


def _class_games(job: Any, found: Amounts) -> None:
    groups, images, _ = players_of(job)
    _scoring(found, job, job.train, groups * images)


def _class_means(job: Any, found: Amounts) -> None:
    groups, images, n = players_of(job.games)
    _splitting(found, groups * images, n, job.tol)


def _compared(job: Any, found: Amounts) -> None:
    _, _, n = players_of(job.games[0])
    games = len(job.games) * len(job.checkpoints) * job.images
    if job.loop is None:
        _splitting(found, games, n, job.tol)
    else:
        blocks = math.ceil(games / 64)
        found["looped"] += blocks * job.loop.iterations * n * 2.0**n / (10 * 2.0**10)


def _toy(job: Any, found: Amounts) -> None:
    found["trained_calls"] += 6.0 * job.steps
    found["toy_steps"] += job.steps
    found["scored_games"] += job.checkpoints * job.images


_COUNTED: dict[str, Callable[[Any, Amounts], None]] = {
    "train": _train,
    "games": _games,
    "last-games": _games,
    "class_games": _class_games,
    "class_means": _class_means,
    "component-games": _component_games,
    "layergames": _layer_games,
    "noisy_inputs": _noisy_inputs,
    "attacked": _attacked,
    "perturbed": _perturbed,
    "bayesian": _bayesian,
    "bayesian_games": _bayesian_games,
    "mislabelled": _mislabelled,
    "token-mislabelled": _mislabelled,
    "features": _features,
    "token-features": _features,
    "memorised": _memorised,
    "pca": _pca,
    "component-accuracy": _accuracy,
    "maps": _maps,
    "point-maps": _maps,
    "word-maps": _word_maps,
    "probes": _probes,
    "split": _split,
    "compared": _compared,
    "toy": _toy,
}
