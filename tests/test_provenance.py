"""Provenance: complete, publishable, and able to tell one machine, and one `utils`, from
another."""

import json
import platform
import re
import subprocess
import sys
import time
import types

import numpy as np
import psutil
import pytest
import torch

import utils
from utils import io, paths, provenance


def test_a_record_says_all_that_is_needed_and_nothing_private():
    with provenance.Clock() as clock, clock("train"):
        time.sleep(0.01)
    record = provenance.collect(
        seed=3,
        parameters={"n": 10, "kappa": 0.04},
        data_hashes={"mnist_part": "ab" * 32},
        clock=clock,
    )
    text = io.canonical_json(record)
    assert json.loads(text) == record
    assert record["seed"] == 3 and record["data_sha256"] == {"mnist_part": "ab" * 32}
    assert record["parameters_sha256"] == io.sha256_bytes(
        io.canonical_json({"kappa": 0.04, "n": 10}).encode()
    )
    assert (
        record["versions"]["torch"] == torch.__version__
        and record["versions"]["numpy"] == np.__version__
    )
    assert record["threads"] == torch.get_num_threads() and record["cpu"] and record["platform"]
    assert set(record["clocks"]) == {"train", "total"} and record["clocks"]["total"] >= 0.01
    assert record["peak_memory"] > 2**24
    assert str(paths.ROOT) not in text and platform.node() not in text
    assert provenance.collect()["parameters_sha256"] is None


def test_clock_adds_up_and_survives_errors():
    clock = provenance.Clock()
    for _ in range(2):
        with pytest.raises(RuntimeError), clock("score"):
            time.sleep(0.01)
            raise RuntimeError
    assert clock.seconds.keys() == {"score"} and clock.seconds["score"] >= 0.02


def test_peak_memory_is_in_bytes_and_no_less_than_what_is_held_now():
    block = np.ones(2**22)
    peak, now = provenance.peak_memory(), psutil.Process().memory_info().rss
    assert block.nbytes < 0.95 * now < peak < psutil.virtual_memory().total


def test_fingerprint_tells_machines_apart():
    here = provenance.fingerprint()
    record = provenance.collect(seed=1)
    assert provenance.fingerprint(record) == here
    assert {"cpu", "threads", "torch", "numpy", "numba"} <= here.keys()
    assert provenance.fingerprint(record | {"seed": 2, "time": "later", "commit": "x"}) == here
    for change in (
        {"cpu": "another"},
        {"threads": 99},
        {"gpu": ["one"]},
        {"versions": record["versions"] | {"numba": "0"}},
        {"settings": {"cpu_capability": "AVX"}},
    ):
        assert provenance.fingerprint(record | change) != here
    assert provenance.fingerprint({})["torch"] is None


def test_fingerprint_survives_a_file(tmp_path):
    io.write_json(tmp_path / "provenance.json", provenance.collect())
    assert (
        provenance.fingerprint(io.read_json(tmp_path / "provenance.json"))
        == provenance.fingerprint()
    )


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository of its own in which the project pretends to lie."""

    def git(*arguments):
        identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        done = subprocess.run(
            ["git", "-C", str(tmp_path), *identity, *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
        provenance._git.cache_clear()
        return done.stdout.strip()

    monkeypatch.setattr(provenance.paths, "ROOT", tmp_path.resolve())
    provenance._git.cache_clear()
    yield tmp_path, git
    provenance._git.cache_clear()


def test_git_state_follows_the_repository(repository):
    folder, git = repository
    nothing = {"commit": None, "dirty": None}
    assert provenance.git_state() == nothing  # an unpacked archive
    git("init", "-q")
    assert provenance.git_state() == nothing  # no commit yet
    (folder / "a").write_text("1")
    git("add", "a")
    git("commit", "-q", "-m", "one")
    state = provenance.git_state()
    assert re.fullmatch("[0-9a-f]{40}", state["commit"]) and state["dirty"] is False
    (folder / "results").mkdir()
    (folder / "results" / "verdict.json").write_text("{}")
    provenance._git.cache_clear()
    assert provenance.git_state()["dirty"] is False  # what a run writes is not an edit
    (folder / "a").write_text("2")
    assert provenance.git_state()["dirty"] is False  # asked once a process ...
    provenance._git.cache_clear()
    assert provenance.git_state() == {"commit": state["commit"], "dirty": True}


def test_another_projects_repository_is_not_ours(repository, monkeypatch):
    folder, git = repository
    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "theirs")
    (folder / "vendor").mkdir()
    monkeypatch.setattr(provenance.paths, "ROOT", (folder / "vendor").resolve())
    assert provenance.git_state() == {"commit": None, "dirty": None}


def test_no_git_is_no_error(monkeypatch):
    monkeypatch.setenv("PATH", "")
    provenance._git.cache_clear()
    assert provenance.git_state() == {"commit": None, "dirty": None}
    provenance._git.cache_clear()


def test_utils_is_ours(tmp_path):
    ours = paths.ROOT / "utils"
    assert (
        provenance.check_utils()
        == provenance.check_utils(paths.ROOT)
        == provenance.check_utils(tmp_path)
        == ours
    )


@pytest.mark.parametrize("name", ["utils.py", "utils/__init__.py"])
def test_a_users_own_utils_in_the_folder_is_found(tmp_path, name):
    theirs = tmp_path / name
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("")
    with pytest.raises(ImportError, match=re.escape(str(theirs)) + ".*pip install -e .*rename it"):
        provenance.check_utils(tmp_path)


def test_a_users_own_utils_that_was_imported_is_found(tmp_path, monkeypatch):
    for file, says in (
        (str(tmp_path / "utils.py"), re.escape(str(tmp_path / "utils.py"))),
        (None, "without __init__"),
    ):
        other = types.ModuleType("utils")
        other.__file__ = file
        monkeypatch.setitem(sys.modules, "utils", other)
        with pytest.raises(ImportError, match=says):
            provenance.check_utils()
    monkeypatch.setitem(sys.modules, "utils", utils)
    provenance.check_utils()


def test_another_clone_is_found_from_any_of_its_folders(tmp_path):
    (tmp_path / "utils").mkdir()
    (tmp_path / "utils" / "__init__.py").write_text("")
    (tmp_path / "utils" / "provenance.py").write_text("")
    (tmp_path / "notebooks").mkdir()
    with pytest.raises(
        ImportError, match=f"in the clone {re.escape(str(tmp_path))}, but `import utils`"
    ):
        provenance.check_utils(tmp_path / "notebooks")


def test_a_bare_folder_named_utils_only_matters_when_it_would_win(tmp_path, monkeypatch):
    (tmp_path / "utils").mkdir()
    assert provenance.check_utils(tmp_path)  # a real package further along the path comes first
    elsewhere = [entry for entry in sys.path if entry not in ("", str(paths.ROOT))]
    monkeypatch.setattr(sys, "path", elsewhere)
    with pytest.raises(ImportError, match=re.escape(str(tmp_path / "utils"))):
        provenance.check_utils(tmp_path)


def test_threads_are_recorded_as_they_are():
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        assert provenance.collect()["threads"] == 1
    finally:
        torch.set_num_threads(before)
