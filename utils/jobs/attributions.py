"""Where in an image a feature component comes from: path-integrated gradients of its coordinate,
for M11's maps."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import datasets, io, runtime
from ..models.tail import features
from ..players.components import Components
from ..train import Run
from .base import Job, ensure
from .components import PCAJob
from .runs import GamesJob

__all__ = ["Maps", "MapsJob", "path_attributions"]


def path_attributions(
    model: nn.Module,
    layer: str,
    components: Components,
    x: torch.Tensor,
    baseline: torch.Tensor,
    points: int,
) -> torch.Tensor:
    """Share of each pixel in q_i'(f(x) - f(baseline)), the change of component i from its masked
    state: (r, H, W).

    x, baseline (C, H, W). Gradients at ``points`` midpoints of the straight path between the two,
    times the pixel's change, summed over channels; the map sums to the change up to the
    quadrature's error.
    """
    where = (torch.arange(points, dtype=x.dtype, device=x.device) + 0.5) / points
    path = (baseline + where[:, None, None, None] * (x - baseline)).requires_grad_()
    feature, _ = features(model, layer, path)
    total = feature.flatten(1).double().sum(0) @ components.directions.to(x.device).T
    found = [
        torch.autograd.grad(one, path, retain_graph=True)[0].mean(0) * (x - baseline)
        for one in total
    ]
    return torch.stack(found).sum(1).double()


@dataclasses.dataclass(frozen=True)
class Maps:
    """maps (2, X, r, H, W) of the untrained and the trained network; change (2, X, r): what each
    should sum to; images."""

    maps: torch.Tensor
    change: torch.Tensor
    images: torch.Tensor
    labels: torch.Tensor


class MapsJob(Job):
    """Attribution maps of every component for some images, untrained and trained."""

    kind: ClassVar[str] = "maps"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = (
        "utils.jobs.attributions",
        "utils.models.tail",
        "utils.players",
        "utils.jobs.runs",
    )
    sample: GamesJob
    pca: PCAJob
    images: int = Field(ge=1)
    points: int = Field(32, ge=1)

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        components: Components = ensure(self.pca)
        players, labels, _ = self.sample.players()
        device = runtime.device(self.pca.device)
        mean = datasets.load(run.config.dataset, "train").mean.to(device)
        images = torch.stack([one.image for one in players[: self.images]])
        found, change = [], []
        for step in (run.steps[0], run.steps[-1]):
            model = run.model(step).to(device)
            with torch.inference_mode():
                feature, _ = features(
                    model, self.pca.layer, torch.cat([images.to(device), mean[None]])
                )
            coordinates = components.coordinates(feature.flatten(1).cpu())
            change.append(coordinates[:-1] - coordinates[-1])
            found.append(
                torch.stack(
                    [
                        path_attributions(
                            model, self.pca.layer, components, x, mean, self.points
                        ).cpu()
                        for x in images.to(device)
                    ]
                )
            )
        io.save_arrays(
            folder / "maps.safetensors",
            {
                "maps": torch.stack(found),
                "change": torch.stack(change),
                "images": images,
                "labels": labels[: self.images],
            },
        )

    def load(self, folder: Path) -> Maps:
        return Maps(**io.load_arrays(folder / "maps.safetensors"))
