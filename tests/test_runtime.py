"""Threads, device, memory and progress: one policy, and errors that say what is accepted."""

import os
import subprocess
import sys

import numba
import numpy as np
import pytest
import threadpoolctl
import torch

from utils import paths, runtime


@pytest.fixture
def threads_restored():
    before = {name: os.environ.get(name) for name in runtime._BLAS_VARIABLES}
    count = torch.get_num_threads()
    yield
    runtime.set_threads(count)
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _blas_threads():
    return {
        pool["num_threads"]
        for pool in threadpoolctl.threadpool_info()
        if pool["user_api"] == "blas"
    }


def test_one_call_sets_every_pool(threads_restored):
    np.ones((2, 2)) @ np.ones((2, 2))
    assert runtime.set_threads(1) == 1
    assert torch.get_num_threads() == 1 and numba.get_num_threads() == 1 and _blas_threads() == {1}
    assert runtime.set_threads(1) == 1
    more = runtime.available_cores()
    assert runtime.set_threads(more) == more
    assert torch.get_num_threads() == more and numba.get_num_threads() == more


def test_more_threads_than_cores_are_taken_where_possible(threads_restored):
    assert runtime.set_threads(runtime.available_cores() + 3) == runtime.available_cores() + 3
    assert numba.get_num_threads() == numba.config.NUMBA_NUM_THREADS


def test_the_environment_decides_the_default(threads_restored, monkeypatch):
    monkeypatch.setenv("INTERACTIONS_THREADS", "1")
    assert runtime.set_threads() == 1
    monkeypatch.setenv("INTERACTIONS_THREADS", "")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # as schedulers and containers say it
    assert runtime.set_threads() == 3 and torch.get_num_threads() == 3
    monkeypatch.setenv("INTERACTIONS_THREADS", "1")
    assert runtime.set_threads() == 1
    monkeypatch.delenv("INTERACTIONS_THREADS")
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert runtime.set_threads() == runtime.available_cores()
    for name in ("INTERACTIONS_THREADS", "OMP_NUM_THREADS"):
        for bad in ("0", "-2", "two", "1.5"):
            monkeypatch.setenv(name, bad)
            with pytest.raises(ValueError, match=f"{name} must be a whole number.*{bad}"):
                runtime.set_threads()
        monkeypatch.delenv(name)


@pytest.mark.parametrize("bad", [0, -1, True, 1.0, "2"])
def test_a_wrong_number_of_threads_is_refused(bad):
    with pytest.raises(ValueError, match="number of threads"):
        runtime.set_threads(bad)


def test_inside_fixed_threads_every_pool_has_that_many_and_afterwards_its_own(threads_restored):
    np.ones((2, 2)) @ np.ones((2, 2))
    runtime.set_threads(1)
    with runtime.fixed_threads(2):
        assert torch.get_num_threads() == 2 and _blas_threads() == {2}
        assert numba.get_num_threads() == min(2, numba.config.NUMBA_NUM_THREADS)
        with runtime.fixed_threads(1):
            assert torch.get_num_threads() == numba.get_num_threads() == 1
            assert _blas_threads() == {1}
        assert torch.get_num_threads() == 2 and _blas_threads() == {2}
    with pytest.raises(KeyError), runtime.fixed_threads(2):
        raise KeyError
    assert torch.get_num_threads() == numba.get_num_threads() == 1 and _blas_threads() == {1}


CORES = """
import hashlib, os, sys, tempfile
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from utils import datasets, extract, runtime, sparsify
from utils.players import PatchDraw
from utils.players.components import principal_components
from utils.train import TrainConfig, fit
threads = runtime.set_threads()
assert (threads == 1) == (sys.argv[1] == "one" or runtime.available_cores() == 1)
config = TrainConfig(
    model="lenet", n_train=1000, n_test=100, loss_images=100, steps=6, checkpoints=2, batch=128
)
with tempfile.TemporaryDirectory() as folder:
    model = fit(config, folder, threads=2).last()
data = config.told()
with runtime.fixed_threads(2):
    players = [PatchDraw().players(data, i, 7, data) for i in range(4)]
    v = extract.scores(model, players, data.labels[:4])
    found = sparsify.split(v, tol=1e-2)
    basis = principal_components(data.x.flatten(1)[:, 200:600], 5)
for part in (*model.state_dict().values(), v, found.i_and, found.gamma, basis.directions):
    print(hashlib.sha256(part.contiguous().numpy().tobytes()).hexdigest())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be taken away here")
def test_bits_are_those_of_the_threads_asked_for_on_any_number_of_cores(monkeypatch):
    """Training, scores, splits and a PCA with two threads, on one core and on all of them (with
    another number of threads each of them has other bits)."""
    for name in ("INTERACTIONS_THREADS", *runtime._BLAS_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    one, every = (
        subprocess.run(
            [sys.executable, "-c", CORES, cores],
            cwd=paths.ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for cores in ("one", "all")
    )
    assert len(one) > 10 and one == every


def test_threads_may_be_set_when_it_is_too_late_for_the_interop_pool():
    # In a fresh process: torch allows its inter-operator pool to be sized once and before its first
    # work.
    code = """
