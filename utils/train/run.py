"""A finished training run, as it lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from torch import nn

from .. import io, models
from ..models import InputSpec
from .config import TrainConfig

__all__ = ["Run", "load_run", "weights_name"]


@dataclass(frozen=True, eq=False)
class Run:
    """A finished training run.

    steps    the checkpoint steps, first 0, last ``config.steps``
    spec     what the network was built for
    losses   DataFrame: step, train_loss, test_loss (mean cross-entropy in nats; of a regression the
             mean squared error), train_accuracy, test_accuracy (share of right answers; of a
             regression R squared); on the training side against the labels that were given (see
             :func:`given_labels`)
    data     sha256 of the training and the test samples used
    """

    folder: Path
    config: TrainConfig
    spec: InputSpec
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
        model = models.build(self.config.network, self.spec, self.config.width, drawn=False)
        model.load_state_dict(io.load_arrays(self.folder / weights_name(step)))
        return model.eval().requires_grad_(False)

    def last(self) -> nn.Module:
        """The network at its last checkpoint."""
        return self.model(self.steps[-1])

    @property
    def test_accuracy(self) -> float:
        """Share of test samples that are answered rightly at the end; of a regression, R
        squared."""
        return float(self.losses["test_accuracy"].iloc[-1])


def load_run(folder: Path | str, config: TrainConfig | None = None) -> Run:
    """The finished run in ``folder``; FileNotFoundError when there is none or it is not finished.

    config: that of the caller, who knows where a user's file lies by now.
    """
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
        config or TrainConfig(**described["config"]),
        InputSpec(tuple(described["shape"]), described["classes"], described["vocabulary"]),
        tuple(described["steps"]),
        losses,
        described["data"],
    )


def weights_name(step: int) -> str:
    """File of the weights at a checkpoint."""
    return f"weights-{step}.safetensors"
