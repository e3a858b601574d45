"""Linear probes on the layers of a trained network are a job."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import pandas as pd
import torch
from torch import nn

from .. import io, runtime
from ..probes import LinearProbe, ProbeConfig, features, fit_probe
from .base import Job, ensure
from .trained import TrainJob

__all__ = ["OUTPUT", "Probes", "ProbesJob"]

OUTPUT = "output"
"""The layer whose features are the logits: no probe is needed there."""


@dataclasses.dataclass(frozen=True)
class Probes:
    """modules: layer → probe, in the order of the layers; report: one row per layer
    (:class:`utils.probes.ProbeReport`)."""

    modules: dict[str, nn.Module]
    report: pd.DataFrame


class ProbesJob(Job):
    """A linear probe on each of some layers of one trained network, at one checkpoint (None: the
    last).

    shuffled: the labels are permuted first, a null that has the features but not the task. n_train:
    training images of the probes, a class-balanced first part; None: those that the network was
    trained on.
    """

    kind: ClassVar[str] = "probes"
    version: ClassVar[int] = 1
    train: TrainJob
    step: int | None = None
    layers: tuple[str, ...]
    shuffled: bool = False
    n_train: int | None = None
    config: ProbeConfig = ProbeConfig()
    device: str = "cpu"

    @classmethod
    def of(cls, job: TrainJob, layers: tuple[str, ...] | None = None, **rest: object) -> ProbesJob:
        """Probes on ``layers``, default all that the network names (:class:`utils.models.Network`),
        input side first, the output left out."""
        return cls(
            train=job, layers=job.config.network.layers if layers is None else tuple(layers), **rest
        )

    def model(self) -> nn.Module:
        """The frozen network at the checkpoint."""
        run = ensure(self.train)
        return run.model(run.steps[-1] if self.step is None else self.step)

    def compute(self, folder: Path) -> None:
        config = self.train.config
        data = config.data("train", self.n_train or config.n_train)
        labels = data.labels
        if self.shuffled:
            labels = labels[
                torch.randperm(
                    len(labels), generator=torch.Generator().manual_seed(1000 + self.config.seed)
                )
            ]
        device = runtime.device(self.device)
        seen = features(self.model().to(device), data.x, self.layers)
        arrays, rows = {}, []
        words = (
            f"probes on {config.model}, seed "
            f"{config.seed}{', shuffled labels' if self.shuffled else ''}"
        )
        for layer in runtime.progress(self.layers, desc=words, unit="layer"):
            probe, report = fit_probe(
                seen.pop(layer), labels, len(data.classes), self.config, device
            )
            arrays |= {f"{layer}/{name}": value for name, value in probe.state_dict().items()}
            rows.append({"layer": layer, **dataclasses.asdict(report)})
        io.save_arrays(folder / "probes.safetensors", arrays)
        io.write_text(
            folder / "report.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n")
        )

    def load(self, folder: Path) -> Probes:
        arrays = io.load_arrays(folder / "probes.safetensors")
        modules: dict[str, nn.Module] = {}
        for layer in self.layers:
            state = {
                name: arrays[f"{layer}/{name}"]
                for name in ("mean", "scale", "linear.weight", "linear.bias")
            }
            classes, inputs = state["linear.weight"].shape
            probe = LinearProbe(inputs, classes)
            probe.load_state_dict(state)
            modules[layer] = probe.eval().requires_grad_(False)
        return Probes(modules, pd.read_csv(folder / "report.csv"))
