"""Strict models of ``claims.yaml``: every claim of the papers, the number that decides it, and the protocol.

Thresholds live in that file only. A notebook names the inequality it has values for; bound, direction and unit come
from here, so that no notebook can judge by a number of its own.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic
import yaml
from pydantic import Field

from .. import io, paths

__all__ = [
    "Change",
    "MinAccuracy",
    "Paper",
    "Protocol",
    "Registry",
    "RegistryError",
    "Row",
    "Threshold",
    "load",
    "row_key",
    "sha256",
]

Kind = Literal["identity", "numerical", "empirical", "qualitative"]
Text = Annotated[str, Field(min_length=1)]
RowId = Annotated[str, Field(pattern=r"^[DMLFO][1-9][0-9]?$")]
System = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*(_[a-z0-9.+-]+)*(/[a-z0-9.+-]+(_[a-z0-9.+-]+)*)+$")]
_FAMILIES = "DMLFO"


class RegistryError(ValueError):
    """``claims.yaml`` does not say what it must; the message names the row and the field."""


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Protocol(_Strict):
    """What holds for every row: level, seeds, correction and the variants that a verdict must survive."""

    level: Annotated[float, Field(gt=0, lt=1)]
    min_seeds: Annotated[int, Field(ge=2)]
    correction: Literal["holm"]
    uncertified_limit: Annotated[float, Field(ge=0, lt=1)]
    order_weights: Annotated[list[float], Field(min_length=2)]
    order_variant: Text
    certified_variant: Text
    note: Text


class Paper(_Strict):
    """One paper: a family of tests for the correction."""

    citation: Text
    url: Text


class Threshold(_Strict):
    """One inequality. ``by: t`` compares the interval across seeds with ``bound``; ``by: p`` is a test with its own
    null, whose p value must not exceed ``bound``. ``systems`` are patterns of the systems it applies to."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    statistic: Text
    unit: Text
    direction: Literal["above", "below"]
    bound: float
    inclusive: bool = False
    by: Literal["t", "p"] = "t"
    systems: list[Text] = ["*"]

    def applies_to(self, system: str) -> bool:
        """True where one of the patterns matches ``system``."""
        return any(fnmatch.fnmatchcase(system, pattern) for pattern in self.systems)

    def text(self) -> str:
        """The inequality in signs, e.g. ``< 0.1``."""
        sign = (">" if self.direction == "above" else "<") + ("=" if self.inclusive else "")
        return f"{sign} {self.bound:.10g}"


class MinAccuracy(_Strict):
    """The test accuracy below which a system's verdicts are INCONCLUSIVE, and where the number comes from."""

    value: Annotated[float, Field(gt=0, le=1)]
    source: Text


class Row(_Strict):
    """One claim of one paper. ``status`` is what is shown where no verdict exists: ``not run`` or ``needs ...``."""

    title: Text
    paper: Text
    figure: Text
    claim: Text
    kind: Kind
    statistic: Text
    direction: Literal["above", "below", "exact", "mixed"]
    thresholds: list[Threshold]
    nulls: list[Text]
    controls: list[Text]
    notebook: Annotated[str, Field(pattern=r"^[0-9]{2}_[a-z0-9_]+$")] | None
    paper_systems: Text
    min_accuracy: dict[System, MinAccuracy]
    uses_split: bool
    order_based: bool
    status: Annotated[str, Field(pattern=r"^(not run|needs .+)$")]
    expected_risk: Text

    def thresholds_for(self, system: str) -> dict[str, Threshold]:
        """The inequalities that decide the row for ``system``, by name."""
        return {t.name: t for t in self.thresholds if t.applies_to(system)}


class Change(_Strict):
    """A criterion changed after a result was committed: why, and what the verdicts were before."""

    row: RowId
    date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    claims_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    what: Text
    reason: Text
    before: dict[System, Literal["REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE", "EXACT", "BROKEN"]]


