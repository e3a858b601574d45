"""What lies in the job cache, how it is pruned, and what is said where it cannot be written."""

from __future__ import annotations

import atexit
import contextlib
import errno
import math
import os
import shutil
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import filelock
import psutil
from safetensors import SafetensorError

from .. import io, paths

__all__ = [
    "Entry",
    "FullCacheError",
    "entries",
    "full_disk_explained",
    "in_use",
    "prune",
    "remove",
    "require_finished",
    "writable",
]

WORK = ".work"
PROVENANCE = "provenance.json"
USERS = ".users"
_REMOVED = ".removed-"
_FOREIGN_SECONDS = 48 * 3600


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
            newest = max(newest, status.st_mtime) if rest == WORK[1:] else newest
    state = "broken" if broken else "partial" if rest == WORK[1:] else "finished"
    return Entry(
        path, kind, digest, state, size, newest, _seconds(path) if state == "finished" else 0.0
    )


def _seconds(home: Path) -> float:
    """What a finished job took, from its provenance; 0 where that cannot be read any more."""
    try:
        return float(io.read_json(home / PROVENANCE)["clocks"]["total"])
    except (FileNotFoundError, io.DamagedFileError, KeyError):
        return 0.0


_users: set[Path] = set()


def in_use() -> None:
    """Leave a note in the cache, until this process ends, that what it has used is not to be
    pruned: weights are read long after their job was asked for."""
    note = paths.job_cache() / USERS / f"{socket.gethostname()}-{os.getpid()}"
    if note not in _users:
        note.parent.mkdir(parents=True, exist_ok=True)
        note.touch()
        _users.add(note)
        atexit.register(note.unlink, missing_ok=True)


def _since() -> float:
    """The start of the earliest process that uses the cache now; infinity where there is none.

    Notes of dead processes of this machine are removed; one of another machine counts for two days.
    """
    found, here = math.inf, socket.gethostname()
    for note in (paths.job_cache() / USERS).glob("*-*"):
        host, _, process = note.name.rpartition("-")
        with contextlib.suppress(FileNotFoundError):  # its process ended meanwhile
            started = note.stat().st_mtime
            alive = (
                psutil.pid_exists(int(process))
                if host == here
                else time.time() - started < _FOREIGN_SECONDS
            )
            if alive:
                found = min(found, started)
            else:
                note.unlink(missing_ok=True)
    return found


def prune(max_gb: float) -> list[Entry]:
    """Delete from the cache until it holds at most ``max_gb`` (10^9 bytes each); returns what was
    deleted.

    Broken folders go first and always, then the least recently used ones. A folder whose job is
    being computed or loaded by any process is never touched, nor one that was used since the
    earliest process that now uses the cache began. ValueError for a negative size.
    """
    if not max_gb >= 0:
        raise ValueError(f"the size to keep must be 0 GB or more, got {max_gb}")
    since = _since()
    present = sorted(entries(), key=lambda entry: (entry.state != "broken", entry.last_used))
    total = sum(entry.size for entry in present)
    removed = []
    for entry in present:
        if entry.state != "broken" and entry.last_used >= since:
            continue
        if (entry.state == "broken" or total > max_gb * 1e9) and _remove_unlocked(entry):
            total -= entry.size
            removed.append(entry)
    return removed


def _remove_unlocked(entry: Entry) -> bool:
    try:
        with io.lock(entry.path.with_name(entry.digest), wait=False):
            if not entry.path.exists():
                return False
            remove(entry.path)
            return True
    except filelock.Timeout:
        return False


def remove(folder: Path) -> None:
    """Delete a folder such that a kill in between leaves no half of it under its own name."""
    doomed = folder.with_name(_REMOVED + folder.name.removeprefix(_REMOVED))
    if doomed != folder:
        if doomed.exists():
            shutil.rmtree(doomed)
        os.rename(folder, doomed)
    shutil.rmtree(doomed)


def writable(home: Path) -> bool:
    """Whether this process may write where the folder ``home`` lies, or will."""
    there = next(folder for folder in home.parents if folder.exists())
    return os.access(there, os.W_OK)


def require_finished(home: Path, words: str, refresh: bool) -> None:
    """OSError unless the output in ``home`` can be had without writing; ``words`` say what it
    is."""
    problems = io.verify(home) if home.is_dir() else []
    if not home.is_dir():
        what = "is not finished"
    elif problems:
        what = f"is damaged ({problems[0]})"
    elif refresh:
        what = "was to be computed again"
    else:
        return
    raise OSError(
        errno.EROFS,
        f"the job cache {paths.job_cache()} may only be read here, and {words} in it {what}: set "
        "INTERACTIONS_CACHE to a folder that can be written",
    )


class FullCacheError(OSError):
    """The disk of the job cache is full; what was done so far is kept."""


@contextlib.contextmanager
def full_disk_explained(words: str) -> Iterator[None]:
    """Inside, a full disk is a :class:`FullCacheError`; ``words`` say what was computed."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        number = getattr(error, "errno", None)
        if "(os error 28)" in str(error):  # safetensors tells of it in words only
            number = errno.ENOSPC
        full = number in (errno.ENOSPC, errno.EDQUOT)
        if not full or isinstance(error, FullCacheError):
            raise
        raise FullCacheError(
            number,
            f"no space is left while {words} was computed into the job cache {paths.job_cache()}: "
            "free some (`reproduce cache prune`), or set INTERACTIONS_CACHE to a folder on a "
            "larger disk. What was done is kept, and goes on when it is asked for again",
        ) from error
