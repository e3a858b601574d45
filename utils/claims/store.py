"""Where verdicts lie, the correction over a run, the table of all rows, the guard against moved
thresholds.

Layout: ``<run folder>/<row>/<system, '/' written as '__'>/verdict.json``. A run folder is one
profile's results: the correction is over the systems of a row that lie in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pydantic

from .. import io, systems
from .case import criterion
from .concluding import rejudge
from .plain_rows import unjudged
from .registry import Row, load, row_key, sha256
from .verdict import PartResult, Verdict
from .weighing import correct

__all__ = [
    "agrees",
    "check_changes",
    "finalise",
    "read_all",
    "read_verdict",
    "record",
    "status_rows",
    "summary",
    "table",
    "verdict_path",
]

VERDICT = "verdict.json"
_COLUMNS = [
    *(
        "row",
        "title",
        "system",
        "verdict",
        "as_stated",
        "specific",
        "estimate",
        "low",
        "high",
        "unit",
        "threshold",
        "n",
        "n_units",
    ),
    *(
        "cause",
        "to_settle",
        "statistic",
        "kind",
        "evidence",
        "status",
        "paper",
        "figure",
        "reason",
        "scope",
        "before",
        "current",
        "seen",
    ),
]


def verdict_path(folder: Path | str, row: str, system: str) -> Path:
    """``folder/row/system/verdict.json`` with ``__`` for ``/`` in the system (reversible: ids have
    no ``__``)."""
    if "__" in system or "/" not in system:
        raise ValueError(
            f"a system is written network/data (lower case, no double underscore), got {system!r}"
        )
    return Path(folder) / row / system.replace("/", "__") / VERDICT


def record(verdict: Verdict, folder: Path | str) -> Path:
    """Write ``verdict.json`` (atomically; unchanged bytes are left alone) and return its path."""
    if verdict.system is None:
        raise ValueError(
            f"{verdict.row} was not judged ({verdict.status}): there is no verdict to record"
        )
    if verdict.schema_version == 1:
        raise ValueError(
            f"{verdict.row} on {verdict.system} was read from a file of the first schema, which "
            "is never written"
        )
    path = verdict_path(folder, verdict.row, verdict.system)
    text = verdict.to_json()
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        io.write_text(path, text)
    return path


def read_verdict(path: Path | str) -> Verdict:
    """One ``verdict.json``; a file that is none, or lies under another row or system, is a
    ValueError naming it."""
    path = Path(path)
    try:
        verdict = Verdict.read(io.read_json(path))
    except (pydantic.ValidationError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a verdict: {error}; remove it and run its notebook again"
        ) from error
    if path != verdict_path(path.parents[2], verdict.row, verdict.system or ""):
        raise ValueError(
            f"{path} holds the verdict of {verdict.row} on {verdict.system}: it was moved; "
            "remove it"
        )
    return verdict


def read_all(folder: Path | str) -> list[Verdict]:
    """Every verdict below ``folder``, by row and system."""
    found = [read_verdict(path) for path in Path(folder).glob(f"*/*/{VERDICT}")]
    return sorted(found, key=lambda v: (row_key(v.row), v.system or ""))


def finalise(folder: Path | str, alone: bool = False) -> list[Verdict]:
    """Correct each reading of each row over its systems in ``folder``; rewrites the files whose
    verdict it changes.

    alone: the systems are not those that a profile names, so none is part of a family. A reading
    that a premise has made INCONCLUSIVE stays in the family with its p values: leaving tests out
    after seeing the data would make the others easier. Repeating it changes no byte. Files of the
    first schema are read and left alone. Returns all verdicts.
    """
    verdicts = read_all(folder)
    families: dict[tuple[str, str], dict[str, tuple[float, float]]] = {}
    for v in verdicts:
        if v.kind == "empirical" and v.schema_version > 1:
            for name, r in v.readings.items():
                key = f"{v.row} {v.system}" if alone else v.row
                families.setdefault((key, name), {})[v.system] = (r.p_claim, r.p_not)
    decided = {key: correct(family) for key, family in families.items()}
    strict = {key: correct(family, "holm") for key, family in families.items()}

    def again(v: Verdict) -> Verdict:
        keys = {name: (f"{v.row} {v.system}" if alone else v.row, name) for name in v.readings}
        return rejudge(
            v,
            {n: decided[k][v.system] for n, k in keys.items()},
            {n: strict[k][v.system] for n, k in keys.items()},
            {n: len(families[k]) for n, k in keys.items()},
        )

    final = [
        again(v) if v.kind == "empirical" and v.schema_version > 1 and v.readings else v
        for v in verdicts
    ]
    for verdict in final:
        if verdict.schema_version > 1:
            record(verdict, folder)
    return final


def status_rows(judged: Iterable[str] = (), claims: Path | str | None = None) -> list[Verdict]:
    """The rows of the registry that are not among ``judged`` (row ids), each with its status and no
    verdict."""
    registry, done = load(claims), set(judged)
    return [unjudged(row, claims) for row in sorted(registry.rows, key=row_key) if row not in done]


def table(folder: Path | str, claims: Path | str | None = None) -> pd.DataFrame:
    """Every row of the registry, judged or not: one line per (row, system), ordered by family and
    number.

    ``verdict`` is the status where there is none; ``before`` is the committed verdict from before a
    changed criterion; ``current`` is False where the verdict was judged by another version of
    claims.yaml.
    """
    registry, now = load(claims), sha256(claims)
    judged = read_all(folder)
    lines = [*judged, *status_rows({v.row for v in judged}, claims)]
    lines.sort(key=lambda v: (row_key(v.row), v.system or ""))
    before = {
        (row, system): old
        for c in registry.changed
        for row in (c.now or [c.row])
        for system, old in c.before.items()
    }
    return pd.DataFrame(
        [_line(v, registry.rows.get(v.row), before, now) for v in lines], columns=_COLUMNS
    )


def _line(
    v: Verdict, entry: Row | None, before: dict[tuple[str, str], str], now: str
) -> dict[str, Any]:
    low, high = v.interval or (None, None)
    open_reading = next((r for r in v.readings.values() if r.outcome == "INCONCLUSIVE"), None)
    return {
        **{key: getattr(v, key) for key in _COLUMNS if key in Verdict.model_fields},
        "title": entry.title if entry else "(no row of the registry any more)",
        "seen": bool(entry and entry.seen),
        "cause": open_reading.cause if open_reading else None,
        "to_settle": open_reading.to_settle if open_reading else None,
        "verdict": v.verdict or v.status,
        "low": low,
        "high": high,
        "before": before.get((v.row, v.system or "")),
        "current": v.claims_sha256 == now,
    }


def summary(lines: pd.DataFrame) -> pd.DataFrame:
    """Per judged row: 'k of m systems' for each verdict it got. Identities stand apart: EXACT or
    BROKEN only."""
    judged = lines[lines.system.notna()]
    counts = []
    for row, group in judged.groupby("row", sort=False):
        tally = group.verdict.value_counts(sort=False)
        for verdict in sorted(tally.index):
            text = f"{tally[verdict]} of {len(group)} systems"
            counts.append(
                {"row": row, "title": group.title.iloc[0], "verdict": verdict, "systems": text}
            )
    return pd.DataFrame(counts, columns=["row", "title", "verdict", "systems"])


def agrees(new: Verdict, old: Verdict) -> list[str]:
    """What stands between two runs on different machines: decided verdicts that contradict,
    intervals that do not overlap.

    Reading by reading and part by part, since the deciding part may differ. An open verdict against
    a decided one is no contradiction; :func:`utils.committed.check` counts those. Empty: they
    agree.
    """
    where, problems = f"{new.row} on {new.system}", []
    if new.schema_version != old.schema_version:
        return [f"{where}: was judged under the first protocol, whose verdict was {old.verdict}"]
    if new.kind == "empirical":
        for name in ("as_stated", "specific"):
            a, b = getattr(new, name), getattr(old, name)
            if a != b and "INCONCLUSIVE" not in (a, b):
                problems.append(f"{where}: {name.replace('_', ' ')} {a}, was {b}")
    elif (new.verdict, new.status) != (old.verdict, old.status):
        problems.append(f"{where}: {new.verdict or new.status}, was {old.verdict or old.status}")
    earlier = {(p.reading, p.name): p for p in old.every_part()}
    for part in new.every_part():
        if (part.reading, part.name) not in earlier:
            problems.append(f"{where}: part {part.name} was not there")
        elif not _overlap(part, earlier[part.reading, part.name]):
            problems.append(f"{where}: intervals of {part.name} do not overlap")
    return problems


def _overlap(a: PartResult, b: PartResult) -> bool:
    if a.interval is None or b.interval is None:
        return True
    inf = float("inf")
    (a_low, a_high), (b_low, b_high) = (
        (-inf if low is None else low, inf if high is None else high)
        for low, high in (a.interval, b.interval)
    )
    slack = 1e-9 * max(
        abs(x) for x in (a_low, b_low, 1.0) if x != -inf
    )  # points (no variation) may differ by rounding
    return a_low <= b_high + slack and b_low <= a_high + slack


def check_changes(committed: Iterable[Verdict], claims: Path | str | None = None) -> list[str]:
    """Committed verdicts whose criterion is no longer the one in claims.yaml and in the system's
    file, and that no ``changed:`` entry explains.

    Compared is what can change a verdict (thresholds, the system's floor, protocol), which each
    verdict carries; a new row or a better sentence elsewhere in the file needs no entry. An entry
    must name the row, the file's old sha256 and the old verdict. Empty: nothing to explain.
    """
    registry = load(claims)
    explained = {(c.row, c.claims_sha256): c for c in registry.changed}
    problems = []
    for v in committed:
        if v.row in registry.rows and v.control.get("criterion") == criterion(
            registry, v.row, v.system or "", _floor_now(v)
        ):
            continue
        if (
            v.verdict is None
        ):  # described: there is no verdict that a moved criterion could have changed
            continue
        entry = explained.get((v.row, v.claims_sha256))
        if entry is None or entry.before.get(v.system or "") != v.verdict:
            problems.append(
                f"criterion of {v.row} moved: on {v.system} it was {v.verdict} under another "
                "one: add to 'changed:' in "
                f"claims.yaml the row {v.row}, claims_sha256 {v.claims_sha256}, before "
                f"{{{v.system}: {v.verdict}}} and "
                f"the reason"
            )
    return problems


def _floor_now(v: Verdict) -> float | None:
    """The floor of its system today; of a system that is not known here (another width, a user's
    own file) the one that it was judged by."""
    floor = systems.floor_of(v.system or "")
    return v.control.get("criterion", {}).get("min_accuracy") if floor is None else floor
