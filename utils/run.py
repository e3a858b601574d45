"""Running notebooks: parameters checked before a kernel starts, progress live, no failure spreads
to the next one.

Only this file knows papermill. A run of a profile writes ``results/<profile>/``: the executed
notebooks, a folder per (row, system) with its verdict, and ``index.html``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from . import claims, io, params, paths, provenance, runtime
from .studies import feasible

__all__ = [
    "RUN",
    "Outcome",
    "cost",
    "executed",
    "record",
    "run_notebook",
    "run_profile",
    "verdict_lines",
]

RUN = "run.json"
_KERNEL = "interactions-appendix"
# A progress bar's line in a notebook's stderr: live on the terminal it is news, in the finished
# notebook it is litter.
_BAR = re.compile(r"^.*\d+%\|.*\|.*$|^.*\d+(it|job|mask|step|game|image)s? \[\d\d:\d\d.*$")


@dataclass(frozen=True)
class Outcome:
    """How one notebook ended: ``error`` is None, or what went wrong in one line."""

    notebook: str
    path: Path
    seconds: float
    error: str | None


def executed(notebook: str, profile: str) -> Path:
    """Where the executed notebook of a run lies."""
    return paths.results(profile) / "notebooks" / f"{notebook}.ipynb"


def run_notebook(notebook: str | Path, given: Mapping[str, Any]) -> Outcome:
    """Execute one notebook with ``given`` over its defaults; an error inside it is reported, not
    raised.

    Raises params.ParameterError before anything starts when a parameter is refused,
    FileNotFoundError when the notebook is not there, KeyboardInterrupt on Ctrl-C (the kernel is
    stopped; finished jobs are in the cache).
    """
    stem = params.notebook_stem(notebook)
    chosen = params.validate(stem, **given)
    source = paths.NOTEBOOKS / f"{stem}.ipynb"
    if not source.is_file():
        raise FileNotFoundError(f"{source} is missing: `git checkout -- notebooks` restores it")
    feasible.require(stem, chosen)  # before an earlier verdict is removed
    target = executed(stem, chosen.profile)
    target.parent.mkdir(parents=True, exist_ok=True)
    # A second run of the same notebook into the same folder waits: each would remove the other's
    # verdicts.
    with io.lock(target), _this_python() as kernel:
        _forget(stem, chosen.results)
        start = time.monotonic()
        draft = target.with_name(f".{target.name}")
        error = _guarded(
            lambda: papermill.execute_notebook(
                str(source),
                str(draft),
                parameters=dict(given),
                kernel_name=kernel,
                cwd=str(paths.ROOT),
                progress_bar=False,
                stderr_file=sys.stderr,
            )
        )
        if draft.is_file():
            _tidy(draft)
            os.replace(draft, target)  # a finished copy under its name, or none
        return Outcome(stem, target, time.monotonic() - start, _explained(error))


def _forget(notebook: str, results: Path) -> None:
    """Remove the verdicts that an earlier run of this notebook left: if it fails now, none of them
    may speak for it."""
    for row, claim in claims.load().rows.items():
        if claim.notebook == notebook and (results / row).is_dir():
            shutil.rmtree(results / row)


@contextlib.contextmanager
def _this_python() -> Iterator[str]:
    """The name of a kernel that is this very interpreter, whatever ``python3`` means to the user's
    Jupyter."""
    # Its warnings are about the transport between kernel and client, which here are parent and
    # child on one machine.
    command = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "--log-level=ERROR",
        "-f",
        "{connection_file}",
    ]
    spec = {"argv": command, "display_name": "Python 3 (ipykernel)", "language": "python"}
    before = os.environ.get("JUPYTER_PATH")
    _remove_dead_kernels()
    with tempfile.TemporaryDirectory(prefix=f"{_KERNEL}-{os.getpid()}-") as folder:
        io.write_json(Path(folder) / "kernels" / _KERNEL / "kernel.json", spec)
        os.environ["JUPYTER_PATH"] = os.pathsep.join([folder, *([before] if before else [])])
        try:
            yield _KERNEL
        finally:
            if before is None:
                del os.environ["JUPYTER_PATH"]
            else:
                os.environ["JUPYTER_PATH"] = before


def _remove_dead_kernels() -> None:
    """Folders that a killed run left behind: their names say which process made them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_KERNEL}-*-*"):
        owner = folder.name.removeprefix(f"{_KERNEL}-").partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)  # another user's, or another start was faster


