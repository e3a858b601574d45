"""AlexNet of width 16, a quarter of the paper's, on CIFAR-10: small enough for two cores (Ren Q. et
al. 2024 use AlexNet, on other sets)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.alexnet import ALEXNET
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

# Chosen from loss curves alone, in a trial of one seed: the test loss falls to 1.76 at step 500 and
# rises to 2.7; test accuracy 0.43 on a thousand images.
SYSTEM = System(
    data=CIFAR10,
    network=ALEXNET,
    width=16,
    players=PatchDraw(cell=4, region="center"),
    training=Training(lr=0.05, batch=32, steps=1500, n_train=3000),
    floor=Floor(
        value=0.38,
        source="ours, fixed before any interaction: a linear classifier on all of CIFAR-10 reaches "
        "about 0.40, with as few images as here about 0.30",
    ),
    half_depth="conv4",  # by counting weight layers (Ren J. et al. 2025)
    read_at="conv5",  # at the relative depth of Cheng et al. 2024, who do not use it
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=0.05, batch=32, steps=1500, n_train=1000),
)
