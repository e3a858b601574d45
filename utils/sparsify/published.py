"""Published settings of the papers' optimiser, as parameters and parts of a job's key."""

from __future__ import annotations

from pydantic import Field

from ..strict import Strict

__all__ = ["Loop"]


class Loop(Strict):
    """One published setting of the papers' gradient descent on γ and δ; its momentum is 0.9, its
    last rate a tenth."""

    learning_rate: float = Field(
        gt=0, description="learning rate of the first iteration, in units of the raw score"
    )
    iterations: int = Field(10_000, ge=1, description="iterations; there is no stopping test")
    kappa: float = Field(
        0.04, ge=0, lt=1, description="bound of |δ_T| as a fraction of |v(N) - v(∅)|"
    )
