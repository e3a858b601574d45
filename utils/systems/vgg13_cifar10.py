"""VGG-13 on CIFAR-10 (arXiv 2405.10262, Fig. 6: its networks told wrong labels)."""

from __future__ import annotations

from ..datasets.cifar10 import CIFAR10
from ..models.vgg import VGG_13
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

# The paper's width and the steps of the other large networks here, which are made for a GPU: on two
# cores one seed takes hours. `change={training: …}` makes it small.
SYSTEM = System(
    data=CIFAR10,
    network=VGG_13,
    players=PatchDraw(cell=4, region="center"),
    training=Training(lr=0.01, batch=128, steps=10000, n_train=10000),
    floor=Floor(
        value=0.60,
        source="ours, fixed before any run: plain SGD on 10,000 images without augmentation "
        "over-fits, as the claim supposes; a linear classifier reaches about 0.40",
    ),
    # "The (roughly) half depth" (Ren J. et al. 2025), by counting weight layers: 6 of 13.
    half_depth="conv3_2",
    read_at="conv4_1",  # at the relative depth of Cheng et al. 2024, who do not use it
    probes=ProbeConfig(lr=0.001),  # that of VGG-11 in Cheng et al. 2024, App. M.2
    memorising=Training(lr=0.01, batch=128, steps=10000, n_train=5000),
)
