"""ResNet-18 on ImageNet, whose games others played: 20 pictures, 13 superpixels each (none of the
papers' figures; real pretrained networks, for D2, L2 and O2 to O4)."""

from __future__ import annotations

from ..datasets.shapiq_games import RESNET18_IMAGENET
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=RESNET18_IMAGENET,
    floor=Floor(
        value=0.6,
        source="ours: 0.698 is published (torchvision), chance is 0.001",
    ),
)
