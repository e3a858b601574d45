"""docs/criteria.md: the operating characteristics of every criterion, as a table to read."""

from __future__ import annotations

from ..claims import criteria, load, row_key

__all__ = ["page"]

_HEAD = """# How often does each criterion err?

Written by `reproduce power`; do not edit. Each criterion of [`claims.yaml`](../claims.yaml) was simulated through the code
that judges: an array of networks × images is drawn with the paper's effect, with half of it, or with none, and the row's own
statistic, selection, interval, correction and decision are applied. Power: share of runs that say REPRODUCED with the
paper's effect, within the family of systems of that size of study. False yes: the largest share of REPRODUCED without an
effect; false no: of NOT REPRODUCED with the paper's effect, both for a system judged alone. A reading that errs in more runs
than the 99 % quantile of a binomial with 5 % is not judged. Where the figures show no size of effect, "the paper's" is
twice the smallest one worth the claim (ours). Noise of networks and images is set to what small networks show, or is guessed
and then said so in `utils/power/`.

| row | claim | reading | size of study | power | power at half the effect | false yes | false no | runs | judged |
|---|---|---|---|---|---|---|---|---|---|
"""  # noqa: E501 (text of a page)


def page() -> str:
    """The page's Markdown, from docs/criteria.json."""
    registry, rows = load(), criteria.entries()
    lines = []
    for row in sorted(rows, key=row_key):
        for reading, entry in rows[row].items():
            runs = entry["runs"]
            for size in entry["sizes"].values():
                o = size["outcomes"]
                nulls = [
                    x["alone"]["REPRODUCED"]
                    for name, x in o.items()
                    if name not in ("paper", "half")
                ]
                cells = (
                    size["power"],
                    o["half"]["family"]["REPRODUCED"] / runs,
                    max(nulls) / runs,
                    o["paper"]["alone"]["NOT REPRODUCED"] / runs,
                )
                judged = "yes" if entry["ok"] else f"no: {entry['why']}"
                lines.append(
                    f"| {row} | {registry.row(row).title} | {reading.replace('_', ' ')} | "
                    f"{size['words']} | "
                    f"{' | '.join(f'{x:.3f}' for x in cells)} | {runs} | {judged} |"
                )
    return _HEAD + "\n".join(lines) + "\n"
