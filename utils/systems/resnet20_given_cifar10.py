"""ResNet-20 on CIFAR-10 as others trained it, to 91.73 % of the test images as they state (Cheng et
al. 2024, Fig. 4 and App. M: a network of the paper's pairs)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.resnet_given import RESNET20_GIVEN
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Weights
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=CIFAR10,
    network=RESNET20_GIVEN,
    players=PatchDraw(cell=4, region="center"),
    training=Weights(
        path="weights/cifar10_resnet20.safetensors",
        sha256="02926273efb1deadb6dc654c7087baea932ef2026d9f854680d6858146d85838",
        source="akamaster/pytorch_resnet_cifar10 (Yerlan Idelbayev, BSD-2), augmented CIFAR-10",
    ),
    floor=Floor(
        value=0.90,
        source="ours, fixed before any run: its authors state 91.73 % (He et al. 2016: 91.25 %)",
    ),
    read_at="layer2.2",  # Cheng et al. 2024, App. M.3: after the 6th of 9 blocks
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
)