import torch
torch.set_num_interop_threads(3)
from utils import runtime
print(runtime.set_threads(1), runtime.set_threads(2), runtime.set_threads(1))
print(torch.get_num_threads(), torch.get_num_interop_threads())
"""
    done = subprocess.run(
        [sys.executable, "-W", "error::RuntimeWarning", "-c", code],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1", "2", "1", "1", "3"]


def test_the_first_call_in_a_process_counts_already():
    # Starting numba's pool resets OpenMP's number of threads, so the order of the calls inside
    # matters.
    code = (
        "import torch; from utils import runtime; runtime.set_threads(1);"
        "print(torch.get_num_threads(), torch.get_num_interop_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1", "1"]


@pytest.mark.skipif(sys.platform != "linux", reason="the call is glibc's")
def test_freed_memory_serves_the_next_tensor_without_the_system():
    code = """
import resource
import torch
from utils import runtime
runtime.set_threads(1)
for _ in range(10):  # until the heap has found its size
    torch.ones(10 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(10 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 1000, "40 MiB are 10,000 pages, ten times"


def test_cores_respect_affinity_and_quota(monkeypatch):
    assert 1 <= runtime.available_cores() <= os.cpu_count()
    monkeypatch.setattr(runtime.os, "sched_getaffinity", lambda pid: set(range(64)), raising=False)
    limits = {"cpu.max": ["max 100000", "350000 100000", "800000 100000"]}
    monkeypatch.setattr(
        runtime, "_cgroup_files", lambda name, controller="": iter(limits.get(name, []))
    )
    assert runtime.available_cores() == 3
    limits["cpu.max"] = ["50000 100000"]
    assert runtime.available_cores() == 1
    limits.clear()
    assert runtime.available_cores() == 64
    limits.update({"cpu.cfs_quota_us": ["-1", "200000"], "cpu.cfs_period_us": ["100000", "100000"]})
    assert runtime.available_cores() == 2


def test_memory_respects_the_control_group(monkeypatch):
    free = runtime.available_memory()
    assert 2**20 < free < 2**50
    limits = {
        "memory.max": ["max", "1000000"],
        "memory.current": ["5", "900000"],
        "memory.stat": ["inactive_file 1", "anon 5\ninactive_file 300000\n", "inactive_file 9"],
    }
    monkeypatch.setattr(
        runtime, "_cgroup_files", lambda name, controller="": iter(limits.get(name, []))
    )
    assert runtime.available_memory() == 400_000
    limits["memory.current"] = ["5", "2000000"]
    assert runtime.available_memory() == 0


def test_memory_is_refused_before_it_is_allocated(monkeypatch):
    runtime.require_memory(1000, "a small thing")
    monkeypatch.setattr(runtime, "available_memory", lambda device="cpu": 20 * 2**30)
    runtime.require_memory(20 * 2**30, "what just fits")
    with pytest.raises(
        MemoryError,
        match=r"a game of n = 33 needs 64\.0 GiB, 20\.0 GiB available on cpu; use n ≤ 31",
    ):
        runtime.require_memory(64 * 2**30, "a game of n = 33", hint="use n ≤ 31")


def test_devices():
    assert runtime.device("cpu") == runtime.device(torch.device("cpu")) == torch.device("cpu")
    assert runtime.device().type == ("cuda" if torch.cuda.is_available() else "cpu")
    for bad in ("gpu", "", "cuda:x", "meta", "xla"):
        with pytest.raises(ValueError, match=r"unknown device.*'auto', 'cpu', 'cuda'"):
            runtime.device(bad)
    with pytest.raises(ValueError, match=f"sees {torch.cuda.device_count()} CUDA devices"):
        runtime.device(f"cuda:{torch.cuda.device_count()}")


def test_mps_is_refused_where_there_is_none(monkeypatch):
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ValueError, match="no Apple GPU"):
        runtime.device("mps")


def test_progress_can_be_turned_off_and_loses_nothing(monkeypatch, capsys):
    monkeypatch.setenv("INTERACTIONS_PROGRESS", "0")
    assert list(runtime.progress(range(5), desc="x")) == [0, 1, 2, 3, 4]
    assert runtime.progress(range(3), desc="x").disable
    monkeypatch.delenv("INTERACTIONS_PROGRESS")
    with runtime.progress(desc="scores", total=10, unit="mask") as bar:
        assert not bar.disable and bar.total == 10
        bar.update(10)
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err == ""  # over within a second: not worth a line


def test_human_numbers():
    assert [runtime.human_bytes(x) for x in (0, 12, 1536, 2**20, 64 * 2**30, 250 * 2**30)] == [
        "0 B",
        "12 B",
        "1.5 KiB",
        "1.0 MiB",
        "64.0 GiB",
        "250 GiB",
    ]
    assert [runtime.human_time(x) for x in (0.012, 1, 9.94, 9.96, 59.6, 75, 3599.7, 7500)] == [
        "12 ms",
        "1.0 s",
        "9.9 s",
        "10 s",
        "1 min 00 s",
        "1 min 15 s",
        "1 h 00 min",
        "2 h 05 min",
    ]
