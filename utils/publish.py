"""A judged row leaves the notebook: verdict, figure, its CSV twin and the provenance, in one folder per row and system."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from IPython.display import Image, Markdown, display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from . import claims, figures, io, provenance
from .claims import Verdict
from .params import Common

__all__ = ["publish", "verdict_markdown"]


def verdict_markdown(verdict: Verdict) -> str:
    """The verdict as a reader of the notebook wants it: what was decided, by which number, against what, for what."""
    if verdict.verdict is None:
        return f"**{verdict.row} on {verdict.system}: {verdict.status}**\n\n{verdict.reason}\n\n*Scope: {verdict.scope}*"
    low, high = verdict.interval or (None, None)
    interval = f", {verdict.level:.0%} interval [{_number(low)}, {_number(high)}]" if verdict.interval else ""
    holm = f" p = {_number(verdict.p_value)}; Holm's correction follows when all notebooks of a run are in." \
        if verdict.p_value is not None else ""
    return (f"**{verdict.row} on {verdict.system}: {verdict.verdict}**\n\n"
            f"{verdict.statistic}: {_number(verdict.estimate)} {verdict.unit or ''}{interval} "
            f"(threshold {verdict.threshold}).{holm}\n\n{verdict.reason}\n\n*Scope: {verdict.scope}*")


def _number(value: float | None) -> str:
    return "∞" if value is None else f"{value:.3g}"


def publish(verdict: Verdict, figure: Figure, table: pd.DataFrame, p: Common, clock: provenance.Clock | None = None) -> Path:
    """Write ``verdict.json``, ``figure.png``, ``figure.csv`` and ``provenance.json`` and show figure and verdict.

    They land in ``p.results/<row>/<system>/``; the path of ``verdict.json`` is returned.
    """
    path = claims.verdict_path(p.results, verdict.row, verdict.system or "")
    picture = figures.save(figure, table, path.parent)
    io.write_json(path.parent / "provenance.json", provenance.collect(parameters=p.model_dump(mode="json"), clock=clock))
    claims.record(verdict, p.results)  # last: a folder with a verdict is a whole one
    # The saved picture itself, at the figure's size: the notebook shows what is committed, and it is drawn only once.
    display(Image(filename=picture, width=round(figure.get_figwidth() * figure.dpi)))
    plt.close(figure)
    display(Markdown(verdict_markdown(verdict)))
    return path
