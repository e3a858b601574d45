"""04: the jobs behind the games between feature components of one system."""

from __future__ import annotations

import dataclasses
from typing import Any

from .. import claims, runtime
from ..jobs import Job
from ..jobs.attributions import MapsJob, PointMapsJob, WordMapsJob
from ..jobs.components import (
    AccuracyJob,
    ComponentGamesJob,
    FeaturesJob,
    LastGamesJob,
    PCAJob,
)
from ..jobs.games import Splits
from ..jobs.scored import GamesJob
from ..jobs.token_components import TokenFeaturesJob
from ..params import FiveGroups as Settings
from ..players import PatchDraw
from . import networks as games_of
from .base import Analysis
from .networks import Trained

__all__ = ["PAPER_DRAW", "ComponentJobs", "component_jobs"]

# A cell's mean is never below 0, so a negative threshold admits every cell.
PAPER_DRAW = PatchDraw(cell=4, region="foreground", threshold=-1.0)
"""M4: the paper's raw variables, cells of 4x4 pixels drawn out of all of the image's (7x7 or 8x8),
background included."""


_MAPS: dict[str, type[MapsJob]] = {
    "image": MapsJob,
    "text": WordMapsJob,
    "points": PointMapsJob,
}
"""M11: where components come from, by the kind of the data."""


@dataclasses.dataclass(frozen=True)
class ComponentJobs:
    """The jobs of one system's study, one per seed but for ``maps`` (of the first); nothing is
    computed yet.

    ends: the splits of the component games at every end of the face; splits: further ones, by what
    they are.
    """

    pca: list[PCAJob]
    start: list[PCAJob]
    games: list[ComponentGamesJob]
    rebuilt: list[AccuracyJob]
    maps: MapsJob | None
    ends: dict[Analysis, Splits]
    splits: dict[str, Splits]

    @property
    def all(self) -> list[Job]:
        """Those that no other of them needs."""
        splits = [*self.ends.values(), *self.splits.values()]
        maps = [] if self.maps is None else [self.maps]
        return [*self.start, *self.rebuilt, *maps, *(job for one in splits for job in one.jobs)]


def component_jobs(p: Settings, system: Trained) -> ComponentJobs:
    """What ``p`` asks for of one system."""
    device, layer = str(runtime.device(p.device)), system.of.half_depth
    how = {"layer": layer, "images": p.pca_images, "r": p.n_players, "device": device}
    pca = [PCAJob(train=job, **how) for job in system.jobs]
    sample = games_of.games_jobs(p, system)
    trunk = TokenFeaturesJob if system.of.kind == "text" else FeaturesJob
    games = [
        ComponentGamesJob(features=trunk(sample=images, layer=layer), pca=found)
        for images, found in zip(sample, pca, strict=True)
    ]

    def splits(**how: Any) -> Splits:
        return games_of.planned_splits(p, system, games, name=f"components of {system.name}", **how)

    ends = (0, p.checkpoints - 1)
    return ComponentJobs(
        pca,
        [job.model_copy(update={"checkpoints": (0,)}) for job in pca],
        games,
        [AccuracyJob(pca=job, images=p.test_images) for job in pca],
        None
        if claims.why_not("M11", system.of)
        else _MAPS[system.of.kind](sample=sample[0], pca=pca[0], images=p.map_images),
        {Analysis(w): splits(order_weight=w) for w in p.order_weights},
        {
            "exact": splits(kappa=0.0, checkpoints=ends),
            "noise": splits(null="iid", checkpoints=ends[1:]),
            **_patches(p, system),
        },
    )


def _patches(p: Settings, system: Trained) -> dict[str, Splits]:
    """M4, where samples are images: as many patches as components, and the paper's number."""
    if claims.why_not("M4", system.of) is not None:
        return {}
    ends = (0, p.checkpoints - 1)
    found = {"raw": games_of.planned(p, system, checkpoints=ends)}
    if p.second_draw:
        found["redrawn"] = games_of.planned(p, system, draw=1, checkpoints=ends)
    jobs = [_paper_patches(p, sample) for sample in games_of.games_jobs(p, system)]
    words = f"{p.paper_patches} patches of {system.name}"
    return {**found, "paper": games_of.planned_splits(p, system, jobs, name=words)}


def _paper_patches(p: Settings, sample: GamesJob) -> LastGamesJob:
    fields = {name: getattr(sample, name) for name in GamesJob.model_fields}
    return LastGamesJob(**{**fields, "n": p.paper_patches, "how": PAPER_DRAW})
