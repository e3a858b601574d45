"""Jobs: the output is what the specification says, whatever is killed, damaged or asked for twice.

The processes that are killed are real ones. They are forked from a server that has imported the
package once.
"""

import enum
import importlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
import torch
from pydantic import BaseModel, Field, ValidationError

from utils import extract, io, paths
from utils.jobs import (
    Job,
    base,
    content_digest,
    ensure,
    ensure_all,
    entries,
    finished,
    fitting,
    prune,
)

LOG = "JOBS_TEST_LOG"


def _log(line):
    if LOG in os.environ:
        with open(os.environ[LOG], "a") as file:
            file.write(line + "\n")


class Walk(Job):
    """A random walk that saves its state after each step, as a training does after each epoch."""

    kind = "walk"
    version = 1
    code = ("utils.lattice",)

    seed: int = 0
    steps: int = 4
    pause: float = Field(0.0, exclude=True)

    def compute(self, folder: Path) -> None:
        state, step, x = folder / ".partial" / "state.safetensors", 0, np.zeros(50)
        if state.is_file():
            saved = io.load_arrays(state)
            step, x = int(saved["step"]), saved["x"].numpy()
        _log(f"walk {self.seed} from {step}")
        while step < self.steps:
            x = x + np.random.default_rng([self.seed, step]).normal(size=50)
            step += 1
            io.save_arrays(state, {"step": np.int64(step), "x": x})
            time.sleep(self.pause)
        io.save_arrays(folder / "x.safetensors", {"x": x})
        io.write_json(folder / "deep" / "steps.json", {"steps": step})

    def load(self, folder: Path) -> np.ndarray:
        _log(f"load {self.seed}")
        return io.load_arrays(folder / "x.safetensors")["x"].numpy()


class Mean(Job):
    """A job that needs others: the mean of some walks."""

    kind = "mean"
    version = 1
    code = ()

    walks: tuple[Walk, ...]

    def compute(self, folder: Path) -> None:
        _log("mean")
        io.save_arrays(
            folder / "m.safetensors", {"m": np.mean([ensure(walk) for walk in self.walks], axis=0)}
        )

    def load(self, folder: Path) -> np.ndarray:
        return io.load_arrays(folder / "m.safetensors")["m"].numpy()


class Alone(Job):
    """A job of one thread, for a process of its own; it says where it was computed, and waits for a
    sign from another."""

    kind = "alone"
    version = 1
    code = ()

    seed: int
    error: str = ""
    waits_for: int | None = None

    @property
    def own_threads(self) -> int:
        return 1

    def compute(self, folder: Path) -> None:
        io.write_json(
            folder / "where.json",
            {
                "process": os.getpid(),
                "threads": torch.get_num_threads(),
                "progress": os.environ.get("INTERACTIONS_PROGRESS"),
            },
        )
        sign = paths.job_cache().parent / "sign"
        (sign.with_name(f"sign-{self.seed}")).touch()
        deadline = time.monotonic() + 60
        while self.waits_for is not None and not sign.with_name(f"sign-{self.waits_for}").exists():
            assert time.monotonic() < deadline, "the other job does not run at the same time"
            time.sleep(0.01)
        if self.error:
            raise ValueError(f"job {self.seed}: {self.error}")

    def load(self, folder: Path) -> dict:
        return io.read_json(folder / "where.json")


def _expected(seed=0, steps=4):
    x = np.zeros(50)
    for step in range(steps):
        x = x + np.random.default_rng([seed, step]).normal(size=50)
    return x


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv(LOG, str(tmp_path / "log"))
    (tmp_path / "log").touch()
    return tmp_path / "cache"


def _lines(cache):
    return (cache.parent / "log").read_text().splitlines()


def test_a_job_is_computed_once_and_then_loaded(cache):
    first, again = ensure(Walk()), ensure(Walk())
    assert np.array_equal(first, _expected()) and np.array_equal(again, first)
    assert _lines(cache) == ["walk 0 from 0", "load 0", "load 0"]
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
    assert np.array_equal(two, _expected(2)) and np.array_equal(one, _expected(1))
    assert np.array_equal(mean, (one + two) / 2)
    assert sum(line.startswith("walk") for line in _lines(cache)) == 2
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
    assert np.array_equal(found[1], _expected())
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


# ---- the key -------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


class Inner(BaseModel, frozen=True):
    rate: float = 0.1


