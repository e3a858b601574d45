"""One style, colour-blind safe, one colour per meaning; each figure is saved with its CSV twin."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from .. import io

__all__ = ["COLOURS", "grid", "palette", "save", "use_style", "write_table"]

# Okabe and Ito's palette. The same thing has the same colour in every notebook.
COLOURS: dict[str, str] = {
    "AND": "#0072B2",
    "OR": "#E69F00",
    "positive": "#D55E00",
    "negative": "#0072B2",
    "overlap": "#999999",
    "forget": "#E69F00",
    "new": "#56B4E9",
    "trained": "#000000",
    "untrained": "#999999",
    "iid noise": "#CC79A7",
    "smooth random": "#009E73",
    "formula": "#D55E00",
    "linear control": "#56B4E9",
    "size-only control": "#E69F00",
    "order weight +0.2": "#0072B2",
    "order weight -0.2": "#D55E00",
    "order weight 0": "#000000",
    "loss gap": "#009E73",
    "training images": "#000000",
    "test images": "#000000",
    "half of the peak": "#0072B2",
    "shuffled labels": "#CC79A7",
    "real": "#0072B2",
    "theory": "#E69F00",
    "exponential shrink": "#009E73",
    "hard cut": "#CC79A7",
    "mix with initial": "#56B4E9",
    "other half": "#999999",
    "chance": "#999999",
    "shuffled (N1)": "#CC79A7",
    "output layer": "#009E73",
    "input noise": "#0072B2",
    "output noise (null)": "#999999",
    "second draw of players": "#E69F00",
    "train and test": "#000000",
    "two train halves": "#999999",
    "Lemma 1: slope 1": "#999999",
    "reliable": "#0072B2",
    "withdrawn": "#E69F00",
    "forgotten": "#56B4E9",
    "betraying": "#D55E00",
    "fluctuating": "#CC79A7",
    "network": "#0072B2",
    "random walks": "#999999",
    "feature components": "#D55E00",
    "raw patches, as many": "#0072B2",
    "raw patches as in the paper": "#56B4E9",
    "random order": "#E69F00",
    "pooled over training": "#000000",
    "mislabelled": "#CC79A7",
    "clean": "#009E73",
    "clean, unmatched": "#56B4E9",
    "mislabelled, true label": "#E69F00",
    "between both ends": "#009E73",
    "holds": "#009E73",
    "open": "#999999",
    "fails": "#D55E00",
}
_SPARE = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]


def use_style() -> None:
    """Set the one style of the project for this process."""
    sns.set_theme(
        context="paper",
        style="ticks",
        rc={
            "figure.dpi": 110,
            "savefig.dpi": 160,
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 9,
            "axes.labelsize": 9,
            "legend.fontsize": 8,
            "xtick.labelsize": 8,
            "ytick.labelsize": 8,
            "legend.frameon": False,
            "lines.linewidth": 1.4,
            "axes.grid": True,
            "grid.color": "#e8e8e8",
            "grid.linewidth": 0.6,
            "axes.axisbelow": True,
        },
    )


def palette(labels: Sequence[str]) -> dict[str, str]:
    """Label → colour: the label's own where it has one, else the next spare one."""
    spare = iter(_SPARE * (1 + len(labels) // len(_SPARE)))
    return {label: COLOURS.get(label) or next(spare) for label in labels}


def grid(
    count: int,
    *,
    columns: int | None = None,
    size: tuple[float, float] = (3.4, 2.7),
    sharey: bool | str = False,
) -> tuple[Figure, np.ndarray]:
    # No panel is a figure too: nothing was found to draw, and the verdict says why.
    across = max(1, min(count, columns or count))
    down = max(1, -(-count // across))
    figure, axes = plt.subplots(
        down, across, figsize=(size[0] * across, size[1] * down), squeeze=False, sharey=sharey
    )
    for spare in axes.flat[count:]:
        spare.set_axis_off()
    return figure, axes


def save(figure: Figure, table: pd.DataFrame, folder: Path, name: str = "figure") -> Path:
    """``folder/name.png`` and its twin ``folder/name.csv``, the plotted numbers at 12 significant
    digits."""
    folder.mkdir(parents=True, exist_ok=True)
    with io.atomic(folder / f"{name}.png") as path:
        figure.savefig(path, format="png", metadata={"Software": None})
    write_table(table, folder / f"{name}.csv")
    return folder / f"{name}.png"


def write_table(table: pd.DataFrame, path: Path) -> None:
    """``table`` as CSV, at 12 significant digits: the same numbers are the same bytes."""
    io.write_text(path, table.to_csv(index=False, float_format="%.12g", lineterminator="\n"))
