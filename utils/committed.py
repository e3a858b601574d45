"""Results that are kept in git, and the guard that says whether a new run agrees with them.

Kept of each (row, system): ``verdict.json``, ``provenance.json``, ``figure.png``, ``figure.csv``
and, where a verdict rests on networks and units, ``units.csv``; of the run: its minutes, the index,
and ``MANIFEST.json`` with the checksum of each file, so that a file that was edited, damaged or
deleted is found. A new run is compared by numbers, never by pixels.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from . import claims, io, overview, paths, provenance, records
from .datasets import licences

__all__ = [
    "FILES",
    "INDEX",
    "MANIFEST",
    "Comparison",
    "Report",
    "ResultsError",
    "check",
    "folder",
    "keep",
    "readme_block",
    "require_parameters",
    "update_readme",
]

FILES = ("verdict.json", "provenance.json", "figure.png", "figure.csv")
OPTIONAL = ("units.csv",)
MANIFEST, INDEX = "MANIFEST.json", "index.md"
EXACT = "same CPU and versions: equal to a relative 1e-6"
STATISTICAL = "other CPU or versions: same verdict (or INCONCLUSIVE), overlapping intervals"
ABSENT = "not compared"
OPEN_LIMIT = 0.10
"""Share of the rows that may be open in one run and decided in the other before the runs count as
different."""
_RTOL = 1e-6
SHOWS_SAMPLES = ("M11",)
"""Rows whose figure and its numbers are made of a sample's own pixels."""


class ResultsError(ValueError):
    """There is nothing to keep or to compare with, or it is not complete."""


@dataclass(frozen=True)
class Comparison:
    """What ``check`` found for one (row, system): how it was compared, and what differs (nothing:
    it agrees)."""

    row: str
    system: str
    mode: str
    problems: list[str] = field(default_factory=list)


def folder(profile: str) -> Path:
    """Where the committed results of a profile lie."""
    return paths.ROOT / "results" / "committed" / profile


@dataclass(frozen=True)
class Report:
    """The comparison: pair by pair, what concerns no pair (sets, checksums, criteria), and notes
    that fail nothing."""

    compared: list[Comparison]
    problems: list[str]
    notes: list[str]

    @property
    def agrees(self) -> bool:
        """Whether nothing at all differs."""
        return not self.problems and not any(one.problems for one in self.compared)


@dataclass(frozen=True)
class _Kept:
    """One verdict and the folder that it lies in with its companions."""

    folder: Path
    verdict: claims.Verdict


def _read(run: Path) -> tuple[dict[tuple[str, str], _Kept], list[str]]:
    """(row, system) → what lies below the folder of a run, and a line for each verdict that cannot
    be read."""
    found, damaged = {}, []
    for path in sorted(run.glob("*/*/verdict.json")):
        try:
            verdict = claims.read_verdict(path)
            found[verdict.row, verdict.system or ""] = _Kept(path.parent, verdict)
        except (ValueError, OSError) as error:
            damaged.append(f"{_short(path)} cannot be read: {str(error).splitlines()[0]}")
    return found, damaged


def _short(path: Path) -> str:
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else str(path)


def keep(profile: str, cold: bool = False) -> list[Path]:
    """Copy the results of the last run of ``profile`` to where git keeps them; returns the new
    folders.

    cold: the run started from an empty cache, so its minutes are kept too (those of another run
    would flatter).

    ResultsError when there is nothing, or a verdict lacks one of its files: a verdict is not kept
    without its figure, the figure's numbers and where it comes from.
    """
    found, damaged = _read(paths.results(profile))
    found = _to_be_shown(found)
    if damaged:
        raise ResultsError("nothing was kept:\n  " + "\n  ".join(damaged))
    if not found:
        raise ResultsError(
            f"no verdicts in {paths.results(profile)}: run `reproduce all --profile {profile}` "
            "first"
        )
    missing = [
        str(kept.folder / name)
        for kept in found.values()
        for name in FILES
        if not (kept.folder / name).is_file()
    ]
    if missing:
        raise ResultsError(
            "nothing was kept, since these files are missing:\n  " + "\n  ".join(missing)
        )
    if cold:
        _keep_minutes(profile)
    home = folder(profile)
    targets = []
    for (row, system), kept in found.items():
        target = claims.verdict_path(home, row, system).parent
        for name in (*FILES, *OPTIONAL):
            if (kept.folder / name).is_file():
                with io.atomic(target / name) as temporary:
                    shutil.copyfile(kept.folder / name, temporary)
            else:
                (target / name).unlink(missing_ok=True)
        targets.append(target)
    for old in {path.parent for path in home.glob("*/*/verdict.json")} - set(targets):
        shutil.rmtree(old)  # a verdict that the run no longer gives: the new set is the whole truth
        if not any(old.parent.iterdir()):
            old.parent.rmdir()
    io.write_text(home / INDEX, overview.markdown(home, f"Verdicts of profile `{profile}`"))
    io.write_json(home / MANIFEST, _checksums(home))
    return targets


