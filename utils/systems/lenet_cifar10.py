"""LeNet on CIFAR-10 (Ren Q. et al. 2024; F1 of its Bayesian form)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.lenet import LENET
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

# Rates and steps as on MNIST; the paper publishes none.
SYSTEM = System(
    data=CIFAR10,
    network=LENET,
    players=PatchDraw(cell=4, region="center"),
    training=Training(lr=0.1, batch=16, steps=4000, n_train=3500, first_checkpoint=10),
    floor=Floor(
        value=0.42,
        source="ours, fixed before any run: a linear classifier reaches about 0.40 on CIFAR-10",
    ),
    half_depth="conv2",  # by counting weight layers (Ren J. et al. 2025)
    read_at="fc1",  # at the relative depth of Cheng et al. 2024, who do not use it
    probes=ProbeConfig(lr=0.001),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=0.1, batch=16, steps=3000, n_train=1000, first_checkpoint=10),
)
