"""Parameters of 09_multi_order: F1, F2, F3."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from .common import Network, Study, distinct, many

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
    bayesian: tuple[Network, ...] = many(
        default=(),
        description="F1: networks that are trained once more as Bayesian ones; "
        "scoring one takes as long as 20 standard networks",
    )

    _no_network_twice = field_validator("bayesian")(distinct)

    @field_validator("attack_sizes")
    @classmethod
    def _ascending(cls, sizes: tuple[float, ...]) -> tuple[float, ...]:
        if list(sizes) != sorted(set(sizes)):
            raise ValueError(f"attack_sizes must ascend, got {list(sizes)}")
        return sizes