class Wide(Walk):
    """One field of every sort."""

    kind = "wide"
    numbers: tuple[float, ...] = (0.1, 1e-9)
    names: frozenset[str] = frozenset(
        {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"}
    )
    table: dict[str, int] = {"b": 1, "a": 2}  # noqa: RUF012
    colour: Colour = Colour.RED
    inner: Inner = Inner()
    dep: Job = Walk(seed=3)
    mode: Literal["x", "y"] = "x"
    nothing: int | None = None


_BASE = Wide()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"numbers": (0.1,)},
        {"numbers": (0.1, 1.0000000000000002e-9)},
        {"names": {"alpha"}},
        {"table": {"a": 2, "b": 3}},
        {"inner": Inner(rate=0.2)},
        {"dep": Walk(seed=4)},
        {"mode": "y"},
        {"nothing": 0},
        {"dep": Mean(walks=(Walk(seed=3),))},
    ],
)
def test_every_field_is_part_of_the_key(change):
    assert Wide(**change).digest() != _BASE.digest()


def test_the_key_is_the_content_and_nothing_else():
    same = Wide(
        table={"a": 2, "b": 1}, names=sorted(_BASE.names), pause=9.0, colour="red", dep=Walk(seed=3)
    )
    assert same.digest() == _BASE.digest()
    assert Wide(numbers=(1,)).digest() == Wide(numbers=(1.0,)).digest()
    assert Walk().digest() != Wide().digest()


def test_kind_and_version_are_part_of_the_key(monkeypatch):
    before = Walk().digest()
    monkeypatch.setattr(Walk, "version", 2)
    after = Walk().digest()
    assert after != before
    monkeypatch.setattr(Walk, "kind", "stroll")
    assert Walk().digest() not in (before, after)


def test_the_key_is_the_same_in_every_process():
    code = "import test_jobs; print(test_jobs._BASE.digest())"
    environment = os.environ | {
        "PYTHONHASHSEED": "1",
        "PYTHONPATH": f"{paths.ROOT}{os.pathsep}{paths.ROOT / 'tests'}",
    }
    other = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert other.stdout.strip() == _BASE.digest()  # pytest itself runs under a random seed


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A package of two files that a job's code names."""
    package = tmp_path / "src" / "measured_code"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "part.py").write_text("x = 1\n")
    monkeypatch.syspath_prepend(package.parent)
    importlib.invalidate_caches()
    base.source_hash.cache_clear()
    yield package
    base.source_hash.cache_clear()
    for name in [name for name in sys.modules if name.startswith("measured_code")]:
        del sys.modules[name]


def _hash(*code):
    base.source_hash.cache_clear()
    return base.source_hash(code)


def test_an_edit_of_the_source_changes_the_key(source, monkeypatch):
    monkeypatch.setattr(Walk, "code", ("measured_code",))
    before = Walk().digest()
    (source / "part.py").write_text("x = 2\n")
    assert Walk().digest() == before, (
        "the hash is taken once a process: the code that runs is the code of its start"
    )
    base.source_hash.cache_clear()
    assert Walk().digest() != before
    (source / "part.py").write_bytes(
        b"x = 1\r\n"
    )  # a checkout with Windows line endings is the same code
    base.source_hash.cache_clear()
    assert Walk().digest() == before


def test_what_counts_as_source(source):
    whole, part = _hash("measured_code"), _hash("measured_code.part")
    assert whole != part
    assert _hash("measured_code", "utils.lattice") == _hash("utils.lattice", "measured_code")
    (source / "notes.txt").write_text("no code")
    assert _hash("measured_code") == whole
    (source / "part.py").rename(source / "other.py")
    assert _hash("measured_code") != whole
    (source / "other.py").rename(source / "part.py")
    (source / "new.py").write_text("")
    assert _hash("measured_code") != whole and _hash("measured_code.part") == part
    for missing in ("no_such_module", "utils.no_such_module", "no_such_package.module"):
        with pytest.raises(ImportError, match=missing):
            _hash(missing)
    with pytest.raises(ImportError, match="'math', which has no Python source"):
        _hash("math")


def test_a_wrong_specification_is_refused():
    with pytest.raises(ValidationError, match="stepps"):
        Walk(stepps=3)
    with pytest.raises(ValidationError, match="steps"):
        Walk(steps="many")
    with pytest.raises(ValidationError, match="finite"):
        Walk(pause=float("nan"))
    with pytest.raises(ValidationError, match="frozen"):
        Walk().steps = 3
    with pytest.raises(TypeError, match="abstract"):
        Job()


def test_a_job_class_must_say_what_it_is():
    with pytest.raises(TypeError, match="Vague must declare version"):

        class Vague(Walk.__base__):
            kind = "vague"
            code = ()

            def compute(self, folder): ...

            def load(self, folder): ...

    with pytest.raises(TypeError, match="kind names a folder"):

        class Stray(Walk):
            kind: ClassVar[str] = "../stray"


