"""The benchmarks run, and their report is complete; no number in it is a matter for a test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import child, harness, networks, published, report, split
from benchmarks.__main__ import FAMILIES, main
from utils import lattice, paths, sparsify

EXPECTED = {
    "lattice": {
        "memory copy",
        "ours: and_interactions",
        "ours: or_interactions",
        "dense matrix (exact)",
        "shapiq: Moebius (exact)",
    },
    "split": {
        "ours",
        "ours, backend torch",
        "ours, first call of a process",
        "ours, peak memory",
        "ours, growth of peak memory",
    },
    "rivals": {
        "ours, gap ≤ 1%",
        "ours, gap ≤ 0.1%",
        "HiGHS (scipy)",
        "published loop, our fast transforms",
        "published loop, dense matrices (written by us)",
        "ours: worst excess over HiGHS",
        "ours: certified gap ≤ 1%",
        "ours: objective ≤ published",
    },
    "scoring": {
        "ours: scores",
        "ours: scores, path auto",
        "ours: share of the best plain pass, path auto",
        "ours: masking alone",
        "plain forward, contiguous",
        "plain forward, channels last",
        "ours: share of the best plain pass",
        "peak memory",
    },
    "large": {
        "ours: scores + and_interactions",
        "ours: masked inputs",
        "peak memory",
        "peak memory, increase",
    },
    "theory": {"ours: closed form", "dense solve"},
    "extraction": {"ours: scores + split"},
}


@pytest.fixture(scope="module")
def quick_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What ``python -m benchmarks --quick`` printed, and the folder that it wrote."""
    folder = tmp_path_factory.mktemp("benchmarks")
    answer = subprocess.run(
        [sys.executable, "-W", "error", "-m", "benchmarks", "--quick", "--out", str(folder)],
        cwd=paths.ROOT,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout, folder


def test_the_quick_variant_has_every_competitor_of_every_family(
    quick_run: tuple[str, Path],
) -> None:
    printed, folder = quick_run
    (csv,) = folder.glob("*-quick.csv")
    assert csv.with_suffix(".png").stat().st_size > 10_000
    table = pd.read_csv(csv, comment="#")
    assert {family: set(part["competitor"]) for family, part in table.groupby("family")} == EXPECTED
    assert set(EXPECTED) == set(FAMILIES)
    assert np.isfinite(table[["median", "min", "max"]]).all(axis=None)
    assert (table["median"].between(table["min"], table["max"])).all()
    assert (table.loc[table["target"].notna(), "met"].isin(["yes", "no"])).all()
    for text in [*table["case"], *table["competitor"], *(family.upper() for family in EXPECTED)]:
        assert text in printed


def test_machine_threads_and_versions_are_told(quick_run: tuple[str, Path]) -> None:
    printed, folder = quick_run
    (csv,) = folder.glob("*-quick.csv")
    for text in (printed, csv.read_text(encoding="utf-8")):
        for name in ("cpu: ", "threads: ", "torch=", "numba=", "commit: "):
            assert name in text


def test_what_is_compared_minimises_the_same_thing(quick_run: tuple[str, Path]) -> None:
    """Not a timing: whoever beats the certified lower bound, or our split HiGHS, has solved another
    problem."""
    (csv,) = quick_run[1].glob("*-quick.csv")
    table = pd.read_csv(csv, comment="#")
    assert (table.loc[table["unit"] == "× lower bound", "median"] >= 1 - 1e-9).all()
    assert (
        table.loc[table["competitor"] == "ours: worst excess over HiGHS", "median"] <= 1e-3
    ).all()


def test_the_dense_loop_is_the_published_loop() -> None:
    """The same steps on matrices in float32 and on fast transforms in float64 reach the same
    objective."""
    v = child.smooth_games(1, 5)
    steps = sparsify.PaperSettings(learning_rate=1e-3, iterations=60)
    fast = sparsify.split(v, order_weight=0.0, solver="paper", paper=steps).objective[0]
    assert float(published.dense_loop(v[0], 0.04, steps)) == pytest.approx(float(fast), rel=1e-2)
    start = (
        lattice.and_interactions(v / 2)[0, 1:].abs().sum()
        + lattice.or_interactions(v / 2)[0, 1:].abs().sum()
    )
    assert float(fast) < 0.9 * float(start)


def test_competitors_run_in_turn_after_a_warm_up() -> None:
    calls: list[str] = []
    found = harness.timed(
        {
            "a": harness.Competitor(lambda: calls.append("a")),
            "b": harness.Competitor(lambda: calls.append("b"), lambda: calls.append("warm")),
        },
        2,
    )
    assert calls == ["a", "warm", "a", "b", "a", "b"]
    assert [len(timing.seconds) for timing in found.values()] == [2, 2]


@pytest.mark.parametrize(
    ("better", "target", "holds", "met"),
    [
        ("lower", 3.0, True, "yes"),
        ("lower", 1.0, True, "no"),
        ("higher", 1.0, True, "yes"),
        ("higher", 3.0, True, "no"),
        ("higher", 1.0, False, "no"),
        ("lower", None, True, ""),
    ],
)
def test_a_target_is_met_by_the_median_alone(
    better: str, target: float | None, holds: bool, met: str
) -> None:
    row = harness.Row("f", "c", "x", "s", (0.5, 2.0, 9.0), better, target, holds)
    assert (row.median, row.met) == (2.0, met)


def test_a_miss_is_named() -> None:
    rows = [
        harness.Row("f", "case", name, "s", (took,), target=1.0)
        for name, took in (("slow", 2.0), ("fast", 1.0))
    ]
    assert report.verdict(rows).split("\n")[1:] == [
        "1 targets met, 1 missed",
        "  missed: f, case, slow",
    ]


def test_the_page_says_what_was_met_and_holds_every_row() -> None:
    rows = [
        harness.Row("f", "case", "slow", "s", (2.0, 3.0, 4.0), target=1.0),
        harness.Row("g", "a | b", "ours", "s", (1.0,)),
    ]
    page = report.markdown(rows, {"cpu": "one"})
    assert "- cpu: one" in page and "0 targets met, 1 missed\n\n- missed: f, case, slow" in page
    assert "| case | slow | 3 | 2 … 4 | s | 3 | ≤ 1 | no |  |  |" in page
    tables = [line.count("|") for line in page.split("\n") if line.startswith("|")]
    assert len(tables) == 6 and len(set(tables)) == 1, "a bar inside a cell would begin another one"


def test_games_spread_over_networks_and_checkpoints() -> None:
    """Fewer games than checkpoints: the last one of the last network is among them, and none
    twice."""
    games = networks.trained_games(4, 3, quick=True)
    assert games.shape == (3, 16) and len(games.unique(dim=0)) == 3
    run = networks.trained("lenet", True)
    players, label = networks.players_of("lenet", True, 1, 4)
    last = run.model(run.steps[-1])(players[0].masked(torch.tensor([15])))[0].double()
    others = torch.cat([last[: int(label)], last[int(label) + 1 :]])
    torch.testing.assert_close(
        games[-1, 15], last[int(label)] - others.logsumexp(0), rtol=1e-4, atol=1e-4
    )


def test_a_failed_measurement_says_why() -> None:
    with pytest.raises(RuntimeError, match="unexpected keyword argument 'players'"):
        child.measure("scores", players=3)


def test_peak_memory_sees_what_was_held_and_given_back() -> None:
    # More than the C library would take from what this process has freed before.
    facts, _ = child.peak_during(lambda: bytearray(os.urandom(1)) * (400 << 20) and None)
    assert facts["increase"] > 350 << 20


def test_targets_are_those_that_were_asked_for() -> None:
    assert [(case.n, case.order_weight, case.tol, case.target) for case in split.CASES] == [
        (10, 0.0, 1e-2, 1000.0),
        (10, 0.2, 1e-3, 150.0),
        (12, 0.0, 1e-2, 100.0),
        (12, 0.2, 1e-3, 15.0),
        (14, 0.0, 1e-2, 5.0),
        (16, 0.0, 1e-2, 1 / 30),
    ]


@pytest.mark.parametrize("arguments", [["--only", "nothing"], ["--repeats", "0"]])
def test_bad_arguments_are_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "error" in capsys.readouterr().err