class Registry(_Strict):
    """The whole file. ``defaults`` only holds YAML anchors that rows refer to."""

    protocol: Protocol
    nulls: dict[str, Text]
    papers: dict[str, Paper]
    defaults: dict[str, dict[System, MinAccuracy]]
    changed: list[Change]
    rows: dict[RowId, Row]

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Registry:
        problems = [p for name, row in self.rows.items() for p in self._row_problems(name, row)]
        problems += [f"changed: row {c.row} does not exist" for c in self.changed if c.row not in self.rows]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _row_problems(self, name: str, row: Row) -> list[str]:
        found = []
        if row.paper not in self.papers:
            found.append(f"{name}.paper: {row.paper!r} is none of {sorted(self.papers)}")
        unknown = [null for null in row.nulls if null not in self.nulls]
        found += [f"{name}.nulls: {null!r} is none of {sorted(self.nulls)}" for null in unknown]
        directions = {t.direction for t in row.thresholds}
        expected = row.direction if not directions else "mixed" if len(directions) > 1 else directions.pop()
        expected = "exact" if row.kind == "identity" else expected
        if row.direction != expected:
            found.append(f"{name}.direction: its thresholds make it {expected!r}, not {row.direction!r}")
        if row.kind == "qualitative" and row.thresholds:
            found.append(f"{name}.thresholds: a qualitative row is described and has none")
        if row.kind == "identity" and any(t.direction != "below" for t in row.thresholds):
            found.append(f"{name}.thresholds: an identity bounds its error from above (direction: below)")
        seen = [(t.name, pattern) for t in row.thresholds for pattern in t.systems]
        found += [f"{name}.thresholds: {s!r} is there twice" for s in sorted({s for s in seen if seen.count(s) > 1})]
        return found

    def row(self, name: str) -> Row:
        """The row called ``name``; an error lists the rows there are."""
        if name not in self.rows:
            raise RegistryError(f"no row {name!r} in claims.yaml; rows are {', '.join(sorted(self.rows, key=row_key))}")
        return self.rows[name]


def row_key(name: str) -> tuple[int, int]:
    """Sort key of row ids: D, M, L, F, O, each by number."""
    if not re.fullmatch(r"[DMLFO][1-9][0-9]?", name):
        raise ValueError(f"{name!r} is no row id (D, M, L, F or O and a number)")
    return _FAMILIES.index(name[0]), int(name[1:])


class _NoDuplicates(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """PyYAML keeps the last of two equal keys in silence: a row written twice would lose one of its criteria."""


def _mapping(loader: _NoDuplicates, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = sorted({str(k) for k in keys if keys.count(k) > 1})
    if twice:
        raise RegistryError(f"line {node.start_mark.line + 1}: {', '.join(twice)} is there twice")
    return {key: loader.construct_object(value, deep=True) for key, (_, value) in zip(keys, node.value, strict=True)}


_NoDuplicates.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "claims.yaml"


def load(path: Path | str | None = None) -> Registry:
    """The registry at ``path`` (default: the repository's). Every fault is named by row and field."""
    path = Path(path) if path is not None else paths.CLAIMS
    return _parse(path, io.sha256_file(path))


@functools.lru_cache(maxsize=8)
def _parse(path: Path, content_hash: str) -> Registry:
    """Parsing takes a moment and each verdict asks for it; the hash keeps the cache true to the file."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_NoDuplicates)
        return Registry.model_validate(content)
    except yaml.YAMLError as error:
        raise RegistryError(f"{path.name} is not valid YAML: {error}") from error
    except pydantic.ValidationError as error:
        lines = [f"  {_where(e['loc'])}: {e['msg']}" for e in error.errors()]
        raise RegistryError("\n".join([f"{path.name}:", *lines])) from error


def sha256(path: Path | str | None = None) -> str:
    """The sha256 of the registry file, as every verdict carries it."""
    return io.sha256_file(path if path is not None else paths.CLAIMS)
