"""One plain training loop: losses often, weights at log-spaced steps, the same bits again, also
after a kill.

Plain SGD on the cross-entropy, a constant learning rate, no augmentation, no schedule, no early
stopping: the papers ask how interactions change while a network learns *and over-fits*, so nothing
may stand in the way of either. The training settings of the papers are not published; whoever picks
some does it by the loss curves alone.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pydantic
import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from . import datasets, io, models, runtime

__all__ = [
    "DivergedError",
    "Run",
    "TrainConfig",
    "fit",
    "given_labels",
    "load_run",
    "log_spaced",
    "with_label_noise",
]

_COLUMNS = ("step", "train_loss", "test_loss", "train_accuracy", "test_accuracy")
# fixed, so that a loss has the same bits whatever the memory; features of 100 images fit a CPU
# cache
_EVAL_BATCH = 100
_SAVE_SECONDS = (
    20.0  # at most this much work is lost to a kill; when it is saved does not change the bits
)


class DivergedError(ArithmeticError):
    """The training loss became NaN or infinite."""


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


class TrainConfig(pydantic.BaseModel):
    """All that decides a training run (with the versions and the CPU model)."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", strict=True)

    dataset: str = Field("mnist_part", description="data set, a name of utils.datasets")
    n_train: int | None = Field(
        None, ge=1, description="training images, a class-balanced first part; None: all"
    )
    n_test: int | None = Field(
        None, ge=1, description="test images, a class-balanced first part; None: all"
    )
    model: str = Field("mlp7", description="network, a name of utils.models")
    width: int | None = Field(None, ge=1, description="width of the network; None: the paper's")
    lr: float = Field(0.05, gt=0, allow_inf_nan=False, description="learning rate, constant")
    momentum: float = Field(0.0, ge=0, lt=1, description="momentum of SGD")
    weight_decay: float = Field(0.0, ge=0, allow_inf_nan=False, description="L2 coefficient")
    batch: int = Field(64, ge=1, description="images in a step; the rest of an epoch is dropped")
    steps: int = Field(5000, ge=1, description="SGD steps")
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
        13, ge=2, description="weight snapshots, log-spaced, step 0 and the last one included"
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
    threads: int = Field(
        1,
        ge=1,
        description="CPU threads of this one training, whatever the machine has: "
        "small networks gain little from more, and seeds are trained side by side",
    )

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> TrainConfig:
        for value, known, what in (
            (self.dataset, datasets.DATASETS, "dataset"),
            (self.model, models.MODELS, "model"),
        ):
            if value not in known:
                raise ValueError(f"unknown {what} {value!r}; there are: {', '.join(known)}")
        if self.n_train is not None and self.n_train < max(self.batch, self.loss_images or 0):
            raise ValueError(
                f"n_train = {self.n_train} is less than batch = {self.batch} or loss_images = "
                f"{self.loss_images}: both are taken out of the training images"
            )
        log_spaced(self.steps, self.checkpoints, self.first_checkpoint)
        return self

    @property
    def checkpoint_steps(self) -> list[int]:
        """Steps at which the weights are kept."""
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


