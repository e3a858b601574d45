"""Parameters of 08_what_the_split_identifies: O1 to O5."""

from __future__ import annotations

from pydantic import Field, model_validator

from ..sparsify.published import Loop
from .common import Salience, Study

__all__ = ["LOOPS", "Identified"]


# From the lab's public code: the scripts for images and for tables, and the number that its README
# recommends.
LOOPS: dict[str, Loop] = {
    "image code": Loop(learning_rate=1e-5),
    "README text": Loop(learning_rate=1e-6),
    "tabular code": Loop(learning_rate=1e-4),
}


class Identified(Study):
    """08_what_the_split_identifies: O1 to O5, ours."""

    salience: Salience = Field(
        "mean_output",
        description="O4, O5: when an interaction counts as salient; the other rules are reported",
    )
    loops: dict[str, Loop] = Field(
        LOOPS,
        min_length=1,
        description="published settings of the papers' optimiser, by name; "
        "those with this notebook's kappa are judged",
    )
    loop_images: int = Field(
        3,
        ge=1,
        description="O2, O5: images per network that the published optimiser splits; it costs "
        "about 0.3 s per game and setting at n = 10",
    )
    loop_checkpoints: int = Field(
        4, ge=4, description="O2, O5: checkpoints that it splits, the first and the last included"
    )

    @model_validator(mode="after")
    def _parts_of_the_study(self) -> Identified:
        for part, whole in (("loop_images", "images"), ("loop_checkpoints", "checkpoints")):
            if getattr(self, part) > getattr(self, whole):
                raise ValueError(
                    f"{part} ({getattr(self, part)}) cannot exceed {whole} ({getattr(self, whole)})"
                )
        if all(loop.kappa != self.kappa for loop in self.loops.values()):
            raise ValueError(
                f"one of loops must have this notebook's kappa ({self.kappa}), to be compared "
                "with its optimum"
            )
        if len(self.order_weights) < 2 or self.order_weights[0] * self.order_weights[1] >= 0:
            raise ValueError(
                "order_weights must start with the two ends of the face, one weight above and "
                "one below 0"
            )
        return self