def _guarded(execute: Callable[[], object]) -> BaseException | None:
    """Run ``execute`` in a thread and return what it raised.

    nbclient takes over Ctrl-C where it runs in the main thread and turns it into a dead kernel; in
    a thread it cannot, so the interrupt arrives here and is told from a kernel that the system
    killed.
    """
    raised: list[BaseException] = []

    def work() -> None:
        try:
            execute()
        except BaseException as error:  # handed to the caller's thread, which decides
            raised.append(error)
        finally:
            # nbclient makes an event loop for this thread and leaves it open; there is none if it
            # never came to that.
            with contextlib.suppress(RuntimeError):
                asyncio.get_event_loop().close()

    before = set(psutil.Process().children(recursive=True))
    thread = threading.Thread(target=work, name="papermill")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        for child in set(psutil.Process().children(recursive=True)) - before:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        thread.join()
        raise
    return raised[0] if raised else None


def _explained(error: BaseException | None) -> str | None:
    """What went wrong in the notebook in a line or, for refused parameters, a few; other errors are
    ours and raised."""
    if error is None:
        return None
    if isinstance(error, PapermillExecutionError):
        return f"cell [{error.exec_count}]: {error.ename}: {error.evalue}"
    if isinstance(error, DeadKernelError):
        return (
            "the kernel died (killed by the system for want of memory, or by hand); the "
            "same command resumes"
        )
    raise error


