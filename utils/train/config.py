"""What decides a training run: settings, steps at which weights are kept, where data and network
come from."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Self, TypeVar

import pydantic
from pydantic import Field

from .. import datasets, models
from ..datasets import Samples, Source, Split
from ..discovery import defined_in, load_file, modules_of
from ..models import Network
from ..strict import Strict

__all__ = ["TrainConfig", "Training", "Weights", "log_spaced"]

T = TypeVar("T", Source, Network)
_MOMENTUM = "momentum is that of sgd; adamw has its own"


def log_spaced(steps: int, count: int, first: int = 1) -> list[int]:
    """Exactly ``count`` different steps, ascending: 0, then ``first`` … ``steps`` evenly on a log
    axis.

    Where that would repeat a whole number the next one is taken and the rest is spread anew. With
    ``count`` 2 it is [0, steps]. ValueError when there are not that many steps.
    """
    if count < 2 or first < 1 or first > steps or count > steps - first + 2:
        raise ValueError(
            f"checkpoints must be 2 … {max(2, steps - first + 2)} for {steps} steps, the first "
            "after "
            f"initialisation at step {first} (1 … {steps}); got {count}"
        )
    points = [0] if count == 2 else [0, first]
    while len(points) < count:
        last, left = max(points[-1], 1), count - len(points)
        points.append(max(points[-1] + 1, round(last * (steps / last) ** (1 / left))))
    return points


class Training(Strict):
    """How one network is trained: a constant learning rate, no augmentation, no schedule."""

    optimizer: Literal["sgd", "adamw"] = Field(
        "sgd", description="sgd, as in the papers; adamw for networks that plain SGD does not train"
    )
    lr: float = Field(gt=0, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = Field(0.0, ge=0, description="L2 coefficient; of AdamW, decoupled")
    batch: int = Field(ge=1, description="samples per step")
    steps: int = Field(
        ge=1,
        description="training steps; chosen so that the test loss turns up again (over-fitting)",
    )
    n_train: int = Field(ge=2, description="training samples, class-balanced")
    first_checkpoint: int = Field(
        1,
        ge=1,
        description="first checkpoint after initialisation: a step at which the loss has "
        "hardly moved",
    )

    @pydantic.model_validator(mode="after")
    def _fits(self) -> Self:
        if self.n_train < self.batch:
            raise ValueError(
                f"batch ({self.batch}) is more than n_train ({self.n_train}), which it is taken of"
            )
        if self.first_checkpoint > self.steps:
            raise ValueError(
                f"first_checkpoint ({self.first_checkpoint}) is after the last of {self.steps} "
                "steps"
            )
        if self.optimizer == "adamw" and self.momentum:
            raise ValueError(_MOMENTUM)
        return self


class Weights(Strict):
    """Weights that others trained: one network, so a verdict's unit of replication is the sample.

    path: a safetensors file, absolute or below the data cache (INTERACTIONS_DATA), whose names are
    those of the network's ``state_dict``; sha256: of the file; source: who trained it, on what.
    n_train: training samples, a class-balanced first part, that its training loss and probes take,
    whose features of each layer lie in memory together; a run's own ``n_train`` is in its key.
    """

    path: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    source: str
    n_train: int = Field(5000, ge=2, exclude=True)


class TrainConfig(Strict):
    """All that decides a training run (with the versions, the CPU model and the threads)."""

    dataset: str = Field("mnist_part", description="data set, a name of utils.datasets or of file")
    n_train: int | None = Field(
        None, ge=1, description="training images, a class-balanced first part; None: all"
    )
    n_test: int | None = Field(
        None, ge=1, description="test images, a class-balanced first part; None: all"
    )
    model: str = Field("mlp7", description="network, a name of utils.models or of file")
    file: str | None = Field(
        None,
        exclude=True,
        description="a user's file that defines the data set, the network or both; where it lies "
        "decides nothing",
    )
    weights: Weights | None = Field(
        None, description="weights given by others: nothing is trained, step 0 is the network"
    )
    optimizer: Literal["sgd", "adamw"] = Field("sgd", description="see Training")
    width: int | None = Field(None, ge=1, description="width of the network; None: the paper's")
    lr: float = Field(0.05, gt=0, allow_inf_nan=False, description="learning rate, constant")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False, description="L2 coefficient")
    batch: int = Field(64, ge=1, description="images in a step; the rest of an epoch is dropped")
    steps: int = Field(5000, ge=0, description="steps; 0 with given weights")
    seed: int = Field(
        0,
        ge=0,
        description="decides the initial weights, the order of the images and the label noise",
    )
    label_noise: float = Field(
        0.0,
        ge=0,
        lt=1,
        allow_inf_nan=False,
        description="share of the training labels that is replaced by another class",
    )
    checkpoints: int = Field(
        13,
        ge=1,
        description="weight snapshots, log-spaced, step 0 and the last one included; 1 with given "
        "weights",
    )
    first_checkpoint: int = Field(1, ge=1, description="step of the first snapshot after step 0")
    loss_every_ratio: float = Field(
        1.15,
        gt=1,
        allow_inf_nan=False,
        description="both losses are measured at steps at most this factor apart",
    )
    loss_images: int | None = Field(
        None,
        ge=1,
        description="training images that the training loss is measured on, a "
        "class-balanced first part; None: all that are trained on",
    )
    device: str = Field("cpu", description="cpu, cuda, cuda:1, mps or auto")

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Self:
        source, network = self.source, self.network  # an unknown name is refused here
        if source.kind not in network.takes:
            raise ValueError(
                f"{network.title} takes {', '.join(network.takes)}; {source.name} is of kind "
                f"{source.kind}"
            )
        if self.weights is not None:
            if self.steps or self.checkpoints != 1 or self.label_noise:
                raise ValueError("given weights have steps=0, checkpoints=1 and no label noise")
            return self
        if self.n_train is not None and self.n_train < max(self.batch, self.loss_images or 0):
            raise ValueError(
                f"n_train = {self.n_train} is less than batch = {self.batch} or loss_images = "
                f"{self.loss_images}: both are taken out of the training samples"
            )
        if self.optimizer == "adamw" and self.momentum:
            raise ValueError(_MOMENTUM)
        if self.label_noise and not source.classes:
            raise ValueError(f"label_noise: {self.dataset} has no classes to take wrong ones from")
        log_spaced(self.steps, self.checkpoints, self.first_checkpoint)
        return self

    @property
    def source(self) -> Source:
        """The data set."""
        return _found(Source, self.dataset, self.file, datasets.find)

    @property
    def network(self) -> Network:
        """The architecture."""
        return _found(Network, self.model, self.file, models.find)

    def modules(self) -> set[str]:
        """The modules that define the data set and the network: their code decides the outcome,
        and the fields only name them."""
        packages = {datasets.__name__: self.source, models.__name__: self.network}
        return {_home(one, package, self.file) for package, one in packages.items()}

    def data(self, split: Split, limit: int | None = None) -> Samples:
        """One split of the data set, see :func:`utils.datasets.load`."""
        return datasets.load(self.source, split, limit)

    def told(self) -> Samples:
        """The training samples that the network sees."""
        return self.data("train", self.n_train)

    @property
    def checkpoint_steps(self) -> list[int]:
        """Steps at which the weights are kept."""
        if self.weights is not None:
            return [0]
        return log_spaced(self.steps, self.checkpoints, self.first_checkpoint)

    @property
    def loss_steps(self) -> list[int]:
        """Steps at which both losses are measured: every checkpoint and, between, at most the ratio
        apart."""
        steps = {0, *self.checkpoint_steps}
        step = 1
        while step < self.steps:
            steps.add(step)
            step = max(step + 1, math.floor(step * self.loss_every_ratio))
        return sorted(steps)


def _found(kind: type[T], name: str, file: str | None, find: Callable[[str], T]) -> T:
    """The network or data set of that name in a user's file, if there is one, else of the
    package."""
    own = {} if file is None else {one.name: one for one in defined_in(load_file(file), kind)}
    if name in own:
        return own[name]
    try:
        return find(name)
    except ValueError as error:
        if file is None:
            raise
        raise ValueError(f"{error}; {file} defines {', '.join(own) or 'none'}") from error


def _home(one: Source | Network, package: str, file: str | None) -> str:
    """Name of the module that defines a network or data set."""
    own = [] if file is None else [load_file(file)]
    return next(m.__name__ for m in own + modules_of(package) if one in defined_in(m, type(one)))
