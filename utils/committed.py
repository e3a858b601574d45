"""Results that are kept in git, whether a new run agrees with them, and the README's table that is made of them.

Kept of each (row, system): ``verdict.json``, ``provenance.json``, ``figure.png``, ``figure.csv``; of the run: its minutes.
A new run is compared by numbers, never by pixels.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from . import claims, io, paths, provenance

__all__ = ["FILES", "Comparison", "ResultsError", "check", "folder", "keep", "readme_block", "update_readme"]

FILES = ("verdict.json", "provenance.json", "figure.png", "figure.csv")
EXACT = "same CPU and versions: equal to a relative 1e-6"
STATISTICAL = "other CPU or versions: same verdict (or INCONCLUSIVE), overlapping intervals"
ABSENT = "not compared"
_RTOL = 1e-6


class ResultsError(ValueError):
    """There is nothing to keep or to compare with, or it is not complete."""


@dataclass(frozen=True)
class Comparison:
    """What ``check`` found for one (row, system): how it was compared, and what differs (nothing: it agrees)."""

    row: str
    system: str
    mode: str
    problems: list[str] = field(default_factory=list)


def folder(profile: str) -> Path:
    """Where the committed results of a profile lie."""
    return paths.ROOT / "results" / "committed" / profile


@dataclass(frozen=True)
class _Kept:
    """One verdict and the folder that it lies in with its companions."""

    folder: Path
    verdict: claims.Verdict


def _read(run: Path) -> dict[tuple[str, str], _Kept]:
    """(row, system) → what lies below the folder of a run."""
    found = ((v.row, v.system or "", v) for v in claims.read_all(run))
    return {(row, system): _Kept(claims.verdict_path(run, row, system).parent, v) for row, system, v in found}


def keep(profile: str, cold: bool = False) -> list[Path]:
    """Copy the results of the last run of ``profile`` to where git keeps them; returns the new folders.

    cold: the run started from an empty cache, so its minutes are kept too (those of another run would flatter).

    ResultsError when there is nothing, or a verdict lacks one of its files: a verdict is not kept without its figure,
    the figure's numbers and where it comes from.
    """
    found = _read(paths.results(profile))
    if not found:
        raise ResultsError(f"no verdicts in {paths.results(profile)}: run `reproduce all --profile {profile}` first")
    missing = [str(kept.folder / name) for kept in found.values() for name in FILES
               if not (kept.folder / name).is_file()]
    if missing:
        raise ResultsError("nothing was kept, since these files are missing:\n  " + "\n  ".join(missing))
    if cold:
        _keep_minutes(profile)
    targets = []
    for (row, system), kept in found.items():
        target = claims.verdict_path(folder(profile), row, system).parent
        for name in FILES:
            with io.atomic(target / name) as temporary:
                shutil.copyfile(kept.folder / name, temporary)
        targets.append(target)
    return targets


def _keep_minutes(profile: str) -> None:
    """Minutes per notebook of the last run, for the README."""
    run = paths.results(profile) / "run.json"
    if run.is_file():
        record = io.read_json(run)
        minutes = {name: round(entry["seconds"] / 60, 1) for name, entry in record["notebooks"].items()}
        facts = record["provenance"]
        io.write_json(folder(profile) / "minutes.json",
                      {"minutes": minutes, "cpu": facts["cpu"], "threads": facts["threads"]})


_BEGIN, _END = "<!-- results: written by `reproduce keep`, do not edit -->", "<!-- /results -->"


def readme_block(profile: str = "default") -> str:
    """The README's table of committed verdicts, and the minutes that they took, as Markdown.

    An empty text when nothing is committed. A row per claim, a line per system in it.
    """
    if not any(folder(profile).glob("*/*/verdict.json")):
        return ""
    lines = ["| row | claim | system | verdict | estimate | 95 % interval | threshold |", "|---|---|---|---|---|---|---|"]
    table = claims.table(folder(profile))
    for _, row in table[table.system.notna()].iterrows():
        figure = f"results/committed/{profile}/{row['row']}/{row.system.replace('/', '__')}/figure.png"
        threshold = row.threshold if isinstance(row.threshold, str) else ""
        interval = "" if pd.isna(row.low) and pd.isna(row.high) else f"{row.low:.3g} … {row.high:.3g}"
        lines.append(f"| {row['row']} | {row.title} | `{row.system}` | [**{row.verdict}**]({figure}) | "
                     f"{'' if pd.isna(row.estimate) else f'{row.estimate:.3g}'} | {interval} | {threshold} |")
    path = folder(profile) / "minutes.json"
    if path.is_file():
        record = io.read_json(path)
        spent = ", ".join(f"{name} {minutes:g}" for name, minutes in record["minutes"].items())
        lines += ["", f"Minutes per notebook, from an empty cache, {record['threads']} threads of {record['cpu']}: {spent}."]
    return "\n".join(lines)


def update_readme(profile: str = "default", readme: Path | None = None) -> None:
    """Put :func:`readme_block` between its marks in README.md. ResultsError when the marks are not there."""
    path = readme or paths.ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    if _BEGIN not in text or _END not in text:
        raise ResultsError(f"{path} has lost the marks {_BEGIN!r} and {_END!r} between which the results stand")
    head, rest = text.split(_BEGIN, 1)
    io.write_text(path, f"{head}{_BEGIN}\n{readme_block(profile)}\n{_END}{rest.split(_END, 1)[1]}")


def check(profile: str) -> list[Comparison]:
    """Compare the last run of ``profile`` with its committed results, a Comparison per committed (row, system).

    Same CPU, GPU, threads and versions: verdicts, estimates and figure twins equal to a relative 1e-6. Otherwise: the
    same verdict (or INCONCLUSIVE) and overlapping intervals. ResultsError when nothing is committed for the profile.
    """
    old, new = _read(folder(profile)), _read(paths.results(profile))
    if not old:
        raise ResultsError(f"nothing is committed for profile {profile!r}: `reproduce keep --profile {profile}` does that")
    return [_compare(key, kept, new.get(key)) for key, kept in old.items()]


def _compare(key: tuple[str, str], old: _Kept, new: _Kept | None) -> Comparison:
    if new is None:
        return Comparison(*key, ABSENT, ["committed, but not in this run"])
    problems = claims.agrees(new.verdict, old.verdict)
    if _fingerprint(old.folder) != _fingerprint(new.folder):
        return Comparison(*key, STATISTICAL, problems)
    if new.verdict.verdict != old.verdict.verdict:
        problems.append(f"verdict {new.verdict.verdict}, was {old.verdict.verdict}")
    if not _close(new.verdict.estimate, old.verdict.estimate):
        problems.append(f"estimate {new.verdict.estimate}, was {old.verdict.estimate}")
    return Comparison(*key, EXACT, problems + _twins(old.folder / "figure.csv", new.folder / "figure.csv"))


def _fingerprint(place: Path) -> Mapping[str, object]:
    return provenance.fingerprint(io.read_json(place / "provenance.json"))


def _close(a: float | None, b: float | None) -> bool:
    return a is b or (a is not None and b is not None and bool(np.isclose(a, b, rtol=_RTOL, atol=1e-12)))


def _twins(old: Path, new: Path) -> list[str]:
    """What differs between two figure twins: columns, number of rows, the worst number of each column."""
    before, after = pd.read_csv(old), pd.read_csv(new)
    if list(before.columns) != list(after.columns) or len(before) != len(after):
        return [f"figure.csv has {len(after)} rows of {list(after.columns)}, "
                f"was {len(before)} of {list(before.columns)}"]
    problems = []
    for name in before.columns:
        a, b = before[name], after[name]
        if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
            x, y = a.to_numpy(float), b.to_numpy(float)
            # Entries far below the column's scale are differences of its large ones: their own rounding is no news.
            floor = _RTOL * 1e-3 * float(np.nanmax(np.abs(x), initial=0.0))
            far = ~np.isclose(y, x, rtol=_RTOL, atol=floor, equal_nan=True)
        else:
            # An empty cell is empty in both: pandas keeps it missing through astype(str), and missing equals nothing.
            far = (a.astype("string").fillna("") != b.astype("string").fillna("")).to_numpy(bool)
        if far.any():
            first = int(far.argmax())
            problems.append(f"figure.csv, column {name}: {int(far.sum())} of {len(a)} rows differ, "
                            f"first row {first}: {b.iloc[first]}, was {a.iloc[first]}")
    return problems
