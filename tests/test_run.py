"""Running notebooks: this very Python, failures told and contained, Ctrl-C, no verdict of an
earlier run left standing."""

from __future__ import annotations

import errno
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
import torch
from nbformat.v4 import new_code_cell, new_notebook

from utils import (
    claims,
    costs,
    datasets,
    io,
    kernel,
    overview,
    params,
    paths,
    places,
    records,
    run,
    site,
)

STEM = "00_start_here"


def place_of(stem: str = STEM, **given: object) -> places.Place:
    return places.of(params.validate(stem, **given))


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in place of notebooks/, and one for results."""
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path / "results"))
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def write(folder: Path, *cells: str, stem: str = STEM) -> None:
    first = new_code_cell("profile = 'custom'\nsteps = 300", metadata={"tags": ["parameters"]})
    notebook = new_notebook(
        cells=[first, *map(new_code_cell, cells)],
        metadata={
            "kernelspec": {"name": "no-such-kernel", "display_name": "x", "language": "python"}
        },
    )
    nbformat.write(notebook, folder / "notebooks" / f"{stem}.ipynb")


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
        and outcome.path == place_of(steps=7).folder / "notebooks" / f"{STEM}.ipynb"
    )
    assert printed(outcome.path) == {
        "stdout": f"{sys.executable} {paths.ROOT} 7 custom\n",
        "stderr": "a warning",
    }


def test_a_refused_parameter_starts_no_kernel_and_touches_no_result(books: Path) -> None:
    with pytest.raises(params.ParameterError, match="did you mean 'steps'"):
        run.run_notebook(STEM, {"stps": 7})
    assert not (books / "results").exists()


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"device": "cuda:99"}, params.ParameterError, "use 'cpu' or 'auto'"),
        ({"system": "lenet/cifar10"}, datasets.MissingData, "reproduce data cifar10"),
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
    monkeypatch.setattr(
        places, "forget", lambda *_: pytest.fail("verdicts were about to be removed")
    )
    write(books, "print(1)")
    with pytest.raises(error, match=said):
        run.run_notebook(STEM, given)


def test_two_runs_of_one_notebook_into_one_folder_wait_for_each_other(books: Path) -> None:
    write(books, "import time\ntime.sleep(2)")
    target = places.executed(place_of(), STEM)
    with ThreadPoolExecutor() as pool:
        first = pool.submit(run.run_notebook, STEM, {})
        wait_until(lambda: (target.parent / f".{target.name}").exists())
        assert not target.exists(), "a half-executed notebook is under no name that a reader opens"
        with pytest.raises(filelock.Timeout), io.lock(target, wait=False):
            pass
        assert first.result().error is None and target.is_file()


def test_a_finished_kernel_is_not_interrupted(books: Path) -> None:
    """Jupyter interrupts a kernel before it asks it to end, which met the last cell's closing."""
    note = books / "interrupted"
    write(
        books,
        f"def noted(*_): open({str(note)!r}, 'w').close()\n"
        "get_ipython().kernel.saved_sigint_handler = noted  # put back when this cell is done",
    )
    assert run.run_notebook(STEM, {}).error is None
    assert not note.exists()


def test_runs_with_other_parameters_do_not_wait_for_each_other_and_share_nothing(
    books: Path,
) -> None:
    write(books, "import time; time.sleep(3); print(steps)")
    with ThreadPoolExecutor() as pool:
        both = list(
            pool.map(lambda steps: run.run_profile("custom", {STEM: {"steps": steps}}), (7, 8))
        )
    for steps, (outcome,) in zip((7, 8), both, strict=True):
        assert outcome.error is None and printed(outcome.path)["stdout"] == f"{steps}\n"
        record = records.read(place_of(steps=steps).folder)
        assert record["changed"] == {"steps": steps} and record["notebooks"][STEM]["error"] is None
    assert both[0][0].path != both[1][0].path


def test_the_same_run_twice_at_once_ends_well_twice(books: Path) -> None:
    """The second waits until the first has made its pages: neither finds the other's files gone."""
    write(books, "import time; time.sleep(1)")
    seen = []

    def report(place: places.Place, outcomes: object) -> None:
        seen.append(places.executed(place, STEM).is_file())
        time.sleep(1)
        seen.append(places.executed(place, STEM).is_file())

    with ThreadPoolExecutor() as pool:
        both = [pool.submit(run.run_profile, "custom", {STEM: {}}, report) for _ in range(2)]
    assert [one.result()[0].error for one in both] == [None, None]
    assert seen == [True] * 4


SECOND = "09_multi_order"


