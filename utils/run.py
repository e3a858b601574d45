"""Running notebooks: parameters checked before a kernel starts, progress live, no failure spreads
to the next one.

A run leaves, in its place (:mod:`utils.places`), the executed notebooks and a folder per (row,
system) with its verdict; :mod:`utils.site` makes the pages.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import claims, io, kernel, params, paths, places, records, runtime, start
from .places import Place

__all__ = ["Outcome", "run_notebook", "run_profile"]

_PATHS = ("systems", "change")
"""Settings that may name files."""


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended: ``error`` is None, or what went wrong in one line."""

    notebook: str
    path: Path
    seconds: float
    error: str | None


def run_notebook(
    notebook: str | Path, given: Mapping[str, Any], held: contextlib.ExitStack | None = None
) -> Outcome:
    """Execute one notebook with ``given`` over its defaults; an error inside it is reported, not
    raised.

    A second run of it into the same place waits until this one is over, or until ``held`` closes:
    each would remove the other's verdicts. Raises params.ParameterError (or datasets.MissingData)
    before anything starts when something is refused, FileNotFoundError when the notebook is not
    there, KeyboardInterrupt on Ctrl-C (the kernel is stopped; finished jobs are in the cache).
    """
    stem, source, p = _checked(notebook, given)
    settled = p.model_dump(mode="json")  # a user's files by their whole paths
    given = {name: settled[name] if name in _PATHS else value for name, value in given.items()}
    place = places.of(p)
    target = places.executed(place, stem)
    with contextlib.ExitStack() as here:
        (here if held is None else held).enter_context(io.lock(target))
        records.started(place, stem, given)
        places.forget(place, stem)
        begun = time.monotonic()
        error = kernel.execute(source, target, given)
        outcome = Outcome(stem, target, time.monotonic() - begun, error)
        records.add(place, stem, outcome.seconds, outcome.error, given)
        return outcome


def _checked(notebook: str | Path, given: Mapping[str, Any]) -> tuple[str, Path, params.Common]:
    """The notebook's name, file and settings, all of which could begin now."""
    stem = params.notebook_stem(notebook)
    p = params.validate(stem, **given)
    source = paths.NOTEBOOKS / f"{stem}.ipynb"
    if not source.is_file():
        raise FileNotFoundError(f"{source} is missing: `git checkout -- notebooks` restores it")
    start.require(p)
    return stem, source, p


def run_profile(
    profile: str,
    notebooks: Mapping[str, Mapping[str, Any]] | None = None,
    report: Callable[[Place, Sequence[Outcome]], None] | None = None,
) -> list[Outcome]:
    """Run ``notebooks`` (name → parameters; default: all of the profile's) in order, then correct
    the verdicts of each place and ``report`` on it.

    A notebook that fails does not stop the others; one that cannot begin stops all before the first
    begins. ``run.json`` is written after each, so a killed run tells the truth. No other run of
    these notebooks touches their results before the reports are made.
    """
    if notebooks is None:
        plan = params.load_profile(profile)
        notebooks = {name: plan.given(name) for name in plan.notebooks}
    notebooks = {name: {"profile": profile, **given} for name, given in notebooks.items()}
    found = {name: places.of(_checked(name, given)[2]) for name, given in notebooks.items()}
    outcomes = []
    with contextlib.ExitStack() as held:
        for number, (name, given) in enumerate(notebooks.items(), 1):
            print(f"[{number}/{len(notebooks)}] {name} …", flush=True)
            outcomes.append(run_notebook(name, given, held))
            print(f"      {_ended(outcomes[-1])}", flush=True)
        for place in {place.folder: place for place in found.values()}.values():
            mine = [one for one in outcomes if found[one.notebook].folder == place.folder]
            with io.lock(place.folder / places.RUN):
                _finalise(place)
                if report:
                    report(place, mine)
    return outcomes


def _finalise(place: Place) -> None:
    """Correct the verdicts over the systems of a row. The systems of a run of one's own are not
    those that a profile names: each is judged alone. A damaged verdict, of whatever notebook, is
    set aside."""
    for path in place.folder.glob("*/*/verdict.json"):
        try:
            claims.read_verdict(path)
        except ValueError as error:
            io.set_aside(path, str(error).splitlines()[0])
    claims.finalise(place.folder, alone=place.notebook is not None)


def _ended(outcome: Outcome) -> str:
    took = runtime.human_time(outcome.seconds)
    if outcome.error is None:
        return f"done in {took}"
    return f"FAILED after {took}: {outcome.error}\n      see {outcome.path}"
