"""05: probes on every layer, their games, and those of two nulls."""

from __future__ import annotations

from .. import runtime
from ..evidence.layerwise import RULE
from ..jobs import Job
from ..jobs.layered import LayerSplits, Trio
from ..jobs.probed import LayerGamesJob, ProbesJob
from ..params import Layerwise as Settings
from ..probes import ProbeConfig
from ..train import Run
from . import networks as games_of
from .base import Analysis, Study, analyses
from .networks import Trained, accuracies, scope

__all__ = ["changed_rule", "layer_splits", "plan", "planned", "studies"]


def studies(p: Settings) -> list[Study[Trio]]:
    """A study per system of ``p``: what is missing is trained, probed, scored and split."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> Study[Trio]:
    games = {a: Trio(*(one.load() for one in three)) for a, three in planned(p, system).items()}
    return Study((system.of,), system.seeds, _scope(p, system), accuracies(system, runs), games)


def planned(p: Settings, system: Trained) -> dict[Analysis, tuple[LayerSplits, ...]]:
    """Under every analysis the trained networks, probes on shuffled labels, untrained networks."""

    def three(a: Analysis) -> tuple[LayerSplits, ...]:
        return (
            layer_splits(p, system, a),
            layer_splits(p, system, a, shuffled=True),
            layer_splits(p, system, a, untrained=True),
        )

    return {a: three(a) for a in analyses(p, system.of)}


def layer_splits(
    p: Settings,
    system: Trained,
    a: Analysis | None = None,
    *,
    shuffled: bool = False,
    untrained: bool = False,
) -> LayerSplits:
    """The probes, games and splits of every layer of ``system``, one per seed.

    a: default the main analysis. shuffled: probes on shuffled labels. untrained: the network as it
    was initialised, with probes of its own.
    """
    a, device = a or analyses(p, system.of)[0], str(runtime.device(p.device))
    how = {"step": 0 if untrained else None, "shuffled": shuffled, "device": device}
    probes = [ProbesJob.of(job, config=_probing(p, system), **how) for job in system.jobs]
    games = [
        LayerGamesJob(probes=one, sample=sample, rows=p.micro_batch)
        for one, sample in zip(probes, games_of.games_jobs(p, system, a.draw), strict=True)
    ]
    splits = games_of.planned_splits(p, system, games, order_weight=a.order_weight)
    return LayerSplits(tuple(probes), splits)


def _probing(p: Settings, system: Trained) -> ProbeConfig:
    """The system's own rate, with the steps and the tolerance of the run."""
    changed = {"steps": p.probe_steps, "tol": p.probe_tol}
    return (system.of.probes or ProbeConfig()).model_copy(update=changed)


def _scope(p: Settings, system: Trained) -> str:
    """For what a verdict speaks, with the probes."""
    how = _probing(p, system)
    return (
        f"{scope(p, system)}; probes by {how.steps} steps of SGD (lr {how.lr:g}, momentum "
        f"{how.momentum:g}, batch {how.batch}) on standardised features"
    )


def changed_rule(p: Settings) -> str | None:
    """What makes a row that counts salient interactions another than the registered one, in
    words."""
    return f"salience rule {p.salience} in place of {RULE}" if p.salience != RULE else None


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study; what they need stands in them."""
    found = planned(p, system)
    return [job for three in found.values() for one in three for job in one.splits.jobs]
