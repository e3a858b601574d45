"""The one frozen model behind settings, specifications and systems."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Strict"]


class Strict(BaseModel):
    """No unknown field, no conversion ('10' is no 10, True is no 1), no change afterwards, no
    NaN."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True
    )
