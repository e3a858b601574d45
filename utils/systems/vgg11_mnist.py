"""VGG-11 on MNIST (Cheng et al. 2024, App. M.2; Ren J. et al. 2025)."""

from __future__ import annotations

from ..datasets.mnist import MNIST
from ..models.vgg import VGG_11
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

_LR, _BATCH = 0.01, 128

SYSTEM = System(
    data=MNIST,
    network=VGG_11,
    players=PatchDraw(),
    training=Training(lr=_LR, batch=_BATCH, steps=10000, n_train=10000),
    floor=Floor(
        value=0.98,
        source="ours, fixed before any run: what published LeNets, far smaller than a VGG-11, "
        "exceed on MNIST",
    ),
    # "The (roughly) half depth" (Ren J. et al. 2025), by counting weight layers: 5 of 11.
    half_depth="conv4_1",
    read_at="conv4_2",  # Cheng et al. 2024, App. M.3
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=_LR, batch=_BATCH, steps=10000, n_train=5000),
)
