"""The command line: what it says, what it refuses, and the exit codes."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from utils import committed, jobs, params, paths, places, provenance, records, run
from utils.__main__ import main
from utils.jobs import schedule
from utils.jobs.plan import Node


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    out, err = capsys.readouterr()
    return err + out


def test_list_names_every_claim_notebook_parameter_and_profile(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = said(capsys, "list")
    for row in ("D1", "D11", "M13", "L15", "F4"):
        assert f"\n  {row:<4} " in text
    for notebook in params.PARAMS:
        for row in params.describe(notebook):
            assert f"  {row['name']} = {row['default']!r}" in text
            assert row["meaning"].split()[0] in text
    assert all(name in text for name in params.profiles())


def test_list_of_one_notebook(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "list", "02")
    assert (
        text.startswith("02_two_phase_dynamics: D3a, D3b, D4, D11a, D11b")
        and "01_sparsity" not in text
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("run", "01", "-p", "imges=3"), "did you mean 'images'"),
        (("run", "01", "-p", "images=many"), "images: "),
        (("run", "01", "-p", "images"), "-p NAME=VALUE"),
        (("run", "01", "-p", "images", "1", "2"), "-p NAME=VALUE"),
        (("run", "01", "-p", "change=3", "-p", "change.training.steps=3"), "also sets as a whole"),
        (("run", "01", "-p", "images=[1"), "-p images: '[1' is no value (expected"),
        (("run", "01", "-p", "change.training.steps={"), "-p change.training.steps: '{' is no"),
        (("run", "01", "-p", "images=2001-13-01"), "-p images: '2001-13-01' is no value (month"),
        (("run", "01", "-p", "images=" + "[" * 2000), "is no value"),
        (("run", "01", "-p", "images=a: b: c"), "-p images: 'a: b: c' is no value"),
        (("run", "01", "-p", "profile=default", "-p", "images=3"), "now differ: images"),
        (("run", "01", "-p", "profile=smoke"), "or give it the settings of profile smoke"),
        (("run", "01", "-p", "profile=committed"), "name this run otherwise"),
        (("run", "01_sparsty"), "did you mean '01_sparsity'"),
        (("run", "01", "--profile", "smok"), "did you mean 'smoke'"),
        (("all", "--profile", "smok"), "did you mean 'smoke'"),
        (("check", "--profile", "smoke"), "nothing is committed"),
        (("keep", "--profile", "reference"), "reproduce all --profile reference"),
        (("cache", "prune", "--max-gb", "-1"), "0 or more"),
        (("data", "mnst"), "did you mean 'mnist'"),
    ],
)
def test_a_wrong_request_is_2_and_says_what_would_be_right(
    arguments: tuple[str, ...],
    expected: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(run, "run_notebook", lambda *_: pytest.fail("a kernel was about to start"))
    monkeypatch.setattr(committed, "folder", lambda profile: tmp_path / profile)
    text = said(capsys, *arguments, code=2)
    assert expected in text
    if "is no value" in expected:
        assert text.count("\n") == 1, "one line"


@pytest.mark.parametrize("arguments", [(), ("sing",), ("cache",), ("cache", "prune")])
def test_an_incomplete_command_shows_its_usage(
    arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: reproduce" in capsys.readouterr().err


@pytest.fixture
def without_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The plan is made, and nothing of it computed."""
    monkeypatch.setattr(run.schedule, "compute", lambda *_: [])


@pytest.mark.usefixtures("without_jobs")
def test_parameters_reach_the_notebook_as_they_were_meant(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, object] = {}

    def note(notebook: str, given: dict[str, object], _held: object) -> run.Outcome:
        asked.update(given, notebook=notebook)
        return run.Outcome(notebook, Path("x.ipynb"), 1.0, None)

    monkeypatch.setattr(run, "run_notebook", note)
    said(
        capsys,
        "run",
        "01",
        "--profile",
        "smoke",
        "-p",
        "images=6",
        "-p",
        "kappas",
        "[0.04, 1e-3]",
        "-p",
        "change.training.steps=90",
    )
    assert (asked["notebook"], asked["images"], asked["kappas"]) == (
        "01_sparsity",
        6,
        [0.04, 0.001],
    )
    assert asked["n_players"] == 6, "the profile's settings stay below"
    assert asked["change"]["training"] == {"steps": 90, "n_train": 500}
    assert asked["change"]["mlp7_w256/mnist_part"]["width"] == 32
    assert asked["profile"] == "custom", "changed settings are not the profile's"
    asked.clear()
    said(capsys, "run", "01", "--profile", "smoke")
    assert asked["profile"] == "smoke"


@pytest.mark.usefixtures("without_jobs")
def test_ctrl_c_is_130_and_says_that_the_work_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "run_notebook", interrupted)
    text = said(capsys, "run", "01", "-p", "seeds=[0, 1]", code=130)
    assert "Finished jobs are kept" in text and "reproduce run 01 -p 'seeds=[0, 1]'" in text


@pytest.mark.usefixtures("without_jobs")
def test_a_full_disk_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/there/x.ipynb")

    monkeypatch.setattr(run, "run_notebook", full)
    assert main(("run", "01")) == 1
    err = capsys.readouterr().err
    assert err == "reproduce: No space left on device: /there/x.ipynb\n"


