"""The data of a judgement: what a notebook hands in (parts, premises) and what is kept (the
verdict)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
import pydantic
import torch
from numpy.typing import ArrayLike
from pydantic import Field

from .. import io, stats
from .registry import Kind, ReadingName, RowId, System

__all__ = [
    "CAUSES",
    "JUDGED",
    "Evidence",
    "Headline",
    "Outcome",
    "Part",
    "PartResult",
    "Premise",
    "Reading",
    "VariantResult",
    "Verdict",
    "headline",
    "plain",
]

Outcome = Literal["REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE"]
Headline = Literal[
    "REPRODUCED",
    "REPRODUCED, NOT SPECIFIC",
    "REPRODUCED, SPECIFICITY OPEN",
    "NOT REPRODUCED",
    "INCONCLUSIVE",
]
Evidence = Literal["identity", "toy", "reduced", "paper"]
"""What a verdict rests on; utils.claims.levels derives it."""
CAUSES = Literal["power", "not identified", "premise", "no size suffices"]
"""Why a reading is open: too few networks or images for this spread; analyses that should agree do
not; something that the claim presupposes is missing; or no number of networks and images that was
simulated would decide it."""
SCHEMA = 2
JUDGED = "judged"
# sums in another order differ in the last digits; a verdict must be the same bytes on every rerun
_DIGITS = 12


def headline(as_stated: Outcome, specific: Outcome | None) -> Headline:
    """The two readings in one line (protocol 6.1): what the paper's statistic says, and whether its
    null says it too."""
    if as_stated != "REPRODUCED" or specific in (None, "REPRODUCED"):
        return as_stated
    return (
        "REPRODUCED, NOT SPECIFIC"
        if specific == "NOT REPRODUCED"
        else "REPRODUCED, SPECIFICITY OPEN"
    )


@dataclass(frozen=True)
class Part:
    """Values for one inequality of a row: ``name`` as in claims.yaml, whence reading, form, bound
    and unit come.

    values (S,): one number per trained network, NaN where one has none (dropped and counted).
    without (S, X): the same number of each network with unit x (image, pair, class) left out,
    selections held fixed; or unit_variance and n_units, the variance over units of the average had
    by a bootstrap (medians); or neither, where the networks are the only sample. scale: standard
    deviation across images, for a smallest effect given in those. For a threshold of form ``test``
    give ``pvalue`` (one-sided towards the claim, from a test with its own null) and the observed
    ``estimate``.
    """

    name: str
    values: ArrayLike | None = None
    without: ArrayLike | None = None
    unit_variance: float | None = None
    n_units: int | None = None
    scale: float | None = None
    pvalue: float | None = None
    estimate: float | None = None

    @classmethod
    def of(cls, name: str, units: ArrayLike, scale: float | None = None) -> Part:
        """The part whose value is the mean over units of ``units`` (S, X); NaN units are left
        out."""
        return cls(name, stats.unit_means(units), stats.leave_one_out(units), scale=scale)

    @classmethod
    def jackknifed(
        cls,
        name: str,
        statistic: Callable[[np.ndarray], ArrayLike],
        units: int,
        scale: float | None = None,
    ) -> Part:
        """The part of a statistic that is no mean: ``statistic(keep)``, ``keep`` (X,) bool, gives
        one value per network."""
        every = np.ones(units, dtype=bool)
        left = [statistic(every & (np.arange(units) != x)) for x in range(units)]
        return cls(
            name,
            np.asarray(statistic(every), dtype=np.float64),
            np.stack(left, axis=1),
            scale=scale,
        )


@dataclass(frozen=True)
class Premise:
    """Something a claim presupposes. ``reason`` says, for the reader, what is missing and which
    number is needed.

    reading: the reading that it is a premise of; None: of both.
    """

    name: str
    ok: bool
    reason: str
    reading: ReadingName | None = None


class _Data(pydantic.BaseModel):
    """Plain data: floats rounded to 12 digits, NaN and infinities are None."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _rounded(cls, data: Any) -> Any:
        return plain(data)


class PartResult(_Data):
    """One inequality, weighed.

    values: one number per network, in the order of the seeds (None: it has none). variance: of the
    estimate, by networks and by units. p_claim: one-sided p of 'the claim does not hold'; p_not: of
    'an effect of at least the smallest size is there' (an effect) or 'it lies inside' (a size).
    decision: what these say before any correction. smallest: the smallest effect in this unit.
    """

    name: str
    reading: ReadingName = "as_stated"
    form: Literal["exact", "effect", "size", "test"] = "exact"
    statistic: str
    unit: str
    threshold: str
    direction: Literal["above", "below"] | None = None
    bound: float | None = None
    low: float | None = None
    high: float | None = None
    smallest: float | None = None
    estimate: float | None
    interval: tuple[float | None, float | None] | None
    n: int
    n_units: int = 0
    dropped: int
    df: float | None = None
    variance: dict[Literal["networks", "units"], float | None] = {}
    values: list[float | None] = []
    method: str
    p_claim: float | None = None
    p_not: float | None = None
    p_value: float | None = None  # of the first schema: two-sided, 1 on the wrong side
    decision: Literal["clears", "fails", "open"]


class VariantResult(_Data):
    """A reading under another analysis, decided by its own p values; ``spread``: change of each
    part's estimate."""

    decision: Outcome
    parts: list[PartResult]
    spread: dict[str, float | None]


