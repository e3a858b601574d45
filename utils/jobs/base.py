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

import contextlib
import enum
import functools
import importlib.util
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import filelock
from pydantic import BaseModel, ConfigDict

from .. import io, paths, provenance, runtime

__all__ = [
    "Entry",
    "Job",
    "content_digest",
    "ensure",
    "entries",
    "finished",
    "prune",
    "source_hash",
]

MANY_STEPS = 1000
"""Steps of a training or of an optimiser from which it outlasts the start of a process (see
:attr:`Job.own_threads`)."""

SPEC = "spec.json"
PROVENANCE = "provenance.json"
_WORK = ".work"
_REMOVED = ".removed-"


class Job(BaseModel, ABC):
    """A specification of something to compute. Subclasses declare fields, three class variables and
    two methods.

    ``kind``: the folder's name and the reader's word for it; ``version``: raised when the output's
    format or meaning changes; ``code``: modules or packages whose source text is part of the key,
    so that an edit there computes again.

    Fields are what decides the output: numbers, strings, tuples, other frozen models, other jobs
    (which count by their digest). An unknown field is refused. A field declared with
    ``Field(exclude=True)`` is not part of the key: only for what cannot change the output. Names
    data by their sha256, not by a path.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )

    kind: ClassVar[str]
    version: ClassVar[int]
    code: ClassVar[tuple[str, ...]]

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
    def own_threads(self) -> int | None:
        """Threads that it computes with when it is worth a process of its own, next to others (some
        seconds to start one); None: it is computed in this process, with all threads. See
        :func:`utils.jobs.ensure_all`."""
        return None

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        missing = [name for name in ("kind", "version", "code") if not hasattr(cls, name)]
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
        return {
            "kind": self.kind,
            "version": self.version,
            "fields": _fields(self),
            "code": list(self.code),
            "code_sha256": source_hash(self.code),
        }

    def digest(self) -> str:
        """The sha256 of :meth:`spec`: 64 digits, the same in every process and on every machine."""
        return io.sha256_bytes(io.canonical_json(self.spec()).encode())

    def folder(self) -> Path:
        """Where the finished output lies, or will."""
        return paths.job_cache() / self.kind / self.digest()


def _fields(model: BaseModel) -> dict[str, Any]:
    included = (name for name, field in type(model).model_fields.items() if not field.exclude)
    return {name: _identity(getattr(model, name)) for name in included}


def _identity(value: Any) -> Any:
    """A field's value as JSON that says the same thing in every process; canonical_json refuses the
    rest by name."""
    if isinstance(value, Job):
        return {"job": value.kind, "digest": value.digest()}
    if isinstance(value, BaseModel):
        return _fields(value)
    if isinstance(value, enum.Enum):
        return _identity(value.value)
    if isinstance(value, dict):
        return {key: _identity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_identity(item) for item in value), key=io.canonical_json)
    return value


@functools.cache
def source_hash(code: tuple[str, ...]) -> str:
    """The sha256 of the Python sources of the named modules and packages (with all below them), as
    of the first call.

    Independent of where they are installed and of line endings. Raises ImportError naming a module
    without source.
    """
    sources: dict[str, str] = {}
    for name in sorted(set(code)):
        sources |= _sources(name)
    return io.sha256_bytes(io.canonical_json(sources).encode())


def _sources(name: str) -> dict[str, str]:
    """File's name below the module → sha256 of its text."""
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError:
        spec = None
    if spec is None:
        raise ImportError(f"a job's `code` names {name!r}, and there is no such module")
    if spec.submodule_search_locations:
        tops = [Path(top) for top in spec.submodule_search_locations]
        files = {
            f"{name}/{file.relative_to(top).as_posix()}": file
            for top in tops
            for file in top.rglob("*.py")
        }
    else:
        files = {f"{name}.py": Path(spec.origin or "")}
    if not files or not all(file.suffix == ".py" for file in files.values()):
        raise ImportError(
            f"a job's `code` names {name!r}, which has no Python source ({spec.origin})"
        )
    return {
        key: io.sha256_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
        for key, file in files.items()
    }


