"""A curve of which nothing was found is a figure all the same: its verdict says why."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from utils import figures


def test_curves_over_no_order_are_drawn_as_nothing(tmp_path: Path) -> None:
    """Rows on stability with too few salient sets of any order."""
    columns = ("order", "stability", "noise", "panel", "low", "high")
    table = pd.DataFrame({name: [] for name in columns})
    figure = figures.over_orders(
        table, y="stability", hue="noise", ylabel="median stability", title="L10", yscale="log"
    )
    assert not any(axis.axison for axis in figure.axes)
    figure.savefig(tmp_path / "empty.png")
