"""Running notebooks: parameters checked before a kernel starts, their jobs computed side by side
first, then the notebooks themselves; no failure spreads to the next one.

A run leaves, in its place (:mod:`utils.places`), the executed notebooks and a folder per (row,
system) with its verdict; :mod:`utils.site` makes the pages.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from . import claims, io, kernel, params, paths, places, records, runtime, start
from .jobs import schedule
from .jobs.plan import Node
from .places import Place
from .studies import planning

__all__ = ["Outcome", "plan", "run_notebook", "run_profile", "settings_of"]

_PATHS = ("systems", "change")
"""Settings that may name files."""
_RESULTS = threading.Lock()
"""Held while old verdicts go and while pages are made of those that are there: notebooks run beside
each other."""
_KERNEL_BYTES = 4_000_000_000
"""Memory of a notebook of the default profile."""


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended: ``error`` is None, or what went wrong in one line."""

    notebook: str
    path: Path
    seconds: float
    error: str | None


def run_notebook(notebook: str | Path, given: Mapping[str, Any], held: bool = False) -> Outcome:
    """Execute one notebook with ``given`` over its defaults; an error inside it is reported, not
    raised.

    A second run of it into the same place waits until this one is over: each would remove the
    other's verdicts (held: the caller has that lock). Raises params.ParameterError (or
    datasets.MissingData) before anything starts when something is refused, FileNotFoundError when
    the notebook is not there, KeyboardInterrupt on Ctrl-C (the kernel is stopped; finished jobs are
    in the cache).
    """
    stem, source, p = _checked(notebook, given)
    settled = p.model_dump(mode="json")  # a user's files by their whole paths
    given = {name: settled[name] if name in _PATHS else value for name, value in given.items()}
    place = places.of(p)
    target = places.executed(place, stem)
    with contextlib.nullcontext() if held else io.lock(target):
        with _RESULTS:
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


def _given(
    profile: str, notebooks: Mapping[str, Mapping[str, Any]] | None
) -> dict[str, dict[str, Any]]:
    if notebooks is None:
        whole = params.load_profile(profile)
        notebooks = {name: whole.given(name) for name in whole.notebooks}
    return {name: {"profile": profile, **given} for name, given in notebooks.items()}


def settings_of(
    profile: str, notebooks: Mapping[str, Mapping[str, Any]] | None
) -> dict[str, params.Common]:
    """The settings of each notebook, all of which could begin now (see :func:`run_profile`)."""
    return {name: _checked(name, one)[2] for name, one in _given(profile, notebooks).items()}


def plan(found: Mapping[str, params.Common]) -> dict[str, list[Node]]:
    """The jobs of each notebook with its settings, what is needed first; of one without a plan
    none."""
    return {
        name: planning.plan_of(name, p) if name in planning.PLANNED else []
        for name, p in found.items()
    }


def run_profile(
    profile: str,
    notebooks: Mapping[str, Mapping[str, Any]] | None = None,
    report: Callable[[Place, Sequence[Outcome]], None] | None = None,
    *,
    workers: int | None = None,
    refresh: Callable[[Place], object] | None = None,
) -> list[Outcome]:
    """Compute the jobs of ``notebooks`` (name → parameters; default: all of the profile's), run the
    notebooks, then correct the verdicts of each place and ``report`` on it.

    workers: threads that compute jobs at a time, and notebooks beside each other, as far as there
    is memory; default: those of :func:`utils.runtime.set_threads`. A job or a notebook that fails
    does not stop the others; a notebook that cannot begin stops all before anything is computed,
    and one that needs a failed job says which. ``run.json`` is written and ``refresh`` called after
    each notebook, so a killed run tells the truth. No other run of these notebooks touches their
    results before the reports are made.
    """
    notebooks = _given(profile, notebooks)
    settings = settings_of(profile, notebooks)
    found = {name: places.of(p) for name, p in settings.items()}
    workers = _workers(workers)
    outcomes: list[Outcome] = []
    begun = time.monotonic()
    with contextlib.ExitStack() as held:
        # In one order, whatever the order of the notebooks: two runs cannot wait for each other.
        for name in sorted(found):
            held.enter_context(io.lock(places.executed(found[name], name)))
        missing = _compute(plan(settings), workers)
        for name, outcome in missing.items():
            _not_run(found[name], outcome, notebooks[name])
        with contextlib.closing(_run_all(notebooks, missing, workers)) as coming:
            for outcome in coming:
                outcomes.append(outcome)
                print(f"[{len(outcomes)}/{len(notebooks)}] {_ended(outcome)}", flush=True)
                if refresh:
                    with _RESULTS:
                        refresh(found[outcome.notebook])
        for place in {place.folder: place for place in found.values()}.values():
            mine = [one for one in outcomes if found[one.notebook].folder == place.folder]
            records.whole(place, time.monotonic() - begun)
            with io.lock(place.folder / places.RUN):
                _finalise(place)
                if report:
                    report(place, mine)
    return outcomes


