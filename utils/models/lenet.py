"""LeNet-5 (LeCun et al. 1998) as it is used today: ReLU, max-pooling, and full connections."""

from __future__ import annotations

import torch
from torch import nn

from .base import InputSpec, Network
from .parts import Input, MaxPool2, square_side

__all__ = ["LENET", "LeNet"]


class LeNet(nn.Module):
    """conv 6@5x5, pool, conv 16@5x5, pool, 120, 84, ``classes``. Takes 32x32 images, and 28x28 ones
    in a zero frame.

    ``width`` is the number of channels of the first convolution (6); the other sizes keep their
    ratio to it. Layers to look at: ``conv1``, ``conv2`` (after pooling and ReLU, which commute),
    ``fc1``, ``fc2`` (after ReLU). Initialised as PyTorch does by default.
    """

    layers = ("conv1", "conv2", "fc1", "fc2")

    def __init__(
        self,
        spec: InputSpec,
        width: int,
    ) -> None:
        super().__init__()
        side = square_side(spec.shape, (28, 32), "lenet")
        second = round(16 * width / 6)
        self.input = Input(spec.shape, spec.mean, spec.std, frame=(32 - side) // 2)
        self.conv1 = nn.Sequential(nn.Conv2d(spec.shape[0], width, 5), MaxPool2(), nn.ReLU())
        self.conv2 = nn.Sequential(nn.Conv2d(width, second, 5), MaxPool2(), nn.ReLU())
        self.fc1 = nn.Sequential(nn.Linear(second * 25, 20 * width), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(20 * width, 14 * width), nn.ReLU())
        self.output = nn.Linear(14 * width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv2(self.conv1(self.input(x)))
        return self.output(self.fc2(self.fc1(x.flatten(1))))


LENET = Network(
    "lenet", "LeNet", LeNet, ("image",), LeNet.layers, 6, "channels of the first convolution"
)
