"""Games between feature components: features once per sample, one PCA for all of training, then the
tail network alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import extract, io, runtime
from ..datasets import Samples
from ..models.tail import features, tail
from ..players.components import Components, FeatureComponents, principal_components
from ..train import Run
from .base import Job, ensure
from .scored import Games, GamesJob, save_games
from .trained import TrainJob

__all__ = [
    "Accuracies",
    "AccuracyJob",
    "Basis",
    "ComponentGames",
    "ComponentGamesJob",
    "Features",
    "FeaturesJob",
    "LastGamesJob",
    "PCAJob",
    "check_tail",
    "features_of",
]

_BATCH = 100


def features_of(
    model: nn.Module, layer: str, images: torch.Tensor, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Features (N, *feature shape) at ``layer`` and logits (N, K), on the CPU, by batches of one
    size."""
    with torch.inference_mode():
        pieces = [
            tuple(x.cpu() for x in features(model, layer, part.to(device)))
            for part in images.split(_BATCH)
        ]
    found = tuple(torch.cat(parts).clone() for parts in zip(*pieces, strict=True))
    return found[0], found[1]


def check_tail(rest: nn.Module, feature: torch.Tensor, logits: torch.Tensor) -> None:
    """ArithmeticError unless the tail makes of whole features what the whole network makes of their
    samples."""
    with torch.inference_mode():
        off = float((rest(feature).cpu() - logits.cpu()).abs().max())
    if off > 1e-4 * max(1.0, float(logits.abs().max())):
        raise ArithmeticError(
            f"the network cut at its layer differs from the whole one by {off:.2g} in a logit: "
            "this is a "
            "bug, no game on its features may be believed"
        )


@dataclasses.dataclass(frozen=True)
class Features:
    """features (C, X, *shape) and logits (C, X, K) of X images, baseline (C, *shape) of the mean
    image; labels, ids (X,)."""

    features: torch.Tensor
    logits: torch.Tensor
    baseline: torch.Tensor
    steps: torch.Tensor
    labels: torch.Tensor
    ids: torch.Tensor


class FeaturesJob(Job):
    """One trunk pass per image and checkpoint: the feature at ``layer`` of the images that
    ``sample`` explains."""

    kind: ClassVar[str] = "features"
    version: ClassVar[int] = 1
    sample: GamesJob
    layer: str

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        device = runtime.device(self.sample.device)
        players, labels, ids = self.sample.players()
        images = torch.stack([p.whole for p in players] + [self.baseline()])
        found, answers = [], []
        for step in run.steps:
            model = run.model(step).to(device)
            feature, logits = features_of(model, self.layer, images, device)
            check_tail(tail(model, self.layer), feature.to(device), logits)
            found.append(feature)
            answers.append(logits[:-1])
        both = torch.stack(found)
        io.save_arrays(
            folder / "features.safetensors",
            {
                "features": both[:, :-1],
                "baseline": both[:, -1],
                "logits": torch.stack(answers),
                "steps": torch.tensor(run.steps),
                "labels": labels,
                "ids": ids,
            },
        )

    def baseline(self) -> torch.Tensor:
        """The input whose components stand for masked ones: the mean of the training samples."""
        return self.sample.train.config.data("train").mean

    def load(self, folder: Path) -> Features:
        return Features(**io.load_arrays(folder / "features.safetensors"))


class PCAJob(Job):
    """One PCA over the features of ``images`` training images, pooled over checkpoints (all, or the
    named ones)."""

    kind: ClassVar[str] = "pca"
    version: ClassVar[int] = 1
    train: TrainJob
    layer: str
    images: int = Field(ge=1)
    r: int = Field(ge=1)
    checkpoints: tuple[int, ...] | None = None
    device: str = "cpu"

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.train)
        device = runtime.device(self.device)
        images = self.train.config.data("train", self.images).x
        steps = run.steps if self.checkpoints is None else [run.steps[c] for c in self.checkpoints]
        pooled = [
            features_of(run.model(step).to(device), self.layer, images, device)[0].flatten(1)
            for step in runtime.progress(
                steps,
                desc=f"features of {run.config.model}, seed {run.config.seed}",
                unit="checkpoint",
            )
        ]
        found = principal_components(torch.cat(pooled), self.r)
        io.save_arrays(
            folder / "pca.safetensors",
            {
                "mean": found.mean,
                "directions": found.directions,
                "eigenvalues": found.eigenvalues,
                "total": torch.tensor([found.total], dtype=torch.float64),
                "rank": torch.tensor([found.rank]),
            },
        )

    def load(self, folder: Path) -> Components:
        got = io.load_arrays(folder / "pca.safetensors")
        return Components(
            got["mean"],
            got["directions"],
            got["eigenvalues"],
            float(got["total"]),
            int(got["rank"]),
        )


@dataclasses.dataclass(frozen=True)
class ComponentGames(Games):
    """As :class:`utils.jobs.scored.Games`, with ``whole`` (C, X): the score g(f) of the whole
    feature, ε included."""

    whole: torch.Tensor


