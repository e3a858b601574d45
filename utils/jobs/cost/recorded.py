"""Finished jobs of a cache, with what they were asked and how long they took."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ... import io

__all__ = ["Finished", "Recorded", "finished_in"]


class Recorded:
    """The specification of a finished job, read from its folder: its fields as attributes, other
    jobs as what they recorded in turn."""

    def __init__(self, cache: Path, fields: dict[str, Any], kind: str = "") -> None:
        self.kind, self._cache, self._fields = kind, cache, fields

    @classmethod
    def read(cls, folder: Path) -> Recorded:
        """What the folder of a job says; OSError or ValueError where it says nothing."""
        spec = io.read_json(folder / "spec.json")
        return cls(folder.parent.parent, spec["fields"], spec["kind"])

    def __getattr__(self, name: str) -> Any:
        try:
            return self._seen(self._fields[name])
        except KeyError:
            raise AttributeError(name) from None

    def _seen(self, value: Any) -> Any:
        if isinstance(value, list):
            return tuple(map(self._seen, value))
        if not isinstance(value, dict):
            return value
        if set(value) == {"job", "digest"}:
            return Recorded.read(self._cache / value["job"] / value["digest"])
        return Recorded(self._cache, value)


class Finished(NamedTuple):
    """A finished job: what was asked, the seconds of one thread, the processor's name."""

    job: Recorded
    digest: str
    seconds: float
    cpu: str


def finished_in(cache: Path) -> Iterator[Finished]:
    """The finished jobs of a cache whose times say something: not resumed, needs still there."""
    for path in sorted(cache.glob("*/*/provenance.json")):
        folder = path.parent
        if "." in folder.name:  # in progress, or set aside
            continue
        try:
            record, job = io.read_json(path), Recorded.read(folder)
            seconds = float(record["clocks"]["total"])
            threads = int(record.get("threads", 1))
        except (OSError, ValueError, KeyError, TypeError):
            continue  # of another version, or pruned meanwhile
        if not record.get("resumed"):
            # A second thread helps a job by about two thirds.
            yield Finished(job, folder.name, seconds * (1 + 0.67 * (threads - 1)), record["cpu"])
