"""Jobs of a few threads each are computed side by side, in processes of their own, as many as there
are threads for.

A training step of a small network is too short to be shared by two cores: one thread each for two
networks trains them in little more than half the time that two threads for one after the other
need. The cache is what the processes share, and its locks keep them apart; nothing but a job's
specification goes out, and nothing but an error comes back.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import loky
import torch

from .. import runtime
from ..discovery import load_file, loaded_files
from .base import Job, ensure, finished
from .scored import GamesJob

__all__ = ["IDLE_SECONDS", "ensure_all", "received", "sent", "start_worker"]

_MANY_MASKS = 1 << 15
"""Per checkpoint: some ten seconds of a small network at a dozen checkpoints."""
IDLE_SECONDS = 60
"""A worker whose parent was killed finishes the job it has begun, waits this long and ends."""


def ensure_all(jobs: Iterable[Job], desc: str) -> list[Any]:
    """The outputs of ``jobs``, in order, under a progress bar that says ``desc``.

    Jobs that are worth a process (:attr:`Job.apart`, or many masks to score on a CPU) are computed
    side by side where there are threads for two; the rest one after the other. The bits are the
    same either way. The first error of a job is raised here, and ends the others; a job that can
    resume does so at the next call.
    """
    todo = list(jobs)
    _side_by_side(
        [job for job, done in zip(todo, finished(todo), strict=True) if _apart(job) and not done],
        desc,
    )
    return [ensure(job) for job in runtime.progress(todo, desc=desc, total=len(todo), unit="job")]


def _apart(job: Job) -> bool:
    if isinstance(job, GamesJob):
        return job.images << job.n >= _MANY_MASKS and runtime.device(job.device).type == "cpu"
    return job.apart


def _side_by_side(jobs: Sequence[Job], desc: str) -> None:
    each = max((job.threads for job in jobs), default=1)
    workers = min(torch.get_num_threads() // each, len(jobs))
    if workers < 2:
        return
    # loky's workers do not run the main module again, unlike those of `spawn`: a user's script
    # needs no main guard.
    with loky.ProcessPoolExecutor(
        workers, timeout=IDLE_SECONDS, initializer=start_worker, initargs=(each,)
    ) as pool:
        try:
            futures = [pool.submit(_compute, *sent(job)) for job in jobs]
            done = runtime.progress(
                loky.as_completed(futures),
                desc=f"{desc}, {workers} side by side",
                total=len(jobs),
                unit="job",
            )
            for future in done:
                future.result()
        except (
            BaseException
        ):  # Ctrl-C too: what is killed goes on from its last checkpoint when it is asked for again
            pool.shutdown(kill_workers=True)
            raise


def start_worker(threads: int) -> None:
    """A new process computes with ``threads``, without progress bars."""
    os.environ["INTERACTIONS_PROGRESS"] = (
        "0"  # bars of several processes would overwrite each other on one terminal
    )
    runtime.set_threads(threads)


def sent(job: Job) -> tuple[list[str], bytes]:
    """A job as it travels: the users' files that its classes may come from, and its pickle."""
    used = {sys.modules[name].__file__ for name in loaded_files()}
    return sorted(file for file in used if os.path.isfile(file)), pickle.dumps(job)


def received(files: list[str], job: bytes) -> Job:
    """What :func:`sent` sent, in the other process."""
    for file in files:
        load_file(file)
    return pickle.loads(job)  # our own bytes, from the process that started this one


def _compute(files: list[str], job: bytes) -> None:
    ensure(received(files, job))
