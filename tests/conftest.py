"""What every test shares: one set of threads, folders of its own for jobs and results, the real
data where it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import hypothesis
import matplotlib as mpl
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]

hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
hypothesis.settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Before any test module is imported: no progress bars, no window, one number of threads."""
    os.environ["INTERACTIONS_PROGRESS"] = "0"
    mpl.use("Agg")
    from utils import runtime

    runtime.set_threads()


APART = ("test_contract", "test_mutants", "test_power", "test_train")
"""Files of long tests that share little. Side by side (``pytest -n``) each of these tests goes
where there is room; the tests of any other file stay together, with what they share."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem not in APART:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="session", autouse=True)
def _own_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs and results of the tests never meet the user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("interactions")
        patch.setenv("INTERACTIONS_CACHE", str(folder / "cache"))
        patch.setenv("INTERACTIONS_RESULTS", str(folder / "results"))
        yield


def _shared_data() -> Path | None:
    named = os.environ.get("INTERACTIONS_DATA")
    beside = ROOT.parent / "shared" / "data"
    return Path(named) if named else beside if beside.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The pre-filled folder of real data sets: INTERACTIONS_DATA, else ../shared/data beside the
    repository.

    Only where neither exists is a test that needs whole data sets skipped.
    """
    folder = _shared_data()
    if folder is None:
        pytest.skip(
            "needs whole data sets: set INTERACTIONS_DATA to a folder as data/README.md describes"
        )
    if not folder.is_dir():
        pytest.fail(f"INTERACTIONS_DATA names {folder}, which is no folder")
    return folder


@pytest.fixture(scope="session")
def shapiq_computer() -> Callable[[np.ndarray], object]:
    """Values (2^n,) on all coalitions → shapiq's exact computer of that game, an independent
    implementation."""
    from shapiq import ExactComputer, Game

    class Table(Game):
        def __init__(self, v: np.ndarray) -> None:
            self.v, n = v, v.size.bit_length() - 1
            super().__init__(n_players=n, normalize=False)

        def value_function(self, coalitions: np.ndarray) -> np.ndarray:
            return self.v[coalitions.astype(int) @ (1 << np.arange(coalitions.shape[1]))]

    return lambda v: ExactComputer(Table(v), n_players=v.size.bit_length() - 1)
