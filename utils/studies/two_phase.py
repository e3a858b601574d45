"""02: the course of training at both ends of the face, on test and training images; its start."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..jobs import Job
from ..jobs.games import CertifiedGames, Splits
from ..params import TwoPhase as Settings
from ..train import Run
from . import networks as games_of
from .base import Analysis, Study, analyses
from .networks import Trained, accuracies, scope

__all__ = ["TwoPhase", "plan", "planned", "studies"]


@dataclasses.dataclass(frozen=True, eq=False)
class TwoPhase(Study[CertifiedGames]):
    """All checkpoints of one system, and ``start``: the first alone, with matched independent noise
    (null ``iid``); runs: the trained networks."""

    start: Study[CertifiedGames] = dataclasses.field(kw_only=True)
    runs: list[Run] = dataclasses.field(kw_only=True)

    @property
    def curves(self) -> dict[str, CertifiedGames]:
        """The games whose course is drawn: both ends of the face, and the other split."""
        return {a.label: e for a, e in self.games.items() if not a.draw}


def studies(p: Settings) -> list[TwoPhase]:
    """A study per system of ``p``; trains, scores and splits what is not there yet."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> TwoPhase:
    found = {
        part: {a: splits.load() for a, splits in by.items()}
        for part, by in planned(p, system).items()
    }
    games, noise = found["course"], found["noise"]
    main = next(iter(games))
    start = {main: games[main].at(0), **found["start"]}
    start = {a: dataclasses.replace(e, nulls={"iid": noise[a]}) for a, e in start.items()}
    common = {
        "systems": (system.of,),
        "seeds": system.seeds,
        "scope": scope(p, system),
        "accuracy": accuracies(system, runs),
        "changed": f"training instead of test {system.of.data.noun}"
        if p.image_split == "train"
        else None,
    }
    return TwoPhase(**common, games=games, start=Study(**common, games=start), runs=runs)


def planned(p: Settings, system: Trained) -> dict[str, dict[Analysis, Splits]]:
    """The course of training, its start (the main one is cut out of the course), and noise matched
    to the start, under every analysis."""
    every = analyses(p, system.of)
    other = "train" if p.image_split == "test" else "test"
    elsewhere = Analysis(every[0].order_weight, split=other, noun=system.of.data.noun)

    def splits(a: Analysis, **what: Any) -> Splits:
        which = {"order_weight": a.order_weight, "draw": a.draw, "split": a.split}
        return games_of.planned(p, system, **which, **what)

    return {
        "course": {a: splits(a) for a in (*every, elsewhere)},
        "start": {a: splits(a, checkpoints=(0,)) for a in every[1:]},
        "noise": {a: splits(a, checkpoints=(0,), null="iid") for a in every},
    }


def plan(p: Settings, system: Trained) -> list[Job]:
    """The splits of one system's study; what they need stands in them."""
    found = planned(p, system)
    return [job for part in found.values() for splits in part.values() for job in splits.jobs]