def _to_be_shown(found: Mapping[tuple[str, str], _Kept]) -> dict[tuple[str, str], _Kept]:
    """Without the rows that show samples of a set which is not embedded and whose licence does not
    let them be shown."""
    return {
        (row, system): kept
        for (row, system), kept in found.items()
        if row not in SHOWS_SAMPLES or licences.may_stand_here(system.rpartition("/")[2])
    }


def require_parameters(profile: str, expected: Mapping[str, Mapping[str, object]]) -> None:
    """ResultsError unless every verdict of the last run was made with its notebook's parameters in
    the profile.

    expected: notebook → its parameters. What was run with others would be kept under the profile's
    name.
    """
    registry = claims.load()
    wrong = []
    for (row, system), kept in _read(paths.results(profile))[0].items():
        notebook = registry.rows[row].notebook if row in registry.rows else None
        given = io.read_json(kept.folder / "provenance.json").get("parameters") or {}
        meant = expected.get(notebook or "", {})
        differ = sorted(name for name in {*given, *meant} if given.get(name) != meant.get(name))
        if differ:
            wrong.append(f"{row} on {system} ({notebook}): {', '.join(differ)}")
    if wrong:
        raise ResultsError(
            "nothing was kept, since these were not run with the parameters of profile "
            f"{profile!r}:\n  " + "\n  ".join(wrong)
        )


def _checksums(home: Path) -> dict[str, str]:
    """Path below ``home`` → sha256 of every kept file."""
    kept = sorted(path for path in home.rglob("*") if path.is_file() and path.name != MANIFEST)
    return {path.relative_to(home).as_posix(): io.sha256_file(path) for path in kept}


def _damage(home: Path) -> list[str]:
    """A line for each committed file that is missing, was changed, or is not in the manifest."""
    path = home / MANIFEST
    if not path.is_file():
        return [f"{_short(path)} is missing: `git checkout -- {_short(home)}` restores it"]
    try:
        said = io.read_json(path)
    except ValueError as error:  # DamagedFileError is one
        return [f"{_short(path)} cannot be read: {str(error).splitlines()[0]}"]
    if not isinstance(said, dict) or not all(
        isinstance(sha, str) and len(sha) == 64 for sha in said.values()
    ):
        return [
            f"{_short(path)} is no list of checksums: `git checkout -- {_short(path)}` restores it"
        ]
    there = _checksums(home)
    lines = [f"{_short(home / name)} is missing" for name in said if name not in there]
    lines += [
        f"{_short(home / name)} is not the file that was committed (its checksum differs)"
        for name, sha in said.items()
        if name in there and there[name] != sha
    ]
    return lines + [
        f"{_short(home / name)} is in no manifest" for name in there if name not in said
    ]


def _keep_minutes(profile: str) -> None:
    """Minutes that the last run took, for the README; none where it was stopped."""
    record = records.read(paths.results(profile))
    if record.get("seconds") is not None:
        facts = record["provenance"]
        found = {"minutes": round(record["seconds"] / 60, 1)}
        found |= {name: facts[name] for name in ("cpu", "threads")}
        io.write_json(folder(profile) / "minutes.json", found)


_BEGIN, _END = "<!-- results: written by `reproduce keep`, do not edit -->", "<!-- /results -->"


def readme_block(profile: str = "default") -> str:
    """The README's account of the committed verdicts as Markdown: a line of counts per paper, and
    the minutes they took.

    An empty text when nothing is committed.
    """
    home = folder(profile)
    index = f"results/committed/{profile}/{INDEX}"
    lines = overview.readme_lines(home, index)
    if not lines:
        return ""
    lines += ["", f"Every verdict with its figure: [index]({index})."]
    path = home / "minutes.json"
    if path.is_file():
        record = io.read_json(path)
        lines[-1] += (
            f" From an empty cache {record['minutes']:.0f} minutes, {record['threads']} threads of "
            f"{record['cpu']}."
        )
    return "\n".join(lines)


def update_readme(profile: str = "default", readme: Path | None = None) -> None:
    """Put :func:`readme_block` between its marks in README.md. ResultsError when the marks are not
    there."""
    path = readme or paths.ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    if _BEGIN not in text or _END not in text:
        raise ResultsError(
            f"{path} has lost the marks {_BEGIN!r} and {_END!r} between which the results stand"
        )
    head, rest = text.split(_BEGIN, 1)
    io.write_text(path, f"{head}{_BEGIN}\n{readme_block(profile)}\n{_END}{rest.split(_END, 1)[1]}")


