"""Where in a sample a feature component comes from, for M11's maps: path-integrated gradients of
its coordinate; of sentences, whose tokens have no path between them, Shapley values."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import io, runtime
from ..datasets import Kind
from ..metrics.attribution import shapley
from ..models.tail import features
from ..players.components import Components
from ..train import Run
from .base import Job, ensure
from .components import PCAJob, features_of
from .scored import GamesJob

__all__ = ["Maps", "MapsJob", "PointMapsJob", "WordMapsJob", "path_attributions"]


def path_attributions(
    model: nn.Module,
    layer: str,
    components: Components,
    x: torch.Tensor,
    baseline: torch.Tensor,
    points: int,
) -> torch.Tensor:
    """Share of each number of x in q_i'(f(x) - f(baseline)), the change of component i from its
    masked state: (r, *shape).

    x, baseline (*shape). Gradients at ``points`` midpoints of the straight path between the two,
    times the number's change; a map sums to the change up to the quadrature's error.
    """
    where = (torch.arange(points, dtype=x.dtype, device=x.device) + 0.5) / points
    path = (baseline + where.view(-1, *[1] * x.ndim) * (x - baseline)).requires_grad_()
    feature, _ = features(model, layer, path)
    total = feature.flatten(1).double().sum(0) @ components.directions.to(x.device).T
    found = [
        torch.autograd.grad(one, path, retain_graph=True)[0].mean(0) * (x - baseline)
        for one in total
    ]
    return torch.stack(found).double()


@dataclasses.dataclass(frozen=True)
class Maps:
    """maps (2, X, r, *places) of the untrained and the trained network; change (2, X, r): what each
    should sum to; images (X, *shape): the samples.

    kind: of the samples, which says what the places are: pixels (H, W), channels summed; the words
    that are players (n,), described in ``words`` per sample; coordinates of points (points, 3).
    """

    maps: torch.Tensor
    change: torch.Tensor
    images: torch.Tensor
    labels: torch.Tensor
    kind: Kind = "image"
    words: tuple[tuple[str, ...], ...] = ()


class MapsJob(Job):
    """Attribution maps of every component for some samples, untrained and trained: of images, over
    the path from the mean image."""

    kind: ClassVar[str] = "maps"
    version: ClassVar[int] = 1
    of: ClassVar[Kind] = "image"
    sample: GamesJob
    pca: PCAJob
    images: int = Field(ge=1)
    points: int = Field(32, ge=1)

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        components: Components = ensure(self.pca)
        players, labels, _ = self.sample.players()
        device = runtime.device(self.pca.device)
        mean = run.config.data("train").mean.to(device)
        images = torch.stack([one.whole for one in players[: self.images]])
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
                        self.places(
                            path_attributions(
                                model, self.pca.layer, components, x, mean, self.points
                            )
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

    def places(self, found: torch.Tensor) -> torch.Tensor:
        """What is kept of a sample's attributions (r, C, H, W): channels summed, (r, H, W)."""
        return found.sum(1)

    def load(self, folder: Path) -> Maps:
        return Maps(**io.load_arrays(folder / "maps.safetensors"), kind=self.of)


class PointMapsJob(MapsJob):
    """The same of clouds of points (points, 3), over the path from the mean cloud; every coordinate
    of a point keeps its own share."""

    kind: ClassVar[str] = "point-maps"
    version: ClassVar[int] = 1
    of: ClassVar[Kind] = "points"

    def places(self, found: torch.Tensor) -> torch.Tensor:
        return found


class WordMapsJob(MapsJob):
    """The same of sentences: the Shapley values of the players' words in the game whose score is
    the component's coordinate q_i'(f(x_S) - mean).

    They sum to the change from the sentence with all of its players masked, exactly. ``points``
    plays no part.
    """

    kind: ClassVar[str] = "word-maps"
    version: ClassVar[int] = 1
    of: ClassVar[Kind] = "text"

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        components: Components = ensure(self.pca)
        players, labels, _ = self.sample.players()
        device = runtime.device(self.pca.device)
        subsets = torch.arange(1 << self.sample.n)
        found, change = [], []
        for step in (run.steps[0], run.steps[-1]):
            model = run.model(step).to(device)
            games = torch.stack(
                [
                    components.coordinates(
                        features_of(model, self.pca.layer, one.masked(subsets), device)[0].flatten(
                            1
                        )
                    ).T
                    for one in players[: self.images]
                ]
            )
            found.append(shapley(games))
            change.append(games[..., -1] - games[..., 0])
        io.save_arrays(
            folder / "maps.safetensors",
            {
                "maps": torch.stack(found),
                "change": torch.stack(change),
                "images": torch.stack([one.whole for one in players[: self.images]]),
                "labels": labels[: self.images],
            },
        )

    def load(self, folder: Path) -> Maps:
        players, _, _ = self.sample.players()
        words = tuple(
            tuple(one.describe(i) for i in range(one.n)) for one in players[: self.images]
        )
        return dataclasses.replace(super().load(folder), words=words)
