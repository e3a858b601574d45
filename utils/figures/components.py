"""Figures of feature components: eigenvalues, bars, fits on all masks, courses in groups."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLOURS, grid, palette

__all__ = ["eigenvalues", "group_curves", "grouped_bars", "mask_fit"]


def eigenvalues(table: pd.DataFrame, r: int, title: str = "") -> Figure:
    """Eigenvalues in descending order, on a log scale in the inset; the first ``r`` stand left of
    the dashed line (Fig. 2).

    table: features, rank, share (of the total variance), low, high.
    """
    figure, axes = grid(1, size=(5.2, 3.4))
    axis = axes[0, 0]
    inset = axis.inset_axes((0.42, 0.4, 0.56, 0.56))
    colours = palette(list(dict.fromkeys(table["features"])))
    for label, part in table.groupby("features", sort=False):
        for place in (axis, inset):
            place.plot(
                part["rank"],
                part["share"],
                color=colours[label],
                label=label,
                marker="o",
                markersize=2.5,
            )
            place.fill_between(
                part["rank"],
                part["low"],
                part["high"],
                color=colours[label],
                alpha=0.15,
                linewidth=0,
            )
    for place in (axis, inset):
        place.axvline(r + 0.5, color="#555555", linestyle="--", linewidth=0.9)
    shown = table["rank"] <= max(3 * r, 20)
    axis.set(
        xlim=(0, table.loc[shown, "rank"].max() + 1),
        xlabel="component $i$",
        ylabel=r"$\lambda_i$ / total variance",
    )
    # Eigenvalues down to rounding would flatten everything that matters.
    least = table.loc[table["share"] > 0, "share"].min()
    inset.set(yscale="log", ylim=(max(0.5 * least, 1e-8), 1.0), title="all computed, log scale")
    inset.tick_params(labelsize=7)
    axis.legend(
        *axis.get_legend_handles_labels(), loc="upper right", bbox_to_anchor=(1.0, 0.33), fontsize=7
    )
    figure.suptitle(title, fontsize=10)
    return figure


def grouped_bars(
    table: pd.DataFrame,
    *,
    x: str,
    hue: str,
    panel: str,
    y: str = "count",
    ylabel: str | None = None,
    title: str = "",
    sharey: bool = False,
) -> Figure:
    """Bars side by side: a group per ``x``, a bar per ``hue``, a panel per ``panel``; columns low,
    high drawn as ranges. ylabel: default the name of ``y``; counts are interactions per sample."""
    label_y = ylabel or ("interactions per sample" if y == "count" else y)
    panels = list(dict.fromkeys(table[panel]))
    colours = palette(list(dict.fromkeys(table[hue])))
    figure, axes = grid(
        len(panels),
        size=(4.2 if len(panels) < 3 else 3.4, 3.0),
        columns=min(len(panels), 3),
        sharey=sharey,
    )
    for axis, name in zip(axes.flat, panels, strict=False):
        part = table[table[panel] == name]
        labels, places = list(dict.fromkeys(part[hue])), list(dict.fromkeys(part[x]))
        width = 0.8 / len(labels)
        for k, label in enumerate(labels):
            bars = part[part[hue] == label].set_index(x).reindex(places)
            spread = None
            if "low" in bars:
                spread = [
                    (bars[y] - bars["low"]).clip(lower=0),
                    (bars["high"] - bars[y]).clip(lower=0),
                ]
            axis.bar(
                np.arange(len(places)) + (k - (len(labels) - 1) / 2) * width,
                bars[y],
                width=width,
                label=label,
                color=colours[label],
                yerr=spread,
                error_kw={"elinewidth": 0.7, "ecolor": "#444444"},
            )
        texts = [str(place) for place in places]
        rotated = max(map(len, texts)) > 9
        axis.set_xticks(np.arange(len(places)), texts, rotation=20 if rotated else 0)
        axis.set(
            title=name,
            xlabel="" if rotated else x,
            ylabel=label_y if axis is axes[0, 0] or not sharey else "",
        )
        axis.grid(axis="x", visible=False)
        axis.legend(
            fontsize=7,
            loc="upper center",
            bbox_to_anchor=(0.5, -0.22),
            ncols=2 if len(labels) > 3 else len(labels),
        )
    figure.suptitle(title, fontsize=10)
    return figure


def mask_fit(table: pd.DataFrame, title: str = "") -> Figure:
    """Left: the outputs on all masks in ascending order and smoothed errors; right: all errors as a
    histogram (Fig. 5).

    table: panel ("smoothed" or "histogram"), curve, mask, value.
    """
    lines, errors = (table[table["panel"] == name] for name in ("smoothed", "histogram"))
    names = list(dict.fromkeys(lines["curve"]))
    colours = dict(
        zip(names, ["#000000", "#CC79A7", "#E69F00", "#009E73", "#56B4E9", "#D55E00"], strict=False)
    )
    figure, axes = grid(2, size=(4.4, 3.2))
    for name, part in lines.groupby("curve", sort=False):
        axes[0, 0].plot(part["mask"], part["value"], color=colours[name], label=name)
    axes[0, 0].set(xlabel="masked feature, in order of output", ylabel="log-odds")
    bins = np.histogram_bin_edges(errors["value"], 60)
    for name, part in errors.groupby("curve", sort=False):
        axes[0, 1].hist(part["value"], bins, histtype="step", color=colours[name], linewidth=1.3)
    axes[0, 1].set(xlabel=r"error $\Delta g_\alpha(f_S)$ (log-odds)", ylabel="masks")
    figure.legend(
        *axes[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(names)
    )
    figure.suptitle(title, fontsize=10)
    return figure


def group_curves(table: pd.DataFrame, title: str = "") -> Figure:
    """A thin line per interaction over training, a panel per group (Fig. 6). table: panel, group,
    curve, step, value."""
    panels = list(dict.fromkeys(table["panel"]))
    figure, axes = grid(len(panels), size=(2.5, 2.5), sharey=True)
    first = float(table.loc[table["step"] > 0, "step"].min())
    for axis, name in zip(axes.flat, panels, strict=False):
        part = table[table["panel"] == name]
        for _, line in part.groupby("curve", sort=False):
            axis.plot(
                line["step"],
                line["value"],
                color=COLOURS[line["group"].iloc[0]],
                linewidth=0.7,
                alpha=0.6,
            )
        axis.axhline(0, color="black", linewidth=0.6)
        axis.set_xscale("symlog", linthresh=first)
        axis.set_xlim(-0.05 * first, 1.3 * table["step"].max())
        axis.set(
            xlabel="training step",
            title=name,
            ylabel="$I$ / max $|I|$" if axis is axes[0, 0] else "",
        )
        axis.title.set_fontsize(8)
    figure.suptitle(title, fontsize=10)
    return figure
