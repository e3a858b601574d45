"""Strict models of ``claims.yaml``: every claim of the papers, the number that decides it, and the
protocol.

Thresholds live in that file only. A notebook names the inequality it has values for; bound,
direction and unit come from here, so that no notebook can judge by a number of its own.
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
from ..datasets import Kind as Data

__all__ = [
    "Change",
    "Effect",
    "Kind",
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

Kind = Literal["identity", "numerical", "empirical", "described", "demonstration"]
"""What a row is. Only empirical rows have readings, intervals and tallies; described rows are shown
by their numbers, a demonstration shows that a method finds what was planted."""
ReadingName = Literal["as_stated", "specific"]
Text = Annotated[str, Field(min_length=1)]
_ROW = r"^[DMLFO][0-9]{1,2}[ab]?$"
RowId = Annotated[str, Field(pattern=_ROW)]
System = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]*(_[a-z0-9.+-]+)*(/[a-z0-9.+-]+(_[a-z0-9.+-]+)*)+$")
]
_FAMILIES = "DMLFO"


class RegistryError(ValueError):
    """``claims.yaml`` does not say what it must; the message names the row and the field."""


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Protocol(_Strict):
    """What holds for every row: level, networks, units, correction, and the variants that a verdict
    must survive."""

    level: Annotated[float, Field(gt=0, lt=1)]
    min_seeds: Annotated[int, Field(ge=2)]
    min_units_given: Annotated[int, Field(ge=2)]
    correction: Literal["benjamini-hochberg"]
    uncertified_limit: Annotated[float, Field(ge=0, lt=1)]
    order_weights: Annotated[list[float], Field(min_length=2)]
    order_variant: Text
    certified_variant: Text
    note: Text

    @property
    def alpha(self) -> float:
        """Level of each one-sided test: half of what the two-sided interval leaves out."""
        return (1 - self.level) / 2


class Paper(_Strict):
    """One paper: a family of tests for the correction."""

    citation: Text
    url: Text


class Effect(_Strict):
    """The smallest effect worth a claim: half of what the paper shows, or a share of the spread
    across images (ours).

    paper: the effect E read off the paper's figure or table, in the threshold's unit (None: none
    can be read off). smallest: e, half of E, or ours with its reason. sd: e is that many standard
    deviations across images at the last checkpoint, which come with the values. Exactly one of
    smallest and sd.
    """

    paper: float | None = None
    smallest: Annotated[float, Field(gt=0)] | None = None
    sd: Annotated[float, Field(gt=0)] | None = None
    source: Text

    @pydantic.model_validator(mode="after")
    def _one(self) -> Effect:
        if (self.smallest is None) == (self.sd is None):
            raise ValueError(
                "an effect says either its smallest size or sd, a share of the spread across images"
            )
        if (
            self.paper is not None
            and self.smallest is not None
            and abs(self.smallest - abs(self.paper) / 2) > 1e-9
        ):
            raise ValueError(
                f"the smallest effect is half of the paper's ({abs(self.paper) / 2:g}), not "
                f"{self.smallest:g}"
            )
        return self


class Threshold(_Strict):
    """One inequality of one reading, in one of four forms.

    ``effect``: a difference or slope beyond ``bound`` (its zero) in ``direction``; an ``effect`` of
    the size given is worth a claim. ``size``: a share, distance or count that must lie inside
    (``low``, ``high``). ``test``: a test with its own null, whose p value must not exceed
    ``bound``. ``exact``: an identity's or a grid's number against ``bound``. ``systems`` are
    patterns of the systems it applies to.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    reading: ReadingName = "as_stated"
    form: Literal["exact", "effect", "size", "test"] = "exact"
    statistic: Text
    unit: Text
    direction: Literal["above", "below"] | None = None
    bound: float | None = None
    low: float | None = None
    high: float | None = None
    inclusive: bool = False
    effect: Effect | None = None
    systems: list[Text] = ["*"]

    @pydantic.model_validator(mode="after")
    def _formed(self) -> Threshold:
        sided, interval = (self.direction, self.bound), (self.low, self.high)
        if self.form == "size":
            if any(x is not None for x in sided) or all(x is None for x in interval):
                raise ValueError(
                    f"{self.name}: a size has low:, high: or both, and neither direction: nor "
                    "bound:"
                )
            if None not in interval and not self.low < self.high:
                raise ValueError(f"{self.name}: low must be below high")
        elif any(x is None for x in sided) or any(x is not None for x in interval):
            raise ValueError(
                f"{self.name}: form {self.form} has direction: and bound:, and neither low: nor "
                "high:"
            )
        if (self.form == "effect") != (self.effect is not None):
            raise ValueError(
                f"{self.name}: form effect, and no other, says its smallest effect (effect:)"
            )
        return self

    def applies_to(self, system: str) -> bool:
        """True where one of the patterns matches ``system``."""
        return any(fnmatch.fnmatchcase(system, pattern) for pattern in self.systems)

    def text(self, smallest: float | None = None) -> str:
        """The inequality in signs, e.g. ``< 0.1``, ``inside (10.9, 43.6)``,
        ``> 0 (smallest effect 0.25)``."""
        equal = "=" if self.inclusive else ""
        if self.form == "size":
            if self.low is not None and self.high is not None:
                ends = "[]" if self.inclusive else "()"
                return f"inside {ends[0]}{self.low:.10g}, {self.high:.10g}{ends[1]}"
            return f"<{equal} {self.high:.10g}" if self.low is None else f">{equal} {self.low:.10g}"
        sign = (">" if self.direction == "above" else "<") + equal
        return f"{sign} {self.bound:.10g}" + (
            f" (smallest effect {smallest:.4g})" if smallest is not None else ""
        )


