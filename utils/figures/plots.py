"""Tidy table → Figure: the kinds of plot that several notebooks draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLOURS, grid, palette

__all__ = [
    "curves",
    "mark",
    "order_bars",
    "order_curves",
    "paired_bars",
    "scatter_identity",
    "strips",
    "two_scales",
]


def order_bars(table: pd.DataFrame, *, rows: str, columns: str, title: str = "") -> Figure:
    """Bars per order: positive strength up, negative down, a panel per (row, column); each row has
    its own scale.

    table: columns ``rows``, ``columns``, ``order``, ``positive``, ``negative`` (≤ 0) (Ren Q. et al.
    2024, Fig. 2).
    """
    down, across = list(dict.fromkeys(table[rows])), list(dict.fromkeys(table[columns]))
    figure, axes = plt.subplots(
        len(down),
        len(across),
        figsize=(1.75 * len(across) + 0.8, 1.9 * len(down) + 0.5),
        squeeze=False,
        sharex=True,
    )
    for i, row in enumerate(down):
        for j, column in enumerate(across):
            axis: Axes = axes[i, j]
            part = table[(table[rows] == row) & (table[columns] == column)]
            axis.bar(part["order"], part["positive"], color=COLOURS["positive"], width=0.8)
            axis.bar(part["order"], part["negative"], color=COLOURS["negative"], width=0.8)
            axis.axhline(0, color="black", linewidth=0.6)
            axis.set_xticks(sorted(table["order"].unique())[::2])
            axis.grid(axis="x", visible=False)
            if j == 0:
                axis.set_ylabel(f"{row}\nstrength (log-odds)")
            if i == len(down) - 1:
                axis.set_xlabel("order")
            axis.set_title(str(column) if i == 0 else "")
    handles = [
        mpl.patches.Patch(color=COLOURS[kind], label=f"{kind} interactions")
        for kind in ("positive", "negative")
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    figure.suptitle(title, fontsize=10)
    return figure


def _legend(axes: np.ndarray) -> dict[str, Artist]:
    """One handle per label, whichever panels it occurs in."""
    return {
        label: handle
        for axis in axes.flat
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True)
    }


def curves(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    panel: str,
    xlabel: str,
    ylabel: str,
    title: str = "",
    xscale: str = "linear",
    yscale: str = "linear",
    band: tuple[str, str] | None = None,
    columns: int | None = None,
    markers: bool = False,
) -> Figure:
    """One line per ``hue`` in a panel per ``panel``; ``band`` names the columns of a shaded
    interval."""
    panels, labels = list(dict.fromkeys(table[panel])), list(dict.fromkeys(table[hue]))
    colours = palette(labels)
    figure, axes = grid(
        len(panels), columns=columns, size=(3.4, 2.8) if len(panels) > 1 else (4.8, 3.2)
    )
    for axis, name in zip(axes.flat, panels, strict=False):
        for label in labels:
            part = table[(table[panel] == name) & (table[hue] == label)]
            if part.empty:
                continue
            axis.plot(
                part[x],
                part[y],
                color=colours[label],
                label=label,
                marker="o" if markers else None,
                markersize=3,
            )
            if band:
                axis.fill_between(
                    part[x],
                    part[band[0]],
                    part[band[1]],
                    color=colours[label],
                    alpha=0.15,
                    linewidth=0,
                )
        axis.set(xscale=xscale, yscale=yscale, xlabel=xlabel, ylabel=ylabel, title=name)
    handles = _legend(axes)
    fit = int(
        figure.get_figwidth() * 13 // (max(map(len, handles), default=0) + 6)
    )  # about 13 letters an inch, 6 for the line
    figure.legend(
        handles.values(),
        handles.keys(),
        loc="outside lower center",
        ncols=max(1, min(len(handles), 5, fit)) if len(panels) > 1 else 2,
    )
    figure.suptitle(title, fontsize=10)
    return figure


def mark(
    figure: Figure, values: Mapping[str, float], *, label: str, axis: str = "x", side: str = "left"
) -> Figure:
    """A labelled dashed line in the panel of each title in ``values``: a threshold, or a moment in
    training.

    side: of a vertical line, where its label stands.
    """
    for panel in figure.axes:
        if panel.get_title() in values:
            value = values[panel.get_title()]
            (panel.axvline if axis == "x" else panel.axhline)(
                value, color="#555555", linestyle="--", linewidth=0.9
            )
            if axis == "x":
                panel.annotate(
                    label,
                    (value, 0.98),
                    (-3 if side == "left" else 3, 0),
                    fontsize=8,
                    color="#555555",
                    xycoords=panel.get_xaxis_transform(),
                    textcoords="offset points",
                    va="top",
                    ha="right" if side == "left" else "left",
                )
            else:
                panel.text(
                    0.98,
                    value,
                    label,
                    transform=panel.get_yaxis_transform(),
                    fontsize=7,
                    color="#555555",
                    va="bottom",
                    ha="right",
                )
    return figure


def two_scales(
    left: pd.DataFrame,
    right: pd.DataFrame,
    *,
    x: str,
    y: tuple[str, str],
    hue: str,
    panel: str,
    xlabel: str,
    ylabels: tuple[str, str],
    title: str = "",
    columns: int | None = None,
) -> Figure:
    """Lines of ``left`` with a band (columns ``low``, ``high``) and, on a second scale, those of
    ``right``.

    x is symmetric-log, so that step 0 has a place.
    """
    panels = list(dict.fromkeys(left[panel]))
    labels = [*dict.fromkeys(left[hue]), *dict.fromkeys(right[hue])]
    colours = palette(labels)
    figure, axes = grid(len(panels), columns=columns, size=(4.3, 3.0))
    for axis, name in zip(axes.flat, panels, strict=False):
        other = axis.twinx()
        other.spines["right"].set_visible(True)
        other.grid(visible=False)
        for table, place, value, style in ((left, axis, y[0], "-"), (right, other, y[1], "--")):
            for label, part in table[table[panel] == name].groupby(hue, sort=False):
                place.plot(
                    part[x],
                    part[value],
                    style,
                    color=colours[label],
                    label=label,
                    marker="o" if style == "-" else None,
                    markersize=3,
                )
                if "low" in part:
                    place.fill_between(
                        part[x],
                        part["low"],
                        part["high"],
                        color=colours[label],
                        alpha=0.15,
                        linewidth=0,
                    )
        axis.set_xscale("symlog", linthresh=1)
        axis.set(xlabel=xlabel, ylabel=ylabels[0], title=name)
        other.set_ylabel(ylabels[1])
        handles = [
            pair
            for place in (axis, other)
            for pair in zip(*place.get_legend_handles_labels(), strict=True)
        ]
    figure.legend(*zip(*handles, strict=True), loc="outside lower center", ncols=len(handles))
    figure.suptitle(title, fontsize=10)
    return figure


def scatter_identity(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    panel: str,
    xlabel: str,
    ylabel: str,
    title: str = "",
    columns: int | None = None,
) -> Figure:
    """Points around the line y = x, a panel per ``panel``."""
    panels, labels = list(dict.fromkeys(table[panel])), list(dict.fromkeys(table[hue]))
    colours = palette(labels)
    figure, axes = grid(len(panels), columns=columns, size=(3.0, 2.9))
    for axis, name in zip(axes.flat, panels, strict=False):
        part = table[table[panel] == name]
        ends = [min(part[x].min(), part[y].min()), max(part[x].max(), part[y].max())]
        axis.plot(ends, ends, color="#bbbbbb", linewidth=0.9, zorder=0)
        for label in labels:
            points = part[part[hue] == label]
            axis.scatter(
                points[x],
                points[y],
                s=5,
                color=colours[label],
                label=label,
                alpha=0.6,
                linewidths=0,
            )
        axis.set(xlabel=xlabel, ylabel=ylabel, title=name)
    figure.legend(
        *axes.flat[0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(labels),
        markerscale=2,
    )
    figure.suptitle(title, fontsize=10)
    return figure


def order_curves(
    lines: pd.DataFrame,
    *,
    rows: str,
    columns: str,
    x: str,
    y: str,
    order: str,
    xlabel: str,
    title: str = "",
    points: pd.DataFrame | None = None,
    method: str = "method",
    ylim: Mapping[str, tuple[float, float]] | None = None,
    label: str = "order",
) -> Figure:
    """One line per order, coloured by it, against a log x; a panel per (row, column), the row's
    name beside its scale.

    points: as ``lines``, drawn as markers, a marker per value of ``method``. ylim: row → limits.
    """
    down, across = list(dict.fromkeys(lines[rows])), list(dict.fromkeys(lines[columns]))
    norm = mpl.colors.Normalize(lines[order].min(), lines[order].max())
    colour = mpl.cm.ScalarMappable(
        norm, mpl.colors.ListedColormap(mpl.colormaps["viridis_r"](np.linspace(0.1, 1, 256)))
    )
    figure, axes = plt.subplots(
        len(down),
        len(across),
        squeeze=False,
        sharex="row",
        sharey="row",
        figsize=(max(2.1 * len(across) + 1, 4.6), 2.4 * len(down) + 0.6),
    )
    for i, j in np.ndindex(axes.shape):
        axis: Axes = axes[i, j]
        for k, part in lines[(lines[rows] == down[i]) & (lines[columns] == across[j])].groupby(
            order
        ):
            axis.plot(part[x], part[y], color=colour.to_rgba(k))
        drawn = (
            points[(points[rows] == down[i]) & (points[columns] == across[j])]
            if points is not None
            else lines[:0]
        )
        for marker, (name, part) in zip(
            "ox^s", drawn.groupby(method, sort=False) if len(drawn) else (), strict=False
        ):
            axis.scatter(
                part[x], part[y], c=colour.to_rgba(part[order]), marker=marker, s=18, zorder=3
            )
            axis.scatter([], [], color="#555555", marker=marker, s=18, label=name)
        axis.set(
            xscale="log",
            title=across[j] if i == 0 else "",
            ylabel=down[i] if j == 0 else "",
            xlabel=xlabel if i == len(down) - 1 else "",
        )
        if ylim and down[i] in ylim:
            axis.set_ylim(*ylim[down[i]])
            axis.axhline(0, color="black", linewidth=0.6)
    figure.colorbar(
        colour,
        ax=axes,
        label=label,
        ticks=mpl.ticker.MaxNLocator(integer=True),
        aspect=30,
        pad=0.01,
    )
    if points is not None:
        handles = _legend(axes)
        figure.legend(
            handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles)
        )
    figure.suptitle(title, fontsize=10)
    return figure


def strips(
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    hue: str,
    panel: str,
    xlabel: str,
    ylabel: str,
    title: str = "",
    yscale: str = "linear",
    legend: str = "",
) -> Figure:
    """Every value as a point above its category, spread sideways so that equal values can be
    counted by eye."""
    panels, labels = list(dict.fromkeys(table[panel])), list(dict.fromkeys(table[hue]))
    colours = dict(zip(labels, sns.color_palette("viridis", len(labels)), strict=True))
    figure, axes = grid(len(panels), size=(3.6, 2.9))
    spread = np.random.default_rng(
        0
    )  # the same picture every time; seaborn's own jitter is unseeded
    for axis, name in zip(axes.flat, panels, strict=False):
        part = table[table[panel] == name]
        categories = sorted(part[x].unique())
        places = part[x].map({c: k for k, c in enumerate(categories)}) + spread.uniform(
            -0.3, 0.3, len(part)
        )
        axis.scatter(places, part[y], s=6, linewidths=0, c=[colours[k] for k in part[hue]])
        axis.set_xticks(range(len(categories)), [str(c) for c in categories])
        axis.set(
            yscale=yscale, xlabel=xlabel, ylabel=ylabel if axis is axes[0, 0] else "", title=name
        )
    handles = [
        mpl.lines.Line2D([], [], marker="o", linestyle="", color=colours[k], markersize=4, label=k)
        for k in labels
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(labels), title=legend)
    figure.suptitle(title, fontsize=10)
    return figure


def paired_bars(
    bars: pd.DataFrame,
    courses: pd.DataFrame,
    *,
    xlabel: str,
    title: str = "",
    logarithmic: Sequence[str] = (),
) -> Figure:
    """Real and predicted shares side by side per order, a panel per (row, time); courses over
    training in a last column.

    bars: columns row, time, shares (real or theory), order, share, low, high. courses: panel,
    model, step, value, low, high; panels named in ``logarithmic`` have a log scale. As in Fig. 4 of
    Ren Q. et al. 2024.
    """
    down, across = (list(dict.fromkeys(bars[name])) for name in ("row", "time"))
    panels = list(dict.fromkeys(courses["panel"]))
    figure, axes = plt.subplots(
        max(len(down), len(panels)),
        len(across) + 1,
        squeeze=False,
        figsize=(max(2.3 * len(across) + 4.2, 7.5), 2.4 * max(len(down), len(panels)) + 0.6),
        width_ratios=[1.0] * len(across) + [1.35],
    )
    for axis in [*axes[len(down) :, :-1].flat, *axes[len(panels) :, -1].flat]:
        axis.set_axis_off()
    for i, j in np.ndindex(len(down), len(across)):
        part = bars[(bars["row"] == down[i]) & (bars["time"] == across[j])]
        _pairs(axes[i, j], part)
        axes[i, j].set_ylim(
            0, 1.04 * bars.loc[bars["row"] == down[i], ["share", "high"]].max(axis=None)
        )
        axes[i, j].set(
            title=across[j] if i == 0 else "",
            ylabel=f"{down[i]}\nshare of strength" if j == 0 else "",
            xlabel="order" if i == len(down) - 1 else "",
        )
    for axis, name in zip(axes[:, -1], panels, strict=False):
        for model, part in (
            courses[courses["panel"] == name].sort_values("step").groupby("model", sort=False)
        ):
            axis.plot(
                part["step"],
                part["value"],
                color=COLOURS[model],
                label=model,
                marker="o",
                markersize=3,
            )
            axis.fill_between(
                part["step"],
                part["low"],
                part["high"],
                color=COLOURS[model],
                alpha=0.15,
                linewidth=0,
            )
        axis.set_xscale("symlog", linthresh=1)
        axis.set(title=name, xlabel=xlabel, yscale="log" if name in logarithmic else "linear")
    handles = _legend(axes)
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    figure.suptitle(title, fontsize=10)
    return figure


def _pairs(axis: Axes, part: pd.DataFrame) -> None:
    for shift, (kind, bar) in zip((-0.2, 0.2), part.groupby("shares", sort=False), strict=False):
        spread = [
            (bar["share"] - bar["low"]).clip(lower=0),
            (bar["high"] - bar["share"]).clip(lower=0),
        ]
        axis.bar(
            bar["order"] + shift,
            bar["share"],
            width=0.4,
            color=COLOURS[kind],
            label=kind,
            yerr=spread,
            error_kw={"elinewidth": 0.7, "ecolor": "#444444"},
        )
    axis.set_xticks(sorted(part["order"].unique()))
    axis.grid(axis="x", visible=False)
