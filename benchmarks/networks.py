"""The games that are split: v(x_T) of networks trained here on the embedded MNIST part, over images
and checkpoints."""

from __future__ import annotations

import functools

import torch

from utils import extract, jobs, models, train
from utils.jobs.scored import GamesJob
from utils.jobs.trained import TrainJob
from utils.models import InputSpec
from utils.players import ImagePatches, PatchDraw, patch_players

__all__ = ["NETWORKS", "players_of", "random_players", "trained", "trained_games", "untrained"]

NETWORKS = ("mlp7", "lenet")
_TRAINING = {
    "mlp7": {"width": 256, "lr": 0.1, "batch": 64, "n_train": 4000},
    "lenet": {"lr": 0.1, "batch": 16, "n_train": 2500},
}
_SHAPES = {"mlp7": (1, 28, 28), "lenet": (1, 28, 28), "vgg11": (3, 32, 32), "resnet20": (3, 32, 32)}


def _job(name: str, quick: bool) -> TrainJob:
    amount = (
        {"steps": 30, "checkpoints": 3, "first_checkpoint": 10, "n_test": 100, "loss_images": 100}
        if quick
        else {
            "steps": 1500,
            "checkpoints": 9,
            "first_checkpoint": 25,
            "n_test": 500,
            "loss_images": 500,
        }
    )
    return TrainJob.of(train.TrainConfig(model=name, **_TRAINING[name] | amount))


@functools.cache
def trained(name: str, quick: bool) -> train.Run:
    """A network trained by plain SGD for 1,500 steps (quick: 30), kept in the job cache."""
    return jobs.ensure(_job(name, quick))


def players_of(
    name: str, quick: bool, images: int, n: int
) -> tuple[list[ImagePatches], torch.Tensor]:
    """Players of the first ``images`` training images that can have ``n`` of them, and their
    labels."""
    job = GamesJob(train=_job(name, quick), images=images, n=n, how=PatchDraw())
    found, labels, _ = job.players()
    return found, labels


@functools.cache
def trained_games(n: int, count: int, quick: bool) -> torch.Tensor:
    """``count`` games (count, 2^n): both networks, all checkpoints but the initial one, as many
    images as it takes.

    Where ``count`` is below the number of (network, checkpoint) pairs, pairs evenly spread, the
    last one included.
    """
    pairs = [(name, step) for name in NETWORKS for step in trained(name, quick).steps[1:]]
    images = -(-count // len(pairs))
    if count < len(pairs):
        pairs = [pairs[round((k + 1) * len(pairs) / count) - 1] for k in range(count)]
    games = []
    for name, step in pairs:
        players, labels = players_of(name, quick, images, n)
        games.append(extract.scores(trained(name, quick).model(step), players, labels))
    return torch.cat(games)[:count].contiguous()


def untrained(name: str) -> torch.nn.Module:
    """A network of the papers' size with random weights: speed does not ask what a network has
    learnt."""
    return (
        models.build(name, InputSpec(_SHAPES[name]), width=256 if name == "mlp7" else None)
        .eval()
        .requires_grad_(False)
    )


def random_players(name: str, count: int, n: int) -> list[ImagePatches]:
    """Players on ``count`` images of random pixels in the shape that the network takes (MNIST's or
    CIFAR-10's)."""
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(count, *_SHAPES[name], generator=generator)
    return [
        patch_players(image, f"random/{k}", n, baseline="zero") for k, image in enumerate(images)
    ]
