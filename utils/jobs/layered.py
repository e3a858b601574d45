"""Games of every layer of a network, stacked over seeds, and those of its nulls."""

from __future__ import annotations

import dataclasses

import pandas as pd

from .games import CertifiedGames, Splits
from .probing import OUTPUT, ProbesJob
from .side_by_side import ensure_all

__all__ = ["LayerSplits", "Layered", "Trio"]


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

    def certified(self) -> Layered:
        """The same for statistics of images all of whose layers are certified."""
        return dataclasses.replace(self, e=self.e.certified())


@dataclasses.dataclass(frozen=True)
class LayerSplits:
    """The jobs behind :class:`Layered`: per seed the probes of one network's layers, and the splits
    of the games that they play; nothing is computed yet."""

    probes: tuple[ProbesJob, ...]
    splits: Splits

    def load(self) -> Layered:
        """The games of all layers and how the probes ended; computed where they are missing."""
        made = ensure_all(self.probes, f"probes of {self.splits.name}")
        reports = [
            one.report.assign(seed=job.train.config.seed)
            for job, one in zip(self.probes, made, strict=True)
        ]
        layers = (*self.probes[0].layers, OUTPUT)
        return Layered(self.splits.load(), layers, pd.concat(reports, ignore_index=True))


@dataclasses.dataclass(frozen=True)
class Trio:
    """The layers of one system's trained networks and their nulls: probes on shuffled labels, and
    the untrained networks (N0) with probes of their own."""

    trained: Layered
    shuffled: Layered
    untrained: Layered

    @property
    def nulls(self) -> dict[str, Layered]:
        """The two nulls by what tables and figures call them."""
        return {"shuffled labels": self.shuffled, "untrained": self.untrained}

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance, the largest of the three."""
        return max(x.e.uncertified for x in (self.trained, self.shuffled, self.untrained))

    def certified(self) -> Trio:
        """The same for statistics of images all of whose layers are certified."""
        return Trio(*(x.certified() for x in (self.trained, self.shuffled, self.untrained)))
