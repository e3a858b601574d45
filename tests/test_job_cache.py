"""The cache of jobs: what goes when it is pruned, and what is said where it cannot be written."""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import ClassVar

import numba
import numpy as np
import pytest
import safetensors.torch
import threadpoolctl
import torch

from tests.walks import LOG, Mean, Walk, ensure_in_child, expected, flip, lines, work_of
from utils import io, paths
from utils.jobs import (
    FullCacheError,
    Job,
    ensure,
    ensure_all,
    entries,
    finished,
    graph,
    prune,
)
from utils.jobs import (
    cache as jobs_cache,
)

NOBODY = 65534


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    (tmp_path / "log").touch()
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def processes() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "utils.jobs"])
    return context


def leave(cache: Path) -> None:
    """As if this process, which has used the cache, had ended."""
    for note in (cache / jobs_cache.USERS).iterdir():
        note.unlink()
    jobs_cache._users.clear()


def age(job: Job, days: float) -> None:
    then = time.time() - 86400 * days
    os.utime(job.folder(), (then, then))


def until(there: Path) -> None:
    deadline = time.monotonic() + 30
    while not there.is_file():
        assert time.monotonic() < deadline
        time.sleep(0.01)


# Pruning ------------------------------------------------------------------------------------------


def test_prune_removes_the_least_recently_used(cache: Path) -> None:
    jobs = [Walk(seed=s) for s in range(4)]
    ensure_all(jobs, "walks")
    for job, days in zip(jobs, (4, 3, 2, 1), strict=True):
        age(job, days)
    ensure(jobs[0])  # used again, hence the last to go
    leave(cache)
    listed = entries()
    assert [entry.path for entry in listed] == [jobs[k].folder() for k in (0, 3, 2, 1)]
    assert {(entry.kind, entry.state) for entry in listed} == {("walk", "finished")}
    sizes = {entry.path: entry.size for entry in listed}
    assert all(
        size == sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
        for path, size in sizes.items()
    )
    assert prune(1.0) == []
    keep = (sizes[jobs[0].folder()] + sizes[jobs[3].folder()]) / 1e9
    assert [entry.path for entry in prune(keep)] == [jobs[1].folder(), jobs[2].folder()]
    assert finished(jobs) == [True, False, False, True]
    assert len(prune(0)) == 2 and entries() == []
    assert np.array_equal(ensure(jobs[1]), expected(1))
    with pytest.raises(ValueError, match="0 GB or more"):
        prune(-1)


def test_what_a_living_process_has_used_stays(cache: Path, processes: ForkServerContext) -> None:
    """Weights are read long after their job was asked for."""
    ensure(Walk(seed=1))
    leave(cache)
    ensure(Walk(seed=2))
    age(Walk(seed=1), 1)
    assert [entry.digest for entry in prune(0)] == [Walk(seed=1).digest()]
    assert finished([Walk(seed=2)]) == [True], "the first that this process used is in use too"
    leave(cache)
    child = processes.Process(target=ensure_in_child, args=(cache, Walk(seed=3)))
    child.start()
    child.join(60)
    assert {entry.digest for entry in prune(0)} == {Walk(seed=2).digest(), Walk(seed=3).digest()}, (
        "the note of a process that has ended protects nothing"
    )


def test_a_process_on_another_machine_counts_for_two_days(cache: Path) -> None:
    ensure(Walk())
    leave(cache)
    note = cache / jobs_cache.USERS / "elsewhere-1"
    note.touch()
    os.utime(note, (time.time() - 3600,) * 2)
    assert prune(0) == []
    os.utime(note, (time.time() - 3 * 86400,) * 2)
    assert len(prune(0)) == 1 and not note.exists()


def test_prune_takes_what_is_broken_first_and_leaves_a_running_job(
    cache: Path, processes: ForkServerContext
) -> None:
    ensure(Walk())
    flip(Walk().folder() / "x.safetensors")
    with pytest.warns(io.DamagedFileWarning):
        ensure(Walk())
    removed = prune(1.0)
    assert [entry.state for entry in removed] == ["broken"] and finished([Walk()]) == [True]
    leave(cache)

    slow = Walk(seed=7, steps=200, pause=0.05)
    work = work_of(slow)
    process = processes.Process(target=ensure_in_child, args=(cache, slow))
    process.start()
    until(work / ".partial" / "state.safetensors")
    for note in (cache / jobs_cache.USERS).iterdir():
        note.unlink()  # so that the lock alone protects it
    assert [entry.digest for entry in prune(0)] == [Walk().digest()]
    assert work.is_dir()
    process.kill()
    process.join()
    assert [entry.state for entry in entries()] == ["partial"]
    assert [entry.digest for entry in prune(0)] == [slow.digest()]
    assert not work.exists()