class Row(_Strict):
    """One claim of one paper. ``status`` is what is shown where no verdict exists: ``not run`` or
    ``needs ...``.

    applies: kinds of data that it speaks of; needs: what a system must say to take part. Elsewhere
    it is not judged, and never INCONCLUSIVE for want of an entry. needs_accuracy: nothing is
    concluded below the floor that a system names. joins: rows whose verdicts this line lists; it
    has none of its own. seen: its criterion was chosen after results had been seen, and is marked
    so until the `reference` run has judged it on new networks and images.
    """

    title: Text
    paper: Text
    figure: Text
    claim: Text
    kind: Kind
    statistic: Text
    thresholds: list[Threshold]
    nulls: list[Text]
    controls: list[Text]
    notebook: Annotated[str, Field(pattern=r"^[0-9]{2}_[a-z0-9_]+$")] | None
    paper_systems: Text
    needs_accuracy: bool
    uses_split: bool
    order_based: bool
    status: Annotated[str, Field(pattern=r"^(not run|needs .+|see .+)$")]
    expected_risk: Text
    applies: list[Data] = ["image", "table", "text", "points"]
    needs: list[Literal["half_depth", "read_at", "probes", "memorising"]] = []
    joins: list[RowId] = []
    seen: bool = False

    def thresholds_for(self, system: str) -> dict[str, Threshold]:
        """The inequalities that decide the row for ``system``, by name."""
        return {t.name: t for t in self.thresholds if t.applies_to(system)}

    def readings(self, system: str) -> list[ReadingName]:
        """The readings that are decided for ``system``, *as stated* first."""
        named = {t.reading for t in self.thresholds_for(system).values()}
        return [name for name in ("as_stated", "specific") if name in named]


class Change(_Strict):
    """A criterion changed after a result was committed: why, and what the verdicts were before.

    now: the rows that took its place, where it was taken apart; the row itself need not exist any
    more.
    """

    row: RowId
    date: Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
    claims_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    what: Text
    reason: Text
    before: dict[
        System,
        Literal[
            "REPRODUCED",
            "REPRODUCED, NOT SPECIFIC",
            "REPRODUCED, SPECIFICITY OPEN",
            "NOT REPRODUCED",
            "INCONCLUSIVE",
            "EXACT",
            "BROKEN",
        ],
    ]
    now: list[RowId] = []


