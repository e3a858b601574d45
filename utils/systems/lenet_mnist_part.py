"""LeNet on the embedded part of MNIST (Ren Q. et al. 2024, Fig. 2: all of MNIST)."""

from __future__ import annotations

from ..datasets.mnist import MNIST_PART
from ..models.lenet import LENET
from ..players import PatchDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

# Chosen from loss curves alone, before any interaction was looked at: in every seed the test loss
# falls, then rises. n_train was raised from 2,500 afterwards, for the test accuracy alone, which
# had come close to the floor.
SYSTEM = System(
    data=MNIST_PART,
    network=LENET,
    players=PatchDraw(),
    training=Training(lr=0.1, batch=16, steps=4000, n_train=3500, first_checkpoint=10),
    floor=Floor(
        value=0.95,
        source="ours, fixed before the runs: test accuracy on the embedded MNIST part below which "
        "a LeNet has not learnt the task that the claim is about (published LeNets exceed 0.98 on "
        "all of MNIST, this part has a fifth of its images)",
    ),
    # "The (roughly) half depth" (Ren J. et al. 2025), by counting weight layers: 2 of 5.
    half_depth="conv2",
    # Cheng et al. 2024 do not use LeNet: the layer at the same relative depth as theirs (3 of 5),
    # and the probes of their MLP-7.
    read_at="fc1",
    probes=ProbeConfig(lr=0.01),
    # Few images and enough steps that wrong labels are learnt by heart; chosen from training
    # accuracies alone, before any interaction was looked at.
    memorising=Training(lr=0.1, batch=16, steps=3000, n_train=1000, first_checkpoint=10),
)
