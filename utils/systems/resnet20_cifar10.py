"""ResNet-20 on CIFAR-10 (Cheng et al. 2024, App. M.2; Ren J. et al. 2025)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.resnet import RESNET20
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

_LR, _BATCH = 0.05, 128

SYSTEM = System(
    data=CIFAR10,
    network=RESNET20,
    players=PatchDraw(cell=4, region="center"),
    training=Training(lr=_LR, batch=_BATCH, steps=10000, n_train=10000),
    floor=Floor(
        value=0.60,
        source="ours, fixed before any run: plain SGD on 10,000 images without augmentation "
        "over-fits, as the claim supposes; a linear classifier reaches about 0.40",
    ),
    # "The (roughly) half depth" (Ren J. et al. 2025), by counting weight layers: 11 of 20.
    half_depth="block5",
    read_at="block6",  # Cheng et al. 2024, App. M.3
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=_LR, batch=_BATCH, steps=10000, n_train=5000),
)
