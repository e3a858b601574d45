"""Curves over orders, and box plots from their five numbers, so that a figure's twin stays small
and exact."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .plots import curves
from .style import COLOURS, grid

__all__ = ["boxes", "over_orders"]


def over_orders(
    table: pd.DataFrame, *, y: str, hue: str, ylabel: str, title: str = "", yscale: str = "linear"
) -> Figure:
    """Lines over the ``order`` with the band ``low`` to ``high``, a panel per ``panel``; orders are
    whole numbers."""
    figure = curves(
        table,
        x="order",
        y=y,
        hue=hue,
        panel="panel",
        xlabel="order",
        ylabel=ylabel,
        title=title,
        yscale=yscale,
        band=("low", "high"),
        markers=True,
    )
    for axis in figure.axes:
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure


def boxes(
    table: pd.DataFrame, *, x: str, panel: str, xlabel: str, ylabel: str, title: str = ""
) -> Figure:
    """A box (``q1``, ``median``, ``q3``) with whiskers (``low``, ``high``) per x, a panel per
    ``panel``."""
    panels = list(dict.fromkeys(table[panel]))
    figure, axes = grid(len(panels), size=(3.6, 2.9), sharey=True)
    for axis, name in zip(axes.flat, panels, strict=False):
        part = table[table[panel] == name]
        names = {"low": "whislo", "q1": "q1", "median": "med", "q3": "q3", "high": "whishi"}
        numbers = part[list(names)].rename(columns=names).to_dict("records")
        axis.bxp(
            numbers,
            positions=list(part[x]),
            widths=0.6,
            showfliers=False,
            patch_artist=True,
            boxprops={
                "facecolor": COLOURS["input noise"],
                "alpha": 0.35,
                "edgecolor": "#444444",
                "linewidth": 0.8,
            },
            medianprops={"color": "#000000", "linewidth": 1.3},
            whiskerprops={"color": "#444444", "linewidth": 0.8},
            capprops={"color": "#444444", "linewidth": 0.8},
        )
        axis.set(xlabel=xlabel, ylabel=ylabel if axis is axes[0, 0] else "", title=name)
        axis.grid(axis="x", visible=False)
    axes[0, 0].set_ylim(0, 1.04 * table["high"].max())
    figure.suptitle(title, fontsize=10)
    return figure
