"""Scoring samples on all masks, at the checkpoints of one network, is a job."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pydantic
import torch

from .. import extract, io, runtime
from ..datasets import Samples
from ..players import Draw, Players
from ..train import Run
from .base import Job, ensure
from .trained import TrainJob

__all__ = ["Games", "GamesJob", "choose", "save_games"]


def choose(data: Samples, count: int, n: int, how: Draw, skip: int = 0) -> list[int]:
    """Positions of ``count`` samples that can have ``n`` players: the first of each class, then the
    second of each, ..., after the first ``skip`` in this order.

    One of each class in turn, so that the first and the second half of the list hold the same
    classes; of a regression, in order. Independent of the network and of the draw. ValueError when
    the data set has too few such samples.
    """
    queues = [
        (data.labels == label).nonzero().flatten().tolist() for label in range(len(data.classes))
    ] or [list(range(len(data)))]
    chosen: list[int] = []
    wanted = skip + count
    while len(chosen) < wanted and any(queues):
        for queue in queues:
            while queue:
                position = queue.pop(0)
                if how.possible(data, position) >= n:
                    chosen.append(position)
                    break
    if len(chosen) < wanted:
        asked = f"{skip} passed over and the {count} asked for" if skip else f"{count} asked for"
        raise ValueError(
            f"{data.name}/{data.split} has {len(chosen)} {data.source.noun} that can have {n} "
            f"players ({how.unit}), fewer than the {asked}"
        )
    return chosen[skip:wanted]


@dataclasses.dataclass(frozen=True)
class Games:
    """v (C, X, 2^n) of X samples at C checkpoints, and what is needed to judge whether it can be
    trusted.

    steps (C,): training step of each checkpoint; saturated (C,): share of masks with |v| > 16;
    noise_floor (C,): size below which an interaction of the first sample may be rounding; labels,
    ids (X,).
    """

    v: torch.Tensor
    steps: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor
    saturated: torch.Tensor
    noise_floor: torch.Tensor


def save_games(
    folder: Path,
    v: torch.Tensor,
    steps: Sequence[int] | torch.Tensor,
    floors: Sequence[float] | torch.Tensor,
    **more: torch.Tensor,
) -> None:
    """Write games v (C, X, 2^n), what says whether they can be trusted, and ``more`` arrays, as
    :class:`Games` and its like load them: ``games.safetensors``."""
    io.save_arrays(
        folder / "games.safetensors",
        {
            "v": v,
            "steps": torch.as_tensor(steps),
            "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
            "noise_floor": torch.as_tensor(floors, dtype=torch.float64),
            **more,
        },
    )


class GamesJob(Job):
    """v(x_T) of some samples on all masks, at all checkpoints of one trained network (or at
    ``steps``, which it kept).

    images: how many, after the first ``skip`` that could be chosen. how: the draw of players. rows:
    masked inputs in a forward pass, None: found from the network and the kind of device alone
    (:func:`utils.extract.micro_batch`).
    """

    kind: ClassVar[str] = "games"
    version: ClassVar[int] = 1
    train: TrainJob
    split: Literal["train", "test"] = "train"
    images: int
    skip: int = pydantic.Field(0, ge=0)
    n: int
    how: pydantic.InstanceOf[Draw]
    score: extract.Score = "logodds"
    steps: tuple[int, ...] | None = None
    rows: int | None = None
    device: str = "cpu"

    def players(self) -> tuple[list[Players], torch.Tensor, torch.Tensor]:
        """Players, labels and ids of the samples explained; of a regression label 0, for its one
        output is what is explained."""
        config = self.train.config
        data, train = config.data(self.split), config.data("train")
        positions = choose(data, self.images, self.n, self.how, self.skip)
        found = [self.how.players(data, i, self.n, train) for i in positions]
        labels = data.labels[positions] if data.classes else torch.zeros(len(positions)).long()
        return found, labels, data.ids[positions]

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.train)
        players, labels, ids = self.players()
        device = runtime.device(self.device)
        games, floors = [], []
        steps = run.steps if self.steps is None else self.steps
        for step in runtime.progress(
            steps,
            desc=f"scoring {self.train.config.model} seed {self.train.config.seed}",
            unit="checkpoint",
        ):
            model = run.model(step).to(device)
            games.append(
                extract.scores(
                    model,
                    players,
                    labels,
                    score=self.score,
                    rows=self.rows,
                    device=device,
                    path="auto",
                ).cpu()
            )
            floors.append(
                extract.noise_floor(model, players[0].to(device), int(labels[0]), score=self.score)
            )
        save_games(folder, torch.stack(games), steps, floors, labels=labels, ids=ids)

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))
