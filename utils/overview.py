"""All verdicts of a run at a glance: per paper what was decided, in both readings; for README, git,
index page and terminal."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import claims

__all__ = [
    "LETTERS",
    "OUTCOMES",
    "SEEN",
    "PaperTally",
    "RowLine",
    "by_paper",
    "interval",
    "markdown",
    "number",
    "readme_lines",
    "verdict_lines",
]

LETTERS = {
    "D": "the dynamics of learning (Ren Q. et al. 2024; Zhou et al. 2025)",
    "F": "what the overview takes from further papers (Zhou et al. 2025)",
    "M": "monitoring primitive interactions (Ren J. et al. 2025)",
    "L": "layerwise change of knowledge (Cheng et al. 2024)",
    "O": "what the papers' objective leaves open: ours",
}
"""What the letters of row names stand for."""

SEEN = (
    "This criterion was chosen after results had been seen: a hypothesis until the "
    "`reference` run has judged it."
)

OUTCOMES = ("REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE")


@dataclass(frozen=True)
class RowLine:
    """One row of a paper: its judged systems, or its status where there is none, and the rows that
    it joins."""

    id: str
    title: str
    verdicts: Sequence[claims.Verdict]
    status: str
    joins: Sequence[str] = ()
    seen: bool = False


@dataclass
class PaperTally:
    """One paper's rows and counts; (row, system) pairs, empirical ones only in the two readings."""

    key: str
    citation: str
    rows: list[RowLine] = field(default_factory=list)
    as_stated: Counter[str] = field(default_factory=Counter)
    specific: Counter[str] = field(default_factory=Counter)
    other: Counter[str] = field(default_factory=Counter)

    @property
    def short(self) -> str:
        """``Ren Q. et al. 2024``; the text before the colon where there is one author."""
        authors, _, rest = self.citation.partition(": ")
        first, several, _ = authors.partition(",")
        years = re.findall(r"\b(?:19|20)\d\d\b", rest)
        return f"{first} et al. {years[-1]}" if several and years else authors

    @property
    def letters(self) -> str:
        """``D, F``: the families of row names in this paper."""
        return ", ".join(dict.fromkeys(row.id[0] for row in self.rows))

    def counts(self, reading: str) -> str:
        """``5 reproduced, 2 not, 3 open``, or a dash."""
        tally = getattr(self, reading)
        words = (("REPRODUCED", "reproduced"), ("NOT REPRODUCED", "not"), ("INCONCLUSIVE", "open"))
        return ", ".join(f"{tally[name]} {word}" for name, word in words if tally[name]) or "–"


def by_paper(folder: Path, notebook: str | None = None) -> list[PaperTally]:
    """Every paper of the registry with its rows (all, or those of ``notebook``), judged in
    ``folder`` or not, in the registry's order of papers."""
    registry = claims.load()
    judged: dict[str, list[claims.Verdict]] = {}
    for verdict in claims.read_all(folder):
        judged.setdefault(verdict.row, []).append(verdict)
    papers = {key: PaperTally(key, paper.citation) for key, paper in registry.papers.items()}
    for name in sorted(registry.rows, key=claims.row_key):
        row = registry.row(name)
        if notebook not in (None, row.notebook):
            continue
        found = judged.get(name, [])
        papers[row.paper].rows.append(
            RowLine(name, row.title, found, row.status, row.joins, row.seen)
        )
        for verdict in found:
            _count(papers[row.paper], verdict)
    return [paper for paper in papers.values() if paper.rows]


def _count(paper: PaperTally, verdict: claims.Verdict) -> None:
    if verdict.kind == "empirical" and verdict.as_stated is not None:
        paper.as_stated[verdict.as_stated] += 1
        if verdict.specific is not None:
            paper.specific[verdict.specific] += 1
    else:
        paper.other[verdict.verdict or verdict.status] += 1


def _others(paper: PaperTally) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(paper.other.items())) or "–"


def readme_lines(folder: Path, index: str) -> list[str]:
    """A Markdown table with one line of counts per paper, linked to ``index``; [] where nothing is
    judged."""
    papers = [p for p in by_paper(folder) if any(row.verdicts for row in p.rows)]
    if not papers:
        return []
    lines = [
        "| rows | paper | as stated | beyond its null (*specific*) | identities, grids, shown |",
        "|---|---|---|---|---|",
    ]
    return lines + [
        f"| {p.letters} | [{p.short}]({index}#{p.key}) | {p.counts('as_stated')} | "
        f"{p.counts('specific')} | {_others(p)} |"
        for p in papers
    ]


