"""Training a network is a job: its weights at log-spaced steps and its losses."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from .. import datasets, runtime, train
from .base import MANY_STEPS, Job

__all__ = ["TrainJob"]


class TrainJob(Job):
    """One network trained from one seed, or given by others, with its weights at log-spaced steps
    and its losses.

    data_sha256: of the training and of the test samples; pretrained: of the weights that it begins
    with, where it begins with any that are not in the package (:class:`utils.models.Network`).
    """

    kind: ClassVar[str] = "train"
    version: ClassVar[int] = 1
    config: train.TrainConfig
    data_sha256: tuple[str, str]
    pretrained: str | None = None

    @classmethod
    def of(cls, config: train.TrainConfig) -> TrainJob:
        """The job for ``config``, bound to the checksums of the data found on this machine, and of
        the weights it begins with."""
        train_sha256, test_sha256 = (
            datasets.digest(config.source, split) for split in ("train", "test")
        )
        which = config.network.pretrained
        return cls(
            config=config,
            data_sha256=(train_sha256, test_sha256),
            pretrained=None if which is None else which(),
        )

    @property
    def apart(self) -> bool:
        return self.config.steps >= MANY_STEPS and runtime.device(self.config.device).type == "cpu"

    def compute(self, folder: Path) -> None:
        train.fit(self.config, folder, self.threads)

    def load(self, folder: Path) -> train.Run:
        return train.load_run(folder, self.config)
