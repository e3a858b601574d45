"""Parameters of 09_multi_order: F2, F3."""

from __future__ import annotations

from pydantic import Field

from .common import Study

__all__ = ["MultiOrder"]


class MultiOrder(Study):
    """09_multi_order: F2, F3."""

    n_players: int = Field(10, ge=4, le=20, description="players n: input variables per image; work grows as 2^n, and fewer "
                                                        "than 4 have no low, middle and high order")
    attack_size: float = Field(0.1, gt=0, le=1, description="F2: largest change of a pixel (in [0, 1]) by the attack, and "
                                                            "the size of the random noise it is compared with")
    attack_steps: int = Field(20, ge=1, description="F2: steps of projected gradient descent")
