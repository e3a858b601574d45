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

    data_sha256: of the training and of the test samples.
    """

    kind: ClassVar[str] = "train"
    version: ClassVar[int] = 1
    config: train.TrainConfig
    data_sha256: tuple[str, str]

    @classmethod
    def of(cls, config: train.TrainConfig) -> TrainJob:
        """The job for ``config``, bound to the checksums of the data found on this machine."""
        train_sha256, test_sha256 = (
            datasets.digest(config.source, split) for split in ("train", "test")
        )
        return cls(config=config, data_sha256=(train_sha256, test_sha256))

    @property
    def apart(self) -> bool:
        return self.config.steps >= MANY_STEPS and runtime.device(self.config.device).type == "cpu"

    def compute(self, folder: Path) -> None:
        train.fit(self.config, folder, self.threads)

    def load(self, folder: Path) -> train.Run:
        return train.load_run(folder, self.config)
