"""Drawing a study many times and judging it each time; the counts go to docs/criteria.json.

Scenarios: ``paper`` (the effect E that the paper's figure shows; twice the smallest where none can
be read off), ``half`` (the smallest effect worth the claim) and one or more named ``none…``.
Required of each reading, at every size of study: REPRODUCED under every ``none`` and NOT REPRODUCED
under ``paper`` in no more runs than the 99 % quantile of a binomial with 5 %. Errors are counted
for a system judged alone, which is the worst case of the correction; power within the family of
systems that the profile has.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, get_args

import numpy as np
from pydantic import Field
from scipy import stats as sps

from .. import io, paths
from ..claims import criteria, load
from ..claims.registry import ReadingName
from ..claims.verdict import Part, PartResult
from ..claims.weighing import correct, decide, p_values, weigh
from ..jobs import Job
from ..jobs.code import stripped
from ..jobs.side_by_side import ensure_all

__all__ = [
    "DEFAULT",
    "REFERENCE",
    "RUNS",
    "Counts",
    "PowerJob",
    "Simulation",
    "Sizes",
    "current_hash",
    "simulate",
    "simulations",
    "update",
]

RUNS = 1000
_READINGS = get_args(ReadingName)
_OUTCOMES = ("REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE")
_COMMON = ("utils.stats", "utils.claims.weighing", "utils.power.base")

Counts = dict[str, dict[str, dict[str, int]]]
"""Reading → "alone" or "family" → outcome → number of runs."""


@dataclasses.dataclass(frozen=True)
class Sizes:
    """A size of study: networks per system, units per network, systems in the family of the
    correction."""

    networks: int
    units: int
    systems: int = 2
    unit: str = "images"

    @property
    def words(self) -> str:
        """``5 networks × 40 images``."""
        return f"{self.networks} networks" + (f" × {self.units} {self.unit}" if self.units else "")


DEFAULT = Sizes(5, 40, systems=2)
REFERENCE = Sizes(
    10, 40, systems=4
)  # of the twelve there: a larger family of equal effects changes power little, and costs


@dataclasses.dataclass(frozen=True)
class Simulation:
    """How a row's data look under a scenario, through the row's own statistic.

    draw(scenario, sizes, rng) → the parts of *both* readings, made by the same functions that the
    notebook calls, from an array (networks × units × …) drawn from ``rng``. code: modules whose
    source decides the criterion (the row's statistics); the drawing module and the judge's own are
    added. sizes: by profile, and further ones where power is short.
    """

    row: str
    system: str
    draw: Callable[[str, Sizes, np.random.Generator], Sequence[Part]]
    code: tuple[str, ...]
    sizes: Mapping[str, Sizes] = dataclasses.field(
        default_factory=lambda: {"default": DEFAULT, "reference": REFERENCE}
    )
    nulls: tuple[str, ...] = ("none",)
    runs: int = RUNS

    @property
    def scenarios(self) -> tuple[str, ...]:
        return ("paper", "half", *self.nulls)

    @property
    def modules(self) -> tuple[str, ...]:
        """All modules whose source is part of the criterion."""
        return tuple(sorted({*_COMMON, *self.code, self.draw.__module__}))


@functools.cache
def simulations() -> dict[str, Simulation]:
    """Row → its simulation, from every module of this package that has ``SIMULATIONS``."""
    package = importlib.import_module(__package__)
    found: dict[str, Simulation] = {}
    for module in pkgutil.iter_modules(package.__path__):
        for one in getattr(
            importlib.import_module(f"{__package__}.{module.name}"), "SIMULATIONS", ()
        ):
            if one.row in found:
                raise ValueError(f"row {one.row} is simulated twice")
            found[one.row] = one
    return found


def simulate(one: Simulation, scenario: str, sizes: Sizes, runs: int, seed: int = 0) -> Counts:
    """Judge ``runs`` drawn studies of ``sizes.systems`` systems each; the first system's outcomes
    are counted."""
    registry = load()
    thresholds, protocol = registry.row(one.row).thresholds_for(one.system), registry.protocol
    readings = registry.row(one.row).readings(one.system)
    counts: Counts = {
        r: {how: dict.fromkeys(_OUTCOMES, 0) for how in ("alone", "family")} for r in readings
    }
    streams = np.random.default_rng([seed, *one.row.encode(), *scenario.encode()]).spawn(runs)
    for rng in streams:
        family: dict[ReadingName, dict[int, tuple[float, float]]] = {r: {} for r in readings}
        for system in range(sizes.systems):
            weighed: dict[ReadingName, list[PartResult]] = {r: [] for r in readings}
            for part in one.draw(scenario, sizes, rng):
                if part.name in thresholds:
                    t = thresholds[part.name]
                    weighed[t.reading].append(weigh(part, t, protocol, sizes.networks))
            for reading, parts in weighed.items():
                family[reading][system] = p_values([parts])
        for reading, pairs in family.items():
            counts[reading]["alone"][decide(*pairs[0], protocol.alpha)] += 1
            counts[reading]["family"][decide(*correct(pairs)[0], protocol.alpha)] += 1
    return counts


class PowerJob(Job):
    """The counts of one row, size and scenario; resumed and shared like every job."""

    kind: ClassVar[str] = "power"
    version: ClassVar[int] = 1
    threads: int = Field(1, ge=1)
    row: str
    scenario: str
    networks: int
    units: int
    systems: int
    unit: str
    runs: int
    code_hash: str
    criterion: str

    @property
    def apart(self) -> bool:
        return True

    def compute(self, folder: Path) -> None:
        one = simulations()[self.row]
        sizes = Sizes(self.networks, self.units, self.systems, self.unit)
        io.write_json(folder / "counts.json", simulate(one, self.scenario, sizes, self.runs))

    def load(self, folder: Path) -> Counts:
        return io.read_json(folder / "counts.json")


def current_hash(one: Simulation) -> str:
    """Hash of the syntax of all that decides the criterion: docstrings, comments and layout do not
    count."""
    return io.sha256_bytes("\n".join(_syntax(name) for name in one.modules).encode())


@functools.cache
def _syntax(module: str) -> str:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ImportError(f"a simulation names {module!r}, and there is no such module")
    files = (
        sorted(Path(spec.origin).parent.rglob("*.py"))
        if spec.submodule_search_locations
        else [Path(spec.origin)]
    )
    return "\n".join(_stripped(file) for file in files)


def _stripped(file: Path) -> str:
    """The file's code without docstrings and comments, written in one way."""
    return stripped(file.read_text(encoding="utf-8"))


def _jobs(one: Simulation) -> dict[tuple[str, str], PowerJob]:
    shared = {
        "row": one.row,
        "runs": one.runs,
        "code_hash": current_hash(one),
        "criterion": io.canonical_json(
            {r: criteria.criterion_of(load(), one.row, r) for r in _READINGS}
        ),
    }
    return {
        (size, scenario): PowerJob(
            scenario=scenario,
            networks=s.networks,
            units=s.units,
            systems=s.systems,
            unit=s.unit,
            **shared,
        )
        for size, s in one.sizes.items()
        for scenario in one.scenarios
    }


def update(rows: Sequence[str] = ()) -> Path:
    """Simulate the criteria of ``rows`` (default: all; finished ones are taken from the cache) and
    write the file."""
    known = simulations()
    chosen = list(rows) or list(known)
    plan = {row: _jobs(known[row]) for row in chosen}
    done = iter(
        ensure_all([job for jobs in plan.values() for job in jobs.values()], "simulating criteria")
    )
    found = dict(criteria.entries()) if rows else {}
    for row, jobs in plan.items():
        found[row] = _entry(known[row], {key: next(done) for key in jobs})
    path = paths.ROOT / "docs" / "criteria.json"
    io.write_json(
        path,
        {
            "runs": RUNS,
            "rule": "99 % quantile of Binomial(runs, .05)",
            "rows": {row: found[row] for row in sorted(found)},
        },
    )
    return path


def _entry(
    one: Simulation, counts: Mapping[tuple[str, str], Counts]
) -> dict[str, dict[str, object]]:
    registry = load()
    limit = int(sps.binom.ppf(0.99, one.runs, 0.05))
    entry = {}
    for reading in registry.row(one.row).readings(one.system):
        sizes, wrong = {}, []
        for size, s in one.sizes.items():
            outcomes = {scenario: counts[size, scenario][reading] for scenario in one.scenarios}
            sizes[size] = {
                "words": s.words,
                "networks": s.networks,
                "units": s.units,
                "systems": s.systems,
                "power": outcomes["paper"]["family"]["REPRODUCED"] / one.runs,
                "outcomes": outcomes,
            }
            wrong += [
                f"{s.words}: REPRODUCED in {outcomes[none]['alone']['REPRODUCED']} of {one.runs} "
                f"runs under '{none}'"
                for none in one.nulls
                if outcomes[none]["alone"]["REPRODUCED"] > limit
            ]
            missed = outcomes["paper"]["alone"]["NOT REPRODUCED"]
            wrong += [
                f"{s.words}: NOT REPRODUCED in {missed} of {one.runs} runs with the paper's effect"
            ] * (missed > limit)
        entry[reading] = {
            "criterion": criteria.criterion_of(registry, one.row, reading),
            "hash": current_hash(one),
            "runs": one.runs,
            "limit": limit,
            "sizes": sizes,
            "ok": not wrong,
            "why": "; ".join(wrong),
        }
    return entry
