"""Attribution maps: an image's pixels, a sentence's words, a cloud's points."""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

__all__ = ["attribution_maps"]


def attribution_maps(table: pd.DataFrame, title: str = "") -> Figure:
    """A panel per row and column: red where a place speaks for the component and blue where against
    it; of a cloud, red, green and blue for the parts of x, y and z (Fig. 8).

    table: row, column, kind, note (written below the panel, in its first row), and by kind "image"
    (in grey) or "map": y, x, value; "words": place, word, value; "points": x, y, z, red, green,
    blue in 0..1. Every map is scaled by its own largest value.
    """
    rows, columns = (list(dict.fromkeys(table[name])) for name in ("row", "column"))
    draw, size, projection = _PANELS[table["kind"].iloc[0]]
    figure, axes = plt.subplots(
        len(rows),
        len(columns),
        squeeze=False,
        figsize=(size[0] * len(columns) + 0.8, size[1] * len(rows) + 0.5),
        subplot_kw={"projection": projection},
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for (row, column), part in table.groupby(["row", "column"], sort=False):
        axis = axes[rows.index(row), columns.index(column)]
        draw(axis, part)
        axis.set_title(column if row == rows[0] else "", fontsize=7)
        below, left = part["note"].iloc[0], row if column == columns[0] else ""
        if projection is None:
            axis.set_axis_on()
            axis.grid(visible=False)
            axis.set(xticks=[], yticks=[])
            axis.set_xlabel(below, fontsize=7)
            axis.set_ylabel(left, fontsize=7)
        else:  # the labels of three axes lie along them
            axis.text2D(0.5, -0.04, below, fontsize=7, ha="center", transform=axis.transAxes)
            axis.text2D(
                -0.04, 0.5, left, fontsize=7, va="center", rotation=90, transform=axis.transAxes
            )
    figure.suptitle(title, fontsize=10)
    return figure


def _pixels(axis: Axes, part: pd.DataFrame) -> None:
    cells = part.pivot(index="y", columns="x", values="value").to_numpy()
    if part["kind"].iloc[0] == "image":
        axis.imshow(cells, cmap="gray", vmin=0, vmax=1)
    else:
        largest = np.abs(cells).max() or 1.0
        axis.imshow(cells, cmap="RdBu_r", vmin=-largest, vmax=largest)


def _words(axis: Axes, part: pd.DataFrame) -> None:
    """The words in reading order, one below the other, each on the colour of its share."""
    values = part["value"].to_numpy()
    largest = np.abs(values).max() or 1.0
    axis.imshow(values[:, None], cmap="RdBu_r", vmin=-largest, vmax=largest, aspect="auto")
    for place, (word, value) in enumerate(zip(part["word"], values, strict=True)):
        dark = abs(value) > 0.6 * largest
        axis.text(0, place, word, ha="center", va="center", fontsize=6.5, color="wk"[not dark])


def _points(axis: Axes, part: pd.DataFrame) -> None:
    """Grey where a point has no share, the more coloured the larger it is."""
    shares = part[["red", "green", "blue"]].to_numpy()
    size = shares.max(1, keepdims=True)
    hue = np.divide(shares, size, out=np.zeros_like(shares), where=size > 0)
    sample = part["column"].iloc[0] == part["kind"].iloc[0]
    axis.scatter(
        *(part[name].to_numpy() for name in "xyz"),
        c=shares if sample else size * hue + (1 - size) * _NO_SHARE,
        s=4 + 8 * (0 if sample else size[:, 0]),
        depthshade=False,
        linewidths=0,
    )
    axis.set_box_aspect((1, 1, 1), zoom=1.25)


_NO_SHARE = 0.8
_PANELS: dict[str, tuple[Callable[[Axes, pd.DataFrame], None], tuple[float, float], str | None]] = {
    "image": (_pixels, (1.25, 1.5), None),
    "words": (_words, (1.25, 1.7), None),
    "points": (_points, (1.5, 1.7), "3d"),
}
"""Kind of the first panel → how each is drawn, its size in inches, its projection."""
