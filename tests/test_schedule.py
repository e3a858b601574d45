"""A plan computed side by side: order, bits, failures, workers that die."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch

from utils import io, paths
from utils.jobs import content_digest, schedule
from utils.jobs.base import Job, ensure
from utils.jobs.plan import graph


class Step(Job):
    """Writes when it began and ended, and the sum of what it needs. fails: raises; dies: its worker
    is killed, while ``mark`` says that it has not been killed so often."""

    kind: ClassVar[str] = "test-step"
    version: ClassVar[int] = 1
    threads: int = 1
    number: int
    needs: tuple[Step, ...] = ()
    seconds: float = 0.0
    fails: bool = False
    dies: int = 0
    mark: str = ""

    def compute(self, folder: Path) -> None:
        begun = time.time()
        if self.dies:
            with Path(self.mark).open("a") as marks:
                marks.write(f"{self.number}\n")
            if len(Path(self.mark).read_text().split()) <= self.dies:
                os.kill(os.getpid(), signal.SIGKILL)
        print("step", self.number)
        if self.fails:
            raise ArithmeticError(f"step {self.number} cannot be done")
        time.sleep(self.seconds)
        value = self.number + sum(float(ensure(one)["value"]) for one in self.needs)
        io.save_arrays(folder / "value.safetensors", {"value": torch.tensor(value)})
        io.write_json(folder / "when.json", {"begun": begun, "ended": time.time()})

    def load(self, folder: Path) -> dict[str, Any]:
        return io.load_arrays(folder / "value.safetensors") | {
            "when": io.read_json(folder / "when.json")
        }


Step.model_rebuild()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "cache"))


def test_all_of_a_plan_is_computed_and_needs_come_first() -> None:
    base = [Step(number=k) for k in range(3)]
    top = Step(number=10, needs=tuple(base))
    assert schedule.compute(graph([top]), workers=2) == []
    assert all(node.finished for node in graph([top]))
    assert float(ensure(top)["value"]) == 13
    began = ensure(top)["when"]["begun"]
    assert all(ensure(one)["when"]["ended"] <= began for one in base)
    assert schedule.compute(graph([top]), workers=2) == [], "nothing is left to do"


def test_two_are_computed_at_a_time_and_the_longest_way_first() -> None:
    """A chain of two outlasts the three that stand alone: its first job is among the first."""
    alone = [Step(number=k, seconds=0.5) for k in range(3)]
    first = Step(number=7, seconds=0.5)
    chain = Step(number=8, needs=(first,), seconds=0.5)
    schedule.compute(graph([*alone, chain]), workers=2)
    spans = [ensure(one)["when"] for one in (*alone, first, chain)]
    begun = [span["begun"] for span in spans]
    assert begun[3] in sorted(begun)[:2], "the chain's first job began at once"
    moments = sorted(begun)
    together = max(sum(s["begun"] <= t < s["ended"] for s in spans) for t in moments)
    assert together == 2


def test_a_job_of_two_threads_takes_both_places() -> None:
    jobs = [Step(number=1, threads=2, seconds=0.4), Step(number=2, threads=2, seconds=0.4)]
    schedule.compute(graph(jobs), workers=2)
    (one, other) = sorted((ensure(job)["when"] for job in jobs), key=lambda when: when["begun"])
    assert one["ended"] <= other["begun"]


def test_what_fails_takes_along_what_needs_it_and_nothing_else() -> None:
    bad, good = Step(number=1, fails=True), Step(number=2)
    needs_bad = Step(number=3, needs=(bad, good))
    further = Step(number=4, needs=(needs_bad,))
    found = schedule.compute(graph([further, good]), workers=2)
    by = {one.node.digest: one for one in found}
    assert set(by) == {job.digest() for job in (bad, needs_bad, further)}
    one = by[bad.digest()]
    assert one.error == "ArithmeticError: step 1 cannot be done"
    assert one.log is not None and "step 1" in one.log.read_text()
    assert "Traceback" in one.log.read_text()
    assert by[further.digest()].log is None
    assert by[needs_bad.digest()].error == f"it needs test-step {bad.digest()[:12]}, which failed"
    assert float(ensure(good)["value"]) == 2
    logs = paths.job_cache() / ".logs"
    assert [path.name for path in logs.iterdir()] == [f"test-step-{bad.digest()[:12]}.log"]


def test_a_failure_reaches_a_job_that_needs_it_twice_over() -> None:
    bad = Step(number=1, fails=True)
    between = Step(number=2, needs=(bad,))
    last = Step(number=3, needs=(bad, between))
    found = schedule.compute(graph([last]), workers=1)
    assert {one.node.digest for one in found} == {one.digest() for one in (bad, between, last)}


@pytest.mark.parametrize(("dies", "given_up"), [(2, False), (9, True)])
def test_a_worker_that_dies_is_replaced_and_a_deadly_job_given_up(
    dies: int, given_up: bool, tmp_path: Path
) -> None:
    deadly = Step(number=1, dies=dies, mark=str(tmp_path / "marks"))
    others = [Step(number=k, seconds=0.2) for k in range(2, 4)]
    found = schedule.compute(graph([deadly, *others]), workers=2)
    assert all(float(ensure(one)["value"]) == one.number for one in others)
    if not given_up:
        assert found == [] and float(ensure(deadly)["value"]) == 1
        return
    (one,) = found
    assert one.node.digest == deadly.digest()
    assert one.error == "3 workers died over it, as if killed for want of memory"
    assert len((tmp_path / "marks").read_text().split()) == schedule.MOST_DEATHS


def test_the_bits_are_the_same_whatever_the_number_of_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small network, its games and splits: 2 and 3 at a time, and one after the other."""
    from utils import params
    from utils.studies import planning

    given = {
        "systems": ["lenet/mnist_part"],
        "seeds": [0, 1],
        "n_players": 4,
        "images": 2,
        "checkpoints": 6,
        "change": {"training": {"steps": 8, "n_train": 64, "batch": 8, "first_checkpoint": 1}},
    }
    p, found = params.validate("02_two_phase_dynamics", **given), []
    for workers in (2, 3, None):
        monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / f"cache{workers}"))
        nodes = planning.plan_of("02_two_phase_dynamics", p)
        if workers is None:
            for node in nodes:
                ensure(node.job)
        else:
            assert schedule.compute(nodes, workers) == []
        found.append({node.digest: content_digest(node.job.folder()) for node in nodes})
    assert found[0] == found[1] == found[2] and len(found[0]) > 10


def test_memory_limits_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule.runtime, "available_memory", lambda: 4 * schedule.WORKER_BYTES)
    assert schedule.room_for(2) == 2 and schedule.room_for(99) == 4
    monkeypatch.setattr(schedule.runtime, "available_memory", lambda: 0)
    assert schedule.room_for(2) == 1
    with pytest.raises(ValueError, match="workers must be 1 or more"):
        schedule.compute([], workers=0)
