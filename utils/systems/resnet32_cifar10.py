"""ResNet-32 on CIFAR-10 (Cheng et al. 2024, Fig. 4: pairs with other networks)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.resnet import RESNET32
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=CIFAR10,
    network=RESNET32,
    players=PatchDraw(cell=4, region="center"),
    training=Training(lr=0.05, batch=128, steps=10000, n_train=10000),
    floor=Floor(
        value=0.60,
        source="ours, fixed before any run: plain SGD on 10,000 images without augmentation "
        "over-fits, as the claim supposes; a linear classifier reaches about 0.40",
    ),
    # "The (roughly) half depth" (Ren J. et al. 2025), by counting weight layers: 17 of 32.
    half_depth="block8",
    read_at="block10",  # Cheng et al. 2024, App. M.3
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=0.05, batch=128, steps=10000, n_train=5000),
)
