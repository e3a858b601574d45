"""Games between feature components: features once per sample, one PCA for all of training, then the
tail network alone."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn

from .. import datasets, extract, io, runtime
from ..models.tail import features, tail
from ..params import FiveGroups
from ..players import PatchDraw
from ..players.components import Components, FeatureComponents, principal_components
from ..train import Run
from .base import Job, ensure
from .games import CertifiedGames
from .runs import Games, GamesJob, TrainJob
from .side_by_side import ensure_all
from .study import System, certified_games, split_games

__all__ = [
    "Accuracies",
    "AccuracyJob",
    "Analysis",
    "ComponentGames",
    "ComponentGamesJob",
    "Features",
    "FeaturesJob",
    "LastGamesJob",
    "PCAJob",
    "analyse",
    "check_tail",
    "features_of",
]

_BATCH = 100
_CODE = ("utils.models.tail", "utils.players.components", "utils.jobs.components")


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
    code: ClassVar[tuple[str, ...]] = (*_CODE, "utils.jobs.runs", "utils.players.images")
    sample: GamesJob
    layer: str

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        device = runtime.device(self.sample.device)
        players, labels, ids = self.sample.players()
        images = torch.stack(
            [p.image for p in players] + [datasets.load(run.config.dataset, "train").mean]
        )
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

    def load(self, folder: Path) -> Features:
        return Features(**io.load_arrays(folder / "features.safetensors"))


class PCAJob(Job):
    """One PCA over the features of ``images`` training images, pooled over checkpoints (all, or the
    named ones)."""

    kind: ClassVar[str] = "pca"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = _CODE
    train: TrainJob
    layer: str
    images: int = Field(ge=1)
    r: int = Field(ge=1)
    checkpoints: tuple[int, ...] | None = None
    device: str = "cpu"

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.train)
        device = runtime.device(self.device)
        images = datasets.load(run.config.dataset, "train", self.images).images
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
    """As :class:`utils.jobs.runs.Games`, with ``whole`` (C, X): the score g(f) of the whole
    feature, ε included."""

    whole: torch.Tensor


class ComponentGamesJob(Job):
    """g(f_L) on all 2^r masks of r components, at all checkpoints: the tail network on masked
    features, no trunk pass."""

    kind: ClassVar[str] = "component-games"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = (*_CODE, "utils.extract")
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
            games.append(extract.scores(rest, players, stored.labels, device=device).cpu())
            floors.append(extract.noise_floor(rest, players[0].to(device), int(stored.labels[0])))
        v = torch.stack(games)
        whole = torch.stack([extract.score_of(logits, stored.labels) for logits in stored.logits])
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "whole": whole,
                "steps": stored.steps,
                "labels": stored.labels,
                "ids": stored.ids,
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor(floors, dtype=torch.float64),
            },
        )

    def load(self, folder: Path) -> ComponentGames:
        return ComponentGames(**io.load_arrays(folder / "games.safetensors"))


class LastGamesJob(GamesJob):
    """:class:`utils.jobs.runs.GamesJob` at the last checkpoint only."""

    kind: ClassVar[str] = "last-games"
    code: ClassVar[tuple[str, ...]] = (
        "utils.extract",
        "utils.players",
        "utils.jobs.runs",
        "utils.jobs.components",
    )

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.train)
        players, labels, ids = self.players()
        device = runtime.device(self.device)
        model = run.model(run.steps[-1]).to(device)
        v = extract.scores(
            model, players, labels, score=self.score, rows=self.rows, device=device
        ).cpu()[None]
        floor = extract.noise_floor(model, players[0].to(device), int(labels[0]), score=self.score)
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "steps": torch.tensor(run.steps[-1:]),
                "labels": labels,
                "ids": ids,
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor([floor], dtype=torch.float64),
            },
        )


@dataclasses.dataclass(frozen=True)
class Accuracies:
    """Test accuracy with the whole feature, r principal components, r random directions: (2,) each,
    before and after."""

    whole: torch.Tensor
    components: torch.Tensor
    random: torch.Tensor
    images: int


class AccuracyJob(Job):
    """What is left of the test accuracy when the feature is replaced by its components, untrained
    and trained."""

    kind: ClassVar[str] = "component-accuracy"
    version: ClassVar[int] = 1
    code: ClassVar[tuple[str, ...]] = _CODE
    pca: PCAJob
    images: int = Field(ge=1)

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.pca.train)
        components: Components = ensure(self.pca)
        device = runtime.device(self.pca.device)
        data = datasets.load(run.config.dataset, "test")
        data = datasets.load(run.config.dataset, "test", min(self.images, len(data)))
        draw = torch.randn(
            components.directions.T.shape,
            generator=torch.Generator().manual_seed(run.config.seed),
            dtype=torch.float64,
        )
        random = dataclasses.replace(components, directions=torch.linalg.qr(draw).Q.T)
        found: dict[str, list[float]] = {"whole": [], "components": [], "random": []}
        for step in (run.steps[0], run.steps[-1]):
            model = run.model(step).to(device)
            feature, _ = features_of(model, self.pca.layer, data.images, device)
            rest, flat = tail(model, self.pca.layer), feature.flatten(1)
            for name, x in (
                ("whole", flat),
                ("components", components.rebuilt(flat)),
                ("random", random.rebuilt(flat)),
            ):
                found[name].append(
                    _accuracy(rest, x.float().view(feature.shape), data.labels, device)
                )
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


def _accuracy(
    rest: nn.Module, x: torch.Tensor, labels: torch.Tensor, device: torch.device
) -> float:
    with torch.inference_mode():
        answers = torch.cat([rest(part.to(device)).argmax(1).cpu() for part in x.split(_BATCH)])
    return float((answers == labels).double().mean())


@dataclasses.dataclass(frozen=True)
class Analysis:
    """All that is computed for one system, a network per seed.

    main, other: interactions of the component games at all checkpoints, at the first and the second
    order weight. ends, exact: those of the first and the last checkpoint as in main, and without
    noise terms. noise: independent noise (N2) matched to the last checkpoint. raw: as many raw
    patches, first and last checkpoint; draws: other draws of patches; paper: the paper's patches,
    last checkpoint. pca, start: the pooled PCA and that of the untrained network, per seed.
    """

    system: System
    layer: str
    runs: list[Run]
    main: CertifiedGames
    others: dict[str, CertifiedGames]
    ends: CertifiedGames
    exact: CertifiedGames
    noise: CertifiedGames
    raw: CertifiedGames
    draws: dict[str, CertifiedGames]
    paper: CertifiedGames
    pca: list[Components]
    start: list[Components]
    games: list[ComponentGames]
    accuracy: list[Accuracies]
    features: list[Features]


def analyse(p: FiveGroups, system: System) -> Analysis:
    """Train, take apart, score and split what ``p`` asks for of one system (or load it).

    Errors: ValueError for a layer that the network lacks (listing its layers) or more components
    than the features span.
    """
    device, layer = str(runtime.device(p.device)), p.layers[system.jobs[0].config.model]
    ends = (0, p.checkpoints - 1)
    runs = system.runs()
    pca = [
        PCAJob(train=job, layer=layer, images=p.pca_images, r=p.n_players, device=device)
        for job in system.jobs
    ]
    sample = [
        GamesJob.of(job, p.images, p.n_players, device=device, split=p.image_split)
        for job in system.jobs
    ]
    stored = [FeaturesJob(sample=job, layer=layer) for job in sample]
    features_found = ensure_all(stored, f"features of {system.name}")
    components = ensure_all(pca, f"components of {system.name}")
    jobs = [ComponentGamesJob(features=f, pca=c) for f, c in zip(stored, pca, strict=True)]
    name = f"components of {system.name}"
    main = split_games(p, name, jobs)
    return Analysis(
        system,
        layer,
        runs,
        main,
        {
            f"order weight {w:+g}": split_games(p, name, jobs, order_weight=w)
            for w in p.order_weights[1:]
        },
        main.at(*ends),
        split_games(p, name, jobs, kappa=0.0, checkpoints=ends),
        split_games(p, name, jobs, null="iid", checkpoints=ends[1:]),
        certified_games(p, system, checkpoints=ends),
        {"second draw of patches": certified_games(p, system, draw=1, checkpoints=ends)}
        if p.second_draw
        else {},
        split_games(
            p,
            f"{p.paper_patches} patches of {system.name}",
            [_paper_patches(p, job, device) for job in system.jobs],
        ),
        components,
        ensure_all(
            [job.model_copy(update={"checkpoints": (0,)}) for job in pca],
            f"untrained {system.name}",
        ),
        ensure_all(jobs, f"scores of {name}"),
        ensure_all(
            [AccuracyJob(pca=job, images=p.test_images) for job in pca],
            f"accuracies of {system.name}",
        ),
        features_found,
    )


def _paper_patches(p: FiveGroups, job: TrainJob, device: str) -> LastGamesJob:
    """The paper's raw variables: cells of 4x4 pixels drawn out of all of the image's (7x7 or 8x8),
    background included."""
    whole = LastGamesJob.of(job, p.images, p.paper_patches, device=device, split=p.image_split)
    # A cell's mean is never below 0, so a negative threshold admits every cell.
    anywhere = PatchDraw(cell=4, region="foreground", threshold=-1.0)
    return whole.model_copy(update={"how": whole.how.model_validate(dataclasses.asdict(anywhere))})