def test_prune_finishes_a_deletion_that_was_killed(cache: Path) -> None:
    ensure(Walk())
    half = Walk().folder().with_name(".removed-" + Walk().digest())
    os.rename(Walk().folder(), half)
    (half / "x.safetensors").unlink()
    assert [entry.state for entry in entries()] == ["broken"]
    assert np.array_equal(ensure(Walk()), expected())
    assert [entry.path for entry in prune(1.0)] == [half] and not half.exists()
    assert finished([Walk()]) == [True]


def test_an_empty_cache_has_no_entries(cache: Path) -> None:
    assert entries() == [] and prune(0) == []


def test_spec_files_are_for_people(cache: Path) -> None:
    ensure(Walk())
    text = (Walk().folder() / "spec.json").read_text()
    assert json.loads(text)["fields"] == {"seed": 0, "steps": 4, "threads": 1}
    assert text.count("\n") > 5


# A plan -------------------------------------------------------------------------------------------


def everything(top: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(top)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in top.rglob("*")
    }


def test_a_plan_names_every_job_once_in_order_and_touches_no_file(cache: Path) -> None:
    one, two = Walk(seed=1), Walk(seed=2)
    jobs = [Mean(walks=(one, two)), Mean(walks=(two,)), two]
    nodes = graph(jobs)
    assert [node.job for node in nodes] == [one, two, *jobs[:2]]
    assert nodes[2].needs == (one.digest(), two.digest()) and nodes[3].needs == (two.digest(),)
    assert not any(node.finished for node in nodes)
    assert not cache.exists() and lines(cache) == []

    ensure(one)
    work_of(two).mkdir()
    before = everything(cache)
    assert [node.finished for node in graph(jobs)] == [True, False, False, False]
    assert [node.to_json()["state"] for node in graph([one, two])] == ["finished", "to do"]
    assert everything(cache) == before and lines(cache) == ["walk 1 from 0", "load 1"]


# Threads ------------------------------------------------------------------------------------------


class Threads(Job):
    """The threads that a job finds itself with."""

    kind: ClassVar[str] = "threads"
    version: ClassVar[int] = 1
    fails: bool = False

    def compute(self, folder: Path) -> None:
        if self.fails:
            raise ValueError("with its own threads")
        io.write_json(folder / "threads.json", threads_now())

    def load(self, folder: Path) -> dict[str, int]:
        return io.read_json(folder / "threads.json")


def threads_now() -> dict[str, int]:
    blas = {lib["num_threads"] for lib in threadpoolctl.threadpool_info() if _is_blas(lib)}
    return {
        "torch": torch.get_num_threads(),
        "numba": numba.get_num_threads(),
        "blas": max(blas, default=0),
    }


def _is_blas(library: dict[str, str]) -> bool:
    return library["user_api"] == "blas"


@pytest.fixture
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_a_job_computes_with_its_threads_and_gives_them_back(cache: Path, one_thread: None) -> None:
    before = threads_now()
    assert before["torch"] == 1
    for count in (1, 2, 3):
        inside = ensure(Threads(threads=count))
        assert inside["torch"] == count
        assert inside["numba"] == min(count, numba.config.NUMBA_NUM_THREADS)
        assert inside["blas"] in (0, count)
        assert threads_now() == before
    with pytest.raises(ValueError, match="with its own threads"):
        ensure(Threads(threads=2, fails=True))
    assert threads_now() == before


def test_the_number_of_threads_is_part_of_the_key_and_at_least_one() -> None:
    assert len({Threads(threads=count).digest() for count in (1, 2, 3)}) == 3
    with pytest.raises(ValueError, match="threads"):
        Threads(threads=0)


# A cache that can only be read --------------------------------------------------------------------


def as_reader(cache: Path, job: Job, refresh: bool, answer: Connection) -> None:
    """What ``ensure`` says to a process without the right to write into the cache."""
    os.environ |= {"INTERACTIONS_CACHE": str(cache), LOG: os.devnull}
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    try:
        answer.send(ensure(job, refresh))
    except OSError as error:
        answer.send((error.errno, str(error)))


