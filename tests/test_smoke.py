"""Every notebook through papermill, from nothing, on the smoke profile; then some again, which must
change no verdict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from utils import claims, committed, params, paths, places, run, site

PROFILE = "smoke"
ROWS = [
    (row, claim.notebook)
    for row, claim in claims.load().rows.items()
    if claim.notebook in params.PARAMS
]


@pytest.fixture(scope="module")
def outcomes() -> dict[str, run.Outcome]:
    found = {outcome.notebook: outcome for outcome in run.run_profile(PROFILE)}
    site.build(places.of_profile(PROFILE))
    return found


def verdicts() -> dict[str, bytes]:
    folder = paths.results(PROFILE)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.glob("*/*/verdict.json")
    }


@pytest.mark.parametrize("notebook", params.PARAMS)
def test_it_runs(notebook: str, outcomes: dict[str, run.Outcome]) -> None:
    assert outcomes[notebook].error is None
    book = nbformat.read(outcomes[notebook].path, as_version=4)
    for cell in book.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            assert output.get("name") != "stderr", (
                f"a notebook's stderr is for warnings, and there is one: {output.text}"
            )


@pytest.mark.parametrize(("row", "notebook"), ROWS)
def test_each_row_has_a_whole_verdict_for_each_network(
    row: str, notebook: str, outcomes: dict[str, run.Outcome]
) -> None:
    assert notebook in outcomes
    found = [verdict for verdict in claims.read_all(paths.results(PROFILE)) if verdict.row == row]
    given = params.validate(notebook, **params.load_profile(PROFILE).given(notebook))
    if claims.load().row(row).status.startswith("needs"):
        assert not found, "what is run where a parameter asks for it is not run here"
        return
    # One verdict for each system that the row speaks of, for their pairs, or for what no network
    # enters: planted games, the input.
    own = {verdict.system for verdict in found} & {system.id for system in given.chosen}
    wanted = {system.id for system in given.chosen if claims.why_not(row, system) is None}
    assert found and own in (wanted, set())
    for verdict in found:
        folder = claims.verdict_path(paths.results(PROFILE), row, verdict.system).parent
        assert set(committed.FILES) <= {path.name for path in folder.iterdir()}
        # Two barely trained networks prove nothing; a statement about computed numbers may hold on
        # any grid.
        accepted = {
            "identity": {"EXACT"},
            "numerical": {"REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE"},
            "empirical": {"INCONCLUSIVE"},
            "described": {None},
            "demonstration": {None},
        }
        changed = (
            verdict.status == "criterion: changed"
        )  # settings so small that the statistic is another one
        assert verdict.verdict in accepted[verdict.kind] or (changed and verdict.verdict is None)
        assert set(verdict.readings) <= set(claims.load().row(row).readings(verdict.system))
        assert verdict.claims_sha256 == claims.sha256()
        assert verdict.evidence in ("identity", "toy", "reduced")


def test_the_page_shows_them_all(outcomes: dict[str, run.Outcome]) -> None:
    page = (paths.results(PROFILE) / "index.html").read_text()
    assert all(f'id="{row}"' in page for row, _ in ROWS)
    assert all(f'href="notebooks/{notebook}.html"' in page for notebook in outcomes)
    assert "failed" not in page.lower()


AGAIN = ("02_two_phase_dynamics", "05_layerwise_change", "07_noisy_labels")
"""Run twice: curves and tests over them, probes and layers, pairs of images; the other notebooks
judge by the same code."""


def test_a_second_run_gives_the_same_verdicts_byte_for_byte(
    outcomes: dict[str, run.Outcome],
) -> None:
    before, plan = verdicts(), params.load_profile(PROFILE)
    assert before
    again = {name: {**plan.given(name), "profile": PROFILE} for name in AGAIN}
    assert all(outcome.error is None for outcome in run.run_profile(PROFILE, again))
    assert verdicts() == before


def papermill(tmp_path: Path, *arguments: str) -> tuple[int, str, nbformat.NotebookNode]:
    """A notebook run by papermill's own command, as a user without ours would."""
    target = tmp_path / "out.ipynb"
    command = [
        sys.executable,
        "-m",
        "papermill",
        str(paths.NOTEBOOKS / "00_start_here.ipynb"),
        str(target),
        *arguments,
    ]
    answer = subprocess.run(
        command,
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "INTERACTIONS_RESULTS": str(tmp_path)},
    )
    return answer.returncode, answer.stderr, nbformat.read(target, as_version=4)


def test_plain_papermill_works(tmp_path: Path) -> None:
    code, err, book = papermill(tmp_path, "-p", "steps", "20", "-p", "n_players", "4")
    assert code == 0, err
    assert all(cell.execution_count for cell in book.cells if cell.cell_type == "code")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("stps", "20", "did you mean 'steps'"), ("steps", "twenty", "steps: ")],
)
def test_plain_papermill_with_a_wrong_parameter_stops_before_any_work(
    name: str, value: str, said: str, tmp_path: Path
) -> None:
    code, err, book = papermill(tmp_path, "-p", name, value)
    assert code != 0 and "ParameterError" in err and said in err
    assert sum(bool(cell.get("execution_count")) for cell in book.cells) == 3, (
        "parameters, injected, validation"
    )
