"""02: the course of training at both ends of the face, on test and training images; its start."""

from __future__ import annotations

import dataclasses

from ..jobs import study as games_of
from ..jobs.games import CertifiedGames
from ..jobs.study import System, accuracies, scope
from ..params import TwoPhase as Settings
from ..train import Run
from .base import Analysis, Study, analyses

__all__ = ["TwoPhase", "studies"]


@dataclasses.dataclass(frozen=True, eq=False)
class TwoPhase(Study[CertifiedGames]):
    """All checkpoints of one system, and ``start``: the first alone, with matched independent noise
    (null ``iid``); runs: the trained networks."""

    start: Study[CertifiedGames] = dataclasses.field(kw_only=True)
    runs: list[Run] = dataclasses.field(kw_only=True)

    @property
    def curves(self) -> dict[str, CertifiedGames]:
        """The games whose course is drawn: both ends of the face, and the other images."""
        return {a.label: e for a, e in self.games.items() if not a.draw}


def studies(p: Settings) -> list[TwoPhase]:
    """A study per system of ``p``; trains, scores and splits what is not there yet."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: System, runs: list[Run]) -> TwoPhase:
    every = analyses(p)
    other = "train" if p.image_split == "test" else "test"
    common = {
        "id": system.id,
        "name": system.name,
        "seeds": p.seeds,
        "scope": scope(p, system),
        "accuracy": accuracies(runs),
        "changed": "training instead of test images" if p.image_split == "train" else None,
    }
    games = {
        a: _games(p, system, a) for a in (*every, Analysis(every[0].order_weight, split=other))
    }
    start = {a: _start(p, system, a, games[every[0]] if a == every[0] else None) for a in every}
    return TwoPhase(**common, games=games, start=Study(**common, games=start), runs=runs)


def _games(p: Settings, system: System, a: Analysis, **what: object) -> CertifiedGames:
    return games_of.certified_games(
        p, system, order_weight=a.order_weight, draw=a.draw, split=a.split, **what
    )


def _start(
    p: Settings, system: System, a: Analysis, course: CertifiedGames | None
) -> CertifiedGames:
    """The untrained networks' games, out of the whole ``course`` where there is one, and noise."""
    found = course.at(0) if course else _games(p, system, a, checkpoints=(0,))
    noise = _games(p, system, a, checkpoints=(0,), null="iid")
    return dataclasses.replace(found, nulls={"iid": noise})