class ComponentGamesJob(Job):
    """g(f_L) on all 2^r masks of r components, at all checkpoints: the tail network on masked
    features, no trunk pass."""

    kind: ClassVar[str] = "component-games"
    version: ClassVar[int] = 1
    features: FeaturesJob
    pca: PCAJob

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.pca.train)
        components: Components = ensure(self.pca)
        stored: Features = ensure(self.features)
        device = runtime.device(self.pca.device)
        games, floors = [], []
        for c, step in enumerate(
            runtime.progress(
                run.steps, desc=f"scoring components, seed {run.config.seed}", unit="checkpoint"
            )
        ):
            rest = tail(run.model(step).to(device), self.pca.layer)
            players = [
                FeatureComponents(f, stored.baseline[c], components) for f in stored.features[c]
            ]
            how = {"score": self.features.sample.score}
            games.append(
                extract.scores(
                    rest, players, stored.labels, device=device, **how, path="auto"
                ).cpu()
            )
            floors.append(
                extract.noise_floor(rest, players[0].to(device), int(stored.labels[0]), **how)
            )
        whole = [
            extract.score_of(logits, stored.labels, self.features.sample.score)
            for logits in stored.logits
        ]
        save_games(
            folder,
            torch.stack(games),
            stored.steps,
            floors,
            whole=torch.stack(whole),
            labels=stored.labels,
            ids=stored.ids,
        )

    def load(self, folder: Path) -> ComponentGames:
        return ComponentGames(**io.load_arrays(folder / "games.safetensors"))


class LastGamesJob(GamesJob):
    """:class:`utils.jobs.scored.GamesJob` at the last checkpoint only."""

    kind: ClassVar[str] = "last-games"

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.train)
        players, labels, ids = self.players()
        device = runtime.device(self.device)
        model = run.model(run.steps[-1]).to(device)
        v = extract.scores(
            model, players, labels, score=self.score, rows=self.rows, device=device, path="auto"
        ).cpu()[None]
        floor = extract.noise_floor(model, players[0].to(device), int(labels[0]), score=self.score)
        save_games(folder, v, run.steps[-1:], [floor], labels=labels, ids=ids)


@dataclasses.dataclass(frozen=True)
class Accuracies:
    """Test accuracy (of a regression R squared) with the whole feature, r principal components, r
    random directions: (2,) each, before and after."""

    whole: torch.Tensor
    components: torch.Tensor
    random: torch.Tensor
    images: int


class AccuracyJob(Job):
    """What is left of the test accuracy when the feature is replaced by its components, untrained
    and trained."""

    kind: ClassVar[str] = "component-accuracy"
    version: ClassVar[int] = 1
    pca: PCAJob
    images: int = Field(ge=1)

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.pca.train)
        components: Components = ensure(self.pca)
        device = runtime.device(self.pca.device)
        config = self.pca.train.config
        data = config.data("test", min(self.images, len(config.data("test"))))
        draw = torch.randn(
            components.directions.T.shape,
            generator=torch.Generator().manual_seed(run.config.seed),
            dtype=torch.float64,
        )
        random = dataclasses.replace(components, directions=torch.linalg.qr(draw).Q.T)
        found: dict[str, list[float]] = {"whole": [], "components": [], "random": []}
        for step in (run.steps[0], run.steps[-1]):
            model = run.model(step).to(device)
            feature, _ = features_of(model, self.pca.layer, data.x, device)
            rest, flat = tail(model, self.pca.layer), feature.flatten(1)
            for name, x in (
                ("whole", flat),
                ("components", components.rebuilt(flat)),
                ("random", random.rebuilt(flat)),
            ):
                found[name].append(_quality(rest, x.float().view(feature.shape), data, device))
        io.save_arrays(
            folder / "accuracy.safetensors",
            {
                **{
                    name: torch.tensor(values, dtype=torch.float64)
                    for name, values in found.items()
                },
                "images": torch.tensor([len(data)]),
            },
        )

    def load(self, folder: Path) -> Accuracies:
        got = io.load_arrays(folder / "accuracy.safetensors")
        return Accuracies(got["whole"], got["components"], got["random"], int(got["images"]))


def _quality(rest: nn.Module, x: torch.Tensor, data: Samples, device: torch.device) -> float:
    """Share of right answers to features ``x``; of a regression, R squared."""
    with torch.inference_mode():
        answers = torch.cat([rest(part.to(device)).cpu() for part in x.split(_BATCH)])
    if data.classes:
        return float((answers.argmax(1) == data.labels).double().mean())
    wrong = (answers.flatten().double() - data.labels.double()).square().mean()
    return float(1 - wrong / data.labels.double().var(correction=0))


@dataclasses.dataclass(frozen=True, eq=False)
class Basis:
    """The principal components of R networks' features, and what they hold.

    pooled: over all of training, those that are players; start: of the untrained networks;
    accuracies: with the components in place of the feature; each per seed.
    """

    pooled: list[Components]
    start: list[Components]
    accuracies: list[Accuracies]

    @property
    def r(self) -> int:
        """How many components there are."""
        return len(self.pooled[0].directions)