def _workers(asked: int | None) -> int:
    """As many as are asked for, or threads that this process may use, as far as there is memory;
    said where there is not."""
    wanted = torch.get_num_threads() if asked is None else asked
    found = schedule.room_for(wanted)
    if found < wanted:
        free = runtime.human_bytes(runtime.available_memory())
        print(f"{found} workers instead of {wanted}: {free} of memory are free", flush=True)
    return found


def _compute(plans: Mapping[str, Sequence[Node]], workers: int) -> dict[str, Outcome]:
    """Compute all jobs of all notebooks; an outcome for each notebook that cannot have one of
    its own. A handful of jobs is left to the notebooks: starting workers would take longer."""
    nodes = {node.digest: node for plan in plans.values() for node in plan}
    todo = sum(not node.finished for node in nodes.values())
    if todo <= workers:
        return {}
    print(f"{todo} of {len(nodes)} jobs to compute, {workers} at a time …", flush=True)
    begun = time.monotonic()
    failed = {one.node.digest: one for one in schedule.compute(list(nodes.values()), workers)}
    print(f"      done in {runtime.human_time(time.monotonic() - begun)}", flush=True)
    for one in failed.values():
        if one.log is not None:
            print(f"      {one.node.job.kind} {one.node.digest[:12]} FAILED: {one.error}")
            print(f"      see {one.log}", flush=True)
    found = {}
    for name, nodes_of in plans.items():
        own = [failed[node.digest] for node in nodes_of if node.digest in failed]
        if own:
            first = next((one for one in own if one.log is not None), own[0])
            words = f"{first.node.job.kind} {first.node.digest[:12]} failed: {first.error}"
            found[name] = Outcome(name, first.log or Path(), time.monotonic() - begun, words)
    return found


def _not_run(place: Place, outcome: Outcome, given: Mapping[str, Any]) -> None:
    """The record of a notebook that could not be run; its verdicts of another time go."""
    records.started(place, outcome.notebook, given)
    places.forget(place, outcome.notebook)
    records.add(place, outcome.notebook, 0.0, outcome.error, given)


def _run_all(
    notebooks: Mapping[str, Mapping[str, Any]], missing: Mapping[str, Outcome], workers: int
) -> Iterator[Outcome]:
    """The outcomes as they come; notebooks of which a job is missing fail without being run."""
    yield from missing.values()
    todo = {name: given for name, given in notebooks.items() if name not in missing}
    beside = max(1, min(workers, len(todo), runtime.available_memory() // _KERNEL_BYTES))
    if beside == 1:
        for name, given in todo.items():
            print(f"      {name} …", flush=True)
            yield run_notebook(name, given, True)
        return
    print(f"      {len(todo)} notebooks, {beside} at a time …", flush=True)
    with _without_bars(), ThreadPoolExecutor(beside) as pool, kernel.none_outlives():
        try:
            futures = [pool.submit(run_notebook, name, given, True) for name, given in todo.items()]
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def _without_bars() -> Iterator[None]:
    """Bars of several kernels would overwrite each other on one terminal."""
    name = "INTERACTIONS_PROGRESS"
    before = os.environ.get(name)
    os.environ[name] = "0"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


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
        return f"{outcome.notebook} done in {took}"
    why = f"{outcome.error}\n      see {outcome.path}"
    return f"{outcome.notebook} FAILED after {took}: {why}"
