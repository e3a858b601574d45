"""One plain training loop: losses often, weights at log-spaced steps, the same bits again, also
after a kill.

Plain SGD on the cross-entropy, a constant learning rate, no augmentation, no schedule, no early
stopping: the papers ask how interactions change while a network learns *and over-fits*, so nothing
may stand in the way of either. A system may ask for AdamW, and of a regression the squared error is
minimised. The training settings of the papers are not published; whoever picks some does it by the
loss curves alone.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from .. import io, models, paths, runtime
from ..datasets import MissingData, Samples
from ..models import InputSpec
from .config import TrainConfig, Weights
from .labels import given_labels
from .run import Run, load_run, weights_name

__all__ = ["DivergedError", "fit"]

_COLUMNS = ("step", "train_loss", "test_loss", "train_accuracy", "test_accuracy")
# fixed, so that a loss has the same bits whatever the memory; features of 100 images fit a CPU
# cache
_EVAL_BATCH = 100
_SAVE_SECONDS = (
    20.0  # at most this much work is lost to a kill; when it is saved does not change the bits
)


class DivergedError(ArithmeticError):
    """The training loss became NaN or infinite."""


def fit(config: TrainConfig, folder: Path | str, threads: int = 1) -> Run:
    """Trains as ``config`` says into ``folder``; goes on where a killed call stopped; returns at
    once when done.

    Writes ``weights-<step>.safetensors`` per checkpoint, ``losses.csv`` (last) and ``config.json``.
    The bits are the same for the same config, threads, versions and CPU model, on any number of
    cores, with or without kills between. threads: small networks gain little from more than one,
    and seeds are trained side by side.

    DivergedError when a loss is not finite; ValueError when the folder holds another run; errors of
    ``datasets.load``.
    """
    folder = Path(folder)
    with _deterministic(), runtime.fixed_threads(threads):
        trainer = _Trainer(config, folder)
        trainer.claim_folder()
        if not (folder / "losses.csv").is_file():
            trainer.run()
    return load_run(folder, config)


class _Trainer:
    """The loop's state: network, optimiser, step, the losses so far, the checksums of the weights
    kept so far."""

    def __init__(self, config: TrainConfig, folder: Path) -> None:
        self.config, self.folder, self.scratch = config, folder, folder / ".state"
        self.device = runtime.device(config.device)
        train, test = config.told(), config.data("test", config.n_test)
        if len(train) < config.batch:
            raise ValueError(
                f"batch = {config.batch} is more than the {len(train)} {train.source.noun} of "
                f"{config.dataset}"
            )
        self.classes = len(train.classes)
        self.spec = InputSpec(train.shape, self.classes, len(train.about.vocabulary))
        self.described = {
            "config": config.model_dump(),
            "shape": list(train.shape),
            "classes": self.classes,
            "vocabulary": self.spec.vocabulary,
            "steps": config.checkpoint_steps,
            "data": {"train": train.sha256, "test": test.sha256},
        }
        given, _ = given_labels(config)
        measured = config.data("train", config.loss_images) if config.loss_images else train
        # The training loss is that of the labels the network is told, on the part of its samples
        # that is measured.
        told = given[torch.isin(train.ids, measured.ids)]
        self.train, self.test = self._on_device(train, given), self._on_device(test, test.labels)
        self.measured = self._on_device(measured, told)
        self.model = self._fresh_model(train)
        self.optimizer = self._fresh_optimizer()
        self.step, self.epoch = 0, -1
        self.losses: list[list[float]] = []
        self.weights: dict[str, str] = {}

    def _on_device(self, part: Samples, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return part.x.to(self.device), labels.to(self.device)

    def _fresh_model(self, train: Samples) -> nn.Module:
        mean, std = _statistics(train)
        config = self.config
        model = models.build(
            config.network, self.spec._replace(mean=mean, std=std), config.width, config.seed
        )
        if config.weights is not None:
            _take(model, config.weights)
        # Channels last is the order in which CPUs and tensor cores convolve fastest; weights are
        # saved as usual.
        return model.to(self.device, memory_format=torch.channels_last).train()

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        config, parameters = self.config, self.model.parameters()
        if config.optimizer == "adamw":
            return torch.optim.AdamW(parameters, lr=config.lr, weight_decay=config.weight_decay)
        return torch.optim.SGD(
            parameters, lr=config.lr, momentum=config.momentum, weight_decay=config.weight_decay
        )

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
        x, labels = self.train
        chosen = self.batch_of(self.step)
        self.optimizer.zero_grad()
        loss = self.loss(self.model(x[chosen]), labels[chosen])
        self.refuse_divergence(loss.item())
        loss.backward()
        self.optimizer.step()
        self.step += 1

    def loss(
        self, answers: torch.Tensor, labels: torch.Tensor, reduction: str = "mean"
    ) -> torch.Tensor:
        """Cross-entropy of logits (N, classes), or the squared error of predictions (N, 1)."""
        if self.classes:
            return F.cross_entropy(answers, labels, reduction=reduction)
        return F.mse_loss(answers[:, 0], labels.to(answers), reduction=reduction)

    def batch_of(self, step: int) -> torch.Tensor:
        """Positions (batch,) of the samples of a step: a part of the epoch's permutation, whatever
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
    def loss_and_accuracy(self, x: torch.Tensor, labels: torch.Tensor) -> tuple[float, float]:
        """Mean loss and share of right answers, or R squared of a regression."""
        loss = right = 0.0
        for part, y in zip(x.split(_EVAL_BATCH), labels.split(_EVAL_BATCH), strict=True):
            answers = self.model(part).cpu().double()
            loss += self.loss(answers, y.cpu(), "sum").item()
            right += (answers.argmax(1) == y.cpu()).sum().item()
        if self.classes:
            return loss / len(labels), right / len(labels)
        spread = labels.double().var(correction=0).item()
        return loss / len(labels), 1 - loss / len(labels) / spread

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
        name = weights_name(self.step)
        io.save_arrays(self.folder / name, self.model.state_dict())
        self.weights[name] = io.sha256_file(self.folder / name)

    def save(self) -> None:
        """Puts the state on disk; state.json, written last, is what makes it count."""
        arrays = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        for k, state in self.optimizer.state_dict()["state"].items():
            found = {name: value for name, value in state.items() if value is not None}
            arrays |= {f"optimizer.{k}.{name}": value for name, value in found.items()}
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
            prefix = f"optimizer.{k}."
            for name, value in arrays.items():
                if name.startswith(prefix):
                    like = parameter if value.shape == parameter.shape else value
                    self.optimizer.state[parameter][name.removeprefix(prefix)] = torch.empty_like(
                        like, dtype=value.dtype, requires_grad=False
                    ).copy_(value)

    def finish(self) -> None:
        table = pd.DataFrame(self.losses, columns=_COLUMNS).astype({"step": int})
        io.write_text(self.folder / "losses.csv", table.to_csv(index=False, lineterminator="\n"))
        shutil.rmtree(self.scratch)


def _statistics(train: Samples) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Mean and standard deviation, float64, per channel of images (C,) or column of a table
    (columns,); none of other samples, which networks take as they are.

    Block by block to save memory.
    """
    if train.kind not in ("image", "table"):
        return None, None
    over = (0, *range(2, train.x.ndim))
    count = train.x.numel() // train.x.shape[1]
    blocks = train.x.split(_EVAL_BATCH)
    mean = sum(block.sum(over, dtype=torch.float64) for block in blocks) / count
    like = mean.view(1, -1, *(1 for _ in over[1:]))
    variance = sum((block.double() - like).square().sum(over) for block in blocks) / count
    # a channel that is constant must not be divided by 0
    return mean, variance.sqrt().clamp(min=1e-3)


def _take(model: nn.Module, weights: Weights) -> None:
    """Put given weights into ``model``: MissingData, ValueError for another file or other names."""
    path = paths.data_cache() / weights.path
    if not path.is_file():
        raise MissingData(f"{path} is not there: weights of {weights.source}")
    if io.sha256_file(path) != weights.sha256:
        raise ValueError(f"{path} is not the file whose sha256 the system names")
    try:
        model.load_state_dict(io.load_arrays(path))
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit {type(model).__name__}: {error}") from error


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
