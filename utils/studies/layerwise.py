"""05: probes on every layer, their games, and those of two nulls."""

from __future__ import annotations

import dataclasses

from .. import datasets, runtime
from ..evidence.layerwise import RULE
from ..jobs import Job
from ..jobs import study as games_of
from ..jobs.layered import LayerSplits, Trio
from ..jobs.probed import LayerGamesJob, ProbesJob
from ..jobs.study import System, accuracies, scope
from ..params import Layerwise as Settings
from ..probes import ProbeConfig
from ..train import Run
from .base import Analysis, Study, analyses

__all__ = ["Layerwise", "changed_rule", "layer_splits", "plan", "planned", "studies", "systems"]


@dataclasses.dataclass(frozen=True, eq=False)
class Layerwise(Study[Trio]):
    """The layers of one system's networks and of their nulls.

    table: whether the players are columns of a table, and no patches of images.
    """

    table: bool = dataclasses.field(kw_only=True)


def systems(p: Settings) -> list[System]:
    """The systems that ``p`` names, and an MLP-7 on its table, for L11 and L13."""
    tables = [] if p.dataset == p.tabular else games_of.systems(_of_table(p))
    return [*games_of.systems(p), *tables]


def _of_table(p: Settings) -> Settings:
    """The settings of the table: its columns are the players."""
    if p.dataset == p.tabular:
        return p
    columns = len(datasets.DATASETS[p.tabular].columns)
    changed = {"dataset": p.tabular, "networks": ("mlp7",), "n_players": min(p.n_players, columns)}
    return p.model_copy(update={**changed, "training": {"mlp7": p.tabular_training}})


def studies(p: Settings) -> list[Layerwise]:
    """A study per system of ``p``: what is missing is trained, probed, scored and split."""
    found = systems(p)
    runs = games_of.trained(found)
    return [_study(_of_table(p) if _columns(s) else p, s, runs[s]) for s in found]


def _study(p: Settings, system: System, runs: list[Run]) -> Layerwise:
    games = {a: Trio(*(one.load() for one in three)) for a, three in planned(p, system).items()}
    facts = (system.id, system.name, p.seeds, _scope(p, system), accuracies(runs))
    return Layerwise(*facts, games, table=bool(_columns(system)))


def planned(p: Settings, system: System) -> dict[Analysis, tuple[LayerSplits, ...]]:
    """Under every analysis the trained networks, probes on shuffled labels, untrained networks.

    A table whose columns are all players has no second draw.
    """
    every = [a for a in analyses(p) if not (a.draw and _columns(system) == p.n_players)]

    def three(a: Analysis) -> tuple[LayerSplits, ...]:
        return (
            layer_splits(p, system, a),
            layer_splits(p, system, a, shuffled=True),
            layer_splits(p, system, a, untrained=True),
        )

    return {a: three(a) for a in every}


def layer_splits(
    p: Settings,
    system: System,
    a: Analysis | None = None,
    *,
    shuffled: bool = False,
    untrained: bool = False,
) -> LayerSplits:
    """The probes, games and splits of every layer of ``system``, one per seed.

    a: default the main analysis. shuffled: probes on shuffled labels. untrained: the network as it
    was initialised, with probes of its own.
    """
    a, device = a or analyses(p)[0], str(runtime.device(p.device))
    rate = p.probe_lr[system.jobs[0].config.model]
    probing = ProbeConfig(lr=rate, steps=p.probe_steps, tol=p.probe_tol)
    how = {"step": 0 if untrained else None, "shuffled": shuffled}
    probes = [ProbesJob.of(job, config=probing, device=device, **how) for job in system.jobs]
    games = [
        LayerGamesJob.of(job, p.images, p.n_players, a.draw, device, split=p.image_split)
        for job in probes
    ]
    splits = games_of.planned_splits(p, system.name, games, order_weight=a.order_weight)
    return LayerSplits(tuple(probes), splits)


def _columns(system: System) -> int:
    """Of the table that the networks were trained on; 0: its data are images."""
    return len(datasets.DATASETS[system.jobs[0].config.dataset].columns)


def _scope(p: Settings, system: System) -> str:
    """For what a verdict speaks, with the probes, in a table's own words."""
    text, rate = scope(p, system), p.probe_lr[system.jobs[0].config.model]
    if _columns(system):
        words = {"images": "rows", "patches": "columns", "mean image": "training mean"}
        for image, table in words.items():
            text = text.replace(image, table)
    return (
        f"{text}; probes by {p.probe_steps} steps of SGD (lr {rate:g}, momentum 0.9, "
        "batch 256) on standardised features"
    )


def changed_rule(p: Settings) -> str | None:
    """What makes a row that counts salient interactions another than the registered one, in
    words."""
    return f"salience rule {p.salience} in place of {RULE}" if p.salience != RULE else None


def plan(p: Settings, system: System) -> list[Job]:
    """The jobs of one system's study; what they need stands in them."""
    found = planned(_of_table(p) if _columns(system) else p, system)
    return [job for three in found.values() for one in three for job in one.splits.jobs]