def ensure(job: Job, refresh: bool = False) -> Any:
    """The job's output: loaded when it is finished and undamaged, computed (or resumed) first
    otherwise.

    ``refresh=True`` computes from nothing even so, and replaces the finished output only when the
    new one is complete.
    """
    home = job.folder()
    with io.lock(home):
        if home.exists() and not refresh:
            problems = io.verify(home)
            if problems:
                io.set_aside(
                    home, why="; ".join(problems[:3]) + ("; ..." if len(problems) > 3 else "")
                )
        if refresh or not home.exists():
            _produce(job, home, afresh=refresh)
        os.utime(home)  # "last used", for prune
        return job.load(home)


def _produce(job: Job, home: Path, afresh: bool) -> None:
    """Compute in the work folder, unless it is complete already, and give it its final name."""
    work = home.with_name(home.name + _WORK)
    if afresh and work.exists():
        shutil.rmtree(work)
    if not _sealed(work):
        _compute(job, work)
    io.remove_hidden(work)
    if home.exists():
        _remove(home)
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
    with runtime.torch_threads(job.own_threads) if job.own_threads else contextlib.nullcontext():
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


@dataclass(frozen=True)
class Entry:
    """One folder of the cache: ``size`` in bytes, ``last_used`` in seconds since 1970, ``seconds``
    it took (finished)."""

    path: Path
    kind: str
    digest: str
    state: Literal["finished", "partial", "broken"]
    size: int
    last_used: float
    seconds: float = 0.0


def entries() -> list[Entry]:
    """All folders of the cache, the most recently used first: finished, partial (killed or
    running), broken."""
    found = []
    cache = paths.job_cache()
    for kind in sorted(cache.iterdir()) if cache.is_dir() else []:
        folders = sorted(kind.iterdir()) if kind.is_dir() and not kind.name.startswith(".") else []
        found += [_entry(path, kind.name) for path in folders if path.is_dir()]
    return sorted(
        (entry for entry in found if entry is not None), key=lambda entry: -entry.last_used
    )


def _entry(path: Path, kind: str) -> Entry | None:
    """The folder's entry; None when another process has just renamed or removed it."""
    digest, _, rest = path.name.removeprefix(_REMOVED).partition(".")
    broken = path.name.startswith(_REMOVED) or rest.startswith("broken-")
    try:
        newest = path.stat().st_mtime
    except FileNotFoundError:
        return None
    size = 0
    for file in path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):  # a running job renames its temporary files
            status = file.stat()
            size += status.st_size if file.is_file() else 0
            newest = max(newest, status.st_mtime) if rest == _WORK[1:] else newest
    state = "broken" if broken else "partial" if rest == _WORK[1:] else "finished"
    return Entry(
        path, kind, digest, state, size, newest, _seconds(path) if state == "finished" else 0.0
    )


def _seconds(home: Path) -> float:
    """What a finished job took, from its provenance; 0 where that cannot be read any more."""
    try:
        return float(io.read_json(home / PROVENANCE)["clocks"]["total"])
    except (FileNotFoundError, io.DamagedFileError, KeyError):
        return 0.0


def prune(max_gb: float) -> list[Entry]:
    """Delete from the cache until it holds at most ``max_gb`` (10^9 bytes each); returns what was
    deleted.

    Broken folders go first and always, then the least recently used ones. A folder whose job is
    being computed or loaded by any process is never touched. ValueError for a negative size.
    """
    if not max_gb >= 0:
        raise ValueError(f"the size to keep must be 0 GB or more, got {max_gb}")
    present = sorted(entries(), key=lambda entry: (entry.state != "broken", entry.last_used))
    total = sum(entry.size for entry in present)
    removed = []
    for entry in present:
        if (entry.state == "broken" or total > max_gb * 1e9) and _remove_unlocked(entry):
            total -= entry.size
            removed.append(entry)
    return removed


def _remove_unlocked(entry: Entry) -> bool:
    try:
        with io.lock(entry.path.with_name(entry.digest), wait=False):
            if not entry.path.exists():
                return False
            _remove(entry.path)
            return True
    except filelock.Timeout:
        return False


def _remove(folder: Path) -> None:
    """Delete a folder such that a kill in between leaves no half of it under its own name."""
    doomed = folder.with_name(_REMOVED + folder.name.removeprefix(_REMOVED))
    if doomed != folder:
        if doomed.exists():
            shutil.rmtree(doomed)
        os.rename(folder, doomed)
    shutil.rmtree(doomed)


def finished(jobs: Sequence[Job]) -> list[bool]:
    """Which of ``jobs`` are finished (not verified): what a run will still cost is known before it
    starts."""
    return [job.folder().is_dir() for job in jobs]
