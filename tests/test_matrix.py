"""``reproduce systems``: what runs, what is done already, what came of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from utils import __main__, matrix, paths, systems
from utils.matrix import Entry
from utils.systems import find

TOY = "mlp_toy/planted"


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path))
    return paths.results(matrix.PROFILE) / matrix.LOG


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The pairs that were run; one of them fails."""
    found: list[tuple[str, str]] = []

    def run(name: str, notebook: str) -> Entry:
        found.append((name, notebook))
        outcome = "IndexError: 3" if notebook == "02_two_phase_dynamics" else "ran"
        return Entry(
            "2026-11-30", name, notebook, outcome, 5, 1.5, "0123", *matrix._sha256(name, notebook)
        )

    monkeypatch.setattr(matrix, "run_pair", run)
    return found


def test_pairs_are_those_that_some_row_speaks_of() -> None:
    by = dict.fromkeys(name for name, _ in matrix.pairs())
    assert TOY in by and not any("imagenet_n16" in name for name in by)
    assert all(systems.state(find(name)) == "works" for name in by)
    of_toy = [notebook[:2] for _, notebook in matrix.pairs([TOY])]
    assert of_toy == ["01", "02", "03", "04", "05", "06", "08", "09"], "07 needs wrong labels"


def test_a_stopped_matrix_goes_on_and_what_failed_is_run_again(
    log: Path, ran: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = matrix.run_matrix([TOY])
    assert len(first) == len(ran) == 8 and matrix.entries(log) == first
    ran.clear()
    again = matrix.run_matrix([TOY])
    assert ran == [(TOY, "02_two_phase_dynamics")] and len(again) == 8
    ran.clear()
    monkeypatch.setattr(matrix, "_sha256", lambda *_: ("another", "notebook"))
    matrix.run_matrix([TOY])
    assert len(ran) == 8, "a changed file is run again"


def test_the_command_says_what_failed_and_writes_the_page(
    log: Path,
    ran: list[tuple[str, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert __main__.main(["systems", TOY]) == 1
    said = capsys.readouterr().out
    assert "02_two_phase_dynamics on mlp_toy/planted: IndexError: 3" in said
    assert "7 of 8 notebooks ran" in said
    text = matrix.page(matrix.entries(log))
    assert "| mlp_toy/planted | 2 | failed | 2 | 2 | 2 | 2 | – | 2 | 2 | 2026-11-30 |" in text
    assert "lenet/mnist_part" in text.partition("Not run")[2]
    assert __main__.main(["systems", "nothing/here"]) == 2
    assert "there is no system 'nothing/here'" in capsys.readouterr().err


def test_the_smallest_settings_are_accepted_by_every_notebook() -> None:
    from utils import params

    for name, notebook in matrix.pairs(["lenet/mnist_part", TOY, "mlp7_w256/adult"]):
        given = matrix.smallest(notebook, find(name))
        p = params.validate(notebook, **given)
        assert p.n_players == 5 and len(p.seeds) == 1
        of = p.chosen[0]
        assert of.test_samples == of.loss_samples == 16
        assert dataclasses.replace(of, test_samples=None).id == name
