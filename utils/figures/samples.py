"""Interactions drawn on the sample itself: one panel each, its players in colour."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLOURS

__all__ = ["on_sample"]

Interaction = tuple[str, tuple[int, ...], float]


def on_sample(
    kind: str,
    sample: np.ndarray,
    owner: np.ndarray,
    words: Sequence[str],
    tokens: Sequence[str],
    interactions: Sequence[Interaction],
    *,
    title: str = "",
) -> Figure:
    """A panel per interaction: those numbers of ``sample`` (*shape) in colour whose ``owner``
    (*shape, -1: nobody) takes part in it.

    kind: image (C, H, W), table (columns,), text (tokens,) with the words ``tokens``, points
    (points, 3); words: of each player. ValueError for another kind.
    """
    if kind not in _PANELS:
        raise ValueError(f"a sample is drawn of kind {', '.join(_PANELS)}, got {kind!r}")
    draw, size, projection = _PANELS[kind]
    across = 1 if kind == "text" else len(interactions)
    down = len(interactions) if kind == "text" else 1
    figure, axes = plt.subplots(
        down,
        across,
        figsize=(size[0] * across, size[1] * down + 0.4),
        squeeze=False,
        subplot_kw={"projection": projection},
    )
    for axis, (form, players, value) in zip(axes.flat, interactions, strict=True):
        colour = COLOURS["positive" if value > 0 else "negative"]
        draw(axis, sample, np.isin(owner, players), colour, words, tokens, players)
        axis.set_title(f"{form}, order {len(players)}: {value:+.2f}", color=colour, loc="left")
    if title:
        figure.suptitle(title, fontsize=9, ha="left", x=0.02)
    return figure


def _image(axis: Axes, sample: np.ndarray, own: np.ndarray, colour: str, *_words: object) -> None:
    grey = sample.mean(0)
    shown = own.any(0)
    axis.imshow(grey if len(sample) == 1 else sample.transpose(1, 2, 0), cmap="gray_r")
    axis.imshow(np.ones_like(grey), cmap="gray", vmin=0, vmax=1, alpha=0.55 * ~shown)
    axis.contour(shown, levels=[0.5], colors=[colour], linewidths=1.6)
    axis.set_axis_off()


def _table(
    axis: Axes,
    _sample: np.ndarray,
    _own: np.ndarray,
    colour: str,
    words: Sequence[str],
    _tokens: Sequence[str],
    players: Sequence[int],
) -> None:
    for k, word in enumerate(words):
        inside = k in players
        axis.text(
            0.02,
            1 - (k + 0.5) / len(words),
            word,
            fontsize=8,
            va="center",
            color=colour if inside else "#999999",
            weight="bold" if inside else "normal",
        )
    axis.set_axis_off()


def _text(
    axis: Axes,
    _sample: np.ndarray,
    own: np.ndarray,
    colour: str,
    _words: Sequence[str],
    tokens: Sequence[str],
    _players: Sequence[int],
) -> None:
    place, line = 0.0, 0
    for token, inside in zip(tokens, own, strict=True):
        if not token:
            continue
        width = 0.0115 * (len(token) + 1)
        if place + width > 1:
            place, line = 0.0, line + 1
        axis.text(
            place,
            0.8 - 0.35 * line,
            token,
            fontsize=9,
            family="monospace",
            color=colour if inside else "#999999",
            weight="bold" if inside else "normal",
            transform=axis.transAxes,
        )
        place += width
    axis.set_axis_off()


def _points(axis: Axes, sample: np.ndarray, own: np.ndarray, colour: str, *_words: object) -> None:
    shown = own.any(-1)
    for some, how in ((~shown, "#cccccc"), (shown, colour)):
        axis.scatter(*sample[some].T, s=9, color=how, depthshade=False, linewidths=0)
    axis.set_box_aspect((1, 1, 1))
    axis.set_axis_off()


_PANELS: dict[str, tuple[Callable[..., None], tuple[float, float], str | None]] = {
    "image": (_image, (2.2, 2.2), None),
    "table": (_table, (2.6, 2.4), None),
    "text": (_text, (7.0, 0.75), None),
    "points": (_points, (2.4, 2.4), "3d"),
}
"""Kind → how a panel is drawn, its size in inches, its projection."""
