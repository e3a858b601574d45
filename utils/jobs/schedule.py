"""A whole plan of jobs at once: what is ready is computed side by side, what is longest first.

Each job computes with the threads that its specification names, so the bits are the same however
many are computed at a time. Workers are processes that share nothing but the cache, whose locks
keep them apart: a second run of the same plan waits for single jobs and computes none twice.
"""

from __future__ import annotations

import contextlib
import os
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import NamedTuple

import loky
from loky.process_executor import BrokenProcessPool

from .. import cost, paths, runtime
from .base import Job, ensure
from .plan import Node
from .side_by_side import IDLE_SECONDS, received, sent, start_worker

__all__ = [
    "MOST_DEATHS",
    "WORKER_BYTES",
    "Failed",
    "compute",
    "predictions",
    "room_for",
    "uncounted",
]

MOST_DEATHS = 3
"""Workers that may die over a job before it is given up."""
WORKER_BYTES = 1_500_000_000
"""Memory of a worker that holds torch, the compiled kernels and a job of the default profile."""
_SECONDS = {
    "games": 30.0,
    "noisy_inputs": 30.0,
    "train": 25.0,
    "toy": 20.0,
    "compared": 15.0,
    "class_games": 12.0,
    "probes": 5.0,
    "attacked": 5.0,
    "component-games": 5.0,
    "perturbed": 4.0,
    "mislabelled": 3.0,
    "last-games": 3.0,
}
_OTHER_SECONDS = 1.5
"""How long a job of a kind took in the default profile, for the order and for what is left where
`reproduce plan --calibrate` has not fitted a model to this machine; it decides no output."""


class Failed(NamedTuple):
    """A job that could not be computed. log: what it said, None where another one that it needs
    failed."""

    node: Node
    error: str
    log: Path | None