def _tidy(path: Path) -> None:
    """Take progress bars out of an executed notebook's stderr; warnings stay."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                lines = re.split(r"[\r\n]+", output.text)
                output.text = "\n".join(
                    line for line in lines if line.strip() and not _BAR.match(line)
                )
        cell.outputs = [
            out for out in cell.outputs if out.output_type != "stream" or out.text.strip()
        ]
    nbformat.validate(notebook)
    io.write_text(path, nbformat.writes(notebook) + "\n")


def cost(profile: str) -> str:
    """What a run of ``profile`` will take, from its file and from the last run on this machine."""
    plan, last = params.load_profile(profile), _last(profile)
    lines = [f"profile {profile}: {plan.about}", f"needs {plan.needs}"]
    for notebook in plan.notebooks:
        said = f"  {notebook:<24} about {runtime.human_time(60 * plan.minutes[notebook])}"
        known = last.get(notebook, {}).get("seconds")
        lines.append(
            said
            + (
                f" (last time {runtime.human_time(known)}, with what the cache held)"
                if known
                else ""
            )
        )
    minutes = sum(plan.minutes[notebook] for notebook in plan.notebooks)
    free = shutil.disk_usage(_existing(paths.job_cache())).free
    lines.append(
        f"in all about {runtime.human_time(60 * minutes)} on 2 cores, {plan.memory_gb:g} GB of "
        "memory, "
        f"{plan.disk_gb:g} GB of disk; what is in {paths.job_cache()} already is not computed again"
    )
    if free < plan.disk_gb * 1e9:
        lines.append(f"WARNING: only {runtime.human_bytes(free)} of disk are free there")
    if runtime.available_memory() < plan.memory_gb * 1e9:
        lines.append(
            f"WARNING: only {runtime.human_bytes(runtime.available_memory())} of memory are free"
        )
    return "\n".join(lines)


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def record(profile: str) -> dict[str, Any]:
    """``run.json`` of the last run of ``profile`` here; {} before the first. A damaged one is set
    aside with a warning."""
    path = paths.results(profile) / RUN
    if not path.is_file():
        return {}
    try:
        found = io.read_json(path)
        if not isinstance(found["notebooks"], dict) or not isinstance(found["provenance"], dict):
            raise TypeError("its entries are no tables")
        return found
    except (
        io.DamagedFileError,
        KeyError,
        TypeError,
    ) as error:  # a record of minutes: no reason not to run again
        io.set_aside(path, f"it is no record of a run ({str(error).splitlines()[0]})")
        return {}


def _last(profile: str) -> dict[str, dict[str, Any]]:
    """Notebook → {seconds, error} of the last run of ``profile`` here."""
    return record(profile).get("notebooks", {})


def run_profile(
    profile: str, notebooks: Mapping[str, Mapping[str, Any]] | None = None
) -> list[Outcome]:
    """Run ``notebooks`` (name → parameters; default: all of the profile's) in order, then correct
    and record verdicts.

    A notebook that fails does not stop the others. ``run.json`` is written after each, so a killed
    run tells the truth.
    """
    if notebooks is None:
        plan = params.load_profile(profile)
        notebooks = {name: {**plan.given(name), "profile": profile} for name in plan.notebooks}
    for name, given in notebooks.items():
        params.validate(name, **given)
    outcomes = []
    for number, (name, given) in enumerate(notebooks.items(), 1):
        print(f"[{number}/{len(notebooks)}] {name} …", flush=True)
        outcome = run_notebook(name, given)
        outcomes.append(outcome)
        _remember(profile, outcome, given)
        print(f"      {_ended(outcome)}", flush=True)
    # Systems of a run of one's own are not those that a profile names: each is judged alone.
    claims.finalise(paths.results(profile), alone=profile not in params.profiles())
    return outcomes


def _ended(outcome: Outcome) -> str:
    took = runtime.human_time(outcome.seconds)
    if outcome.error is None:
        return f"done in {took}"
    return f"FAILED after {took}: {outcome.error}\n      see {outcome.path}"


def _remember(profile: str, outcome: Outcome, given: Mapping[str, Any]) -> None:
    entry = {"seconds": round(outcome.seconds, 1), "error": outcome.error, "given": dict(given)}
    record = {
        "profile": profile,
        "notebooks": {**_last(profile), outcome.notebook: entry},
        "provenance": provenance.collect(),
    }
    io.write_json(paths.results(profile) / RUN, record)


def verdict_lines(profile: str) -> list[str]:
    """The verdict table for a terminal: judged rows, a column per reading, then how many rows were
    not judged."""
    table = claims.table(paths.results(profile))
    judged = table[table.system.notna()]
    lines = [
        f"{'row':<5} {'system':<26} {'as stated':<15} {'specific':<15} {'estimate':>9}  "
        f"{'interval':<19}  needs"
    ]
    for _, row in judged.iterrows():
        stated = row.as_stated if isinstance(row.as_stated, str) else row.verdict
        specific = row.specific if isinstance(row.specific, str) else "–"
        lines.append(
            f"{row['row']:<5} {row.system:<26} {stated:<15} {specific:<15} "
            f"{number(row.estimate):>9}  "
            f"{interval(row.low, row.high):<19}  "
            f"{row.threshold if isinstance(row.threshold, str) else ''}"
        )
    lines.append(
        f"{len(table) - len(judged)} further rows are not judged here; each has its status in "
        "index.html"
    )
    return lines


def number(value: float | None) -> str:
    """Three significant digits; '' for a missing number."""
    return "" if value is None or value != value else f"{value:.3g}"


def interval(low: float | None, high: float | None) -> str:
    """``[0.1, 0.2]``; an open end is ∞; '' when both are missing."""
    ends = [number(low), number(high)]
    return f"[{ends[0] or '-∞'}, {ends[1] or '∞'}]" if any(ends) else ""
