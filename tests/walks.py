"""Small real jobs for the tests of jobs, and a log of what was computed and loaded."""

from __future__ import annotations

import os
import signal
import time
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from utils import io, paths
from utils.jobs import Job, ensure

LOG = "JOBS_TEST_LOG"


def log(line: str) -> None:
    """Append a line to the file that the environment names, whatever process this is."""
    if LOG in os.environ:
        with open(os.environ[LOG], "a") as file:
            file.write(line + "\n")


def lines(cache: Path) -> list[str]:
    """What was logged beside a cache."""
    return (cache.parent / "log").read_text().splitlines()


class Walk(Job):
    """A random walk that saves its state after each step, as a training does after each epoch."""

    kind: ClassVar[str] = "walk"
    version: ClassVar[int] = 1

    seed: int = 0
    steps: int = 4
    pause: float = Field(0.0, exclude=True)

    def compute(self, folder: Path) -> None:
        state, step, x = folder / ".partial" / "state.safetensors", 0, np.zeros(50)
        if state.is_file():
            saved = io.load_arrays(state)
            step, x = int(saved["step"]), saved["x"].numpy()
        log(f"walk {self.seed} from {step}")
        while step < self.steps:
            x = x + np.random.default_rng([self.seed, step]).normal(size=50)
            step += 1
            io.save_arrays(state, {"step": np.int64(step), "x": x})
            time.sleep(self.pause)
        io.save_arrays(folder / "x.safetensors", {"x": x})
        io.write_json(folder / "deep" / "steps.json", {"steps": step})

    def load(self, folder: Path) -> np.ndarray:
        log(f"load {self.seed}")
        return io.load_arrays(folder / "x.safetensors")["x"].numpy()


class Mean(Job):
    """A job that needs others: the mean of some walks."""

    kind: ClassVar[str] = "mean"
    version: ClassVar[int] = 1

    walks: tuple[Walk, ...]

    def compute(self, folder: Path) -> None:
        log("mean")
        io.save_arrays(
            folder / "m.safetensors", {"m": np.mean([ensure(walk) for walk in self.walks], axis=0)}
        )

    def load(self, folder: Path) -> np.ndarray:
        return io.load_arrays(folder / "m.safetensors")["m"].numpy()


class Alone(Job):
    """A job for a process of its own; it says where it was computed, and waits for a sign from
    another."""

    kind: ClassVar[str] = "alone"
    version: ClassVar[int] = 1

    threads: int = 1
    seed: int
    error: str = ""
    waits_for: int | None = None

    @property
    def apart(self) -> bool:
        return True

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


def expected(seed: int = 0, steps: int = 4) -> np.ndarray:
    """What a walk comes to, computed in one go."""
    x = np.zeros(50)
    for step in range(steps):
        x = x + np.random.default_rng([seed, step]).normal(size=50)
    return x


def flip(path: Path, at: float = 0.5) -> None:
    """Change one bit of a file."""
    data = bytearray(path.read_bytes())
    data[int(at * (len(data) - 1))] ^= 4
    path.write_bytes(data)


def work_of(job: Job) -> Path:
    """Where a job is computed."""
    return job.folder().with_name(job.digest() + ".work")


def ensure_in_child(
    cache: Path,
    job: Job,
    kill_before: tuple[str, int] | None = None,
    barrier: Barrier | None = None,
    out: Path | None = None,
) -> None:
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
