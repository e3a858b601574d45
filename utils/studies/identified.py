"""08: the same games at both ends of the face, and split by the published optimiser."""

from __future__ import annotations

import dataclasses

import numpy as np

from ..evidence.face import RULE, Face
from ..evidence.published import Ways, optimum_name
from ..jobs import Job, ensure_all
from ..jobs.games import Splits
from ..jobs.identified import ComparedJob
from ..params import Identified as Settings
from ..train import Run
from . import networks as games_of
from .base import Analysis, Study, analyses
from .networks import Trained, accuracies, scope

__all__ = ["Identified", "changed_rule", "loop_cells", "plan", "scope_of_ways", "studies"]


@dataclasses.dataclass(frozen=True, eq=False)
class Identified(Study[Face]):
    """Both ends of one system's face, with a second draw of players; no row asks for accuracy.

    ways: every way of splitting some of the games; test_accuracy: of each network.
    """

    ways: Study[Ways] = dataclasses.field(kw_only=True)
    test_accuracy: list[float] = dataclasses.field(kw_only=True)


def studies(p: Settings) -> list[Identified]:
    """A study per system of ``p``: what is missing is trained, scored and split."""
    systems = games_of.systems(p)
    runs = games_of.trained(systems)
    return [_study(p, s, runs[s]) for s in systems]


def _study(p: Settings, system: Trained, runs: list[Run]) -> Identified:
    weights = _ends(p)
    games = {
        a: Face(*(games_of.loaded(system, end) for end in ends), weights)
        for a, ends in _faces(p, system).items()
    }
    main, face = next(iter(games.items()))
    jobs = _ways(p, system)
    done = ensure_all(jobs.values(), f"ways of splitting {system.name}")
    by, steps = dict(zip(jobs, done, strict=True)), face.low.steps[list(loop_cells(p, system))]
    ways = Ways(by, p.loops, p.kappa, steps)
    facts = ((system.of,), system.seeds)
    return Identified(
        *facts,
        scope(p, system),
        None,
        games=games,
        ways=Study(*facts, scope_of_ways(p, system), None, {main: ways}),
        test_accuracy=accuracies(system, runs),
    )


def _ends(p: Settings) -> tuple[float, float]:
    """Order weights of the low-order and of the high-order end."""
    high, low = sorted(p.order_weights[:2])
    return low, high


def _faces(p: Settings, system: Trained) -> dict[Analysis, tuple[Splits, Splits]]:
    found = {}
    for draw in sorted({a.draw for a in analyses(p, system.of)}):
        low, high = (games_of.planned(p, system, order_weight=w, draw=draw) for w in _ends(p))
        found[Analysis(p.order_weights[0], draw)] = (low, high)
    return found


def scope_of_ways(p: Settings, system: Trained) -> str:
    """For what a verdict on the published optimiser speaks."""
    return (
        f"{scope(p, system)}; of these, {p.loop_images} {system.of.data.noun} at "
        f"{p.loop_checkpoints} checkpoints per network"
    )


def loop_cells(p: Settings, system: Trained) -> tuple[int, ...]:
    """Indices of the checkpoints that the published optimiser splits: the first, the last, and
    others evenly between."""
    cells = np.linspace(0, system.checkpoints - 1, p.loop_checkpoints).round().astype(int)
    return tuple(dict.fromkeys(cells.tolist()))


def _ways(p: Settings, system: Trained) -> dict[str, ComparedJob]:
    """Every way of splitting the same games, by name: certified ones first, then the published
    settings."""
    games = tuple(games_of.games_jobs(p, system))
    common = {
        "games": games,
        "checkpoints": loop_cells(p, system),
        "images": p.loop_images,
        "tol": p.tol,
    }
    jobs = {
        f"certified, order weight {w:+g}": ComparedJob(kappa=p.kappa, order_weight=w, **common)
        for w in p.order_weights
    }
    kappas = {p.kappa, *(loop.kappa for loop in p.loops.values())}
    for kappa in sorted(kappas, key=lambda k: (k != p.kappa, k)):
        jobs[optimum_name(kappa, p.kappa)] = ComparedJob(kappa=kappa, **common)
    for name, loop in p.loops.items():
        jobs[name] = ComparedJob(kappa=loop.kappa, loop=loop, **common)
    return jobs


def changed_rule(p: Settings) -> str | None:
    """What makes a run's O4 another statistic than the registered one, in words; None: nothing."""
    return None if p.salience == RULE else f"salience {p.salience} instead of {RULE}"


def plan(p: Settings, system: Trained) -> list[Job]:
    """The jobs of one system's study."""
    faces = [splits for pair in _faces(p, system).values() for splits in pair]
    return [*(job for splits in faces for job in splits.jobs), *_ways(p, system).values()]
