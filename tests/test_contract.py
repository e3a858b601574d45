"""Every system, on real data, through every notebook that judges a row on it: from data to
verdicts, at the smallest scale.

Where whatever is missing is a failure (``make test EXTRAS=1``) all systems whose data and weights
are on this machine, those too that need a GPU at their full width; else one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import narrow, run_cells
from utils import matrix, systems
from utils.studies.feasible import notebooks_of
from utils.systems import find, missing_packages, state

ALL = os.environ.get("INTERACTIONS_EXTRAS") == "1"
CASES = systems.names() if ALL else ("lenet/mnist_part",)


@pytest.fixture(scope="module", autouse=True)
def _data(request: pytest.FixtureRequest) -> Iterator[None]:
    """The pre-filled folder, where there is one, stays the data cache for all systems."""
    with pytest.MonkeyPatch.context() as patch:
        if "INTERACTIONS_DATA" not in os.environ:
            beside = Path(__file__).resolve().parents[2] / "shared" / "data"
            if beside.is_dir():
                patch.setenv("INTERACTIONS_DATA", str(beside))
        yield


@pytest.mark.parametrize("name", CASES)
def test_a_system_goes_from_data_to_verdicts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = find(name)
    if not state(system).startswith(("works", "needs a GPU")):
        assert not (ALL and missing_packages(system)), "the extra `pretrained` is not installed"
        pytest.skip(f"{name} {state(system)}")
    if getattr(system.data, "n", 0) > matrix.MOST:
        pytest.skip(f"{name}: a game of {system.data.n} players takes minutes")
    notebooks = notebooks_of(system)
    assert notebooks, "a system of which no row speaks"
    for notebook in notebooks:
        given = narrow(matrix.smallest(notebook, system), system)
        found = run_cells(notebook, given, tmp_path / notebook, monkeypatch)
        assert found, f"{notebook} left no verdict on {name}"
        for verdict in found:
            assert verdict.verdict not in ("BROKEN", "NOT REPRODUCED"), (
                f"{verdict.row}: {verdict.reason}"
            )


@pytest.mark.parametrize(
    "name", ["text_cnn/sst2", "pointnet_w8/modelnet10_voxels", "vit/imagenet_n9"] if ALL else []
)
def test_a_system_of_each_kind_goes_through_papermill(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pictures and rows of a table do in the smoke run of every notebook."""
    if find(name).data.find() is None:
        pytest.skip(f"{name} {state(find(name))}")
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path))
    entry = matrix.run_pair(name, "01_sparsity")
    assert entry.outcome == "ran" and entry.verdicts >= 5, entry.outcome
