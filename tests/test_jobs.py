"""Jobs: the output is what the specification says, whatever is killed, damaged or asked for twice.

The processes that are killed are real ones. They are forked from a server that has imported the
package once.
"""

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from tests.walks import LOG, Alone, Mean, Walk, ensure_in_child, expected, flip, lines, work_of
from utils import io
from utils.jobs import content_digest, ensure, ensure_all, entries, finished


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    (tmp_path / "log").touch()
    return tmp_path / "cache"


def test_a_job_is_computed_once_and_then_loaded(cache):
    first, again = ensure(Walk()), ensure(Walk())
    assert np.array_equal(first, expected()) and np.array_equal(again, first)
    assert lines(cache) == ["walk 0 from 0", "load 0", "load 0"]
    folder = Walk().folder()
    assert folder == cache / "walk" / Walk().digest()
    assert sorted(path.name for path in folder.rglob("*")) == [
        "MANIFEST.json",
        "deep",
        "provenance.json",
        "spec.json",
        "steps.json",
        "x.safetensors",
    ]
    assert not folder.with_name(folder.name + ".work").exists()


def test_the_folder_says_what_it_is_and_where_it_comes_from(cache):
    ensure(Mean(walks=(Walk(seed=1),)))
    folder = Mean(walks=(Walk(seed=1),)).folder()
    spec = io.read_json(folder / "spec.json")
    assert spec["kind"] == "mean" and spec["fields"]["walks"] == [
        {"job": "walk", "digest": Walk(seed=1).digest()}
    ]
    assert io.sha256_bytes((folder / "spec.json").read_bytes()) == folder.name
    record = io.read_json(folder / "provenance.json")
    assert (
        record["clocks"]["total"] >= 0
        and record["resumed"] is False
        and record["versions"]["numpy"]
    )


def test_outputs_come_in_order_and_shared_parts_are_computed_once(cache):
    jobs = [Walk(seed=2), Walk(seed=1), Mean(walks=(Walk(seed=1), Walk(seed=2)))]
    assert finished(jobs) == [False, False, False]
    two, one, mean = ensure_all(iter(jobs), desc="walks")
    assert np.array_equal(two, expected(2)) and np.array_equal(one, expected(1))
    assert np.array_equal(mean, (one + two) / 2)
    assert sum(line.startswith("walk") for line in lines(cache)) == 2
    assert finished(jobs) == [True, True, True]


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_jobs_of_one_thread_are_computed_side_by_side(cache, two_threads):
    # Each waits until the other has begun: one after the other, they would never end.
    found = ensure_all([Alone(seed=0, waits_for=1), Walk(), Alone(seed=1, waits_for=0)], "jobs")
    assert np.array_equal(found[1], expected())
    one, _, other = found
    assert (
        os.getpid() not in {one["process"], other["process"]} and one["process"] != other["process"]
    )
    assert one["threads"] == other["threads"] == 1 and one["progress"] == "0"


def test_one_thread_or_one_job_needs_no_other_process(cache, two_threads):
    ensure(Alone(seed=0))
    first, second = ensure_all([Alone(seed=0), Alone(seed=1)], "one left to do")
    assert first["process"] == second["process"] == os.getpid()
    torch.set_num_threads(1)
    assert {found["process"] for found in ensure_all([Alone(seed=2), Alone(seed=3)], "jobs")} == {
        os.getpid()
    }


def test_an_error_in_another_process_is_raised_here_and_finished_work_stays(cache, two_threads):
    good, bad = Alone(seed=0), Alone(seed=1, error="n must be 3", waits_for=2)
    ensure(Alone(seed=2))
    with pytest.raises(ValueError, match="job 1: n must be 3"):
        ensure_all([good, Alone(seed=3), bad], "jobs")
    assert finished([bad]) == [False]
    assert len(ensure_all([good, Alone(seed=3)], "jobs")) == 2


# ---- damage --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda f: flip(f / "x.safetensors"), "x.safetensors"),
        (lambda f: flip(f / "x.safetensors", at=1.0), "x.safetensors"),
        (lambda f: os.truncate(f / "x.safetensors", 100), "x.safetensors"),
        (lambda f: (f / "x.safetensors").unlink(), "x.safetensors"),
        (lambda f: (f / "deep" / "steps.json").write_text(""), "steps.json"),
        (lambda f: flip(f / "provenance.json"), "provenance.json"),
        (lambda f: (f / "MANIFEST.json").unlink(), "MANIFEST.json"),
        (lambda f: os.truncate(f / "MANIFEST.json", 30), "MANIFEST.json"),
        (lambda f: (f / "spec.json").write_text("{}"), "spec.json"),
    ],
)
def test_a_damaged_output_is_set_aside_reported_and_computed_again(cache, damage, names):
    ensure(Walk())
    folder = Walk().folder()
    good = content_digest(folder)
    damage(folder)
    with pytest.warns(io.DamagedFileWarning, match=names):
        again = ensure(Walk())
    assert np.array_equal(again, expected()) and content_digest(folder) == good
    assert folder.with_name(folder.name + ".broken-1").is_dir()
    assert lines(cache).count("walk 0 from 0") == 2
    assert np.array_equal(ensure(Walk()), again)  # and now without a warning
    assert lines(cache).count("walk 0 from 0") == 2


def test_damaged_progress_is_set_aside_and_computed_from_nothing(cache):
    work = work_of(Walk())
    (work / ".partial").mkdir(parents=True)
    (work / ".partial" / "state.safetensors").write_bytes(b"half")
    with pytest.warns(
        io.DamagedFileWarning, match=r"progress of an earlier attempt.*state\.safetensors"
    ):
        assert np.array_equal(ensure(Walk()), expected())


