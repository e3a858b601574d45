"""VGG-11 on CIFAR-10 (Cheng et al. 2024, App. M.2; Ren J. et al. 2025)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.vgg import VGG_11
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

_LR, _BATCH = 0.01, 128

SYSTEM = System(
    data=CIFAR10,
    network=VGG_11,
    players=PatchDraw(cell=4, region="center"),
    training=Training(lr=_LR, batch=_BATCH, steps=10000, n_train=10000),
    floor=Floor(
        value=0.60,
        source="ours, fixed before any run: plain SGD on 10,000 images without augmentation "
        "over-fits, as the claim supposes; a linear classifier reaches about 0.40",
    ),
    # "The (roughly) half depth" (Ren J. et al. 2025), by counting weight layers: 5 of 11.
    half_depth="conv4_1",
    read_at="conv4_2",  # Cheng et al. 2024, App. M.3
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=_LR, batch=_BATCH, steps=10000, n_train=5000),
)
