"""The papers' printed numbers beside ours."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pandas as pd
import pytest

from utils import claims
from utils.evidence import in_print


def verdict(row: str, estimate: float | None = None) -> Any:
    return types.SimpleNamespace(row=row, system="lenet/mnist_part", estimate=estimate)


@pytest.mark.parametrize("row", in_print.PRINTED)
def test_what_is_in_print_belongs_to_a_row_and_fits_its_columns(row: str) -> None:
    printed, entry = in_print.PRINTED[row], claims.load().row(row)
    assert all(0 < len(v) <= len(printed.columns) for v in printed.values.values())
    number = printed.source.partition(", ")[2]
    assert number.split(",")[0] in entry.figure, (number, entry.figure)


def test_bars_are_distributions_and_their_distances_those_of_the_specification() -> None:
    """Total variation of real and predicted bars: .03/.02/.04, .04/.08/.05, .02/.05/.11."""
    values, found = in_print.PRINTED["D10"].values, []
    for (whose, what), bars in values.items():
        assert sum(bars) == pytest.approx(1, abs=0.05), (whose, what)
        if what.endswith("real"):
            theory = values[whose, what.replace("real", "theory")]
            found.append(
                sum(
                    abs(a - b) for a, b in zip([*bars, *[0] * 9], [*theory, *[0] * 9], strict=False)
                )
                / 2
            )
    assert np.round(found, 2) == pytest.approx(
        [0.03, 0.02, 0.04, 0.04, 0.08, 0.05, 0.02, 0.05, 0.11], abs=0.0101
    )


def test_ours_stand_first_and_theirs_with_their_distance() -> None:
    bars = pd.DataFrame(
        {
            "row": "all interactions",
            "time": "early\nstep 3 to 7",
            "shares": ["real"] * 2 + ["theory"] * 2,
            "order": [1, 2, 1, 2],
            "share": [0.9, 0.1, 0.8, 0.2],
        }
    )
    found = in_print.beside(verdict("D10"), bars)
    assert found.index[0] == ("here: lenet/mnist_part", "early, real")
    assert found.loc[("here: lenet/mnist_part", "early, theory"), 1] == 0.8
    theirs = ("Ren Q. et al. 2024, Fig. 4: VGG-11, CIFAR-10", "early, real")
    assert found.loc[theirs, "total variation from ours"] == pytest.approx(0.064)
    assert found.loc[theirs, list(range(3, 11))].eq(0).all()
    late = ("Ren Q. et al. 2024, Fig. 4: VGG-11, CIFAR-10", "late, real")
    assert np.isnan(found.loc[late, "total variation from ours"]), "nothing of ours to compare"


def test_a_row_without_numbers_in_print_shows_none() -> None:
    assert in_print.beside(verdict("D2"), pd.DataFrame()) is None
    assert in_print.beside(verdict("L2", None), pd.DataFrame()) is None
    count = in_print.beside(verdict("L2", 20.0), pd.DataFrame())
    assert count["mean difference from ours"].dropna().tolist() == pytest.approx([1.8, 25.6])
    table = pd.DataFrame(
        {
            "network": ["untrained", "trained", "trained", "trained"],
            "using": ["whole feature", "whole feature", "principal components", "random"],
            "accuracy": [0.1, 0.9, 0.8, 0.2],
        }
    )
    own = in_print.beside(verdict("M3"), table)
    assert own.iloc[0, :2].tolist() == [0.9, 0.8]
    empty = pd.DataFrame(columns=["panel", "curve", "order", "value"])
    assert in_print.beside(verdict("D12"), empty) is None
    curve = empty.assign(order=[1, 3]).assign(
        panel="weighted Jaccard", curve="train and test", value=[0.5, 0.2]
    )
    assert in_print.beside(verdict("D12"), curve).iloc[0, :3].tolist() == [0.5, 0.0, 0.2]