def test_a_damaged_file_elsewhere_does_not_cost_the_progress(cache, monkeypatch, tmp_path):
    (tmp_path / "data.json").write_text("{")
    work = work_of(Walk())
    work.mkdir(parents=True)
    monkeypatch.setattr(Walk, "compute", lambda self, folder: io.read_json(tmp_path / "data.json"))
    with pytest.raises(io.DamagedFileError, match=r"data\.json"):
        ensure(Walk())
    assert work.is_dir() and entries()[0].state == "partial"


def test_a_job_that_writes_nothing_has_not_succeeded(cache, monkeypatch):
    monkeypatch.setattr(Walk, "compute", lambda self, folder: None)
    with pytest.raises(RuntimeError, match="without writing a file"):
        ensure(Walk())
    assert not Walk().folder().exists()


def test_refresh_computes_again_and_keeps_the_old_output_until_then(cache, monkeypatch):
    ensure(Walk())
    manifest = (Walk().folder() / "MANIFEST.json").stat().st_ino
    assert np.array_equal(ensure(Walk(), refresh=True), expected())
    assert (Walk().folder() / "MANIFEST.json").stat().st_ino != manifest
    assert lines(cache).count("walk 0 from 0") == 2

    def fail(self, folder):
        raise RuntimeError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(Walk, "compute", fail)
        with pytest.raises(RuntimeError, match="no power"):
            ensure(Walk(), refresh=True)
    assert np.array_equal(ensure(Walk()), expected()) and lines(cache).count("walk 0 from 0") == 2


def test_ctrl_c_passes_through_and_the_next_run_resumes(cache, monkeypatch):
    def interrupt(pause):
        if len(lines(cache)) == 1 and interrupt.left == 0:
            raise KeyboardInterrupt
        interrupt.left -= 1

    interrupt.left = 2
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure(Walk())
    assert np.array_equal(ensure(Walk()), expected())
    assert lines(cache) == ["walk 0 from 0", "walk 0 from 3", "load 0"]
    assert io.read_json(Walk().folder() / "provenance.json")["resumed"] is True


# ---- other processes, killed and not -------------------------------------------------------------


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "utils.jobs"])
    return context


def _run(context, *args, **kwargs):
    process = context.Process(target=ensure_in_child, args=args, kwargs=kwargs)
    process.start()
    process.join(60)
    return process.exitcode


JOB = Mean(walks=(Walk(seed=1, steps=2), Walk(seed=2, steps=1)))


@pytest.fixture(scope="module")
def undisturbed(processes, tmp_path_factory):
    """What each of JOB's folders holds when nothing goes wrong."""
    cache = tmp_path_factory.mktemp("undisturbed") / "cache"
    assert _run(processes, cache, JOB) == 0
    return _contents(cache)


def _contents(cache):
    return {
        path.parent.name: content_digest(path.parent) for path in cache.glob("*/*/MANIFEST.json")
    }


@pytest.mark.parametrize(
    ("call", "stride", "at_least"), [("replace", 1, 12), ("rename", 1, 3), ("fsync", 7, 5)]
)
def test_a_kill_before_any_write_loses_nothing_and_ends_with_the_same_bits(
    call, stride, at_least, processes, undisturbed, cache, monkeypatch
):
    died = 0
    for k in range(1, 200, stride):
        here = cache.parent / f"{call}-{k}" / "cache"
        if _run(processes, here, JOB, (call, k)) == 0:
            break
        died += 1
        whole = {
            path.parent for path in here.glob("*/*/MANIFEST.json") if path.parent.suffix != ".work"
        }
        assert all(not io.verify(folder) for folder in whole)
        before = {folder: folder.stat().st_ino for folder in whole}
        monkeypatch.setenv("INTERACTIONS_CACHE", str(here))
        assert np.array_equal(ensure(JOB), (expected(1, 2) + expected(2, 1)) / 2)
        assert _contents(here) == undisturbed
        assert all(folder.stat().st_ino == inode for folder, inode in before.items()), (
            "finished work was done again"
        )
        assert (
            not list(here.glob("*/*.work"))
            and not list(here.glob("*/**/.*"))
            and not list(here.glob("*/*broken*"))
        )
    assert died >= at_least


def test_killed_again_and_again_it_still_ends_with_the_same_bits(processes, undisturbed, cache):
    deaths = 0
    while _run(processes, cache, JOB, ("replace", 7)) != 0:
        deaths += 1
        assert deaths < 50
    assert deaths >= 3 and _contents(cache) == undisturbed


def test_a_kill_from_outside_in_the_middle_of_the_work(processes, cache):
    slow = Walk(seed=5, steps=30, pause=0.02)
    process = processes.Process(target=ensure_in_child, args=(cache, slow))
    process.start()
    state = work_of(slow) / ".partial" / "state.safetensors"
    deadline = time.monotonic() + 30
    while not (state.is_file() and int(io.load_arrays(state)["step"]) >= 5):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert np.array_equal(ensure(Walk(seed=5, steps=30)), expected(5, 30))
    first, second, _ = lines(cache)
    assert first == "walk 5 from 0" and int(second.removeprefix("walk 5 from ")) >= 5


def test_two_processes_that_want_the_same_job_compute_it_once(processes, cache):
    slow, barrier = Walk(seed=6, steps=10, pause=0.03), processes.Barrier(2)
    outs = [cache.parent / f"{i}.npy" for i in range(2)]
    both = [
        processes.Process(target=ensure_in_child, args=(cache, slow, None, barrier, out))
        for out in outs
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert lines(cache) == ["walk 6 from 0", "load 6", "load 6"]
    assert all(np.array_equal(np.load(out), expected(6, 10)) for out in outs)
