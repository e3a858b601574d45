"""``run.json``: which notebooks of a folder ran, with which settings, how long, how they ended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import io, places, provenance
from .places import RUN, Place

__all__ = ["STOPPED", "add", "changed", "last_seconds", "read", "started", "whole"]

STOPPED = "it was stopped, or still runs"


def read(folder: Path) -> dict[str, Any]:
    """``run.json`` of the last run in ``folder``; {} before the first. A damaged one is set aside
    with a warning."""
    path = folder / RUN
    if not path.is_file():
        return {}
    try:
        found = io.read_json(path)
        if not _whole(found):
            raise TypeError("its entries are no tables")
        return found
    except (io.DamagedFileError, KeyError, TypeError, AttributeError) as error:
        # A record of minutes: no reason not to run again.
        io.set_aside(path, f"it is no record of a run ({str(error).splitlines()[0]})")
        return {}


def _whole(found: Any) -> bool:
    entries = found["notebooks"].values()
    return isinstance(found["provenance"], dict) and all(
        isinstance(entry["seconds"], int | float | None)
        and isinstance(entry.get("error"), str | None)
        and isinstance(entry.get("given", {}), dict)
        for entry in entries
    )


def last_seconds(folder: Path, notebook: str) -> float | None:
    """How long the notebook took here the last time; None where that is not known."""
    return read(folder).get("notebooks", {}).get(notebook, {}).get("seconds")


def started(place: Place, notebook: str, given: Mapping[str, Any]) -> None:
    """The notebook begins: until it ends, the record says that it did not."""
    add(place, notebook, last_seconds(place.folder, notebook), STOPPED, given)


def add(
    place: Place,
    notebook: str,
    seconds: float | None,
    error: str | None,
    given: Mapping[str, Any],
) -> None:
    """Write how a notebook ended; the other notebooks' entries stay."""
    entry = {
        "seconds": None if seconds is None else round(seconds, 1),
        "error": error,
        "given": dict(given),
    }
    with io.lock(place.folder / RUN):
        record = {
            "profile": place.name,
            "notebooks": {**read(place.folder).get("notebooks", {}), notebook: entry},
            "provenance": provenance.collect(),
        }
        if place.notebook:
            record |= {"systems": place.systems, "hash": place.digest, "changed": place.changed}
        io.write_json(place.folder / RUN, record)


def whole(place: Place, seconds: float) -> None:
    """Write how long a run of several notebooks took, their jobs included; until the next one
    begins."""
    with io.lock(place.folder / RUN):
        if found := read(place.folder):
            io.write_json(place.folder / RUN, found | {"seconds": round(seconds, 1)})


def changed(place: Place) -> dict[str, Any]:
    """What sets a run of one's own apart, from its record or from a verdict's provenance."""
    found = read(place.folder).get("changed")
    if isinstance(found, dict):
        return found
    for path in sorted(place.folder.glob("*/*/provenance.json")):
        try:
            return places.changes(place.notebook or "", io.read_json(path)["parameters"])
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # damaged: the next one says the same
    return {}