def test_a_path_is_no_identity():
    class Located(Walk):
        kind = "located"
        where: Path = Path("/data")

    with pytest.raises(TypeError, match=r"\$\.fields\.where is a PosixPath"):
        Located().digest()


# ---- damage --------------------------------------------------------------------------------------


def _flip(path, at=0.5):
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "names"),
    [
        (lambda f: _flip(f / "x.safetensors"), "x.safetensors"),
        (lambda f: _flip(f / "x.safetensors", at=1.0), "x.safetensors"),
        (lambda f: os.truncate(f / "x.safetensors", 100), "x.safetensors"),
        (lambda f: (f / "x.safetensors").unlink(), "x.safetensors"),
        (lambda f: (f / "deep" / "steps.json").write_text(""), "steps.json"),
        (lambda f: _flip(f / "provenance.json"), "provenance.json"),
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
    assert np.array_equal(again, _expected()) and content_digest(folder) == good
    assert folder.with_name(folder.name + ".broken-1").is_dir()
    assert _lines(cache).count("walk 0 from 0") == 2
    assert np.array_equal(ensure(Walk()), again)  # and now without a warning
    assert _lines(cache).count("walk 0 from 0") == 2


def test_damaged_progress_is_set_aside_and_computed_from_nothing(cache):
    work = Walk().folder().with_name(Walk().digest() + ".work")
    (work / ".partial").mkdir(parents=True)
    (work / ".partial" / "state.safetensors").write_bytes(b"half")
    with pytest.warns(
        io.DamagedFileWarning, match=r"progress of an earlier attempt.*state\.safetensors"
    ):
        assert np.array_equal(ensure(Walk()), _expected())


def test_a_damaged_file_elsewhere_does_not_cost_the_progress(cache, monkeypatch, tmp_path):
    (tmp_path / "data.json").write_text("{")
    work = Walk().folder().with_name(Walk().digest() + ".work")
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
    assert np.array_equal(ensure(Walk(), refresh=True), _expected())
    assert (Walk().folder() / "MANIFEST.json").stat().st_ino != manifest
    assert _lines(cache).count("walk 0 from 0") == 2

    def fail(self, folder):
        raise RuntimeError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(Walk, "compute", fail)
        with pytest.raises(RuntimeError, match="no power"):
            ensure(Walk(), refresh=True)
    assert np.array_equal(ensure(Walk()), _expected()) and _lines(cache).count("walk 0 from 0") == 2


def test_ctrl_c_passes_through_and_the_next_run_resumes(cache, monkeypatch):
    def interrupt(pause):
        if len(_lines(cache)) == 1 and interrupt.left == 0:
            raise KeyboardInterrupt
        interrupt.left -= 1

    interrupt.left = 2
    with monkeypatch.context() as patch:
        patch.setattr(time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            ensure(Walk())
    assert np.array_equal(ensure(Walk()), _expected())
    assert _lines(cache) == ["walk 0 from 0", "walk 0 from 3", "load 0"]
    assert io.read_json(Walk().folder() / "provenance.json")["resumed"] is True


# ---- other processes, killed and not -------------------------------------------------------------


@pytest.fixture(scope="module")
def processes():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "utils.jobs"])
    return context


def _child(cache, job, kill_before=None, barrier=None, out=None):
    """Ensure ``job`` in another process; ``kill_before=(name, k)`` ends it by SIGKILL before its
    k-th os.<name>()."""
    os.environ.update(
        {
            "INTERACTIONS_CACHE": str(cache),
            LOG: str(cache.parent / "log"),
            "INTERACTIONS_PROGRESS": "0",
        }
    )
    if kill_before is not None:
        name, left = kill_before
        real = getattr(os, name)

        def deadly(*args, **kwargs):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **kwargs)

        setattr(os, name, deadly)
    if barrier is not None:
        barrier.wait(30)
    result = ensure(job)
    if out is not None:
        np.save(out, result)


