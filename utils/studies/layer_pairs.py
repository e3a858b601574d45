"""06, L5 and L9: every two networks, read at a layer each."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import get_args

from .. import runtime
from ..evidence.overlap import Kind, Pair
from ..jobs import Job
from ..jobs import study as games_of
from ..jobs.games import CertifiedGames, Splits
from ..jobs.probed import OUTPUT, LayerGamesJob, ProbesJob, layers_of
from ..jobs.runs import GamesJob, TrainJob
from ..jobs.study import System
from ..params import Agreement as Settings
from .base import Analysis, Study, analyses

__all__ = ["AtLayers", "at_layers", "changed", "layer_names", "pairs", "probes"]


@dataclasses.dataclass(frozen=True, eq=False)
class AtLayers:
    """One system's networks, read at ``layers``, the judged one first: games under every
    analysis."""

    id: str
    name: str
    accuracy: list[float]
    layers: list[str]
    games: dict[Analysis, CertifiedGames]

    @property
    def main(self) -> CertifiedGames:
        """The games of the main analysis."""
        return next(iter(self.games.values()))


def layer_names(p: Settings, system: System) -> list[str]:
    """The layer that is judged and, where this is another one, the output layer as a control."""
    config = system.jobs[0].config
    layer = p.layers[config.model]
    known = (*layers_of(system.jobs[0]), OUTPUT)
    if layer not in known:
        raise ValueError(
            f"layers: {config.model} has no layer {layer!r}; there are: {', '.join(known)}"
        )
    return list(dict.fromkeys([layer, OUTPUT]))


def probes(p: Settings, system: System, job: TrainJob) -> ProbesJob | None:
    """The probe on the judged layer of one network; None where this is the output."""
    layer = layer_names(p, system)[0]
    return (
        None
        if layer == OUTPUT
        else ProbesJob(train=job, layers=(layer,), device=str(runtime.device(p.device)))
    )


def at_layers(p: Settings, system: System) -> dict[Analysis, Splits]:
    """L5, L9: p.pair_images images of p.image_split at :func:`layer_names`, after training: (R, L,
    X, 2^n)."""
    at_output = layer_names(p, system)[0] == OUTPUT
    last = (system.jobs[0].config.checkpoints - 1,) if at_output else None
    found = {}
    for a in analyses(p):
        jobs = [_layer_games(p, system, job, a.draw) for job in system.jobs]
        how = {"order_weight": a.order_weight, "checkpoints": last}
        found[a] = games_of.planned_splits(p, system.name, jobs, **how)
    return found


def _layer_games(p: Settings, system: System, job: TrainJob, draw: int) -> Job:
    probe = probes(p, system, job)
    which = (p.pair_images, p.n_players, draw, str(runtime.device(p.device)))
    if probe is None:
        return GamesJob.of(job, *which, split=p.image_split)
    return LayerGamesJob.of(probe, *which, split=p.image_split)


def pairs(p: Settings, found: Sequence[AtLayers]) -> list[dict[Kind, Study[Pair]]]:
    """Every two systems, in their order, by kind of interaction; accuracy: the lower one of each
    seed's two networks, since both must have learnt the task."""
    return [
        {kind: _pair(p, a, b, kind) for kind in get_args(Kind)}
        for a, b in itertools.combinations(found, 2)
    ]


def _pair(p: Settings, a: AtLayers, b: AtLayers, kind: Kind) -> Study[Pair]:
    (one, data), (other, _) = (s.id.split("/", 1) for s in (a, b))
    name = f"{one}+{other}/{data}"
    return Study(
        name,
        f"{a.name} and {b.name}",
        p.seeds,
        _pair_scope(p, name, a, b),
        [min(both) for both in zip(a.accuracy, b.accuracy, strict=True)],
        {analysis: Pair(e, b.games[analysis], kind, p.salience) for analysis, e in a.games.items()},
        changed(p, "salience", "image_split"),
    )


def _pair_scope(p: Settings, name: str, a: AtLayers, b: AtLayers) -> str:
    layers = " and ".join(f"{s.layers[0]} of {s.name}" for s in (a, b))
    images = "training" if p.image_split == "train" else p.image_split
    return (
        f"{len(p.seeds)} pairs of networks {name} (seeds "
        f"{', '.join(map(str, p.seeds))}), read at {layers}; "
        f"{p.pair_images} {images} images, {p.n_players} patches each, baseline: "
        "mean image; "
        f"kappa {p.kappa:g}"
    )


def changed(p: Settings, *names: str) -> str | None:
    """Which of the parameters ``names``, parts of a registered statistic, differ from the
    registered values."""
    fields = type(p).model_fields
    found = [
        f"{name} {getattr(p, name)} instead of {fields[name].default}"
        for name in names
        if getattr(p, name) != fields[name].default
    ]
    return "; ".join(found) or None
