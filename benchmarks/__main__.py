"""``python -m benchmarks``: run the families, print the table, write it as CSV, page and plot."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from utils import io, paths, runtime

from . import extraction, large, lattice, report, rivals, scoring, split, theory
from .harness import Row, Settings, say

FAMILIES: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "lattice": lattice.rows,
    "split": split.rows,
    "rivals": rivals.rows,
    "scoring": scoring.rows,
    "large": large.rows,
    "theory": theory.rows,
    "extraction": extraction.rows,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--only", action="append", choices=list(FAMILIES), help="only this family (may be repeated)"
    )
    parser.add_argument(
        "--quick", action="store_true", help="tiny sizes, one run: only whether all of it works"
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=5,
        help="most interleaved runs of a case (slow cases take fewer)",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=paths.ROOT / "benchmarks" / "results",
        help="folder for what is written",
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Run what was asked for; the table goes to stdout, progress to stderr."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.repeats < 1:
        parser.error("--repeats must be at least 1")
    threads = runtime.set_threads()
    settings = Settings(quick=chosen.quick, repeats=1 if chosen.quick else chosen.repeats)
    rows, start = [], time.perf_counter()
    for name in [name for name in FAMILIES if chosen.only is None or name in chosen.only]:
        say(f"{name} ({threads} threads, {runtime.human_time(time.perf_counter() - start)} so far)")
        rows += FAMILIES[name](settings)
    facts = report.heading() | {"benchmark took": runtime.human_time(time.perf_counter() - start)}
    print("\n".join(f"{name}: {fact}" for name, fact in facts.items()))
    print(report.table(rows))
    chosen.out.mkdir(parents=True, exist_ok=True)
    stem = report.file_name([*(chosen.only or []), *(["quick"] if chosen.quick else [])])
    report.write_csv(rows, facts, chosen.out / f"{stem}.csv")
    report.plot(rows, facts, chosen.out / f"{stem}.png")
    io.write_text(chosen.out / f"{stem}.md", report.markdown(rows, facts))
    if not settings.quick:
        print(report.verdict(rows))
    print(f"written: {chosen.out / stem}.csv, .md and .png")


if __name__ == "__main__":
    main()
