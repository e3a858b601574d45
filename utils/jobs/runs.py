"""The three expensive steps of every study, each a job: train a network, score its masked inputs,
split the games."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar, Literal

import pydantic
import torch
from pydantic import BaseModel, ConfigDict

from .. import datasets, extract, io, lattice, runtime, sparsify, train
from ..datasets import Images
from ..interactions import Interactions
from ..metrics import nulls
from ..players import ColumnDraw, PatchDraw, Players, column_players, patch_players
from .base import MANY_STEPS, Job, ensure

__all__ = [
    "Draw",
    "Games",
    "GamesJob",
    "Null",
    "SplitGames",
    "SplitJob",
    "TrainJob",
    "choose_images",
]

Null = Literal["iid", "smooth", "additive", "size"]
_NULLS = {
    "iid": nulls.iid_games,
    "smooth": nulls.smooth_games,
    "additive": nulls.additive_games,
    "size": nulls.size_games,
}


class TrainJob(Job):
    """One network trained from one seed, with its weights at log-spaced steps and its losses."""

    kind: ClassVar[str] = "train"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = ("utils.train", "utils.models", "utils.datasets")
    config: train.TrainConfig
    data_sha256: str

    @classmethod
    def of(cls, config: train.TrainConfig) -> TrainJob:
        """The job for ``config``, bound to the checksum of the training data found on this
        machine."""
        return cls(config=config, data_sha256=datasets.load(config.dataset, "train").sha256)

    @property
    def own_threads(self) -> int | None:
        long = self.config.steps >= MANY_STEPS and runtime.device(self.config.device).type == "cpu"
        return self.config.threads if long else None

    def compute(self, folder: Path) -> None:
        train.fit(self.config, folder)

    def load(self, folder: Path) -> train.Run:
        return train.load_run(folder)


class _Patches(BaseModel):
    """:class:`utils.players.PatchDraw` as part of a job's key."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    cell: int
    region: Literal["foreground", "center"]
    threshold: float
    draw: int


