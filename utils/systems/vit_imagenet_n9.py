"""ViT-B/32 on ImageNet, whose games others played: 20 pictures, 9 squares of patches each (none of
the papers' figures; real pretrained networks, for D2, L2 and O2 to O4)."""

from __future__ import annotations

from ..datasets.shapiq_games import VIT_IMAGENET_N9
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=VIT_IMAGENET_N9,
    floor=Floor(
        value=0.7,
        source="ours: 0.813 is published (Dosovitskiy et al. 2021, Table 5), chance is 0.001",
    ),
)