class Registry(_Strict):
    """The whole file."""

    protocol: Protocol
    nulls: dict[str, Text]
    papers: dict[str, Paper]
    changed: list[Change]
    rows: dict[RowId, Row]

    @pydantic.model_validator(mode="after")
    def _consistent(self) -> Registry:
        problems = [p for name, row in self.rows.items() for p in self._row_problems(name, row)]
        problems += [
            f"changed: row {row} does not exist"
            for c in self.changed
            for row in (c.now or [c.row])
            if row not in self.rows
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _row_problems(self, name: str, row: Row) -> list[str]:
        found = []
        if row.paper not in self.papers:
            found.append(f"{name}.paper: {row.paper!r} is none of {sorted(self.papers)}")
        unknown = [null for null in row.nulls if null not in self.nulls]
        found += [f"{name}.nulls: {null!r} is none of {sorted(self.nulls)}" for null in unknown]
        if row.kind in ("described", "demonstration") and row.thresholds:
            found.append(f"{name}.thresholds: a row of kind {row.kind} has none")
        for t in row.thresholds:
            if (t.form == "exact") != (row.kind in ("identity", "numerical")):
                found.append(
                    f"{name}.thresholds.{t.name}: form {t.form} does not belong to a row of kind "
                    f"{row.kind}"
                )
        if row.kind == "empirical" and not any(t.reading == "as_stated" for t in row.thresholds):
            found.append(f"{name}.thresholds: an empirical row has a reading as stated")
        found += [
            f"{name}.joins: {other!r} is no row" for other in row.joins if other not in self.rows
        ]
        if row.kind == "identity" and any(t.direction != "below" for t in row.thresholds):
            found.append(
                f"{name}.thresholds: an identity bounds its error from above (direction: below)"
            )
        seen = [(t.name, pattern) for t in row.thresholds for pattern in t.systems]
        found += [
            f"{name}.thresholds: {s!r} is there twice"
            for s in sorted({s for s in seen if seen.count(s) > 1})
        ]
        return found

    def row(self, name: str) -> Row:
        """The row called ``name``; an error lists the rows there are."""
        if name not in self.rows:
            raise RegistryError(
                f"no row {name!r} in claims.yaml; rows are "
                f"{', '.join(sorted(self.rows, key=row_key))}"
            )
        return self.rows[name]


def row_key(name: str) -> tuple[int, int, str]:
    """Sort key of row ids: D, M, L, F, O, each by number, then by letter."""
    if not re.fullmatch(_ROW, name):
        raise ValueError(f"{name!r} is no row id (D, M, L, F or O, a number, perhaps a or b)")
    return _FAMILIES.index(name[0]), int(name[1:].rstrip("ab")), name.lstrip("DMLFO0123456789")


class _NoDuplicates(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """PyYAML keeps the last of two equal keys in silence: a row written twice would lose one of its
    criteria."""


def _mapping(loader: _NoDuplicates, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    twice = sorted({str(k) for k in keys if keys.count(k) > 1})
    if twice:
        raise RegistryError(f"line {node.start_mark.line + 1}: {', '.join(twice)} is there twice")
    return {
        key: loader.construct_object(value, deep=True)
        for key, (_, value) in zip(keys, node.value, strict=True)
    }


_NoDuplicates.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _where(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "claims.yaml"


def load(path: Path | str | None = None) -> Registry:
    """The registry at ``path`` (default: the repository's). Every fault is named by row and
    field."""
    path = Path(path) if path is not None else paths.CLAIMS
    return _parse(path, io.sha256_file(path))


@functools.lru_cache(maxsize=8)
def _parse(path: Path, content_hash: str) -> Registry:
    """Parsing takes a moment and each verdict asks for it; the hash keeps the cache true to the
    file."""
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