@pytest.mark.usefixtures("without_jobs")
def test_a_run_says_what_it_costs_first_and_where_its_page_is_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path))
    monkeypatch.setattr(
        run, "run_notebook", lambda name, *_: run.Outcome(name, tmp_path / "x.ipynb", 1.0, None)
    )
    for notebook, middle in (("00", "judges no row"), ("01", "rows are not judged here")):
        lines = said(capsys, "run", notebook, "-p", "n_players=8").splitlines()
        assert "with the settings of profile default (here n_players differ" in lines[0]
        page = places.of(params.validate(notebook, n_players=8)).folder / "index.html"
        assert lines[-1] == f"results: {page}" and page.is_file()
        assert any(middle in line for line in lines) and not any(
            line.startswith("row ") for line in lines
        ), "no empty table"


@pytest.mark.usefixtures("without_jobs")
def test_a_failed_notebook_is_1_and_the_table_still_comes_last(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path))
    started = []

    def fail_first(notebook: str, given: dict[str, object], _held: object) -> run.Outcome:
        started.append(notebook)
        error = "cell [3]: ValueError: no" if len(started) == 1 else None
        records.add(places.of_profile("smoke"), notebook, 1.0, error, given)
        return run.Outcome(notebook, tmp_path / "x.ipynb", 1.0, error)

    monkeypatch.setattr(run, "run_notebook", fail_first)
    text = said(capsys, "all", "--profile", "smoke", code=1)
    assert sorted(started) == sorted(params.PARAMS), "the others still ran"
    assert (
        "FAILED" in text
        and "cell [3]: ValueError: no" in text
        and str(tmp_path / "x.ipynb") in text
    )
    assert "in all about" in text.partition("[1/")[0], "the cost is said before anything runs"
    assert "rows are not judged here" in text
    assert text.rstrip().splitlines()[-1] == f"results: {tmp_path / 'smoke' / 'index.html'}"
    page = (tmp_path / "smoke" / "index.html").read_text()
    assert "failed in the last run" in page


def test_a_dry_run_says_what_is_to_be_computed_and_computes_nothing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    for name in ("run_notebook", "run_profile"):
        monkeypatch.setattr(run, name, lambda *_: pytest.fail("something was about to start"))
    text = said(capsys, "run", "02", "--profile", "smoke", "--dry-run")
    line = text.rstrip().splitlines()[-1]
    assert line.startswith("02_two_phase_dynamics") and "0 of " in line
    assert "games" in line and "split" in line and "train" in line
    assert not list(tmp_path.rglob("*.safetensors"))
    text = said(capsys, "run", "02", "--workers", "0", code=2)
    assert "--workers must be 1 or more, got 0" in text


def test_a_notebook_that_needs_a_failed_job_says_which_and_the_others_run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path))
    log, ran = tmp_path / "job.log", []

    def one_fails(nodes: Sequence[Node], _workers: int) -> list[schedule.Failed]:
        # A job of 05 alone: the layers that it probes.
        (one, *_) = [n for n in nodes if n.job.kind == "probes" and len(n.job.layers) > 2]
        return [schedule.Failed(one, "MemoryError: too large", log)]

    def note(notebook: str, given: dict[str, object], _held: object) -> run.Outcome:
        ran.append(notebook)
        records.add(places.of_profile("smoke"), notebook, 1.0, None, given)
        return run.Outcome(notebook, tmp_path / "x.ipynb", 1.0, None)

    monkeypatch.setattr(run.schedule, "compute", one_fails)
    monkeypatch.setattr(run, "run_notebook", note)
    text = said(capsys, "all", "--profile", "smoke", code=1)
    missing = set(params.PARAMS) - set(ran)
    assert missing and len(ran) == len(params.PARAMS) - len(missing) > 5
    for name in missing:
        assert f"{name} FAILED" in text
        error = records.read(tmp_path / "smoke")["notebooks"][name]["error"]
        assert error.startswith("probes ") and error.endswith("failed: MemoryError: too large")
    assert f"see {log}" in text


def test_cache_commands(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    job = tmp_path / "train" / ("0" * 64)
    job.mkdir(parents=True)
    (job / "weights").write_bytes(b"x" * 2048)
    assert "2.0 KiB" in (text := said(capsys, "cache", "ls")) and "train/000000000000" in text
    (job / "provenance.json").write_text('{"clocks": {"total": 75.2}}')
    assert "1 jobs" in (text := said(capsys, "cache", "ls")) and "computed in 1 min 15 s" in text
    assert "removed 1 jobs" in said(capsys, "cache", "prune", "--max-gb", "0")
    assert jobs.entries() == []


def test_data_says_where_each_set_is_or_how_to_get_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    text = said(capsys, "data")
    assert str(paths.EMBEDDED / "mnist_part") in text and "`reproduce data cifar10`" in text
    assert "mnist_part is in" in said(capsys, "data", "mnist_part")


def test_doctor_finds_no_fault_here_and_another_utils_in_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = said(capsys, "doctor")
    assert "no problem found" in text
    for fact in (
        "python",
        "cpu",
        "memory",
        "device",
        "disk",
        "job cache",
        "data mnist_part",
        "utils",
    ):
        assert f"\n{fact} " in f"\n{text}"

    def theirs() -> Path:
        raise ImportError("`import utils` gives another one")

    monkeypatch.setattr(provenance, "check_utils", theirs)
    assert "PROBLEM: `import utils` gives another one" in said(capsys, "doctor", code=1)


def test_the_installed_command_and_the_module_are_one() -> None:
    for command in (
        [str(Path(sys.executable).with_name("reproduce"))],
        [sys.executable, "-m", "utils"],
    ):
        answer = subprocess.run(
            [*command, "--help"], capture_output=True, text=True, check=True, cwd=paths.ROOT
        )
        assert answer.stdout.startswith("usage: reproduce")
