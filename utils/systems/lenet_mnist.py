"""LeNet on MNIST, as in Ren Q. et al. 2024, Fig. 2."""

from __future__ import annotations

from ..datasets.mnist import MNIST
from ..models.lenet import LENET
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

# Rates and steps as on the embedded part; the paper publishes none.
SYSTEM = System(
    data=MNIST,
    network=LENET,
    players=PatchDraw(),
    training=Training(lr=0.1, batch=16, steps=4000, n_train=3500, first_checkpoint=10),
    floor=Floor(
        value=0.95,
        source="ours, fixed before any run: published LeNets exceed 0.98 on all of MNIST",
    ),
    half_depth="conv2",  # by counting weight layers (Ren J. et al. 2025)
    read_at="fc1",  # at the relative depth of Cheng et al. 2024, who do not use it
    probes=ProbeConfig(lr=0.01),  # Cheng et al. 2024, App. M.2
    memorising=Training(lr=0.1, batch=16, steps=3000, n_train=1000, first_checkpoint=10),
)
