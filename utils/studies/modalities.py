"""10: one sample of each kind of data, its players, its interactions at both ends of the face."""

from __future__ import annotations

import dataclasses

import torch

from .. import datasets
from ..datasets import Samples
from ..evidence.pictures import Picture, picture
from ..jobs import Job
from ..jobs.games import CertifiedGames, Splits
from ..jobs.scored import choose
from ..params.modalities import Modalities as Settings
from ..players import Players
from ..systems import System, state
from ..train import Run
from . import networks as games_of
from .networks import Trained, accuracies

__all__ = ["EXACT", "Shown", "absent", "plan", "studies", "systems"]

EXACT = "kappa = 0"
"""The split without noise terms, of which D1 speaks."""


@dataclasses.dataclass(frozen=True, eq=False)
class Shown:
    """One sample: what it is, its players, its games at each order weight and without noise terms
    (one network, one checkpoint, one sample), how good the network is."""

    system: System
    name: str
    label: str
    sample: torch.Tensor
    players: Players
    ends: dict[str, CertifiedGames]
    exact: CertifiedGames
    accuracy: float

    @property
    def main(self) -> CertifiedGames:
        """At the first order weight."""
        return next(iter(self.ends.values()))

    def picture(self, strongest: int) -> Picture:
        """What is drawn: the sample, its players, its strongest interactions."""
        return picture(self.system.data, self.players, self.main.merged[0, 0, 0], strongest)


def absent(p: Settings) -> dict[str, str]:
    """Systems that cannot be shown on this machine, and what each needs."""
    states = {system.id: state(system) for system in p.chosen}
    return {name: needs for name, needs in states.items() if needs.startswith("needs ")}


def studies(p: Settings) -> list[Shown]:
    """A sample per system that is there; what is missing is trained, scored and split."""
    found = systems(p)
    runs = games_of.trained(found)
    return [_shown(p, system, runs[system]) for system in found]


def systems(p: Settings) -> list[Trained]:
    """Those of ``p`` that are on this machine."""
    gone = absent(p)
    here = tuple(name for name in p.systems if p.of(name).id not in gone)
    return games_of.systems(p.model_copy(update={"systems": here}))


def _shown(p: Settings, system: Trained, runs: list[Run]) -> Shown:
    of, (job,) = system.of, system.jobs
    data: Samples = datasets.load(of.data, p.image_split)
    n = _players(p, system)
    i = choose(data, p.images, n, of.players, p.skip_images)[p.sample]
    games = {label: _one(splits.load(), p.sample) for label, splits in planned(p, system).items()}
    return Shown(
        of,
        of.name,
        data.classes[int(data.labels[i])] if data.classes else f"{float(data.labels[i]):.4g}",
        data.x[i],
        of.players.players(data, i, n, job.config.told()),
        games,
        games.pop(EXACT),
        accuracies(system, runs)[0],
    )


def _one(games: CertifiedGames, sample: int) -> CertifiedGames:
    """The last checkpoint of one sample."""
    last = games.at(-1)
    parts = ("v", "found", "gap", "converged", "l1", "error")
    return dataclasses.replace(
        last, **{name: getattr(last, name)[:, :, sample : sample + 1] for name in parts}
    )


def _players(p: Settings, system: Trained) -> int:
    """As many as are asked for, or as a sample of the system has."""
    data = datasets.load(system.of.data, p.image_split)
    most = max(system.of.players.possible(data, i) for i in range(min(len(data), 200)))
    return min(p.n_players, most)


def planned(p: Settings, system: Trained) -> dict[str, Splits]:
    """Splits of the last checkpoint at every order weight, and one without noise terms."""
    how = {"n": _players(p, system), "checkpoints": (system.checkpoints - 1,)}
    ends = {
        f"order weight {w:+g}": games_of.planned(p, system, order_weight=w, **how)
        for w in p.order_weights
    }
    return {**ends, EXACT: games_of.planned(p, system, kappa=0.0, **how)}


def plan(p: Settings, system: Trained) -> list[Job]:
    """The splits of one system's sample."""
    return [job for splits in planned(p, system).values() for job in splits.jobs]