class Reading(_Data):
    """One reading of a row on one system.

    outcome after the correction over ``family`` systems (Benjamini and Hochberg); holm: what Holm's
    correction would say. cause and to_settle: of an open reading, why, and what would decide it.
    simulated: how often this criterion says REPRODUCED where the paper's effect is there, from
    docs/criteria.json, by size of study.
    """

    outcome: Outcome
    cause: CAUSES | None = None
    reason: str
    to_settle: str | None = None
    parts: list[PartResult]
    p_claim: float | None = None
    p_not: float | None = None
    p_claim_corrected: float | None = None
    p_not_corrected: float | None = None
    family: int = 1
    holm: Outcome | None = None
    variants: dict[str, VariantResult] = {}
    reported: dict[str, VariantResult] = {}
    simulated: dict[str, float | None] = {}


class Verdict(_Data):
    """One row judged on one system; science only (no clock, host or commit), as written to
    ``verdict.json``.

    verdict: the headline of the two readings. estimate, interval, n, unit, threshold and statistic
    are those of the part that decides the reading as stated (a failed one, else an open one, else
    the one with the largest p); all stand in the readings. ``interval`` ends may be None
    (unbounded). system_sha256: of the file that says what the system is, its floor too, where
    networks were trained or given. It and evidence are None in a file from before they were
    recorded. A file of schema 1 is read, and never written.
    """

    schema_version: Literal[1, 2] = SCHEMA
    row: RowId
    system: System | None
    kind: Kind
    status: str
    paper: str
    figure: str
    verdict: Headline | Literal["EXACT", "BROKEN"] | None
    as_stated: Outcome | None = None
    specific: Outcome | None = None
    evidence: Evidence | None = None
    statistic: str
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    level: float
    method: str
    n: int
    n_units: int = 0
    unit: str | None = None
    threshold: str | None = None
    control: dict[str, Any]
    reason: str
    scope: str
    claims_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    system_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    parts: list[PartResult] = []
    readings: dict[ReadingName, Reading] = {}
    _units: Any = pydantic.PrivateAttr(default=None)

    @pydantic.model_validator(mode="after")
    def _judged_or_not(self) -> Verdict:
        if (self.status == JUDGED) != (self.verdict is not None):
            raise ValueError("a verdict stands exactly where the status is 'judged'")
        if self.verdict is not None and (self.verdict in ("EXACT", "BROKEN")) != (
            self.kind == "identity"
        ):
            raise ValueError(f"a row of kind {self.kind} cannot be {self.verdict}")
        if self.kind in ("described", "demonstration") and self.verdict is not None:
            raise ValueError(f"a row of kind {self.kind} has no verdict")
        if (
            self.as_stated is not None
            and self.kind == "empirical"
            and self.verdict != headline(self.as_stated, self.specific)
        ):
            raise ValueError(f"{self.as_stated} and {self.specific} do not make {self.verdict}")
        return self

    def __eq__(self, other: object) -> bool:
        """Equal where the files would be: the units behind a verdict are no part of it."""
        return isinstance(other, Verdict) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    @property
    def units(self) -> pd.DataFrame | None:
        """Every network's value per unit (reading, part, seed, unit, value), for the twin; None
        once read from a file."""
        return self._units

    def every_part(self) -> list[PartResult]:
        """The inequalities of an identity or a grid, or of both readings."""
        return [*self.parts, *(p for r in self.readings.values() for p in r.parts)]

    def to_json(self) -> str:
        """Canonical JSON text: the same verdict is the same bytes."""
        return io.canonical_json(self.model_dump(mode="json"))

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict in a file's ``data``, of this schema or the first one (one reading, one p
        value, Holm's)."""
        return cls.model_validate(data if "schema_version" in data else _from_first(data))


def _from_first(data: Mapping[str, Any]) -> dict[str, Any]:
    """A file of schema 1: its one reading is *as stated*, though some of its parts compared with
    nulls."""
    old = dict(data)
    parts, p, holm, variants = (
        old.pop(name, None) for name in ("parts", "p_value", "p_holm", "variants")
    )
    found: dict[str, Any] = {**old, "schema_version": 1}
    if old["kind"] == "qualitative":
        found["kind"] = "described"
    if old["kind"] == "empirical" and old["verdict"] is not None:
        found["as_stated"] = old["verdict"]
        found["readings"] = {
            "as_stated": {
                "outcome": old["verdict"],
                "reason": old["reason"],
                "parts": parts or [],
                "p_claim": p,
                "p_claim_corrected": holm,
                "variants": variants or {},
            }
        }
    else:
        found["parts"] = parts or []
    return found


def plain(value: Any) -> Any:
    """``value`` as JSON data: dataclasses and models as dicts, arrays as lists, floats to 12
    significant digits."""
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) is float:
        return (
            float(f"{value:.{_DIGITS}g}") + 0.0 if math.isfinite(value) else None
        )  # + 0.0: no negative zero
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.generic | np.ndarray | torch.Tensor):
        return plain(value.tolist())
    if isinstance(value, pydantic.BaseModel):
        return plain(value.model_dump(mode="json"))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return plain(dataclasses.asdict(value))
    raise TypeError(
        "a verdict keeps plain data (numbers, text, lists, dicts, arrays), not "
        f"{type(value).__name__}"
    )
