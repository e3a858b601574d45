"""Everything expensive is a job: a frozen specification whose sha256 names the folder of its
output.

``ensure(job)`` loads the output or computes it first. The life of ``<cache>/<kind>/<digest>``:

1. ``<digest>.work/`` is where :meth:`Job.compute` writes. It survives a kill, so a job may resume
   from what it finds.
2. Finished, the folder is sealed (sha256 of each file), forced to disk and renamed to ``<digest>/``
   in one step.
3. On each load the checksums are compared. A damaged folder is renamed to ``<digest>.broken-<k>``
   with a warning, and the job is computed again.

``<digest>.lock`` is held meanwhile: a second process that asks for the same job waits and then
loads. The system drops the lock of a dead process, so a kill at any moment blocks nobody and loses
nothing finished.

Beside the job's own files, ``spec.json`` says in words what the folder is, and ``provenance.json``
how it came about. The latter holds times and versions: it is checked for damage like any file, and
left out of :func:`content_digest`, which is what must not change when a killed run is resumed.
"""

from __future__ import annotations

import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from .. import io, paths, provenance, runtime
from . import cache, code, keys

__all__ = ["MANY_STEPS", "Job", "content_digest", "ensure", "finished"]

MANY_STEPS = 1000
"""Steps of a training or of an optimiser from which it outlasts the start of a process (see
:attr:`Job.apart`)."""

SPEC = "spec.json"
PROVENANCE = cache.PROVENANCE
_WORK = cache.WORK


