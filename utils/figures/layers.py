"""Figures of the layerwise change: stacked bars per order and layer, courses over layers,
similarity of layers."""

from __future__ import annotations

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure

from .style import COLOURS, palette

__all__ = ["layer_change", "layer_courses", "layer_similarity"]

_ACROSS = 7
_STACK = ("forget", "overlap", "new")
_MAIN = ("all orders", "trained")
_WORDS = {
    "forget": "forgotten later",
    "overlap": "shared with the final layer",
    "new": "not yet learnt",
}


def layer_change(
    bars: pd.DataFrame, courses: pd.DataFrame | None = None, *, title: str = "", hidden: int = 4
) -> Figure:
    """Stacked bars per order, a panel per layer; below, if given, completeness and redundancy over
    the layers.

    bars: layer, order, forget, overlap, new, in the order of the layers. Orange + grey is all of
    the layer, grey + blue all of the final layer (Cheng et al. 2024, Fig. 3a). The ``hidden``
    highest orders, which the paper leaves out, stand on a grey ground. courses: as
    :func:`layer_courses`.
    """
    names = list(dict.fromkeys(bars["layer"]))
    down, across = -(-len(names) // _ACROSS), min(len(names), _ACROSS)
    heights = [2.0 * down + 0.5, 3.0]
    figure = plt.figure(
        figsize=(
            max(1.6 * across + 0.8, 8.0),
            heights[0] + (heights[1] if courses is not None else 0.3),
        )
    )
    figure.suptitle(title, fontsize=10)
    parts = (
        figure.subfigures(2, 1, height_ratios=heights)
        if courses is not None
        else [figure.subfigures(1, 1)]
    )
    axes = parts[0].subplots(down, across, squeeze=False, sharey=True)
    for axis in axes.flat[len(names) :]:
        axis.set_axis_off()
    for axis, name in zip(axes.flat, names, strict=False):
        _stack(axis, bars[bars["layer"] == name], hidden)
        axis.set_title(name)
    for axis in axes[:, 0]:
        axis.set_ylabel("strength\n(normalised)")
    handles = [
        mpl.patches.Patch(color=COLOURS[kind], label=f"{kind}: {_WORDS[kind]}") for kind in _STACK
    ]
    handles.append(mpl.patches.Patch(color="#eeeeee", label="orders that the paper hides"))
    parts[0].legend(handles=handles, loc="outside lower center", ncols=4)
    if courses is not None:
        _courses(parts[1], courses, hidden)
    return figure


def _stack(axis: Axes, part: pd.DataFrame, hidden: int) -> None:
    base = np.zeros(len(part))
    for kind in _STACK:
        axis.bar(part["order"], part[kind], bottom=base, width=0.8, color=COLOURS[kind])
        base += part[kind].to_numpy()
    last = part["order"].max()
    axis.axvspan(last - hidden + 0.5, last + 0.5, color="#eeeeee", zorder=-1, linewidth=0)
    axis.set_xticks(sorted(part["order"])[::2])
    axis.set_xlabel("order")
    axis.grid(axis="x", visible=False)


def layer_courses(courses: pd.DataFrame, *, title: str = "", hidden: int = 4) -> Figure:
    """Completeness and redundancy over the layers: a line per order, all orders in black, nulls
    dashed (Fig. 3b).

    courses: metric, curve (``order k``, ``all orders``, ``trained`` or a null's name), layer,
    value, low, high (the last two NaN where there is no interval). The output layer, 1 and 0 by
    definition, stands on a grey ground. The scale is that of the network's other curves: the
    ``hidden`` highest orders (dotted; the paper leaves them out), bands and nulls may leave the
    panel.
    """
    figure = plt.figure(figsize=(3.6 * courses["metric"].nunique() + 2.0, 3.4))
    figure.suptitle(title, fontsize=10)
    _courses(figure, courses, hidden)
    return figure


def _courses(place: Figure | SubFigure, courses: pd.DataFrame, hidden: int) -> None:
    metrics, names = list(dict.fromkeys(courses["metric"])), list(dict.fromkeys(courses["layer"]))
    curves = list(dict.fromkeys(courses["curve"]))
    orders = [curve for curve in curves if curve.startswith("order ")]
    shades = dict(zip(orders, sns.color_palette("viridis_r", max(len(orders), 1)), strict=False))
    dotted = orders[-hidden:] if hidden else []
    others = palette([curve for curve in curves if curve not in shades and curve not in _MAIN])
    axes = place.subplots(1, len(metrics), squeeze=False)[0]
    for axis, metric in zip(axes, metrics, strict=True):
        for curve in curves:
            part = courses[(courses["metric"] == metric) & (courses["curve"] == curve)]
            at = [names.index(name) for name in part["layer"]]
            colour = shades.get(curve) or others.get(curve, "black")
            style = "--" if curve in others else ":" if curve in dotted else "-"
            axis.plot(
                at,
                part["value"],
                style,
                color=colour,
                label=curve,
                marker="o",
                markersize=3,
                linewidth=1.0 if curve in shades else 2.0,
            )
            axis.fill_between(at, part["low"], part["high"], color=colour, alpha=0.15, linewidth=0)
        _output_ground(axis, names)
        seen = courses[(courses["metric"] == metric) & ~courses["curve"].isin(dotted)]
        seen = min(seen["value"].max(), 2.5 * seen[~seen["curve"].isin(others)]["value"].max())
        axis.set(ylabel=metric, ylim=(0, 1.08 * seen if seen > 0 else 1))
    place.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")


def _output_ground(axis: Axes, names: list[str]) -> None:
    """The layers' names, and the grey ground of the output layer if it is among them."""
    if names[-1] == "output":
        axis.axvspan(len(names) - 1.5, len(names) - 0.5, color="#eeeeee", zorder=-1, linewidth=0)
    axis.set_xticks(range(len(names)), names, rotation=30, ha="right")


def layer_similarity(
    courses: pd.DataFrame, matrix: pd.DataFrame, *, ylabel: str, title: str = ""
) -> Figure:
    """Curves over layers on the left, a heat map of every two layers on the right, the output layer
    behind a white line.

    courses: curve, layer, value, low, high; matrix: a square table with the layers' names on both
    axes.
    """
    names, curves = list(matrix.columns), list(dict.fromkeys(courses["curve"]))
    colours = palette(curves)
    figure, (left, right) = plt.subplots(1, 2, figsize=(10.0, 4.0), width_ratios=(1.15, 1))
    for curve in curves:
        part = courses[courses["curve"] == curve]
        at = [names.index(name) for name in part["layer"]]
        left.plot(at, part["value"], color=colours[curve], label=curve, marker="o", markersize=3)
        left.fill_between(
            at, part["low"], part["high"], color=colours[curve], alpha=0.15, linewidth=0
        )
    _output_ground(left, names)
    left.set(ylabel=ylabel, ylim=(0, 1.03))
    left.legend(loc="upper left")
    sns.heatmap(
        matrix,
        ax=right,
        vmin=0,
        vmax=1,
        cmap="viridis",
        annot=True,
        fmt=".2f",
        annot_kws={"size": 7},
        square=True,
        cbar_kws={"label": "similarity (weighted Jaccard)"},
    )
    if names[-1] == "output":
        right.axhline(len(names) - 1, color="white", linewidth=2)
        right.axvline(len(names) - 1, color="white", linewidth=2)
    right.tick_params(axis="x", rotation=30)
    right.tick_params(axis="y", rotation=0)
    right.set(xlabel="", ylabel="")
    figure.suptitle(title, fontsize=10)
    return figure