def markdown(folder: Path, title: str) -> str:
    """The whole index as Markdown: per paper its tally, then a line per (row, system) with its
    figure."""
    lines = [
        f"# {title}",
        "",
        "Written by `reproduce keep`; do not edit. Rows: "
        + "; ".join(f"**{letter}** {words}" for letter, words in LETTERS.items())
        + ".",
        "",
    ]
    for paper in by_paper(folder):
        lines += [
            f'<a id="{paper.key}"></a>',
            "",
            f"## {paper.citation}",
            "",
            f"As stated: {paper.counts('as_stated')}. Specific: {paper.counts('specific')}. "
            f"Identities, grids, shown: {_others(paper)}.",
            "",
            "| row | claim | system | verdict | as stated | specific | estimate | 95 % interval "
            "| needs |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for row in paper.rows:
            lines += [_line(folder, row, verdict) for verdict in row.verdicts]
            if not row.verdicts:
                lines.append(f"| {row.id} | {row.title} | | {row.status} | | | | | |")
        lines.append("")
    lines.append(f"¹ {SEEN}")
    return "\n".join(lines) + "\n"


def _line(folder: Path, row: RowLine, v: claims.Verdict) -> str:
    place = claims.verdict_path(folder, v.row, v.system or "").parent
    figure = (place / "figure.png").relative_to(folder).as_posix()
    low, high = v.interval or (None, None)
    span = "" if v.interval is None else f"{number(low)} … {number(high)}"
    evidence = f" · {v.evidence}" if v.evidence else ""
    mark = " ¹" if row.seen and v.kind == "empirical" else ""
    return (
        f"| {v.row}{mark} | {row.title} | `{v.system}`{evidence} | "
        f"[**{v.verdict or v.status}**]({figure}) | "
        f"{_short(v.as_stated)} | {_short(v.specific)} | {number(v.estimate)} | {span} | "
        f"{v.threshold or ''} |"
    )


def _short(outcome: str | None) -> str:
    return {"REPRODUCED": "yes", "NOT REPRODUCED": "no", "INCONCLUSIVE": "open"}.get(
        outcome or "", "–"
    )


def verdict_lines(folder: Path, notebook: str | None = None) -> list[str]:
    """The verdict table for a terminal: judged rows (all, or those of ``notebook``), a column per
    reading, then how many rows were not judged."""
    table = claims.table(folder)
    if notebook is not None:
        own = {name for name, row in claims.load().rows.items() if row.notebook == notebook}
        if not own:
            return [f"{notebook} judges no row: its page shows what it computed"]
        table = table[table["row"].isin(own)]
    judged = table[table.system.notna()]
    lines = [] if judged.empty else [_COLUMNS, *map(_judged, judged.itertuples())]
    open_rows = len(table) - len(judged)
    if open_rows:
        rows = f"{'further ' if lines else ''}{'rows are' if open_rows > 1 else 'row is'}"
        lines.append(f"{open_rows} {rows} not judged here; the page says why")
    return lines


_COLUMNS = (
    f"{'row':<5} {'system':<26} {'as stated':<15} {'specific':<15} {'estimate':>9}  "
    f"{'interval':<19}  needs"
)


def _judged(row: Any) -> str:
    stated, specific, needs = (
        x if isinstance(x, str) else None for x in (row.as_stated, row.specific, row.threshold)
    )
    return (
        f"{row.row:<5} {row.system:<26} {stated or row.verdict:<15} {specific or '–':<15} "
        f"{number(row.estimate):>9}  {interval(row.low, row.high):<19}  {needs or ''}"
    )


def number(value: float | None) -> str:
    """Three significant digits; '' for a missing number."""
    return "" if value is None or value != value else f"{value:.3g}"


def interval(low: float | None, high: float | None) -> str:
    """``[0.1, 0.2]``; an open end is ∞; '' when both are missing."""
    ends = [number(low), number(high)]
    return f"[{ends[0] or '-∞'}, {ends[1] or '∞'}]" if any(ends) else ""
