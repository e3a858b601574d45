"""What is judged: a row of the registry on one system, and the words that go into its verdict."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .registry import Protocol, ReadingName, Registry, Row, Threshold, load, sha256
from .verdict import JUDGED, Part, PartResult, Verdict, plain
from .weighing import weigh
from .wording import deciding

__all__ = ["Case", "Parts", "citation", "criterion"]

Parts = Sequence[Part]
_RESERVED = ("premises", "criterion", "seeds", "not judged")
_FUNCTION = {
    "empirical": "judge",
    "identity": "judge_identity",
    "numerical": "judge_numerical",
    "described": "describe",
    "demonstration": "demonstrate",
}


@dataclass(frozen=True)
class Case:
    """What is judged: a row of a registry on one system, and the words that go into the verdict."""

    row: str
    system: str
    scope: str
    control: Mapping[str, Any] | None
    figure: str | None
    claims: Path | str | None
    kind: str
    floor: float | None = None
    measure: str = "test accuracy"

    def __post_init__(self) -> None:
        if self.entry.kind != self.kind:
            raise ValueError(
                f"{self.row} is a row of kind {self.entry.kind}: use {_FUNCTION[self.entry.kind]}()"
            )
        if not re.fullmatch(r"[a-z0-9.+_-]+(/[a-z0-9.+_-]+)+", self.system) or "__" in self.system:
            raise ValueError(
                f"a system is written network/data, e.g. lenet/mnist_part, got {self.system!r}"
            )
        if not self.scope.strip():
            raise ValueError(
                "scope= must say for what the verdict speaks, e.g. 'these 5 seeds of LeNet, "
                "MNIST part'"
            )
        taken = sorted(set(self.control or {}) & set(_RESERVED))
        if taken:
            raise ValueError(
                f"control= may not use the names {taken}: they are written by the judge"
            )

    @functools.cached_property
    def registry(self) -> Registry:
        return load(self.claims)

    @property
    def entry(self) -> Row:
        return self.registry.row(self.row)

    @property
    def protocol(self) -> Protocol:
        return self.registry.protocol

    def thresholds(self, given: Sequence[str]) -> dict[str, Threshold]:
        """The thresholds for this system, each named exactly once in ``given``: a forgotten null is
        an error."""
        found = self.entry.thresholds_for(self.system)
        if not found:
            raise ValueError(
                f"{self.row} has no threshold for {self.system}: register one in claims.yaml "
                "before the run"
            )
        if sorted(given) != sorted(found):
            text = f"{self.row} on {self.system} is decided by {sorted(found)}, got {sorted(given)}"
            raise ValueError(f"{text}: give each of them once")
        return found

    def weigh(
        self, parts: Parts, seeds: Sequence[int], given: bool
    ) -> dict[ReadingName, list[PartResult]]:
        """All inequalities of the row, in the registry's order, by the reading that they belong
        to."""
        thresholds = self.thresholds([part.name for part in parts])
        named = {part.name: part for part in parts}
        found: dict[ReadingName, list[PartResult]] = {
            name: [] for name in self.entry.readings(self.system)
        }
        for name, threshold in thresholds.items():
            part = _measurable(named[name], threshold)
            found[threshold.reading].append(
                weigh(part, threshold, self.protocol, len(seeds), given)
            )
        return found

    def verdict(
        self,
        deciding: list[PartResult],
        outcome: str,
        reason: str,
        extra: Mapping[str, Any],
        **rest: Any,
    ) -> Verdict:
        """Registry fields, the deciding part's numbers, and everything it was compared with."""
        return Verdict(
            row=self.row,
            system=self.system,
            kind=self.entry.kind,
            status=JUDGED,
            paper=citation(self.registry, self.entry),
            figure=self.figure or self.entry.figure,
            verdict=outcome,
            level=self.protocol.level,
            control={
                **(self.control or {}),
                **extra,
                "criterion": criterion(self.registry, self.row, self.system, self.floor),
            },
            reason=reason,
            scope=self.scope,
            claims_sha256=sha256(self.claims),
            **_shown(deciding),
            **rest,
        )

    def shown(self, statement: str, n: int, status: str) -> Verdict:
        """A row without thresholds: what was seen, in a sentence."""
        return Verdict(
            row=self.row,
            system=self.system,
            kind=self.entry.kind,
            status=status,
            paper=citation(self.registry, self.entry),
            figure=self.figure or self.entry.figure,
            verdict=None,
            statistic=self.entry.statistic,
            level=self.protocol.level,
            method=f"{status}, no test",
            n=n,
            control=plain(
                {
                    **(self.control or {}),
                    "criterion": criterion(self.registry, self.row, self.system, self.floor),
                }
            ),
            reason=statement,
            scope=self.scope,
            claims_sha256=sha256(self.claims),
        )


def _measurable(part: Part, threshold: Threshold) -> Part:
    """``part``; without values where effects count in spreads across samples and samples that are
    all alike (a few of them may be) leave none to count in."""
    in_spreads = threshold.effect is not None and threshold.effect.smallest is None
    if not (in_spreads and part.scale == 0 and part.values is not None):
        return part
    return dataclasses.replace(part, values=np.full(len(part.values), np.nan))


def _shown(parts: Sequence[PartResult]) -> dict[str, Any]:
    worst = deciding(parts)
    return {
        "statistic": f"{worst.name}: {worst.statistic}",
        "estimate": worst.estimate,
        "interval": worst.interval,
        "method": worst.method,
        "n": worst.n,
        "n_units": worst.n_units,
        "unit": worst.unit,
        "threshold": worst.threshold,
    }


def criterion(registry: Registry, row: str, system: str, floor: float | None) -> dict[str, Any]:
    """Everything in claims.yaml that can change this verdict, kept in each: thresholds and, where
    intervals decide, the protocol and the ``floor`` of the system below which nothing is
    concluded."""
    entry = registry.row(row)
    found: dict[str, Any] = {
        "thresholds": [
            t.model_dump(exclude={"systems"}) for t in entry.thresholds_for(system).values()
        ]
    }
    if entry.kind == "empirical":
        found |= {
            "min_accuracy": floor if entry.needs_accuracy else None,
            "protocol": registry.protocol.model_dump(exclude={"note"}),
            "uses_split": entry.uses_split,
            "order_based": entry.order_based,
            "seen": entry.seen,
        }
    return plain(found)


def citation(registry: Registry, entry: Row) -> str:
    return f"{entry.paper}: {registry.papers[entry.paper].citation}"