class Job(BaseModel, ABC):
    """A specification of something to compute. Subclasses declare fields, three class variables and
    two methods.

    ``kind``: the folder's name and the reader's word for it; ``version``: raised when the output's
    format or meaning changes in a way that its code does not show.

    Fields are what decides the output: numbers, strings, tuples, other frozen models (which count
    with their type), other jobs (which count by their digest). An unknown field is refused. A field
    declared with ``Field(exclude=True)`` is not part of the key: only for what cannot change the
    output. Of ``device`` its type counts: cuda:1 is cuda. Names data by their sha256, not by a
    path.

    The code that decides the output is part of the key too: the job's own module, those of the
    models among its fields, and what they import (:mod:`utils.jobs.code`).
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    kind: ClassVar[str]
    version: ClassVar[int]
    threads: int = Field(
        1,
        ge=1,
        description="CPU threads it computes with, whatever the machine has: sums over another "
        "number differ in the last bits. One, because jobs are computed side by side, and many "
        "jobs use a machine better than many threads of one",
    )
    _digest: str | None = PrivateAttr(None)

    @abstractmethod
    def compute(self, folder: Path) -> None:
        """Write the output into ``folder``, which may hold what an earlier, killed attempt left
        there.

        Files are to be written with ``io.atomic`` or the writers built on it, since a kill may come
        at any moment, and resuming must end with the same bits. Hidden files and folders
        (``folder / ".partial"``, say) are scratch: they survive a kill and are deleted when the job
        is finished. What another job gives is had by ``ensure(self.dep)``. Progress that turns out
        unreadable (``io.DamagedFileError``) is set aside and computed once more from nothing.
        ``spec.json``, ``provenance.json`` and ``MANIFEST.json`` are taken.
        """

    @abstractmethod
    def load(self, folder: Path) -> Any:
        """The output, read from a finished folder."""

    @property
    def apart(self) -> bool:
        """Whether it is worth a process of its own, next to others (some seconds to start one). See
        :func:`utils.jobs.ensure_all`."""
        return False

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        missing = [name for name in ("kind", "version") if not hasattr(cls, name)]
        if missing and not cls.__abstractmethods__:
            raise TypeError(f"job class {cls.__name__} must declare {', '.join(missing)}")
        if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", getattr(cls, "kind", "0")):
            raise TypeError(
                f"job class {cls.__name__}: kind names a folder (a-z, 0-9, - and _), got "
                f"{cls.kind!r}"
            )

    def spec(self) -> dict[str, Any]:
        """What the digest is taken of: kind, version, fields (jobs by kind and digest), hash of the
        source code."""
        names = self.code()
        return {
            "kind": self.kind,
            "version": self.version,
            "fields": keys.fields(self),
            "code": code.named(names),
            "code_sha256": code.digest(names),
        }

    def code(self) -> tuple[str, ...]:
        """The modules whose code decides the output of this very job."""
        return code.modules([type(self).__module__, *keys.used(self)])

    def digest(self) -> str:
        """The sha256 of :meth:`spec`: 64 digits, the same in every process and on every machine.

        Taken once: fields are frozen, and code counts as of its first reading.
        """
        if self._digest is None:
            self._digest = io.sha256_bytes(io.canonical_json(self.spec()).encode())
        return self._digest

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """The same with other fields, whose digest is another."""
        copied = super().model_copy(update=update, deep=deep)
        copied._digest = None
        return copied

    def folder(self) -> Path:
        """Where the finished output lies, or will."""
        return paths.job_cache() / self.kind / self.digest()


def ensure(job: Job, refresh: bool = False) -> Any:
    """The job's output: loaded when it is finished and undamaged, computed (or resumed) first
    otherwise.

    ``refresh=True`` computes from nothing even so, and replaces the finished output only when the
    new one is complete. A finished output in a cache that may only be read is loaded; where
    something would have to be written there, or the disk is full: OSError saying what.
    """
    home = job.folder()
    if not cache.writable(home):
        cache.require_finished(home, _words(job), refresh)
        return job.load(home)
    with io.lock(home):
        cache.in_use()  # before the time of use, with which prune compares it
        if home.exists() and not refresh:
            problems = io.verify(home)
            if problems:
                io.set_aside(
                    home, why="; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
                )
        if refresh or not home.exists():
            with cache.full_disk_explained(_words(job)):
                _produce(job, home, afresh=refresh)
        os.utime(home)  # "last used", for prune
        return job.load(home)


def _words(job: Job) -> str:
    return f"{job.kind} {job.digest()[:12]}"


def _produce(job: Job, home: Path, afresh: bool) -> None:
    """Compute in the work folder, unless it is complete already, and give it its final name."""
    work = home.with_name(home.name + _WORK)
    if afresh and work.exists():
        shutil.rmtree(work)
    if not _sealed(work):
        _compute(job, work)
    io.remove_hidden(work)
    if home.exists():
        cache.remove(home)
    os.rename(work, home)
    io.fsync_folder(home.parent)


def _sealed(work: Path) -> bool:
    """Whether an earlier attempt was killed between seal and rename, so that its work only needs
    its name."""
    if not (work / io.MANIFEST).is_file():
        return False
    problems = io.verify(work)
    if problems:
        io.set_aside(work, why=problems[0])
    return not problems


def _compute(job: Job, work: Path) -> None:
    resumed = work.exists()
    with provenance.Clock() as clock:
        _start(job, work)
        try:
            _run(job, work)
        except io.DamagedFileError as error:
            if not resumed or error.path is None or not error.path.is_relative_to(work):
                raise
            io.set_aside(work, why=f"progress of an earlier attempt: {error}")
            resumed = False
            _start(job, work)
            _run(job, work)
    if not _own_files(work):
        raise RuntimeError(
            f"job {job.kind} {job.digest()[:12]} finished without writing a file into its folder"
        )
    record = provenance.collect(parameters=job.spec(), clock=clock)
    io.write_json(work / PROVENANCE, record | {"resumed": resumed})
    io.seal(work)


def _run(job: Job, work: Path) -> None:
    with runtime.fixed_threads(job.threads):
        job.compute(work)


def _start(job: Job, work: Path) -> None:
    work.mkdir(parents=True, exist_ok=True)
    io.write_json(work / SPEC, job.spec())


def _own_files(work: Path) -> list[Path]:
    reserved = {io.MANIFEST, SPEC, PROVENANCE}
    return [
        path
        for path in work.iterdir()
        if path.name not in reserved and not path.name.startswith(".")
    ]


def content_digest(folder: str | os.PathLike[str]) -> str:
    """One sha256 of all that a finished folder holds, provenance left out: equal when two runs gave
    the same bits."""
    manifest = io.read_manifest(folder)
    return io.sha256_bytes(
        io.canonical_json({k: v for k, v in manifest.items() if k != PROVENANCE}).encode()
    )


def finished(jobs: Sequence[Job]) -> list[bool]:
    """Which of ``jobs`` are finished (not verified): what a run will still cost is known before it
    starts."""
    return [job.folder().is_dir() for job in jobs]
