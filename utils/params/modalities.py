"""The parameters of the notebook that shows one sample of each kind of data."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from .common import Study, many

__all__ = ["Modalities"]


class Modalities(Study):
    """10_modalities: one sample of each kind of data, with its strongest interactions on it."""

    systems: tuple[str, ...] = many(
        default=(
            "lenet/mnist_part",
            "resnet20_given/cifar10",
            "mlp7_w256/adult",
            "text_cnn/sst2",
            "minilm/sst2_wordpiece",
            "pointnet_w8/modelnet10_voxels",
        ),
        min_length=1,
        description="systems of which one sample each is shown, network/data, or paths to files of "
        "your own; what is not on this machine is named with what it needs",
    )
    seeds: tuple[int, ...] = many(
        default=(0,), min_length=1, max_length=1, description="the network that is shown"
    )
    images: int = Field(2, ge=2, le=100, description="samples explained, one of which is shown")
    sample: int = Field(0, ge=0, description="which of them is shown: its position among them")
    checkpoints: int = Field(
        2, ge=2, description="training steps that are kept; the last one is shown"
    )
    second_draw: Literal[False] = Field(
        False, description="not used here: nothing is judged, so that no spread is told"
    )
    strongest: int = Field(
        3, ge=1, le=6, description="interactions drawn on the sample, the strongest first"
    )

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if self.sample >= self.images:
            raise ValueError(f"sample ({self.sample}) must be below images ({self.images})")
        return self