def room_for(workers: int) -> int:
    """As many of ``workers`` as the memory that is free has room for, at least one."""
    return max(1, min(workers, runtime.available_memory() // WORKER_BYTES))


def compute(nodes: Sequence[Node], workers: int) -> list[Failed]:
    """Compute what is not finished of a plan (what is needed before what needs it, as
    :func:`utils.jobs.plan.graph` gives it), with up to ``workers`` threads in all.

    A job that fails takes along those that need it; the others go on. A job over which
    ``MOST_DEATHS`` workers died (killed for want of memory, say) fails; the others that ran when
    one died are computed again, one at a time. Ctrl-C ends the workers: a job that can resume does
    so at the next call.
    """
    if workers < 1:
        raise ValueError(f"workers must be 1 or more, got {workers}")
    return _Run(nodes, workers).run()


class _Run:
    """What is left of a plan, what is being computed, and what became of the rest."""

    def __init__(self, nodes: Sequence[Node], workers: int) -> None:
        self.workers = workers
        self.todo = {node.digest: node for node in nodes if not node.finished}
        self.waits = {d: {k for k in n.needs if k in self.todo} for d, n in self.todo.items()}
        self.predicted = predictions(nodes)
        self.rank = _ranks(self.todo, self.predicted)
        self.memory = runtime.available_memory()
        self.deaths = dict.fromkeys(self.todo, 0)
        self.running: dict[Future[str | None], str] = {}
        self.failed: dict[str, Failed] = {}
        self.cost = sum(self.predicted[digest].seconds for digest in self.todo)

    def run(self) -> list[Failed]:
        if not self.todo:
            return []
        begun, whole = time.monotonic(), self.cost
        bar = runtime.progress(
            total=len(self.todo), desc=f"jobs, {self.workers} at a time", unit="job"
        )
        with bar, self._pool() as pool:
            while self.todo:
                self._start_what_fits(pool)
                done, _ = wait(self.running, return_when=FIRST_COMPLETED)
                over = [self._ended(future) for future in done]
                if not all(over):
                    self._lose_the_rest()
                    pool.renew()
                bar.update(len(self.rank) - len(self.todo) - bar.n)
                if self.cost < whole:
                    pace = (time.monotonic() - begun) / (whole - self.cost)
                    bar.set_postfix_str(f"about {runtime.human_time(pace * self.cost)} left")
        return list(self.failed.values())

    @contextlib.contextmanager
    def _pool(self) -> Iterator[_Pool]:
        pool = _Pool(self.workers)
        with warnings.catch_warnings():
            # loky replaces a worker whose memory has grown, between two jobs: nothing is lost.
            warnings.filterwarnings("ignore", "A worker was restarted", UserWarning)
            try:
                yield pool
            except BaseException:  # Ctrl-C too: what is killed goes on from what it had written
                pool.end(kill=True)
                raise
            pool.end()

    def _start_what_fits(self, pool: _Pool) -> None:
        busy = set(self.running.values())
        free = self.workers - sum(self._threads(digest) for digest in busy)
        room = self.memory - sum(self.predicted[digest].memory for digest in busy)
        ready = [d for d in self.todo if not self.waits[d] and d not in busy]
        for digest in sorted(ready, key=lambda d: (self.deaths[d] > 0, -self.rank[d])):
            suspect = any(self.deaths[d] for d in (*self.running.values(), digest))
            large = self._threads(digest) > free or self.predicted[digest].memory > room
            if self.running and (suspect or large):
                continue  # a smaller one may fit; a suspect runs alone
            self.running[pool.submit(self.todo[digest].job)] = digest
            free -= self._threads(digest)
            room -= self.predicted[digest].memory

    def _threads(self, digest: str) -> int:
        return min(self.todo[digest].job.threads, self.workers)

    def _ended(self, future: Future[str | None]) -> bool:
        """What became of a job; False where its worker died."""
        digest = self.running.pop(future)
        try:
            error = future.result()
        except BrokenProcessPool:
            self._died(digest)
            return False
        if error is None:
            self._settle(digest)
        else:
            self._fail(digest, error, log_of(self.todo[digest].job))
        return True

    def _lose_the_rest(self) -> None:
        """One worker's death takes all: nobody knows which of the jobs it was."""
        for digest in self.running.values():
            self._died(digest)
        self.running.clear()

    def _died(self, digest: str) -> None:
        self.deaths[digest] += 1
        if self.deaths[digest] >= MOST_DEATHS:
            why = f"{MOST_DEATHS} workers died over it, as if killed for want of memory"
            self._fail(digest, why, log_of(self.todo[digest].job))

    def _settle(self, digest: str) -> None:
        self.todo.pop(digest)
        self.cost -= self.predicted[digest].seconds
        for needs in self.waits.values():
            needs.discard(digest)

    def _fail(self, digest: str, error: str, log: Path | None) -> None:
        node = self.todo.pop(digest)
        self.cost -= self.predicted[digest].seconds
        self.failed[digest] = Failed(node, error, log)
        for other, needs in self.waits.items():
            if digest in needs and other in self.todo:  # one that failed before may have taken it
                self._fail(other, f"it needs {node.job.kind} {digest[:12]}, which failed", None)


class _Pool:
    """Worker processes; after one died, new ones."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.renew()

    def renew(self) -> None:
        # Started anew rather than mended: loky gives up a pool of which one process died.
        if hasattr(self, "pool"):
            self.end(kill=True)
        self.pool = loky.ProcessPoolExecutor(
            self.workers, timeout=IDLE_SECONDS, initializer=start_worker, initargs=(1,)
        )

    def submit(self, job: Job) -> Future[str | None]:
        what = (_logged, *sent(job), str(log_of(job)))
        try:
            return self.pool.submit(*what)
        except BrokenProcessPool:  # a worker died that had nothing to do
            self.renew()
            return self.pool.submit(*what)

    def end(self, kill: bool = False) -> None:
        self.pool.shutdown(kill_workers=kill)


def log_of(job: Job) -> Path:
    """Where a job's own words are kept while it is computed, and after it failed."""
    return paths.job_cache() / ".logs" / f"{job.kind}-{job.digest()[:12]}.log"


def _logged(files: list[str], job: bytes, log: str) -> str | None:
    """Compute in a worker; None, or what went wrong in a line, with everything else in ``log``."""
    path = Path(log)
    path.parent.mkdir(parents=True, exist_ok=True)
    with (
        path.open("w", encoding="utf-8", buffering=1) as words,
        contextlib.redirect_stdout(words),
        contextlib.redirect_stderr(words),
    ):
        try:
            ensure(received(files, job))
        except Exception as error:  # told in a line and in full, whatever it is
            traceback.print_exc()
            return f"{type(error).__name__}: {str(error).partition(os.linesep)[0]}"
    path.unlink()
    return None


def _ranks(todo: dict[str, Node], predicted: Mapping[str, cost.Prediction]) -> dict[str, float]:
    """Seconds from the start of a job to the end of all that waits for it."""
    rank: dict[str, float] = {}
    after: dict[str, float] = dict.fromkeys(todo, 0.0)
    for digest in reversed(todo):  # what needs it stands behind it
        rank[digest] = predicted[digest].seconds + after[digest]
        for need in todo[digest].needs:
            if need in after:
                after[need] = max(after[need], rank[digest])
    return rank


def predictions(nodes: Sequence[Node]) -> dict[str, cost.Prediction]:
    """Seconds and memory of each job of a plan: by the model of this machine, else by kind."""
    model = cost.current()
    if model is None:
        return {
            n.digest: cost.Prediction(_SECONDS.get(n.job.kind, _OTHER_SECONDS), WORKER_BYTES)
            for n in nodes
        }
    among = _specs(nodes)
    return {digest: model.of(spec, among) for digest, spec in among.items()}


def uncounted(nodes: Sequence[Node]) -> list[str]:
    """Networks of a plan whose forward pass could not be counted: their hours are too few."""
    among = _specs(nodes)
    found = (cost.uncounted(spec, among) for spec in among.values())
    return sorted({name for name in found if name is not None})


def _specs(nodes: Sequence[Node]) -> dict[str, cost.Spec]:
    return {n.digest: {"kind": n.job.kind, "fields": n.job.spec()["fields"]} for n in nodes}
