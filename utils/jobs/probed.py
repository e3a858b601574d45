"""The games that the layers of a network play, read out by probes: v of every layer on all
masks."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pydantic
import torch
from torch import nn

from .. import extract, io, runtime
from .base import Job, ensure
from .probing import OUTPUT, Probes, ProbesJob
from .scored import Games, GamesJob, save_games

__all__ = ["OUTPUT", "LayerGamesJob", "Probes", "ProbesJob"]


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
            path="auto",
        )
        v = torch.stack([found[layer].cpu() for layer in readouts])
        floors = extract.noise_floor(
            model, players[0].to(device), int(labels[0]), readouts, score=score
        )
        floors = [floors[layer] for layer in readouts]
        save_games(folder, v, torch.arange(len(readouts)), floors, labels=labels, ids=ids)

    def load(self, folder: Path) -> Games:
        return Games(**io.load_arrays(folder / "games.safetensors"))