def test_notebooks_run_beside_each_other_with_pages_from_the_first_on(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second waits for the first to begin, and the first for the second to end."""
    monkeypatch.setattr(run.planning, "PLANNED", {})
    monkeypatch.setattr(run, "_KERNEL_BYTES", 1)
    here, there = books / "here", books / "there"
    wait = "import os, time\nwhile not os.path.exists({!r}): time.sleep(.05)"
    write(books, f"open({str(here)!r}, 'w').close()", wait.format(str(there)), "print('first')")
    write(books, wait.format(str(here)), f"open({str(there)!r}, 'w').close()", stem=SECOND)
    pages = []

    def refresh(place: places.Place) -> None:
        pages.append((place.folder.name, site.build(place).is_file()))

    found = run.run_profile("custom", {STEM: {}, SECOND: {}}, workers=2, refresh=refresh)
    assert {one.notebook: one.error for one in found} == {STEM: None, SECOND: None}
    assert len(pages) == 2 and all(is_there for _, is_there in pages)
    assert all(one.path.with_suffix(".html").is_file() for one in found)
    assert os.environ["INTERACTIONS_PROGRESS"] == "0", "as it was"


def test_fewer_workers_than_asked_for_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run.runtime, "available_memory", lambda: 2 * run.schedule.WORKER_BYTES)
    assert run._workers(2) == 2 and capsys.readouterr().out == ""
    assert run._workers(None) == min(2, torch.get_num_threads())
    assert run._workers(7) == 2
    assert capsys.readouterr().out == "2 workers instead of 7: 2.8 GiB of memory are free\n"


def test_ctrl_c_ends_all_that_run_beside_each_other(books: Path) -> None:
    for stem in (STEM, SECOND):
        mark = str(books / f"pid-{stem}")
        code = f"import os, time\nopen({mark!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
        write(books, code, stem=stem)
    script = (
        "import signal; from pathlib import Path; from utils import paths, run; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); run.planning.PLANNED = {}; "
        f"run._KERNEL_BYTES = 1; paths.NOTEBOOKS = Path({str(books / 'notebooks')!r}); "
        f"run.run_profile('custom', {{{STEM!r}: {{}}, {SECOND!r}: {{}}}}, workers=2)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], cwd=paths.ROOT, stderr=subprocess.PIPE, text=True
    )
    try:
        marks = [books / f"pid-{stem}" for stem in (STEM, SECOND)]
        wait_until(lambda: all(mark.is_file() and mark.read_text() for mark in marks))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode != 0 and "KeyboardInterrupt" in err
        assert not any(alive(int(mark.read_text())) for mark in marks)
    finally:
        process.kill()
        process.communicate()


def test_a_place_is_named_by_systems_and_by_what_differs_from_the_defaults() -> None:
    own = places.of(params.validate("01"))
    assert own.folder.name.startswith("mlp7_w256+lenet__mnist_part-") and own.changed == {}
    other = places.of(
        params.validate("01", systems=["lenet/mnist_part"], change={"training": {"batch": 9}})
    )
    assert other.folder.name.startswith("lenet__mnist_part-")
    assert other.changed["change"] == {"training": {"batch": 9}}
    assert other.digest != own.digest and other.folder.parent == own.folder.parent
    assert places.of(params.validate("01", images=40)) == own, "a default given is a default"
    named = places.of(params.validate("01", profile="mine"))
    assert (named.digest, named.name) == (own.digest, "mine")
    assert place_of().folder.name.startswith("lenet__mnist_part-")
    assert places.of(params.validate("01", profile="default")).folder == paths.results("default")


@pytest.mark.parametrize(
    ("systems", "name"),
    [
        (("lenet/mnist_part",), "lenet__mnist_part"),
        (("lenet/mnist", "vgg11/cifar10"), "lenet__mnist+vgg11__cifar10"),
        (("../my system.py",), "my-system"),
        ((), "own"),
    ],
)
def test_short_names_of_systems(systems: tuple[str, ...], name: str) -> None:
    assert places._short(systems) == name


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"profile": "default", "steps": 7}, r"differ: .*steps"),
        ({"profile": "smoke"}, r"differ: .*steps"),
        ({"profile": "committed"}, "name this run otherwise"),
        ({"profile": "Default"}, "name this run otherwise"),
    ],
)
def test_the_name_of_a_profile_is_refused_for_other_settings_than_its_own(
    books: Path, given: dict[str, object], said: str
) -> None:
    write(books, "print(1)")
    with pytest.raises(params.ParameterError, match=said):
        run.run_notebook(STEM, given)
    assert not (books / "results").exists()
    assert run.run_notebook(STEM, {"profile": "default"}).error is None


def test_what_is_refused_for_one_notebook_stops_all_before_the_first(books: Path) -> None:
    write(books, "print(1)")
    with pytest.raises(params.ParameterError, match="did you mean 'images'"):
        run.run_profile("custom", {STEM: {}, "01_sparsity": {"imges": 3}})
    (books / "notebooks" / "01_sparsity.ipynb").write_bytes(b"{}")
    with pytest.raises(params.ParameterError, match="use 'cpu' or 'auto'"):
        run.run_profile("custom", {STEM: {}, "01_sparsity": {"device": "cuda:99"}})
    assert not (books / "results").exists()


def test_a_full_disk_leaves_no_half_notebook(books: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill(_source: str, draft: str, **_: object) -> None:
        Path(draft).write_text('{"cells": [')
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), draft)

    write(books, "print(1)")
    monkeypatch.setattr(kernel.papermill, "execute_notebook", fill)
    with pytest.raises(OSError, match="No space left on device"):
        run.run_notebook(STEM, {})
    assert list((place_of().folder / "notebooks").glob("*.ipynb")) == []
    assert records.read(place_of().folder)["notebooks"][STEM]["error"] == records.STOPPED


def test_a_killed_run_is_recorded_as_such(running: tuple[subprocess.Popen[str], int]) -> None:
    process, _ = running
    process.kill()
    process.wait()
    assert records.read(place_of().folder)["notebooks"][STEM]["error"] == records.STOPPED


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"notebooks": {"01_sparsity": 3}, "provenance": {}}']
)
def test_a_damaged_record_or_verdict_of_another_notebook_is_set_aside(
    books: Path, content: bytes
) -> None:
    write(books, "print(1)")
    home = paths.results("default")
    (home / "D3a" / "lenet__mnist_part").mkdir(parents=True)
    (home / "D3a" / "lenet__mnist_part" / "verdict.json").write_bytes(content)
    (home / "run.json").write_bytes(content)
    with pytest.warns(io.DamagedFileWarning) as warned:
        assert run.run_profile("default", {STEM: {}})[0].error is None
    assert len(warned) == 2 and len(list(home.rglob("*.broken-1"))) == 2
    assert set(records.read(home)["notebooks"]) == {STEM}


def test_what_one_notebook_costs_is_said_for_which_settings(books: Path) -> None:
    text = costs.of_run(params.validate("01", images=6, seeds=2), "default")
    assert "01_sparsity: about 5 min 48 s on 2 cores, from nothing" in text
    assert "the settings of profile default (here seeds, images differ" in text
    assert "differ" not in costs.of_run(params.validate("01"), "default")
    records.add(place_of(), STEM, 75.0, None, {})
    assert "last time 1 min 15 s" in costs.of_run(params.validate(STEM), "default")


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
        place_of().folder / name / "lenet__mnist_part" / "verdict.json" for name in ("D1", "D3")
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
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own for temporary files of this test's processes."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.fixture
def running(books: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """`reproduce run` in a process of its own with a notebook that sleeps, and the kernel's process
    id."""
    write(
        books,
        f"import os, time\nopen({str(books / 'pid')!r}, "
        "'w').write(str(os.getpid()))\ntime.sleep(600)",
    )
    # A test run in the background of a shell ignores Ctrl-C, and its children with it.
    script = (
        "import signal, sys; from pathlib import Path; from utils import paths; from "
        "utils.__main__ import main; signal.signal(signal.SIGINT, signal.default_int_handler); "
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
    assert process.returncode == 130 and "Finished jobs are kept" in err
    assert f"  reproduce run {STEM}" in err, "how to go on"
    assert not alive(kernel)


def test_a_killed_run_leaves_no_kernel_and_no_temporary_folder_behind(
    temporary: Path, running: tuple[subprocess.Popen[str], int]
) -> None:
    process, kernel = running
    process.kill()
    process.wait()
    wait_until(lambda: not alive(kernel))
    assert [one for one in temporary.iterdir() if one.name.startswith("interactions")] == []


def test_what_a_run_costs_is_said_with_what_the_machine_lacks(
    books: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = costs.of_profile("smoke")
    assert (
        all(name in text for name in params.load_profile("smoke").notebooks)
        and "WARNING" not in text
    )
    monkeypatch.setattr(costs.runtime, "available_memory", lambda: 10**8)
    assert "WARNING: only 95.4 MiB of memory" in costs.of_profile("smoke")
    assert "WARNING: only 95.4 MiB of memory" in costs.of_run(params.validate("01"), "default")


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (float("nan"), ""), (0.123456, "0.123"), (-12345.0, "-1.23e+04")],
)
def test_numbers_in_tables(value: float | None, text: str) -> None:
    assert overview.number(value) == text


def test_intervals_in_tables() -> None:
    assert overview.interval(0.1, None) == "[0.1, ∞]" and overview.interval(None, None) == ""