def with_label_noise(
    labels: torch.Tensor, classes: int, rate: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels of which round(``rate`` N) are replaced: (N,) int64 → the given labels (N,), where
    they are wrong (N,) bool.

    Which ones is drawn without replacement, and the wrong class uniformly among the others
    (symmetric label noise). The draw is one of ``seed`` alone: networks of different seeds are
    trained on independent noise, so that an interval over seeds also speaks for the choice of
    labels. ``labels`` stay as they are. ValueError for a rate outside [0, 1).
    """
    if not 0 <= rate < 1 or classes < 2:
        raise ValueError(
            f"label noise needs a rate in [0, 1) and at least 2 classes, got {rate} and {classes}"
        )
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    chosen = torch.from_numpy(
        generator.permutation(len(labels))[: round(rate * len(labels))].copy()
    )
    shift = torch.from_numpy(generator.integers(1, classes, len(chosen)))
    given, flipped = labels.clone(), torch.zeros(len(labels), dtype=torch.bool)
    given[chosen] = (labels[chosen] + shift) % classes
    flipped[chosen] = True
    return given, flipped


def given_labels(config: TrainConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network of ``config`` was told about
    ``datasets.load(config.dataset, "train", config.n_train)``.

    (N,) int64 and (N,) bool: the given labels and where they differ from that object's own, true
    ``labels``.
    """
    train = datasets.load(config.dataset, "train", config.n_train)
    return with_label_noise(train.labels, len(train.classes), config.label_noise, config.seed)


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training run.

    steps    the checkpoint steps, first 0, last ``config.steps``
    losses   DataFrame: step, train_loss, test_loss (mean cross-entropy in nats), train_accuracy,
             test_accuracy; on the training side against the labels that were given (see
             :func:`given_labels`)
    data     sha256 of the training and the test images used
    """

    folder: Path
    config: TrainConfig
    in_shape: tuple[int, int, int]
    classes: int
    steps: tuple[int, ...]
    losses: pd.DataFrame
    data: dict[str, str]

    def model(self, step: int) -> nn.Module:
        """The network at a checkpoint, on the CPU, in eval mode, without gradients. ValueError for
        another step."""
        if step not in self.steps:
            raise ValueError(
                f"no weights were kept at step {step}; there are: {', '.join(map(str, self.steps))}"
            )
        model = models.build(self.config.model, self.in_shape, self.classes, self.config.width)
        model.load_state_dict(io.load_arrays(self.folder / _weights_name(step)))
        return model.eval().requires_grad_(False)

    @property
    def test_accuracy(self) -> float:
        """Share of test images that are classified rightly at the end."""
        return float(self.losses["test_accuracy"].iloc[-1])


def fit(config: TrainConfig, folder: Path | str) -> Run:
    """Trains as ``config`` says into ``folder``; goes on where a killed call stopped; returns at
    once when done.

    Writes ``weights-<step>.safetensors`` per checkpoint, ``losses.csv`` (last) and ``config.json``.
    The bits are the same for the same config, versions and CPU model, on any number of cores, with
    or without kills between.

    DivergedError when a loss is not finite; ValueError when the folder holds another run; errors of
    ``datasets.load``.
    """
    folder = Path(folder)
    with _deterministic(), runtime.torch_threads(config.threads):
        trainer = _Trainer(config, folder)
        trainer.claim_folder()
        if not (folder / "losses.csv").is_file():
            trainer.run()
    return load_run(folder)


def load_run(folder: Path | str) -> Run:
    """The finished run in ``folder``; FileNotFoundError when there is none or it is not
    finished."""
    folder = Path(folder)
    for name in ("config.json", "losses.csv"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} holds no finished training run ({name} is missing): fit(config, folder) "
                "starts one, or goes on with one that was interrupted"
            )
    described = io.read_sealed(folder / "config.json")
    losses = pd.read_csv(folder / "losses.csv")
    return Run(
        folder,
        TrainConfig(**described["config"]),
        tuple(described["in_shape"]),
        described["classes"],
        tuple(described["steps"]),
        losses,
        described["data"],
    )


class _Trainer:
    """The loop's state: network, optimiser, step, the losses so far, the checksums of the weights
    kept so far."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.config, self.folder, self.scratch = config, folder, folder / ".state"
        self.device = runtime.device(config.device)
        train = datasets.load(config.dataset, "train", config.n_train)
        test = datasets.load(config.dataset, "test", config.n_test)
        if len(train) < config.batch:
            raise ValueError(
                f"batch = {config.batch} is more than the {len(train)} images of {config.dataset}"
            )
        self.described = {
            "config": config.model_dump(),
            "in_shape": list(train.shape),
            "classes": len(train.classes),
            "steps": config.checkpoint_steps,
            "data": {"train": train.sha256, "test": test.sha256},
        }
        given, _ = with_label_noise(
            train.labels, len(train.classes), config.label_noise, config.seed
        )
        measured = (
            datasets.load(config.dataset, "train", config.loss_images)
            if config.loss_images
            else train
        )
        # The training loss is that of the labels the network is told, on the part of its images
        # that is measured.
        told = given[torch.isin(train.ids, measured.ids)]
        self.train, self.test = self._on_device(train, given), self._on_device(test, test.labels)
        self.measured = self._on_device(measured, told)
        self.model = self._fresh_model(train)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=config.lr,
            momentum=config.momentum,
            weight_decay=config.weight_decay,
        )
        self.step, self.epoch = 0, -1
        self.losses: list[list[float]] = []
        self.weights: dict[str, str] = {}

    def _on_device(
        self, part: datasets.Images, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return part.images.to(self.device), labels.to(self.device)

    def _fresh_model(self, train: datasets.Images) -> nn.Module:
        mean, std = _channel_statistics(train.images)
        model = models.build(
            self.config.model,
            train.shape,
            len(train.classes),
            self.config.width,
            self.config.seed,
            mean=mean,
            std=std,
        )
        # Channels last is the order in which CPUs and tensor cores convolve fastest; weights are
        # saved as usual.
        return model.to(self.device, memory_format=torch.channels_last).train()

    # The loop -------------------------------------------------------------------------------------

    def run(self) -> None:
        config = self.config
        self.restore()
        keep, measure = set(config.checkpoint_steps), set(config.loss_steps)
        saved = time.monotonic()
        description = f"training {config.model} on {config.dataset}, seed {config.seed}"
        with runtime.progress(desc=description, total=config.steps, unit="step") as bar:
            bar.update(self.step)
            while True:
                if self.step in measure and (not self.losses or self.losses[-1][0] < self.step):
                    self.losses.append(self.measure())
                if self.step in keep:
                    self.keep_weights()
                if self.step in keep or time.monotonic() - saved > _SAVE_SECONDS:
                    self.save()
                    saved = time.monotonic()
                if self.step == config.steps:
                    break
                self.one_step()
                bar.update()
        self.finish()

    def one_step(self) -> None:
        images, labels = self.train
        chosen = self.batch_of(self.step)
        self.optimizer.zero_grad()
        loss = F.cross_entropy(self.model(images[chosen]), labels[chosen])
        self.refuse_divergence(loss.item())
        loss.backward()
        self.optimizer.step()
        self.step += 1

    def batch_of(self, step: int) -> torch.Tensor:
        """Positions (batch,) of the images of a step: a part of the epoch's permutation, whatever
        came before."""
        count = len(self.train[1])
        epoch, position = divmod(step, count // self.config.batch)
        if epoch != self.epoch:
            words = (
                np.random.SeedSequence([self.config.seed, epoch])
                .generate_state(2, np.uint32)
                .tolist()
            )
            generator = torch.Generator().manual_seed(words[0] << 31 | words[1] >> 1)
            self.permutation, self.epoch = (
                torch.randperm(count, generator=generator).to(self.device),
                epoch,
            )
        return self.permutation[position * self.config.batch : (position + 1) * self.config.batch]

    def measure(self) -> list[float]:
        """A line of losses.csv."""
        self.model.eval()
        train, test = self.loss_and_accuracy(*self.measured), self.loss_and_accuracy(*self.test)
        self.model.train()
        self.refuse_divergence(train[0])
        return [self.step, train[0], test[0], train[1], test[1]]

    @torch.no_grad()
    def loss_and_accuracy(self, images: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        loss = right = 0.0
        for x, y in zip(images.split(_EVAL_BATCH), labels.split(_EVAL_BATCH), strict=True):
            logits = self.model(x).cpu().double()
            loss += F.cross_entropy(logits, y.cpu(), reduction="sum").item()
            right += (logits.argmax(1) == y.cpu()).sum().item()
        return loss / len(labels), right / len(labels)

    def refuse_divergence(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"training {self.config.model} diverged: the loss is {loss} at step {self.step} "
                "with "
                f"lr = {self.config.lr:g} (momentum {self.config.momentum:g}); use a lower lr"
            )

    # What is on disk ------------------------------------------------------------------------------

    def claim_folder(self) -> None:
        """Writes config.json, or ValueError when it is there and says something else."""
        path = self.folder / "config.json"
        if path.is_file():
            try:
                found = io.read_sealed(path)
            except (
                io.DamagedFileError
            ) as error:  # nobody knows what the rest belongs to: start over
                for damaged in (path, self.folder / "losses.csv"):
                    if damaged.is_file():
                        io.set_aside(damaged, str(error))
        if not path.is_file():
            io.write_sealed(path, self.described)
        elif found != self.described:
            differ = [
                key
                for key, value in self.described["config"].items()
                if found["config"].get(key) != value
            ]
            raise ValueError(
                f"{self.folder} holds another run (it differs in "
                f"{', '.join(differ) or 'the data'}): "
                "give another folder, or delete this one"
            )

    def keep_weights(self) -> None:
        name = _weights_name(self.step)
        io.save_arrays(self.folder / name, self.model.state_dict())
        self.weights[name] = io.sha256_file(self.folder / name)

    def save(self) -> None:
        """Puts the state on disk; state.json, written last, is what makes it count."""
        arrays = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for k, state in self.optimizer.state_dict()["state"].items():
            if state.get("momentum_buffer") is not None:
                arrays[f"momentum.{k}"] = state["momentum_buffer"]
        path = self.scratch / f"arrays-{self.step}.safetensors"
        io.save_arrays(path, arrays)
        io.write_sealed(
            self.scratch / "state.json",
            {
                "run": self.described,
                "step": self.step,
                "arrays": path.name,
                "sha256": io.sha256_file(path),
                "weights": self.weights,
                "losses": self.losses,
            },
        )
        for old in self.scratch.glob("arrays-*.safetensors"):
            if old != path:
                old.unlink()

    def restore(self) -> None:
        """Takes up the saved state; a damaged one is set aside, with a warning, and training starts
        over."""
        if not (self.scratch / "state.json").is_file():
            return
        try:
            state = io.read_sealed(self.scratch / "state.json")
            expected = {self.scratch / state["arrays"]: state["sha256"]}
            expected |= {self.folder / name: sha256 for name, sha256 in state["weights"].items()}
            bad = [
                p.name
                for p, sha256 in expected.items()
                if not p.is_file() or io.sha256_file(p) != sha256
            ]
            bad += ["state of another run"] if state["run"] != self.described else []
        except io.DamagedFileError as error:
            bad = [str(error)]
        if bad:
            io.set_aside(self.scratch, f"damaged or missing: {', '.join(bad)}")
            return
        self._take_up(state, io.load_arrays(self.scratch / state["arrays"]))

    def _take_up(self, state: dict[str, Any], arrays: dict[str, torch.Tensor]) -> None:
        self.step, self.losses, self.weights = state["step"], state["losses"], state["weights"]
        self.model.load_state_dict(
            {
                name.removeprefix("model."): value
                for name, value in arrays.items()
                if name.startswith("model.")
            }
        )
        for k, parameter in enumerate(self.model.parameters()):
            if f"momentum.{k}" in arrays:
                buffer = torch.empty_like(parameter, requires_grad=False).copy_(
                    arrays[f"momentum.{k}"]
                )
                self.optimizer.state[parameter]["momentum_buffer"] = buffer

    def finish(self) -> None:
        table = pd.DataFrame(self.losses, columns=_COLUMNS).astype({"step": int})
        io.write_text(self.folder / "losses.csv", table.to_csv(index=False, lineterminator="\n"))
        shutil.rmtree(self.scratch)


def _channel_statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation (C,) float64 over images and pixels, block by block to save
    memory."""
    count = images.numel() // images.shape[1]
    mean = (
        sum(block.sum((0, 2, 3), dtype=torch.float64) for block in images.split(_EVAL_BATCH))
        / count
    )
    centred = (block.double() - mean.view(1, -1, 1, 1) for block in images.split(_EVAL_BATCH))
    variance = sum(block.square().sum((0, 2, 3)) for block in centred) / count
    return mean, variance.sqrt().clamp(
        min=1e-3
    )  # a channel that is constant must not be divided by 0


def _weights_name(step: int) -> str:
    return f"weights-{step}.safetensors"


@contextlib.contextmanager
def _deterministic() -> Iterator[None]:
    """Inside, torch refuses algorithms whose result varies from call to call; outside, all is as it
    was."""
    # cuBLAS is reproducible with a fixed workspace only; it reads this when CUDA is used for the
    # first time.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True)
    try:
        with torch.backends.cudnn.flags(
            enabled=True, benchmark=False, deterministic=True, allow_tf32=False
        ):
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)
