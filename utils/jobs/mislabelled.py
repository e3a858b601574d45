"""Networks trained on wrong labels, and games of memorised mislabelled images beside clean ones of
the same classes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import nn

from .. import extract, io, runtime, train
from ..datasets import Samples
from ..models.tail import tail
from ..players import Players
from ..players.components import Components, FeatureComponents
from .base import Job, ensure
from .components import PCAJob, features_of
from .scored import GamesJob, save_games
from .trained import TrainJob

__all__ = [
    "GROUPS",
    "Memorised",
    "MemorisedJob",
    "Mislabelled",
    "MislabelledJob",
    "beside",
]

GROUPS = (
    "mislabelled",
    "clean",
    "mislabelled, true label",
    "untrained: mislabelled",
    "untrained: clean",
)
"""The axis that holds checkpoints elsewhere: what the games of one job are games of."""

_BATCH = 100


@dataclasses.dataclass(frozen=True)
class Memorised:
    """What a trained network says of its N training images.

    answers (N,): predicted class; given (N,): the label it was told; true (N,); flipped (N,) bool;
    output (N,): its score v(N) of the given label, log-odds.
    """

    answers: torch.Tensor
    given: torch.Tensor
    true: torch.Tensor
    flipped: torch.Tensor
    output: torch.Tensor

    def accuracy(self, where: torch.Tensor, labels: torch.Tensor) -> float:
        """Share of the images ``where`` (N,) bool that are answered by ``labels``; NaN for none."""
        return float((self.answers == labels)[where].double().mean())


class MemorisedJob(Job):
    """The last checkpoint's answers on all the images it was trained on."""

    kind: ClassVar[str] = "memorised"
    version: ClassVar[int] = 1
    train: TrainJob
    device: str = "cpu"

    def compute(self, folder: Path) -> None:
        run: train.Run = ensure(self.train)
        data = run.config.told()
        given, flipped = train.given_labels(run.config)
        device = runtime.device(self.device)
        model = run.model(run.steps[-1]).to(device)
        with torch.inference_mode():
            logits = torch.cat([model(part.to(device)).cpu() for part in data.x.split(_BATCH)])
        io.save_arrays(
            folder / "memorised.safetensors",
            {
                "answers": logits.argmax(1),
                "given": given,
                "true": data.labels,
                "flipped": flipped,
                "output": extract.score_of(logits, given),
            },
        )

    def load(self, folder: Path) -> Memorised:
        return Memorised(**io.load_arrays(folder / "memorised.safetensors"))


@dataclasses.dataclass(frozen=True)
class Mislabelled:
    """v (G, P, 2^n) of P mislabelled and P clean images in the groups of ``GROUPS`` (the first
    ``G``).

    Rows beyond the images that were found are games of nothing (v = 0) with kept (P,) False: they
    add to no sum. one, other (P,): positions of the mislabelled and of the clean image, both of the
    given class label (P,); steps: 0 … G-1; saturated, noise_floor (G,).
    """

    v: torch.Tensor
    steps: torch.Tensor
    saturated: torch.Tensor
    noise_floor: torch.Tensor
    kept: torch.Tensor
    one: torch.Tensor
    other: torch.Tensor
    label: torch.Tensor


