"""A judged row leaves the notebook: verdict, figure, its CSV twin and the provenance, in one folder
per row and system."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from IPython.display import Image, Markdown, display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from . import claims, figures, io, places, provenance, systems
from .claims import Verdict
from .evidence import in_print
from .params import Common

__all__ = ["UNITS", "publish", "verdict_markdown"]

UNITS = "units.csv"
"""Every network's value of each unit behind a verdict: with these, and nothing else, its intervals
can be computed again."""


def verdict_markdown(verdict: Verdict) -> str:
    """The verdict as a reader of the notebook wants it: both readings, by which numbers, against
    what, for what."""
    title = f"**{verdict.row} on {verdict.system}: {verdict.verdict or verdict.status}**"
    title += f" · {verdict.evidence}" if verdict.evidence else ""
    if not verdict.readings:
        numbers = (
            f"{verdict.statistic}: {_number(verdict.estimate)} {verdict.unit or ''} (threshold "
            f"{verdict.threshold}).\n\n"
            if verdict.estimate is not None
            else ""
        )
        return f"{title}\n\n{numbers}{verdict.reason}\n\n*Scope: {verdict.scope}*"
    lines = [title, ""]
    for name, reading in verdict.readings.items():
        lines += [
            f"*{name.replace('_', ' ').capitalize()}*: **{reading.outcome}**. {reading.reason}",
            "",
            "| part | estimate | interval | threshold | networks × units | p |",
            "|---|---|---|---|---|---|",
        ]
        lines += [
            f"| {p.name} | {_number(p.estimate)} {p.unit} | {_interval(p.interval)} | "
            f"{p.threshold} | {p.n}"
            f"{f' × {p.n_units}' if p.n_units else ''} | {_number(p.p_claim)} |"
            for p in reading.parts
        ]
        if reading.to_settle:
            lines += ["", f"What would settle it: {reading.to_settle}."]
        lines.append("")
    lines += [
        "The correction over the systems of this row follows when all notebooks of a run are in; "
        "`index.html` and "
        "`verdict.json` carry it.",
        "",
        f"*Scope: {verdict.scope}*",
    ]
    return "\n".join(lines)


def _interval(ends: tuple[float | None, float | None] | None) -> str:
    return (
        ""
        if ends is None
        else f"[{'-∞' if ends[0] is None else _number(ends[0])}, {_number(ends[1])}]"
    )


def _number(value: float | None) -> str:
    return "∞" if value is None else f"{value:.3g}"


def publish(
    verdict: Verdict,
    figure: Figure,
    table: pd.DataFrame,
    p: Common,
    clock: provenance.Clock | None = None,
) -> Path:
    """Write ``verdict.json``, ``figure.png``, ``figure.csv`` and ``provenance.json`` and show
    figure, verdict and what the papers print of the row.

    They land in ``<row>/<system>/`` below the run's place; returns the path of ``verdict.json``.
    """
    folder, settings = places.of(p).folder, p.model_dump(mode="json")
    chosen = getattr(p, "chosen", ())
    of = systems.sha256_of(verdict.system or "", chosen)
    verdict = verdict.model_copy(update={"system_sha256": of})
    verdict = claims.with_evidence(verdict, settings, chosen)
    path = claims.verdict_path(folder, verdict.row, verdict.system or "")
    units = path.parent / UNITS
    if verdict.units is not None and len(verdict.units):
        figures.write_table(verdict.units, units)
    else:
        units.unlink(missing_ok=True)
    picture = figures.save(figure, table, path.parent)
    io.write_json(
        path.parent / "provenance.json",
        provenance.collect(parameters=settings, clock=clock),
    )
    claims.record(verdict, folder)  # last: a folder with a verdict is a whole one
    # The saved picture itself, at the figure's size: the notebook shows what is committed, and it
    # is drawn only once.
    display(Image(filename=picture, width=round(figure.get_figwidth() * figure.dpi)))
    plt.close(figure)
    display(Markdown(verdict_markdown(verdict)))
    if (printed := in_print.beside(verdict, table)) is not None:
        display(printed)
    return path
