"""What finished jobs took: their specifications with the seconds and memory in provenance."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from .. import io

__all__ = ["Record", "Spec", "records"]

Spec = dict[str, Any]
"""kind and fields of a job, where other jobs stand by kind and digest."""


class Record(NamedTuple):
    """A finished job. seconds of wall clock; memory: the most its process ever held, bytes."""

    digest: str
    spec: Spec
    seconds: float
    memory: float
    cpu: str


def records(caches: Iterable[Path]) -> dict[str, Record]:
    """The finished jobs of ``caches`` by digest; what was resumed says too little and is left out
    by seconds of 0, but still tells the sizes of jobs that read it. Unreadable ones are left out.
    """
    found = {}
    for cache in caches:
        for path in sorted(cache.glob("*/*/provenance.json")):
            try:
                known, spec = io.read_json(path), io.read_json(path.with_name("spec.json"))
                seconds = 0.0 if known["resumed"] else float(known["clocks"]["total"])
                memory = float(known["peak_memory"] or 0)
                found[path.parent.name] = Record(
                    path.parent.name, spec, seconds, memory, known["cpu"]
                )
            except (OSError, io.DamagedFileError, KeyError, TypeError):
                continue
    return found