def _run(context, *args, **kwargs):
    process = context.Process(target=_child, args=args, kwargs=kwargs)
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
        assert np.array_equal(ensure(JOB), (_expected(1, 2) + _expected(2, 1)) / 2)
        assert _contents(here) == undisturbed
        assert all(folder.stat().st_ino == inode for folder, inode in before.items()), (
            "finished work was done again"
        )
        assert (
            not list(here.glob("*/*.work"))
            and not list(here.rglob(".*"))
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
    process = processes.Process(target=_child, args=(cache, slow))
    process.start()
    state = slow.folder().with_name(slow.digest() + ".work") / ".partial" / "state.safetensors"
    deadline = time.monotonic() + 30
    while not (state.is_file() and int(io.load_arrays(state)["step"]) >= 5):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert np.array_equal(ensure(Walk(seed=5, steps=30)), _expected(5, 30))
    first, second, _ = _lines(cache)
    assert first == "walk 5 from 0" and int(second.removeprefix("walk 5 from ")) >= 5


def test_two_processes_that_want_the_same_job_compute_it_once(processes, cache):
    slow, barrier = Walk(seed=6, steps=10, pause=0.03), processes.Barrier(2)
    outs = [cache.parent / f"{i}.npy" for i in range(2)]
    both = [
        processes.Process(target=_child, args=(cache, slow, None, barrier, out)) for out in outs
    ]
    for process in both:
        process.start()
    for process in both:
        process.join(60)
    assert [process.exitcode for process in both] == [0, 0]
    assert _lines(cache) == ["walk 6 from 0", "load 6", "load 6"]
    assert all(np.array_equal(np.load(out), _expected(6, 10)) for out in outs)


# ---- the cache as a whole ------------------------------------------------------------------------


def _age(job, days):
    then = time.time() - 86400 * days
    os.utime(job.folder(), (then, then))


def test_prune_removes_the_least_recently_used(cache):
    jobs = [Walk(seed=s) for s in range(4)]
    ensure_all(jobs, "walks")
    for job, days in zip(jobs, (4, 3, 2, 1), strict=True):
        _age(job, days)
    ensure(jobs[0])  # used again, hence the last to go
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
    assert np.array_equal(ensure(jobs[1]), _expected(1))
    with pytest.raises(ValueError, match="0 GB or more"):
        prune(-1)


def test_prune_takes_what_is_broken_first_and_leaves_what_is_in_use(cache, processes):
    ensure(Walk())
    _flip(Walk().folder() / "x.safetensors")
    with pytest.warns(io.DamagedFileWarning):
        ensure(Walk())
    removed = prune(1.0)
    assert [entry.state for entry in removed] == ["broken"] and finished([Walk()]) == [True]

    slow = Walk(seed=7, steps=200, pause=0.05)
    work = slow.folder().with_name(slow.digest() + ".work")
    process = processes.Process(target=_child, args=(cache, slow))
    process.start()
    deadline = time.monotonic() + 30
    while not (work / ".partial" / "state.safetensors").is_file():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert [entry.digest for entry in prune(0)] == [Walk().digest()]
    assert work.is_dir()
    process.kill()
    process.join()
    assert [entry.state for entry in entries()] == ["partial"]
    assert [entry.digest for entry in prune(0)] == [slow.digest()]
    assert not work.exists()


def test_prune_finishes_a_deletion_that_was_killed(cache):
    ensure(Walk())
    half = Walk().folder().with_name(".removed-" + Walk().digest())
    os.rename(Walk().folder(), half)
    (half / "x.safetensors").unlink()
    assert [entry.state for entry in entries()] == ["broken"]
    assert np.array_equal(ensure(Walk()), _expected())
    assert [entry.path for entry in prune(1.0)] == [half] and not half.exists()
    assert finished([Walk()]) == [True]


def test_an_empty_cache_has_no_entries(cache):
    assert entries() == [] and prune(0) == []


def test_spec_files_are_for_people(cache):
    ensure(Walk())
    text = (Walk().folder() / "spec.json").read_text()
    assert json.loads(text)["fields"] == {"seed": 0, "steps": 4} and text.count("\n") > 5


class Batched(Job):
    """A job that needs 8 rows or fewer."""

    kind = "batched"
    version = 1
    code = ()
    rows: int | None = None
    least: int = 8

    def compute(self, folder: Path) -> None:
        rows = self.rows or 64
        if rows > self.least:
            raise extract.OutOfMemory(rows, torch.device("cpu"))
        io.write_json(folder / "rows.json", {"rows": rows})

    def load(self, folder: Path) -> int:
        return io.read_json(folder / "rows.json")["rows"]


def test_a_job_that_runs_out_of_memory_becomes_another_job_with_a_smaller_batch():
    with pytest.warns(UserWarning) as warned:
        job = fitting.fitting(Batched())
    assert [str(w.message).rpartition(" of ")[2] for w in warned] == [
        "32 rows",
        "16 rows",
        "8 rows",
    ]
    assert job == Batched(rows=8) and ensure(job) == 8
    assert job.digest() != Batched().digest()


def test_what_does_not_fit_at_all_is_an_error():
    with (
        pytest.warns(UserWarning),
        pytest.raises(MemoryError, match="1 masked inputs at once do not fit"),
    ):
        fitting.fitting(Batched(least=0))
