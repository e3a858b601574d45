"""Running notebooks: this very Python, failures told and contained, Ctrl-C, no verdict of an
earlier run left standing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import filelock
import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from utils import claims, datasets, io, params, paths, run

STEM = "00_start_here"


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of notebooks/, and one for results."""
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path / "results"))
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def write(folder: Path, *cells: str) -> None:
    first = new_code_cell("profile = 'custom'\nsteps = 300", metadata={"tags": ["parameters"]})
    notebook = new_notebook(
        cells=[first, *map(new_code_cell, cells)],
        metadata={
            "kernelspec": {"name": "no-such-kernel", "display_name": "x", "language": "python"}
        },
    )
    nbformat.write(notebook, folder / "notebooks" / f"{STEM}.ipynb")


def printed(path: Path) -> dict[str, str]:
    found = {"stdout": "", "stderr": ""}
    for cell in nbformat.read(path, as_version=4).cells:
        for output in cell.get("outputs", []):
            if output.output_type == "stream":
                found[output.name] += output.text
    return found


def test_the_kernel_is_this_python_in_the_repository_with_the_given_parameters(books: Path) -> None:
    write(
        books,
        "import os, sys\nprint(sys.executable, os.getcwd(), steps, profile)",
        "print(' 50%|#####     | 1/2 [00:01<00:01]\\r100%|##########| 2/2', file=sys.stderr)\n"
        "print('a warning', file=sys.stderr)",
    )
    outcome = run.run_notebook(STEM, {"steps": 7})
    assert (
        outcome.error is None
        and outcome.path == books / "results" / "custom" / "notebooks" / f"{STEM}.ipynb"
    )
    assert printed(outcome.path) == {
        "stdout": f"{sys.executable} {paths.ROOT} 7 custom\n",
        "stderr": "a warning",
    }
    assert "interactions-appendix" not in os.environ.get("JUPYTER_PATH", "")


def test_a_refused_parameter_starts_no_kernel_and_touches_no_result(books: Path) -> None:
    with pytest.raises(params.ParameterError, match="did you mean 'steps'"):
        run.run_notebook(STEM, {"stps": 7})
    assert not (books / "results").exists()


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"device": "cuda:99"}, params.ParameterError, "use 'cpu' or 'auto'"),
        ({"dataset": "cifar10"}, datasets.MissingData, "reproduce data cifar10"),
    ],
)
def test_an_absent_device_or_data_set_costs_no_earlier_verdict(
    books: Path,
    monkeypatch: pytest.MonkeyPatch,
    given: dict[str, str],
    error: type[Exception],
    said: str,
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(books / "no-data"))
    monkeypatch.setattr(run, "_forget", lambda *_: pytest.fail("verdicts were about to be removed"))
    write(books, "print(1)")
    with pytest.raises(error, match=said):
        run.run_notebook(STEM, given)


def test_two_runs_of_one_notebook_into_one_folder_wait_for_each_other(books: Path) -> None:
    write(books, "import time\ntime.sleep(2)")
    target = run.executed(STEM, "custom")
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run.run_notebook, STEM, {})
        wait_until(lambda: (target.parent / f".{target.name}").exists())
        assert not target.exists(), "a half-executed notebook is under no name that a reader opens"
        with pytest.raises(filelock.Timeout), io.lock(target, wait=False):
            pass
        assert first.result().error is None and target.is_file()


def test_kernel_folders_of_a_killed_run_are_removed_at_the_next_start(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run.tempfile, "gettempdir", lambda: str(books))
    dead, alive_, foreign = (
        books / f"interactions-appendix-{name}-x" for name in ("999999999", os.getpid(), "other")
    )
    for folder in (dead, alive_, foreign):
        folder.mkdir()
    run._remove_dead_kernels()
    assert not dead.exists() and alive_.exists() and foreign.exists()


def test_a_missing_notebook_is_named_with_the_command_that_mends_it(books: Path) -> None:
    with pytest.raises(FileNotFoundError, match="git checkout -- notebooks"):
        run.run_notebook(STEM, {})


def test_an_error_in_a_cell_is_an_outcome_with_the_notebook_to_look_at(books: Path) -> None:
    write(books, "print('reached')", "raise ValueError('the third cell')", "print('not reached')")
    outcome = run.run_notebook(STEM, {})
    assert outcome.error is not None and "ValueError: the third cell" in outcome.error
    assert printed(outcome.path)["stdout"] == "reached\n"


def test_a_killed_kernel_is_told_from_an_error(books: Path) -> None:
    write(books, "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    outcome = run.run_notebook(STEM, {})
    assert outcome.error is not None and outcome.error.startswith("the kernel died")


def test_a_failing_notebook_leaves_no_verdict_of_an_earlier_run(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = claims.load()
    row = registry.row("D1").model_copy(update={"notebook": STEM})
    changed = registry.model_copy(update={"rows": {"D1": row, "D3": registry.row("D3")}})
    monkeypatch.setattr(claims, "load", lambda: changed)
    stale, other = (
        books / "results" / "custom" / name / "lenet__mnist_part" / "verdict.json"
        for name in ("D1", "D3")
    )
    io.write_text(stale, "{}")
    io.write_text(other, "{}")
    write(books, "raise ValueError")
    run.run_notebook(STEM, {})
    assert not stale.exists() and other.exists()


def alive(pid: int) -> bool:
    """Whether a process still runs; one that ended and was not waited for does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture
def running(books: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`reproduce run` in a process of its own with a notebook that sleeps, and the kernel's process
    id."""
    write(
        books,
        f"import os, time\nopen({str(books / 'pid')!r}, "
        "'w').write(str(os.getpid()))\ntime.sleep(600)",
    )
    script = (
        "import sys; from pathlib import Path; from utils import paths; from utils.__main__ "
        "import main; "
        f"paths.NOTEBOOKS = Path({str(books / 'notebooks')!r}); sys.exit(main(['run', '{STEM}']))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=paths.ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        wait_until(
            lambda: (
                process.poll() is not None
                or ((books / "pid").is_file() and (books / "pid").read_text())
            )
        )
        assert process.poll() is None, process.communicate()[1]
        yield process, int((books / "pid").read_text())
    finally:
        process.kill()
        process.communicate()


def wait_until(condition: Callable[[], object], seconds: float = 120) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, f"this did not come about in {seconds} s"
        time.sleep(0.1)


def test_ctrl_c_ends_the_run_and_its_kernel(running: tuple[subprocess.Popen[str], int]) -> None:
    process, kernel = running
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and "Finished work is kept" in err
    assert not alive(kernel)


def test_a_killed_run_leaves_no_kernel_behind(running: tuple[subprocess.Popen[str], int]) -> None:
    process, kernel = running
    process.kill()
    process.wait()
    wait_until(lambda: not alive(kernel))


def test_what_a_run_costs_is_said_with_what_the_machine_lacks(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = run.cost("smoke")
    assert (
        all(name in text for name in params.load_profile("smoke").notebooks)
        and "WARNING" not in text
    )
    monkeypatch.setattr(run.runtime, "available_memory", lambda: 10**8)
    assert "WARNING: only 95.4 MiB of memory" in run.cost("smoke")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (float("nan"), ""), (0.123456, "0.123"), (-12345.0, "-1.23e+04")],
)
def test_numbers_in_tables(value: float | None, text: str) -> None:
    assert run.number(value) == text


def test_intervals_in_tables() -> None:
    assert run.interval(0.1, None) == "[0.1, ∞]" and run.interval(None, None) == ""
