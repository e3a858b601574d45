"""The cost model: what it learns, that it says so where it cannot, and the order that it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.test_schedule import Step
from utils import cost, io, provenance
from utils.__main__ import main
from utils.jobs import schedule
from utils.jobs.plan import graph


def _record(cache: Path, number: int, images: int, seconds: float, cpu: str) -> None:
    """A finished job as its folder tells of it."""
    folder = cache / "games" / f"{number:064x}"
    folder.mkdir(parents=True)
    fields = {"images": images, "n": 10, "checkpoints": [0, 1]}
    io.write_json(folder / "spec.json", {"kind": "games", "fields": fields})
    known: dict[str, Any] = {"clocks": {"total": seconds}, "peak_memory": 1e9, "cpu": cpu}
    io.write_json(folder / "provenance.json", known | {"resumed": False})


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_seconds_are_found_again_and_grow_beyond_what_was_seen(cache: Path) -> None:
    for k in range(40):
        _record(cache, k, images=k + 1, seconds=0.5 + 0.25 * (k + 1), cpu=provenance.cpu_model())
    model = cost.calibrate([cache])
    assert model.held_out > 0 and model.worst < 1.01 and cost.current() == model
    spec = {"kind": "games", "fields": {"images": 400, "n": 10, "checkpoints": [0, 1]}}
    assert model.of(spec, {}).seconds == pytest.approx(100.5, rel=1e-3)
    larger = {"kind": "games", "fields": {"images": 400, "n": 14, "checkpoints": [0, 1]}}
    assert model.of(larger, {}).seconds > 10 * model.of(spec, {}).seconds
    assert model.of(larger, {}).memory > model.of(spec, {}).memory


def test_jobs_of_another_processor_do_not_count(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for k in range(40):
        _record(cache, k, images=k + 1, seconds=1.0, cpu="another")
    assert main(["plan", "--calibrate"]) == 2
    assert "0 finished jobs" in capsys.readouterr().err and cost.current() is None


def test_a_system_of_another_width_is_planned(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", "--profile", "smoke"]) == 0
    said = capsys.readouterr().out
    assert "'mlp7_w256/mnist_part' is not among" not in said and "mlp7_w32/mnist_part" in said


def test_a_network_that_cannot_be_counted_is_named(cache: Path) -> None:
    about = {"model": "mlp7", "width": 32, "dataset": "no such data"}
    assert cost.uncounted({"kind": "train", "fields": about}, {}) == "mlp7 on no such data"
    assert cost.uncounted({"kind": "games", "fields": {"n": 10}}, {}) is None


def test_a_job_that_another_one_leaves_no_memory_for_waits(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs = [Step(number=1, seconds=0.4), Step(number=2, seconds=0.4)]
    monkeypatch.setattr(schedule.runtime, "available_memory", lambda: 1.5 * schedule.WORKER_BYTES)
    assert schedule.compute(graph(jobs), workers=2) == []
    one, other = sorted((job.load(job.folder())["when"] for job in jobs), key=lambda w: w["begun"])
    assert one["ended"] <= other["begun"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("plan",), "needs a NOTEBOOK, a --profile, or --calibrate"),
        (("plan", "--profile", "smoke", "--json"), "are for the plan of one NOTEBOOK"),
        (("plan", "--calibrate", "--from", "/nowhere"), "there is no folder /nowhere"),
    ],
)
def test_a_wrong_request_is_refused(
    arguments: tuple[str, ...], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert expected in capsys.readouterr().err
