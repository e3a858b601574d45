"""06, L5 and L9: every two networks, read at a layer each."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import get_args

from .. import claims, runtime
from ..evidence.overlap import Kind, Pair
from ..jobs import Job
from ..jobs.games import CertifiedGames, Splits
from ..jobs.probed import OUTPUT, LayerGamesJob, ProbesJob
from ..jobs.trained import TrainJob
from ..params import Agreement as Settings
from ..probes import ProbeConfig
from . import networks as games_of
from .base import Analysis, Study, analyses
from .networks import Trained

__all__ = ["AtLayers", "at_layers", "changed", "layer_names", "pairs", "probes"]


@dataclasses.dataclass(frozen=True, eq=False)
class AtLayers:
    """One system's networks, read at ``layers``, the judged one first: games under every
    analysis."""

    of: Trained
    accuracy: list[float]
    layers: list[str]
    games: dict[Analysis, CertifiedGames]

    @property
    def id(self) -> str:
        """network/data."""
        return self.of.id

    @property
    def name(self) -> str:
        """The network in print."""
        return self.of.name

    @property
    def measure(self) -> str:
        """What ``accuracy`` is."""
        return self.of.of.measure

    def why_not(self, row: str) -> str | None:
        """Why ``row`` is not judged on these networks; None where it is."""
        return claims.why_not(row, self.of.of)

    @property
    def main(self) -> CertifiedGames:
        """The games of the main analysis."""
        return next(iter(self.games.values()))


def layer_names(system: Trained) -> list[str]:
    """The layer that is judged and, where this is another one, the output layer as a control."""
    return list(dict.fromkeys([system.of.read_at or OUTPUT, OUTPUT]))


def probes(p: Settings, system: Trained, job: TrainJob) -> ProbesJob | None:
    """The probe on the judged layer of one network; None where this is the output."""
    layer = layer_names(system)[0]
    if layer == OUTPUT:
        return None
    device = str(runtime.device(p.device))
    return ProbesJob(
        train=job, layers=(layer,), config=system.of.probes or ProbeConfig(), device=device
    )


def at_layers(p: Settings, system: Trained) -> dict[Analysis, Splits]:
    """L5, L9: p.pair_images samples of p.image_split at :func:`layer_names`, after training: (R, L,
    X, 2^n)."""
    at_output = layer_names(system)[0] == OUTPUT
    last = (system.jobs[0].config.checkpoints - 1,) if at_output else None
    found = {}
    for a in analyses(p, system.of):
        jobs = _layer_games(p, system, a.draw)
        how = {"order_weight": a.order_weight, "checkpoints": last}
        found[a] = games_of.planned_splits(p, system, jobs, **how)
    return found


def _layer_games(p: Settings, system: Trained, draw: int) -> list[Job]:
    samples = games_of.games_jobs(p, system, draw, images=p.pair_images)
    found: list[Job] = []
    for sample in samples:
        probe = probes(p, system, sample.train)
        found.append(
            sample
            if probe is None
            else LayerGamesJob(probes=probe, sample=sample, rows=p.micro_batch)
        )
    return found


def pairs(p: Settings, found: Sequence[AtLayers]) -> list[dict[Kind, Study[Pair]]]:
    """Every two systems on the same data with as many networks, in their order, by kind of
    interaction."""
    return [
        {kind: _pair(p, a, b, kind) for kind in get_args(Kind)}
        for a, b in itertools.combinations(found, 2)
        if a.of.of.data == b.of.of.data and a.of.seeds == b.of.seeds
    ]


def _pair(p: Settings, a: AtLayers, b: AtLayers, kind: Kind) -> Study[Pair]:
    both = {analysis for analysis in a.games if analysis in b.games}
    found = Study(
        (a.of.of, b.of.of),
        a.of.seeds,
        "not said yet",
        [min(two) for two in zip(a.accuracy, b.accuracy, strict=True)],
        {
            analysis: Pair(e, b.games[analysis], kind, p.salience)
            for analysis, e in a.games.items()
            if analysis in both
        },
        changed(p, "salience", "image_split"),
    )
    return dataclasses.replace(found, scope=_pair_scope(p, found.id, a, b))


def _pair_scope(p: Settings, name: str, a: AtLayers, b: AtLayers) -> str:
    layers = " and ".join(f"{s.layers[0]} of {s.of.name}" for s in (a, b))
    return (
        f"{len(a.of.seeds)} pairs of networks {name} (seeds "
        f"{', '.join(map(str, a.of.seeds))}), read at {layers}; "
        f"{games_of.sampled(p, a.of, p.pair_images)}; kappa {p.kappa:g}"
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
