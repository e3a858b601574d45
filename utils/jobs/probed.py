"""Probes on the layers of a trained network, and the games that they play: v of every layer on all
masks."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pydantic
import torch
from torch import nn

from .. import extract, io, runtime
from ..probes import LayerClassifier, LinearProbe, ProbeConfig, features, fit_probe
from .base import Job, ensure
from .scored import Games, GamesJob
from .trained import TrainJob

__all__ = ["OUTPUT", "LayerGamesJob", "Probes", "ProbesJob"]

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


class LayerGamesJob(Job):
    """v(x_T) of some inputs on all masks at every probed layer and, last, at the output layer:
    :class:`Games` whose first axis counts layers (``steps`` are their numbers). One pass of the
    network serves all layers."""

    kind: ClassVar[str] = "layergames"
    version: ClassVar[int] = 1
    probes: ProbesJob
    sample: GamesJob
    rows: int | None = None

    @pydantic.model_validator(mode="after")
    def _one_network(self) -> LayerGamesJob:
        if self.sample.train != self.probes.train:
            raise ValueError("sample: the inputs must be those of the network that was probed")
        return self

    def compute(self, folder: Path) -> None:
        players, labels, ids = self.sample.players()
        device, score = runtime.device(self.sample.device), self.sample.score
        model = self.probes.model().to(device)
        readouts = {layer: probe.to(device) for layer, probe in ensure(self.probes).modules.items()}
        if OUTPUT in readouts:
            raise ValueError(
                f"{OUTPUT!r} is added by itself, as the last layer: leave it out of the layers "
                "to probe"
            )
        readouts[OUTPUT] = nn.Identity()
        found = extract.scores(
            model,
            players,
            labels,
            score=score,
            layers=readouts,
            rows=self.rows,
            device=device,
            progress=True,
        )
        v = torch.stack([found[layer].cpu() for layer in readouts])
        floors = [
            extract.noise_floor(
                LayerClassifier(model, layer, probe),
                players[0].to(device),
                int(labels[0]),
                score=score,
            )
            for layer, probe in readouts.items()
        ]
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "steps": torch.arange(len(readouts)),
                "labels": labels,
                "ids": ids,
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor(floors, dtype=torch.float64),
            },
        )

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))