class MislabelledJob(Job):
    """Games of memorised mislabelled images, of clean ones of the same given classes, and of their
    controls.

    Both are images that the trained network answers as it was told; nothing else is matched (see
    :func:`beside`). ``pca``: players are that job's feature components in place of patches.
    """

    kind: ClassVar[str] = "mislabelled"
    version: ClassVar[int] = 2
    sample: GamesJob
    memorised: MemorisedJob
    groups: int = Field(len(GROUPS), ge=2, le=len(GROUPS))
    pca: PCAJob | None = None

    def compute(self, folder: Path) -> None:
        run: train.Run = ensure(self.sample.train)
        known: Memorised = ensure(self.memorised)
        explained = _Explained(self, run)
        right = known.answers == known.given
        able = right & torch.tensor(
            [explained.can_play(i) if ok else False for i, ok in enumerate(right.tolist())]
        )
        count = self.sample.images
        one, other = beside(
            known.given, able & known.flipped, able & ~known.flipped, count, run.config.seed
        )
        told, true = known.given[one], known.true[one]
        cases = (
            (-1, one, told),
            (-1, other, told),
            (-1, one, true),
            (0, one, told),
            (0, other, told),
        )
        games, floors = zip(*(explained.games(*case) for case in cases[: self.groups]), strict=True)
        save_games(
            folder,
            torch.stack([_padded(game, count) for game in games]),
            torch.arange(len(games)),
            floors,
            kept=torch.arange(count) < len(one),
            one=_padded(one, count),
            other=_padded(other, count),
            label=_padded(told, count),
        )

    def baseline(self, train: Samples) -> torch.Tensor:
        """The input whose components stand for masked ones, of the training samples."""
        return train.mean

    def load(self, folder: Path) -> Mislabelled:
        return Mislabelled(**io.load_arrays(folder / "games.safetensors"))


def _padded(rows: torch.Tensor, count: int) -> torch.Tensor:
    return torch.cat([rows, rows.new_zeros(count - len(rows), *rows.shape[1:])])


def beside(
    label: torch.Tensor, treated: torch.Tensor, control: torch.Tensor, count: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Up to ``count`` treated samples, one of each class in turn, and as many controls of the same
    classes: (P,) int64 each.

    label (N,) int64, treated and control (N,) bool. Both are drawn by ``seed``, no sample twice, so
    that networks of different seeds are explained on samples of their own: their values are
    independent, and the spread over networks holds that over samples.
    """
    order = torch.from_numpy(
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(2,))).permutation(len(label))
    )
    classes = sorted(set(label[treated].tolist()))
    queues = [
        [order[(side & (label == c))[order]].tolist() for side in (treated, control)]
        for c in classes
    ]
    pairs: list[tuple[int, int]] = []
    while len(pairs) < count and any(one and other for one, other in queues):
        pairs += [(one.pop(0), other.pop(0)) for one, other in queues if one and other]
    found = torch.tensor(pairs[:count], dtype=torch.int64).view(-1, 2)
    return found[:, 0], found[:, 1]


class _Explained:
    """The training images of a run as players, those of the sample's draw or feature components,
    and their scores."""

    def __init__(self, job: MislabelledJob, run: train.Run) -> None:
        self.job, self.run = job, run
        self.data, self.train = run.config.told(), run.config.data("train")
        self.device = runtime.device(job.sample.device)

    def can_play(self, i: int) -> bool:
        sample = self.job.sample
        return self.job.pca is not None or sample.how.possible(self.data, i) >= sample.n

    def network(self, checkpoint: int) -> nn.Module:
        return self.run.model(self.run.steps[checkpoint]).to(self.device)

    def players(self, model: nn.Module, images: torch.Tensor) -> tuple[nn.Module, list[Players]]:
        """What is scored, and the players of the images at positions ``images``."""
        if self.job.pca is None:
            sample = self.job.sample
            return model, [
                sample.how.players(self.data, i, sample.n, self.train) for i in images.tolist()
            ]
        components: Components = ensure(self.job.pca)
        x = torch.cat([self.data.x[images], self.job.baseline(self.train)[None]])
        found = features_of(model, self.job.pca.layer, x, self.device)[0]
        return tail(model, self.job.pca.layer), [
            FeatureComponents(f, found[-1], components) for f in found[:-1]
        ]

    def games(
        self, checkpoint: int, images: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, float]:
        """Scores (P, 2^n) at a checkpoint, and the noise floor of the first image."""
        if not len(images):
            return torch.zeros(0, 1 << self.job.sample.n, dtype=torch.float64), 0.0
        model, players = self.players(self.network(checkpoint), images)
        v = extract.scores(
            model, players, labels, rows=self.job.sample.rows, device=self.device, path="auto"
        ).cpu()
        return v, extract.noise_floor(model, players[0].to(self.device), int(labels[0]))
