"""The table (for a terminal and as Markdown), the CSV and the plot of one run of the benchmarks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from utils import figures, io, provenance

from .harness import Row

__all__ = ["file_name", "frame", "heading", "markdown", "plot", "table", "verdict", "write_csv"]

_SHOWN = [
    "case",
    "competitor",
    "measured",
    "min … max",
    "unit",
    "runs",
    "target",
    "met",
    "first call",
    "note",
]


def heading() -> dict[str, str]:
    """Machine, threads and versions: what a number means nothing without."""
    facts = provenance.collect()
    versions = {name: version for name, version in facts["versions"].items() if version}
    commit = (
        f"{facts['commit']}{' and changes' if facts['dirty'] else ''}"
        if facts["commit"]
        else "none"
    )
    return {
        "cpu": facts["cpu"],
        "vector unit": facts["settings"]["cpu_capability"],
        "threads": str(facts["threads"]),
        "platform": facts["platform"],
        "gpu": ", ".join(facts["gpu"]) or "none",
        "commit": commit,
        "time": facts["time"],
        "versions": " ".join(f"{name}={version}" for name, version in versions.items()),
    }


def file_name(parts: Sequence[str] = ()) -> str:
    """``2025-01-31-intel-xeon-processor`` and, for a run that is not the whole one, what it was."""
    cpu = re.sub(r"[^a-z0-9]+", "-", provenance.cpu_model().lower()).strip("-")
    return "-".join([date.today().isoformat(), cpu, *parts])


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    """The rows as numbers: one line per row."""
    return pd.DataFrame(
        [
            {
                "family": row.family,
                "case": row.case,
                "competitor": row.competitor,
                "median": row.median,
                "min": min(row.values),
                "max": max(row.values),
                "unit": row.unit,
                "runs": len(row.values),
                "better": row.better,
                "target": row.target,
                "met": row.met,
                "first_call_s": row.first_call,
                "note": row.note,
            }
            for row in rows
        ]
    )


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _cells(row: Row) -> list[str]:
    spread = (
        f"{_number(min(row.values))} … {_number(max(row.values))}"
        if len(row.values) > 1
        else "one run"
    )
    target = (
        ""
        if row.target is None
        else f"{'≤' if row.better == 'lower' else '≥'} {_number(row.target)}"
    )
    first = "" if row.first_call is None else f"{_number(row.first_call)} s"
    return [
        row.case,
        row.competitor,
        _number(row.median),
        spread,
        row.unit,
        str(len(row.values)),
        target,
        row.met,
        first,
        row.note,
    ]


def _families(rows: Sequence[Row]) -> dict[str, list[Row]]:
    return {
        family: [row for row in rows if row.family == family]
        for family in dict.fromkeys(row.family for row in rows)
    }


def markdown(rows: Sequence[Row], facts: dict[str, str]) -> str:
    """The whole run as a page: what met its target and what missed it, then a table per family."""
    lines = ["# Benchmarks", "", "Written by `make bench`; do not edit.", ""]
    lines += [
        *(f"- {name}: {fact}" for name, fact in facts.items()),
        "",
        verdict(rows).strip().replace("\n  ", "\n\n- "),
    ]
    for family, part in _families(rows).items():
        lines += ["", f"## {family}", "", f"| {' | '.join(_SHOWN)} |", "|---" * len(_SHOWN) + "|"]
        lines += [
            f"| {' | '.join(cell.replace('|', '∣') for cell in _cells(row))} |" for row in part
        ]
    return "\n".join(lines) + "\n"


def table(rows: Sequence[Row]) -> str:
    """The rows in words, family by family, the target beside what was measured."""
    lines = []
    for family, part in _families(rows).items():
        cells = [_SHOWN] + [_cells(row) for row in part]
        widths = [max(len(line[k]) for line in cells) for k in range(len(_SHOWN) - 1)] + [0]
        lines += ["", family.upper()]
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            for line in cells
        ]
    return "\n".join(lines)


def verdict(rows: Sequence[Row]) -> str:
    """How many targets were met, and each that was not."""
    missed = [row for row in rows if row.met == "no"]
    return "\n".join(
        [
            "",
            f"{sum(row.met == 'yes' for row in rows)} targets met, {len(missed)} missed",
            *(f"  missed: {row.family}, {row.case}, {row.competitor}" for row in missed),
        ]
    )


def write_csv(rows: Sequence[Row], facts: dict[str, str], path: Path) -> None:
    """``path``: the facts as comment lines, then the rows; read it with
    ``pandas.read_csv(path, comment="#")``."""
    comments = "".join(f"# {name}: {fact}\n" for name, fact in facts.items())
    body = frame(rows).to_csv(index=False, float_format="%.6g", lineterminator="\n")
    if "#" in body:
        raise ValueError("a row contains '#', which starts a comment in the benchmarks' CSV")
    io.write_text(path, comments + body)


def plot(rows: Sequence[Row], facts: dict[str, str], path: Path) -> None:
    """A panel per family and unit, a bar per row: the median, a line from the best run to the
    worst, targets as ticks."""
    mpl.use("Agg")
    figures.use_style()
    data = frame(rows)
    groups = list(data.groupby(["family", "unit", "better"], sort=False))
    heights = [len(part) + 2.5 for _, part in groups]
    figure, axes = plt.subplots(
        len(groups), 1, figsize=(11, 0.21 * sum(heights) + 1), squeeze=False, height_ratios=heights
    )
    for axis, ((family, unit, better), part) in zip(axes[:, 0], groups, strict=True):
        places = np.arange(len(part))
        colours = [
            figures.COLOURS["AND" if name.startswith("ours") else "untrained"]
            for name in part["competitor"]
        ]
        spread = np.maximum(0.0, [part["median"] - part["min"], part["max"] - part["median"]])
        axis.barh(
            places,
            part["median"],
            color=colours,
            height=0.7,
            xerr=spread,
            error_kw={"elinewidth": 0.8, "ecolor": "#222222"},
        )
        asked = part["target"].notna().to_numpy()
        axis.scatter(
            part["target"][asked],
            places[asked],
            marker="|",
            s=130,
            color=figures.COLOURS["positive"],
            zorder=3,
            label="target",
        )
        axis.set_yticks(places, part["case"] + " · " + part["competitor"], fontsize=6.5)
        axis.invert_yaxis()
        axis.grid(axis="y", visible=False)
        positive = part["median"] > 0
        if positive.all() and part["median"].max() > 20 * part["median"].min():
            axis.set_xscale("log")
        axis.set_title(f"{family}: {unit} ({better} is better)", loc="left")
    title = (
        f"{facts['cpu']}, {facts['threads']} threads, {facts['time']}; blue: ours, "
        "orange tick: target"
    )
    figure.suptitle(title, fontsize=8)
    with io.atomic(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})
    plt.close(figure)
