"""Every system through every notebook that judges a row on it, at the smallest scale: ``reproduce
systems``.

Each pair is a run of its own in ``results/systems/``; ``log.csv`` there says what came of it, so
that a stopped matrix goes on where it was. Its verdicts mean nothing: what is shown is that the
notebook runs on the system.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from . import datasets, io, params, paths, provenance, run, systems
from .datasets.values import Values
from .studies import feasible
from .systems import System
from .train import Training, Weights

__all__ = [
    "LOG",
    "MOST",
    "PROFILE",
    "Entry",
    "entries",
    "page",
    "pairs",
    "run_matrix",
    "run_pair",
    "smallest",
]

LOG = "log.csv"
PROFILE = "systems"
_PLAYERS, _SAMPLES, _MEASURED, _PROBE_STEPS = 5, 2, 16, 5
_CHECKPOINTS = 6
"""As many as 03 needs, in every notebook: one training serves them all."""
MOST = 14
"""Players of a value table beyond which a game takes minutes: it takes no part here."""
_SMALL: dict[str, dict[str, Any]] = {
    "01_sparsity": {"probe_steps": _PROBE_STEPS, "count_images": _SAMPLES},
    "03_theoretical_fit": {
        "sizes": [4],
        "norm_sizes": [8],
        "fit_images": 8,
        "noise_copies": 2,
        "noise_images": 1,
    },
    "04_five_groups": {
        "pca_images": 40,
        "test_images": 40,
        "walks": 2,
        "toy_steps": 20,
        "map_images": 1,
        "paper_patches": _PLAYERS,
    },
    "05_layerwise_change": {"probe_steps": _PROBE_STEPS},
    "06_iou_stability": {
        "class_players": _PLAYERS,
        "class_images": 2,
        "pair_images": _SAMPLES,
        "noise_draws": 2,
        "noise_images": _SAMPLES,
    },
    "07_noisy_labels": {"pca_images": 40},
    "08_what_the_split_identifies": {
        "loops": {"image code": {"learning_rate": 1e-5, "iterations": 20}},
        "loop_images": 1,
        "loop_checkpoints": _CHECKPOINTS,
    },
    "09_multi_order": {"attack_steps": 2},
}
"""Settings of each notebook, as small as it accepts."""


class Entry(NamedTuple):
    """What came of one notebook on one system. system_sha256, notebook_sha256: of both files, so
    that a pair that changed is run again; outcome: ``ran``, or the error in one line."""

    date: str
    system: str
    notebook: str
    outcome: str
    verdicts: int
    seconds: float
    commit: str
    system_sha256: str
    notebook_sha256: str


def smallest(notebook: str, system: System) -> dict[str, Any]:
    """The settings of the smallest run of ``notebook`` on ``system``."""
    players = getattr(system.data, "n", _PLAYERS)
    return {
        "systems": [system.file or system.id],
        "device": "cpu",
        "n_players": players,
        "images": _SAMPLES,
        "checkpoints": _CHECKPOINTS,
        "seeds": [0],
        "second_draw": False,
        "change": _changes(system),
        **({"tol": 0.1} if players > 12 else {}),
        **_SMALL.get(notebook, {}),
    }


def _changes(system: System) -> dict[str, Any]:
    if isinstance(system.data, Values):
        return {}
    count = min(_MEASURED, len(datasets.load(system.data, "test")))
    short = {
        name: _short(training, len(system.data.classes))
        for name in ("training", "memorising")
        if (training := getattr(system, name)) is not None
    }
    probes = {} if system.probes is None else {"probes": {"steps": _PROBE_STEPS}}
    return {"loss_samples": count, "test_samples": count, **probes, **short}


def _short(training: Training | Weights, classes: int) -> dict[str, int]:
    # D12 explains two samples of each class in each half of the training set.
    n_train = max(64, 2 * _SAMPLES * classes)
    if isinstance(training, Weights):
        return {"n_train": n_train}
    return {"steps": 8, "first_checkpoint": 1, "batch": min(training.batch, 8), "n_train": n_train}


def pairs(chosen: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """(system, notebook) of every system (or of ``chosen``) that works on this machine."""
    for name in chosen or systems.names():
        system = systems.find(name)
        if systems.state(system) != "works" or getattr(system.data, "n", 0) > MOST:
            continue
        yield from ((name, notebook) for notebook in feasible.notebooks_of(system))


def entries(log: Path) -> list[Entry]:
    """The log, the oldest entry first; [] before the first run."""
    if not log.is_file():
        return []
    table = pd.read_csv(log, dtype={"commit": str}, keep_default_na=False)
    return [Entry(*row) for row in table.itertuples(index=False)]


def run_matrix(chosen: Sequence[str] = ()) -> list[Entry]:
    """Run what the log does not have yet, as the files are now; each run's entry is written at
    once. Returns the last entry of every pair."""
    log = paths.results(PROFILE) / LOG
    done = {(e.system, e.notebook): e for e in entries(log)}
    todo = [pair for pair in pairs(chosen) if not _still_holds(done.get(pair), *pair)]
    for number, (name, notebook) in enumerate(todo, 1):
        print(f"[{number}/{len(todo)}] {notebook} on {name} …", flush=True)
        done[name, notebook] = entry = run_pair(name, notebook)
        print(f"      {entry.outcome} in {entry.seconds:.0f} s", flush=True)
        with io.lock(log):
            table = pd.DataFrame([*entries(log), entry], columns=Entry._fields)
            io.write_text(log, table.to_csv(index=False, lineterminator="\n"))
    return [done[pair] for pair in pairs(chosen)]


def _still_holds(entry: Entry | None, name: str, notebook: str) -> bool:
    return (
        entry is not None
        and entry.outcome == "ran"
        and (entry.system_sha256, entry.notebook_sha256) == _sha256(name, notebook)
    )


def _sha256(name: str, notebook: str) -> tuple[str, str]:
    book = paths.NOTEBOOKS / f"{notebook}.ipynb"
    return systems.sha256(systems.find(name)), io.sha256_file(book)


def run_pair(name: str, notebook: str) -> Entry:
    """Run ``notebook`` on the system ``name`` through papermill; what came of it."""
    given = {"profile": PROFILE, **smallest(notebook, systems.find(name))}
    verdicts = 0
    try:
        outcome = run.run_notebook(notebook, given)
        error, seconds = outcome.error, outcome.seconds
        verdicts = len(list(outcome.path.parents[1].glob("*/*/verdict.json")))
    except (params.ParameterError, OSError) as refused:
        error, seconds = str(refused), 0.0
    return Entry(
        datetime.date.today().isoformat(),
        name,
        notebook,
        "ran" if error is None else error.splitlines()[0][:200],
        verdicts,
        round(seconds, 1),
        str(provenance.collect()["commit"])[:12],
        *_sha256(name, notebook),
    )


def page(found: Sequence[Entry]) -> str:
    """The matrix as a page of docs/: what ran on which day, what did not, and what is not on this
    machine."""
    lines = [
        "# Systems and notebooks",
        "",
        "Written by `reproduce systems --page`; do not edit. Each cell is one notebook run through "
        "papermill on one system, with 5 players, 2 samples, one seed and 8 training steps: it "
        "shows that the notebook runs on the system, and its verdicts mean nothing. Seconds; –: no "
        "row of the notebook speaks of the system.",
        "",
        f"| system | {' | '.join(_numbers())} | last run |",
        f"|---|{'---|' * (len(_numbers()) + 1)}",
    ]
    by = {(e.system, e.notebook[:2]): e for e in found}
    for name in dict.fromkeys(e.system for e in found):
        cells = [_cell(by.get((name, number))) for number in _numbers()]
        day = max(e.date for e in found if e.system == name)
        lines.append(f"| {name} | {' | '.join(cells)} | {day} |")
    absent = [n for n in systems.names() if n not in {e.system for e in found}]
    lines += ["", "Not run: " + (", ".join(absent) or "none") + "."]
    failed = [e for e in found if e.outcome != "ran"]
    lines += [f"- {e.notebook} on {e.system}: {e.outcome}" for e in failed]
    return "\n".join(lines) + "\n"


def _numbers() -> list[str]:
    return [name[:2] for name in params.PARAMS if name[:2] not in ("00", "10")]


def _cell(entry: Entry | None) -> str:
    if entry is None:
        return "–"
    return f"{entry.seconds:.0f}" if entry.outcome == "ran" else "failed"
