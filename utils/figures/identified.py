"""The grid of decisions: which statement holds under which way of splitting the same games."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLOURS

__all__ = ["decision_grid"]


def decision_grid(table: pd.DataFrame, *, title: str = "") -> Figure:
    """A cell per (statement, way), coloured by its decision, with the estimate and its interval
    written in it.

    table: columns statement, way, estimate, low, high, decision (holds, open or fails).
    """
    rows, columns = (list(dict.fromkeys(table[name])) for name in ("statement", "way"))
    figure, axis = plt.subplots(figsize=(1.25 * len(columns) + 2.4, 0.55 * len(rows) + 1.9))
    for one in table.itertuples():
        x, y = columns.index(one.way), rows.index(one.statement)
        axis.add_patch(
            mpl.patches.Rectangle(
                (x - 0.48, y - 0.46),
                0.96,
                0.92,
                color=COLOURS[one.decision],
                alpha=0.45,
                linewidth=0,
            )
        )
        text = (
            f"{one.estimate:.3g}\n[{one.low:.2g}, {one.high:.2g}]"
            if np.isfinite(one.estimate)
            else "no value"
        )
        axis.text(x, y, text, ha="center", va="center", fontsize=7)
    axis.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(rows) - 0.5, -0.5))
    axis.set_xticks(
        range(len(columns)),
        [name.replace(", ", ",\n") for name in columns],
        rotation=35,
        ha="right",
    )
    axis.set_yticks(range(len(rows)), rows)
    axis.grid(visible=False)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    handles = [
        mpl.patches.Patch(color=COLOURS[kind], alpha=0.45, label=kind)
        for kind in ("holds", "open", "fails")
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    figure.suptitle(title, fontsize=10)
    return figure
