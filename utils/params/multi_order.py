"""Parameters of 09_multi_order: F1, F2, F3."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from ..discovery import nearest
from .common import Study, distinct, many

__all__ = ["MultiOrder"]


class MultiOrder(Study):
    """09_multi_order: F1, F2, F3."""

    n_players: int = Field(
        10,
        ge=4,
        le=20,
        description="players n: input variables per image; work grows as 2^n, and fewer "
        "than 4 have no low, middle and high order",
    )
    attack_sizes: tuple[Annotated[float, Field(gt=0, le=1)], ...] = many(
        default=(0.02, 0.05, 0.1, 0.2),
        min_length=1,
        description="F2: largest changes of a pixel (in [0, 1]) by the attack, ascending, and "
        "the sizes of the random noise "
        "it is compared with; the first at which half of the images change class is judged",
    )
    attack_steps: int = Field(20, ge=1, description="F2: steps of projected gradient descent")
    bayesian: tuple[str, ...] = many(
        default=(),
        description="F1: those of systems that are trained once more as Bayesian networks; "
        "scoring one takes as long as 20 standard networks",
    )

    _no_system_twice = field_validator("bayesian")(distinct)

    @model_validator(mode="after")
    def _among(self) -> MultiOrder:
        for name in self.bayesian:
            if name not in self.systems:
                raise ValueError(
                    f"bayesian: {name!r} is not among systems{nearest(name, self.systems)}; they "
                    f"are: {', '.join(self.systems)}"
                )
        return self

    @field_validator("attack_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[float, ...]) -> tuple[float, ...]:
        if list(sizes) != sorted(set(sizes)):
            raise ValueError(f"attack_sizes must ascend, got {list(sizes)}")
        return sizes
