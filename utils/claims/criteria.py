"""What is known of each criterion before it judges: its operating characteristics, from
docs/criteria.json (protocol 6.6).

The file is written by ``reproduce power``, which simulates every criterion through the code that
judges. Here it is only read: a reading whose criterion is not in it, or says REPRODUCED without an
effect (or NOT REPRODUCED with the paper's) more often than its level allows, is not judged; an open
reading learns from it which sizes of study would decide it.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import io, paths
from .registry import ReadingName, Registry, load
from .verdict import CAUSES, plain

__all__ = ["POWER", "criterion_of", "entries", "file", "fit", "settle", "simulated"]

POWER = 0.8
"""P(REPRODUCED | the paper's effect) from which a size of study counts as enough."""


def file(claims: Path | str | None = None) -> Path:
    """docs/criteria.json of the repository, or beside another registry."""
    return (paths.ROOT if claims is None else Path(claims).parent) / "docs" / "criteria.json"


def criterion_of(registry: Registry, row: str, reading: ReadingName) -> dict[str, Any]:
    """What claims.yaml says that decides a reading: its thresholds (whatever the system) and the
    protocol's numbers."""
    thresholds = [t.model_dump() for t in registry.row(row).thresholds if t.reading == reading]
    for t in thresholds:
        for words in ("statistic", "unit"):
            t.pop(words)
        if t["effect"]:
            t["effect"].pop("source")
    protocol = {
        name: getattr(registry.protocol, name)
        for name in ("level", "min_seeds", "min_units_given", "correction")
    }
    return plain({"thresholds": thresholds, "protocol": protocol})


def entries(claims: Path | str | None = None) -> Mapping[str, Mapping[str, Any]]:
    """Row → reading → what was simulated; {} where nothing was."""
    path = file(claims)
    return _read(path, path.stat().st_mtime_ns) if path.is_file() else {}


@functools.lru_cache(maxsize=4)
def _read(path: Path, _modified: int) -> Mapping[str, Mapping[str, Any]]:
    return io.read_json(path)["rows"]


def fit(row: str, reading: ReadingName, claims: Path | str | None = None) -> tuple[bool, str]:
    """Whether a reading may judge, and if not why. A registry of one's own without simulations
    beside it may."""
    if claims is not None and not file(claims).is_file():
        return True, ""
    entry = entries(claims).get(row, {}).get(reading)
    command = f"`reproduce power {row}` does that"
    if entry is None:
        return (
            False,
            f"its criterion ({reading.replace('_', ' ')}) has not been simulated: {command}",
        )
    if entry["criterion"] != criterion_of(load(claims), row, reading):
        return (
            False,
            f"its criterion ({reading.replace('_', ' ')}) was changed after it was simulated: "
            f"{command}",
        )
    if not entry["ok"]:
        return (
            False,
            f"its criterion ({reading.replace('_', ' ')}) decides wrongly too often in "
            f"simulations: {entry['why']}",
        )
    return True, ""


def simulated(row: str, reading: ReadingName, claims: Path | str | None = None) -> dict[str, float]:
    """Size of study, in words → P(REPRODUCED | the paper's effect); {} where nothing was
    simulated."""
    entry = entries(claims).get(row, {}).get(reading)
    return (
        {} if entry is None else {size["words"]: size["power"] for size in entry["sizes"].values()}
    )


def settle(known: Mapping[str, float | None]) -> tuple[CAUSES, str]:
    """Why a reading is open for want of power, and which size of study would decide it."""
    if not known:
        return "power", "more networks or images; how many was not simulated"
    enough = [words for words, power in known.items() if power is not None and power >= POWER]
    shown = "; ".join(
        f"{words}: {power:.2f}" for words, power in known.items() if power is not None
    )
    if enough:
        return (
            "power",
            f"{enough[0]} find the paper's effect in at least {POWER:.0%} of simulations ({shown})",
        )
    return (
        "no size suffices",
        f"no simulated size finds the paper's effect in {POWER:.0%} of simulations ({shown})",
    )
