"""ResNet-32 on CIFAR-10 as others trained it, to 92.63 % of the test images as they state (Cheng et
al. 2024, Fig. 4 and App. M: a network of the paper's pairs)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.resnet_given import RESNET32_GIVEN
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Weights
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=CIFAR10,
    network=RESNET32_GIVEN,
    players=PatchDraw(cell=4, region="center"),
    training=Weights(
        path="weights/cifar10_resnet32.safetensors",
        sha256="897ca9a2e3e0f83d51ba9f0b65434c9242c2d4c896ded18d40f5bab4254875da",
        source="akamaster/pytorch_resnet_cifar10 (Yerlan Idelbayev, BSD-2), augmented CIFAR-10",
    ),
    floor=Floor(
        value=0.91,
        source="ours, fixed before any run: its authors state 92.63 % (He et al. 2016: 92.49 %)",
    ),
    read_at="layer2.4",  # Cheng et al. 2024, App. M.3: after the 10th of 15 blocks
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
)
