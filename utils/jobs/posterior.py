"""F1: the posterior of a Bayesian network beside the training of a standard one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from .. import bayesian, io, runtime, train
from .base import Job, ensure
from .trained import TrainJob

__all__ = ["DRAWS", "Bayes", "BayesianTrainJob"]

DRAWS = 20
_BATCH = 100


@dataclasses.dataclass(frozen=True)
class Bayes:
    """A trained posterior and the test accuracy of the mean probability of its fixed draws."""

    posterior: bayesian.MeanField
    accuracy: float


class BayesianTrainJob(Job):
    """The mean-field posterior of the network that ``standard`` trains: same layers, initial means,
    images and steps."""

    kind: ClassVar[str] = "bayesian"
    version: ClassVar[int] = 1
    standard: TrainJob
    prior_sd: float = Field(bayesian.PRIOR_SD, gt=0)
    lr: float = Field(1e-3, gt=0)
    draws: int = Field(DRAWS, ge=2)

    @property
    def apart(self) -> bool:
        return self.standard.apart

    def _start(self) -> tuple[train.Run, torch.nn.Module]:
        run: train.Run = ensure(self.standard)
        return run, run.model(0)

    def compute(self, folder: Path) -> None:
        run, network = self._start()
        config = run.config
        data, test = config.told(), config.data("test", config.n_test)
        device = runtime.device(config.device)
        images, (labels, _) = data.x.to(device), train.given_labels(config)

        def batch_of(step: int) -> torch.Tensor:
            epoch, position = divmod(step, len(labels) // config.batch)
            shuffled = np.random.default_rng([config.seed, epoch]).permutation(len(labels))
            return torch.from_numpy(
                shuffled[position * config.batch : (position + 1) * config.batch]
            ).to(device)

        posterior = bayesian.fit_posterior(
            network.to(device),
            images,
            labels.to(device),
            batch_of,
            steps=config.steps,
            lr=self.lr,
            seed=config.seed,
            prior_sd=self.prior_sd,
        ).cpu()
        with torch.inference_mode():
            probability = sum(
                torch.cat([model(part).softmax(1) for part in test.x.split(_BATCH)])
                for model in posterior.draw(self.draws, config.seed)
            )
        io.save_arrays(
            folder / "posterior.safetensors",
            {name: x.detach() for name, x in posterior.state_dict().items()},
        )
        io.write_json(
            folder / "accuracy.json",
            {"test": float((probability.argmax(1) == test.labels).double().mean())},
        )

    def load(self, folder: Path) -> Bayes:
        posterior = bayesian.MeanField(self._start()[1])
        posterior.load_state_dict(io.load_arrays(folder / "posterior.safetensors"))
        return Bayes(posterior, io.read_json(folder / "accuracy.json")["test"])