def check(profile: str) -> Report:
    """Compare the last run of ``profile`` with its committed results.

    Same CPU, GPU, threads and versions: verdicts, estimates, figure twins and unit values equal to
    a relative 1e-6. Otherwise: no contradicting verdict, overlapping intervals, and at most 10 % of
    the rows open in one run and decided in the other. Besides: the same set of verdicts, whole
    files, criteria that are those of claims.yaml. A damaged file is a line of the report, never an
    error. ResultsError when nothing is committed for the profile.
    """
    home = folder(profile)
    old, damaged = _read(home)
    new, unreadable = _read(paths.results(profile))
    new = _to_be_shown(new)
    if not old and not damaged:
        raise ResultsError(
            f"nothing is committed for profile {profile!r}: `reproduce keep --profile {profile}` "
            "does that"
        )
    problems = [
        *_damage(home),
        *damaged,
        *unreadable,
        *claims.check_changes(v.verdict for v in old.values()),
    ]
    problems += [
        f"{row} on {system}: in this run, but not committed"
        for row, system in new
        if (row, system) not in old
    ]
    compared = [_compare(key, kept, new.get(key)) for key, kept in old.items()]
    turned = [
        f"{a.row} on {a.system}: {name.replace('_', ' ')} {getattr(b, name)}, was "
        f"{getattr(a, name)}"
        for key, kept in old.items()
        if key in new
        for a, b in [(kept.verdict, new[key].verdict)]
        for name in ("as_stated", "specific")
        if getattr(a, name) != getattr(b, name)
        and "INCONCLUSIVE" in (getattr(a, name), getattr(b, name))
    ]
    if len(turned) > OPEN_LIMIT * max(len(compared), 1):
        problems.append(
            f"{len(turned)} verdicts of {len(compared)} are open in one run and decided in the "
            "other: "
            f"more than {OPEN_LIMIT:.0%}"
        )
    return Report(compared, problems, turned)


def _compare(key: tuple[str, str], old: _Kept, new: _Kept | None) -> Comparison:
    if new is None:
        return Comparison(*key, ABSENT, ["committed, but not in this run"])
    problems = claims.agrees(new.verdict, old.verdict)
    before, now = (one.verdict.control.get("criterion") for one in (old, new))
    if before != now:
        problems.append(
            "its criterion moved: "
            + ", ".join(
                name
                for name in sorted({*(before or {}), *(now or {})})
                if (before or {}).get(name) != (now or {}).get(name)
            )
        )
    try:
        if _fingerprint(old.folder) != _fingerprint(new.folder):
            return Comparison(*key, STATISTICAL, problems)
        for name in ("verdict", "status"):
            if getattr(new.verdict, name) != getattr(old.verdict, name):
                problems.append(
                    f"{name} {getattr(new.verdict, name)}, was {getattr(old.verdict, name)}"
                )
        if not _close(new.verdict.estimate, old.verdict.estimate):
            problems.append(f"estimate {new.verdict.estimate}, was {old.verdict.estimate}")
        for name in ("figure.csv", *OPTIONAL):
            problems += _twins(old.folder / name, new.folder / name)
    except (
        OSError,
        ValueError,
    ) as error:  # pandas' and json's errors on damaged files are ValueErrors
        problems.append(f"cannot be compared: {str(error).splitlines()[0]}")
    return Comparison(*key, EXACT, problems)


def _fingerprint(place: Path) -> Mapping[str, object]:
    record = io.read_json(place / "provenance.json")
    if not isinstance(record, dict):
        raise ValueError("provenance.json is no record of a run")
    return provenance.fingerprint(record)


def _close(a: float | None, b: float | None) -> bool:
    return a is b or (
        a is not None and b is not None and bool(np.isclose(a, b, rtol=_RTOL, atol=1e-12))
    )


def _twins(old: Path, new: Path) -> list[str]:
    """What differs between two tables: columns, number of rows, the worst number of each column;
    both may be absent."""
    if not old.is_file() and not new.is_file():
        return []
    if old.is_file() != new.is_file():
        return [f"{old.name} is there in one run only"]
    before, after = pd.read_csv(old), pd.read_csv(new)
    if list(before.columns) != list(after.columns) or len(before) != len(after):
        return [
            f"{old.name} has {len(after)} rows of {list(after.columns)}, "
            f"was {len(before)} of {list(before.columns)}"
        ]
    problems = []
    for name in before.columns:
        a, b = before[name], after[name]
        if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
            x, y = a.to_numpy(float), b.to_numpy(float)
            # Entries far below the column's scale are differences of its large ones: their own
            # rounding is no news.
            floor = _RTOL * 1e-3 * float(np.nanmax(np.abs(x), initial=0.0))
            far = ~np.isclose(y, x, rtol=_RTOL, atol=floor, equal_nan=True)
        else:
            # An empty cell is empty in both: pandas keeps it missing through astype(str), and
            # missing equals nothing.
            far = (a.astype("string").fillna("") != b.astype("string").fillna("")).to_numpy(bool)
        if far.any():
            first = int(far.argmax())
            problems.append(
                f"{old.name}, column {name}: {int(far.sum())} of {len(a)} rows differ, "
                f"first row {first}: {b.iloc[first]}, was {a.iloc[first]}"
            )
    return problems
