"""Parameters of 05_layerwise_change: L3, L4, L8a, L8b, L11, L13, L15-L18."""

from __future__ import annotations

from pydantic import Field

from .common import Salience, Study, many

__all__ = ["Layerwise"]


class Layerwise(Study):
    """05_layerwise_change: L3, L4, L8a, L8b, L11, L13, L15-L18."""

    systems: tuple[str, ...] = many(
        default=("mlp7_w256/mnist_part", "lenet/mnist_part", "mlp7_w256/breast_cancer"),
        min_length=1,
        description="as elsewhere; the table is for L11",
    )
    second_draw: bool = Field(
        False,
        description="repeat all with a second draw of players (shown, never a gate); off by "
        "default, for the nulls of the specific readings need the time",
    )
    probe_steps: int = Field(
        1000,
        ge=4,
        description="SGD steps of a probe, batch 256, momentum 0.9; not published, chosen "
        "such that the probes' training losses converge",
    )
    probe_tol: float = Field(
        0.01,
        gt=0,
        description="a probe has converged when the last quarter of its steps changed its "
        "training loss by less than this fraction of its fall below "
        "chance",
    )
    salience: Salience = Field(
        "max_per_sample",
        description="when an interaction counts as salient: .05 of the largest of "
        "its sample and layer (Cheng et al. 2024, footnote 7)",
    )
