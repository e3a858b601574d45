"""What a set of jobs comes to, without computing any: every job they need, each once, in order."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import BaseModel

from .base import Job

__all__ = ["Node", "graph", "needs"]


@dataclasses.dataclass(frozen=True)
class Node:
    """One job of a plan. needs: digests of the jobs whose output it reads, each earlier in the
    plan; finished: whether its output lies in the cache (not verified)."""

    job: Job
    digest: str
    needs: tuple[str, ...]
    finished: bool

    def to_json(self) -> dict[str, Any]:
        """One line of ``reproduce plan --json``."""
        return {
            "kind": self.job.kind,
            "digest": self.digest,
            "needs": list(self.needs),
            "state": "finished" if self.finished else "to do",
            "spec": self.job.spec()["fields"],
        }


def needs(job: Job) -> list[Job]:
    """The jobs that stand in the fields of ``job``, at any depth of tuples and nested models."""
    return [found for name in type(job).model_fields for found in _jobs_in(getattr(job, name))]


def _jobs_in(value: Any) -> Iterator[Job]:
    if isinstance(value, Job):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _jobs_in(getattr(value, name))
    elif isinstance(value, dict):
        yield from _jobs_in(tuple(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _jobs_in(item)


def graph(jobs: Iterable[Job]) -> list[Node]:
    """``jobs`` and all that they need, each once (by digest), what is needed first."""
    found: dict[str, Node] = {}

    def visit(job: Job) -> str:
        digest = job.digest()
        if digest not in found:
            below = tuple(dict.fromkeys(visit(one) for one in needs(job)))
            found[digest] = Node(job, digest, below, job.folder().is_dir())
        return digest

    for job in jobs:
        visit(job)
    return list(found.values())