class _Columns(BaseModel):
    """:class:`utils.players.ColumnDraw` as part of a job's key."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    draw: int


Draw = _Patches | _Columns


def _default_draw(data: Images, draw: int) -> Draw:
    """How the players of a data set are chosen: columns of a table, patches of an image."""
    if data.columns:
        return _Columns(draw=draw)
    return _Patches(**dataclasses.asdict(PatchDraw.default(data.shape, draw)))


def _players_of(
    data: Images,
    position: int,
    n: int,
    how: PatchDraw | ColumnDraw,
    baseline: Literal["mean", "zero"],
    mean: torch.Tensor,
) -> Players:
    row, name = data.images[position], f"{data.name}/{data.split}/{int(data.ids[position])}"
    if isinstance(how, ColumnDraw):
        return column_players(
            row, data.name, n, data.columns, baseline=baseline, mean=mean, how=how
        )
    return patch_players(row, name, n, baseline=baseline, mean=mean, how=how)


def choose_images(data: Images, count: int, n: int, how: PatchDraw | ColumnDraw) -> list[int]:
    """Positions of ``count`` images that can have ``n`` players: the first of each class, then the
    second of each, ...

    One of each class in turn, so that the first and the second half of the list hold the same
    classes. Independent of the network and of the draw. ValueError when the data set has too few
    such images.
    """
    queues = [
        (data.labels == label).nonzero().flatten().tolist() for label in range(len(data.classes))
    ]
    chosen: list[int] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            while queue:
                position = queue.pop(0)
                if int(how.candidates(data.images[position]).sum()) >= n:
                    chosen.append(position)
                    break
    if len(chosen) < count:
        raise ValueError(
            f"{data.name}/{data.split} has {len(chosen)} images with at least {n} {_unit(how)}, "
            f"fewer than the {count} asked for"
        )
    return chosen[:count]


def _unit(how: PatchDraw | ColumnDraw) -> str:
    return "columns" if isinstance(how, ColumnDraw) else f"{how.region} cells"


@dataclasses.dataclass(frozen=True)
class Games:
    """v (C, X, 2^n) of X images at C checkpoints, and what is needed to judge whether it can be
    trusted.

    steps (C,): training step of each checkpoint; saturated (C,): share of masks with |v| > 16;
    noise_floor (C,): size below which an interaction of the first image may be rounding; labels,
    ids (X,).
    """

    v: torch.Tensor
    steps: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor
    saturated: torch.Tensor
    noise_floor: torch.Tensor


class GamesJob(Job):
    """v(x_T) of some images on all masks, at all checkpoints of one trained network (or at
    ``steps``, which it kept)."""

    kind: ClassVar[str] = "games"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = ("utils.extract", "utils.players", "utils.jobs.runs")
    train: TrainJob
    split: Literal["train", "test"] = "train"
    images: int
    n: int
    how: Draw
    baseline: Literal["mean", "zero"] = "mean"
    score: extract.Score = "logodds"
    steps: tuple[int, ...] | None = None
    rows: int | None = None
    device: str = "cpu"

    @classmethod
    def of(
        cls, job: TrainJob, images: int, n: int, draw: int = 0, device: str = "cpu", **rest: object
    ) -> GamesJob:
        """The default players of the data set that ``job`` trains on (see ``PatchDraw`` and
        ``ColumnDraw``)."""
        how = _default_draw(datasets.load(job.config.dataset, "train"), draw)
        return cls(train=job, images=images, n=n, how=how, device=device, **rest)

    def players(self) -> tuple[list[Players], torch.Tensor, torch.Tensor]:
        """Players, labels and ids of the images (or rows of a table) explained."""
        data = datasets.load(self.train.config.dataset, self.split)
        mean = datasets.load(self.train.config.dataset, "train").mean
        how = (ColumnDraw if isinstance(self.how, _Columns) else PatchDraw)(**self.how.model_dump())
        positions = choose_images(data, self.images, self.n, how)
        found = [_players_of(data, i, self.n, how, self.baseline, mean) for i in positions]
        return found, data.labels[positions], data.ids[positions]

    def compute(self, folder: Path) -> None:
        run = ensure(self.train)
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
                    model, players, labels, score=self.score, rows=self.rows, device=device
                ).cpu()
            )
            floors.append(
                extract.noise_floor(model, players[0].to(device), int(labels[0]), score=self.score)
            )
        v = torch.stack(games)
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "steps": torch.tensor(steps),
                "labels": labels,
                "ids": ids,
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor(floors, dtype=torch.float64),
            },
        )

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))


@dataclasses.dataclass(frozen=True)
class SplitGames:
    """Interactions of games (C, X, 2^n) before the first-order merge, with the certificate of each
    game (C, X).

    v: the games that were split. found: the sparse iterate, from which statistics are read.
    objective, l1 (weighted and plain strength), lower_bound and gap certify the feasible pair that
    repairs it, as does error = max_T |v - model|.
    """

    v: torch.Tensor
    found: Interactions
    objective: torch.Tensor
    l1: torch.Tensor
    lower_bound: torch.Tensor
    gap: torch.Tensor
    converged: torch.Tensor
    iterations: torch.Tensor
    error: torch.Tensor


class SplitJob(Job):
    """The AND-OR split of a network's games, or of null games matched to them, at all or at the
    named checkpoints.

    games: any job whose output has ``v`` (C, X, 2^n), such as :class:`GamesJob`; C counts
    checkpoints, layers or draws.
    """

    kind: ClassVar[str] = "split"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = (
        "utils.lattice",
        "utils.sparsify",
        "utils.metrics.nulls",
        "utils.jobs.runs",
    )
    games: pydantic.InstanceOf[Job]
    checkpoints: tuple[int, ...] | None = None
    null: Null | None = None
    null_seed: int = 0
    kappa: float
    order_weight: float
    tol: float
    solver: Literal["certified", "paper"] = "certified"

    def compute(self, folder: Path) -> None:
        v = ensure(self.games).v
        if self.checkpoints is not None:
            v = v[list(self.checkpoints)]
        if self.null is not None:
            v = _NULLS[self.null](v, seed=self.null_seed)
        got = sparsify.split(
            v, kappa=self.kappa, order_weight=self.order_weight, tol=self.tol, solver=self.solver
        )
        error = (v - lattice.reconstruct(got.i_and, got.i_or)).abs().amax(-1)
        io.save_arrays(
            folder / "split.safetensors",
            {
                "v": v,
                "and": got.sparse_and,
                "or": got.sparse_or,
                "error": error,
                "objective": got.objective,
                "l1": got.l1,
                "lower_bound": got.lower_bound,
                "gap": got.gap,
                "converged": got.converged,
                "iterations": got.iterations,
            },
        )

    def load(self, folder: Path) -> SplitGames:
        arrays = io.load_arrays(folder / "split.safetensors")
        found = Interactions(arrays.pop("and"), arrays.pop("or"))
        return SplitGames(found=found, **arrays)