@pytest.fixture
def readable(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache with one finished job, which others may read and nobody but root may write."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder) / "cache"
        monkeypatch.setenv("INTERACTIONS_CACHE", str(cache))
        ensure(Walk())
        allow(Path(folder), write=False)
        yield cache
        allow(Path(folder), write=True)


def allow(top: Path, *, write: bool) -> None:
    for path in (top, *top.rglob("*")):
        mode = 0o755 if path.is_dir() else 0o644
        path.chmod(mode if write else mode & ~stat.S_IWUSR)


def asked(
    processes: ForkServerContext, cache: Path, job: Job, refresh: bool = False
) -> np.ndarray | tuple[int, str]:
    here, there = processes.Pipe(duplex=False)
    child = processes.Process(target=as_reader, args=(cache, job, refresh, there))
    child.start()
    assert here.poll(60)
    found = here.recv()
    child.join(60)
    return found


def test_what_is_finished_is_loaded_from_a_cache_that_cannot_be_written(
    readable: Path, processes: ForkServerContext
) -> None:
    before = everything(readable)
    assert np.array_equal(asked(processes, readable, Walk()), expected())
    assert everything(readable) == before


@pytest.mark.parametrize(
    ("job", "refresh", "says"),
    [
        (Walk(seed=1), False, "is not finished"),
        (Mean(walks=(Walk(),)), False, "is not finished"),
        (Walk(), True, "was to be computed again"),
    ],
)
def test_what_cannot_be_written_is_said(
    readable: Path, processes: ForkServerContext, job: Job, refresh: bool, says: str
) -> None:
    before = everything(readable)
    number, text = asked(processes, readable, job, refresh)
    assert number == errno.EROFS
    assert f"{readable} may only be read" in text and "set INTERACTIONS_CACHE" in text
    assert f"{job.kind} {job.digest()[:12]}" in text and says in text
    assert everything(readable) == before


def test_damage_in_a_cache_that_cannot_be_written_is_said_and_left(
    readable: Path, processes: ForkServerContext
) -> None:
    file = Walk().folder() / "x.safetensors"
    file.chmod(0o644)
    flip(file)
    number, text = asked(processes, readable, Walk())
    assert number == errno.EROFS and "is damaged" in text and "x.safetensors" in text
    assert Walk().folder().is_dir() and not list(readable.glob("*/*broken*"))


# A full disk --------------------------------------------------------------------------------------


def full_after(writes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk takes so many files more."""
    real = os.fsync

    def fsync(descriptor: int) -> None:
        nonlocal writes
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            writes -= 1
            if writes < 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("writes", range(12))
def test_a_full_disk_is_told_and_the_work_goes_on_afterwards(
    cache: Path, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """Whatever was being written: progress, output, provenance or the list of checksums."""
    with monkeypatch.context() as patch:
        full_after(writes, patch)
        with pytest.raises(FullCacheError, match="no space is left") as told:
            ensure(Walk())
    assert told.value.errno == errno.ENOSPC and str(paths.job_cache()) in str(told.value)
    assert f"walk {Walk().digest()[:12]}" in str(told.value) and "prune" in str(told.value)
    assert not Walk().folder().exists() and work_of(Walk()).is_dir()
    assert not list(cache.rglob(".tmp-*")), "what was half written takes no space"
    assert np.array_equal(ensure(Walk()), expected())
    computed = [line for line in lines(cache) if line.startswith("walk")]
    done = min(max(writes - 1, 0), 4)  # the first file says what the folder is, then come steps
    assert computed[-1] == f"walk 0 from {done}"


def test_a_full_disk_in_a_job_that_another_needs_is_told_once(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = Walk()
    full_after(3, monkeypatch)
    with pytest.raises(FullCacheError) as told:
        ensure(Mean(walks=(inner,)))
    assert str(told.value).count("no space is left") == 1
    assert f"walk {inner.digest()[:12]}" in str(told.value)


def test_safetensors_tells_of_a_full_disk_in_words(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it did on a tmpfs of 64 KiB."""

    def full(*_args: object, **_more: object) -> None:
        raise safetensors.SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        )

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.torch, "save_file", full)
        with pytest.raises(FullCacheError) as told:
            ensure(Walk())
        assert told.value.errno == errno.ENOSPC
    assert np.array_equal(ensure(Walk()), expected())


def test_another_error_is_not_taken_for_a_full_disk(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Walk, folder: Path) -> None:
        raise OSError(errno.EIO, "the disk is broken")

    monkeypatch.setattr(Walk, "compute", fail)
    with pytest.raises(OSError, match="the disk is broken") as told:
        ensure(Walk())
    assert not isinstance(told.value, FullCacheError)
