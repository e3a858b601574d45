"""Strength per order of two groups of samples on one scale, and beside them how it is shared among
the orders."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from .style import COLOURS, palette

__all__ = ["groups_and_shares"]


def groups_and_shares(bars: pd.DataFrame, shares: pd.DataFrame, *, title: str = "") -> Figure:
    """Bars as in arXiv 2405.10262, Fig. 6, a panel per group on one scale; then curves of shares, a
    panel per ``panel``.

    bars: columns images, order, positive, negative (≤ 0). shares: columns panel, images, order,
    share, low, high.
    """
    groups, panels, labels = (
        list(dict.fromkeys(table[name]))
        for table, name in ((bars, "images"), (shares, "panel"), (shares, "images"))
    )
    colours = palette(labels)
    figure, axes = plt.subplots(
        1, len(groups) + len(panels), figsize=(2.5 * len(groups) + 3.1 * len(panels), 3.2)
    )
    for axis, name in zip(axes, groups, strict=False):
        if axis is not axes[0]:
            axis.sharey(
                axes[0]
            )  # before anything is drawn in it: shared later, the scale is the first panel's
        part = bars[bars["images"] == name]
        for kind in ("positive", "negative"):
            axis.bar(part["order"], part[kind], color=COLOURS[kind], width=0.8)
        axis.axhline(0, color="black", linewidth=0.6)
        axis.grid(axis="x", visible=False)
        axis.set(
            title=name, xlabel="order", ylabel="strength (log-odds)" if axis is axes[0] else ""
        )
    for axis, name in zip(axes[len(groups) :], panels, strict=True):
        for label, part in shares[shares["panel"] == name].groupby("images", sort=False):
            axis.plot(
                part["order"],
                part["share"],
                color=colours[label],
                label=label,
                marker="o",
                markersize=3,
            )
            axis.fill_between(
                part["order"],
                part["low"],
                part["high"],
                color=colours[label],
                alpha=0.15,
                linewidth=0,
            )
        axis.set(title=name, xlabel="order", ylabel="share of strength", ylim=(0, None))
    for axis in axes:
        axis.set_xticks(sorted(bars["order"].unique())[::2])
    handles = [
        mpl.patches.Patch(color=COLOURS[kind], label=f"{kind} interactions")
        for kind in ("positive", "negative")
    ]
    handles += [
        mpl.lines.Line2D([], [], color=colours[label], marker="o", markersize=3, label=label)
        for label in labels
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    figure.suptitle(title, fontsize=10)
    return figure
