"""From the parameters of the layerwise study to its arrays: the interactions of every layer,
stacked over seeds."""

from __future__ import annotations

import dataclasses

import pandas as pd

from .. import datasets, runtime
from ..params.layerwise import Layerwise
from ..probes import ProbeConfig
from .games import CertifiedGames
from .probed import OUTPUT, LayerGamesJob, ProbesJob
from .side_by_side import ensure_all
from .study import System, accuracies, split_games

__all__ = ["Analyses", "Layered", "Trio", "analyses", "layered", "tabular"]


@dataclasses.dataclass(frozen=True)
class Layered:
    """Interactions of every layer of one system: the checkpoint axis of ``e`` counts the layers,
    the output layer last.

    layers: their names; reports: of every probe (seed, layer, loss, accuracy, decrease, converged,
    steps).
    """

    e: CertifiedGames
    layers: tuple[str, ...]
    reports: pd.DataFrame

    @property
    def probed(self) -> tuple[str, ...]:
        """The layers without the output layer, which is drawn but stands outside of every statistic
        over layers."""
        return self.layers[:-1]


def tabular(p: Layerwise) -> Layerwise:
    """The same study on the table: an MLP-7 with settings of its own, whose players are the
    columns."""
    columns = len(datasets.DATASETS[p.tabular].columns)
    return p.model_copy(
        update={
            "dataset": p.tabular,
            "networks": ("mlp7",),
            "n_players": min(p.n_players, columns),
            "training": {**p.training, "mlp7": p.tabular_training},
        }
    )


def layered(
    p: Layerwise,
    system: System,
    *,
    order_weight: float | None = None,
    draw: int = 0,
    shuffled: bool = False,
    untrained: bool = False,
) -> Layered:
    """Probe, score and split every layer of ``system``, stacked over its seeds.

    order_weight: default the first of p.order_weights. draw: which draw of players. shuffled:
    probes on shuffled labels. untrained: the network as it was initialised, with probes of its own.
    """
    config, device = system.jobs[0].config, str(runtime.device(p.device))
    probing = ProbeConfig(lr=p.probe_lr[config.model], steps=p.probe_steps, tol=p.probe_tol)
    probes = [
        ProbesJob.of(
            job, step=0 if untrained else None, shuffled=shuffled, config=probing, device=device
        )
        for job in system.jobs
    ]
    reports = [
        made.report.assign(seed=seed)
        for seed, made in zip(p.seeds, ensure_all(probes, f"probes of {system.name}"), strict=True)
    ]
    layers = (*probes[0].layers, OUTPUT)
    games = [
        LayerGamesJob.of(job, p.images, p.n_players, draw, device, split=p.image_split)
        for job in probes
    ]
    e = split_games(p, system.name, games, order_weight=order_weight)
    return Layered(e, layers, pd.concat(reports, ignore_index=True))


@dataclasses.dataclass(frozen=True)
class Trio:
    """One analysis of a system and its nulls: probes on shuffled labels, and the untrained network
    (N0) with own probes."""

    main: Layered
    shuffled: Layered
    untrained: Layered


@dataclasses.dataclass(frozen=True)
class Analyses:
    """All that the rows of one system rest on.

    trio; orders: name → the same at the other order weights; second: name → with a second draw of
    players; accuracies: test accuracy per seed.
    """

    trio: Trio
    orders: dict[str, Trio]
    second: dict[str, Trio]
    accuracies: list[float]

    @property
    def main(self) -> Layered:
        return self.trio.main

    @property
    def shuffled(self) -> Layered:
        return self.trio.shuffled

    @property
    def untrained(self) -> Layered:
        return self.trio.untrained


def analyses(p: Layerwise, system: System) -> Analyses:
    """Every analysis of one system. A table whose columns are all players has no second draw."""

    def trio(**how: float | int) -> Trio:
        return Trio(
            layered(p, system, **how),
            layered(p, system, shuffled=True, **how),
            layered(p, system, untrained=True, **how),
        )

    columns = len(datasets.DATASETS[p.dataset].columns)
    second = p.second_draw and columns != p.n_players
    return Analyses(
        trio=trio(),
        orders={f"order weight {w:+g}": trio(order_weight=w) for w in p.order_weights[1:]},
        second={"second draw of players": trio(draw=1)} if second else {},
        accuracies=accuracies(system.runs()),
    )
