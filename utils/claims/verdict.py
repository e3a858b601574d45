"""The data of a judgement: what a notebook hands in (parts, premises) and what is kept (the verdict)."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import pydantic
import torch
from numpy.typing import ArrayLike
from pydantic import Field

from .. import io
from .registry import Kind, RowId, System

__all__ = ["DESCRIBED", "JUDGED", "Outcome", "Part", "PartResult", "Premise", "VariantResult", "Verdict", "plain"]

Outcome = Literal["REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE"]
JUDGED = "judged"
DESCRIBED = "described"  # a qualitative row: shown with its figure, by no threshold
_DIGITS = 12  # sums in another order differ in the last digits; a verdict must be the same bytes on every rerun


@dataclass(frozen=True)
class Part:
    """Values for one inequality of a row: ``name`` as in claims.yaml, whence bound, direction and unit come.

    values ``(seeds,)``: one number per trained network, NaN where a seed has none (dropped and counted). For a
    threshold ``by: p`` give ``pvalue`` (one-sided towards the claim, from a test with its own null) and the observed
    ``estimate`` instead.
    """

    name: str
    values: ArrayLike | None = None
    pvalue: float | None = None
    estimate: float | None = None


@dataclass(frozen=True)
class Premise:
    """Something a claim presupposes. ``reason`` says, for the reader, what is missing and which number is needed."""

    name: str
    ok: bool
    reason: str


class _Data(pydantic.BaseModel):
    """Plain data: floats rounded to 12 digits, NaN and infinities are None."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    @pydantic.model_validator(mode="before")
    @classmethod
    def _rounded(cls, data: Any) -> Any:
        return plain(data)


class PartResult(_Data):
    """One inequality, weighed: its interval clears the bound, fails (lies wholly on the other side) or is open."""

    name: str
    statistic: str
    unit: str
    threshold: str
    direction: Literal["above", "below"]
    bound: float
    estimate: float | None
    interval: tuple[float | None, float | None] | None
    n: int
    dropped: int
    method: str
    p_value: float | None
    decision: Literal["clears", "fails", "open"]


class VariantResult(_Data):
    """The same row under another analysis, decided by its intervals; ``spread``: change of each part's estimate."""

    decision: Outcome
    parts: list[PartResult]
    spread: dict[str, float | None]


class Verdict(_Data):
    """One row judged on one system; science only (no clock, host or commit), as written to ``verdict.json``.

    estimate, interval, n, unit, threshold and statistic are those of the part that decides (a failed one, else an open
    one, else the one with the largest p); all stand in ``parts``. ``interval`` ends may be None (unbounded).
    """

    row: RowId
    system: System | None
    kind: Kind
    status: str
    paper: str
    figure: str
    verdict: Outcome | Literal["EXACT", "BROKEN"] | None
    statistic: str
    estimate: float | None = None
    interval: tuple[float | None, float | None] | None = None
    level: float
    method: str
    n: int
    unit: str | None = None
    threshold: str | None = None
    control: dict[str, Any]
    reason: str
    scope: str
    claims_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    p_value: Annotated[float, Field(ge=0, le=1)] | None = None
    p_holm: Annotated[float, Field(ge=0, le=1)] | None = None
    parts: list[PartResult] = []
    variants: dict[str, VariantResult] = {}

    @pydantic.model_validator(mode="after")
    def _judged_or_not(self) -> Verdict:
        if (self.status == JUDGED) != (self.verdict is not None):
            raise ValueError("a verdict stands exactly where the status is 'judged'")
        if (self.status == DESCRIBED) != (self.kind == "qualitative" and self.system is not None):
            raise ValueError("the status is 'described' exactly where a qualitative row has a system")
        if self.verdict is not None and (self.verdict in ("EXACT", "BROKEN")) != (self.kind == "identity"):
            raise ValueError(f"a row of kind {self.kind} cannot be {self.verdict}")
        return self

    def to_json(self) -> str:
        """Canonical JSON text: the same verdict is the same bytes."""
        return io.canonical_json(self.model_dump(mode="json"))


def plain(value: Any) -> Any:
    """``value`` as JSON data: dataclasses and models as dicts, arrays as lists, floats to 12 significant digits."""
    if value is None or type(value) in (str, int, bool):
        return value
    if type(value) is float:
        return float(f"{value:.{_DIGITS}g}") + 0.0 if math.isfinite(value) else None  # + 0.0: no negative zero
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
    raise TypeError(f"a verdict keeps plain data (numbers, text, lists, dicts, arrays), not {type(value).__name__}")
