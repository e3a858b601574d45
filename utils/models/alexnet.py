"""AlexNet (Krizhevsky, Sutskever and Hinton 2012) in a form for small images."""

from __future__ import annotations

import torch
from torch import nn

from .base import InputSpec, Network
from .parts import Input, MaxPool2, square_side

__all__ = ["ALEXNET", "AlexNet"]

# Channels of the five convolutions over the width (64), as in torchvision's one-column AlexNet
# (Krizhevsky 2014); the original's two columns have 96, 256, 384, 384, 256.
_MULTIPLES = (1, 3, 6, 4, 4)
_POOLED = ("conv1", "conv2", "conv5")
"""After these the image is halved, as in the original."""
_SIDES = (28, 32, 64)


class AlexNet(nn.Module):
    """Five convolutions (5x5, then 3x3) with three max-poolings, then 16*width, 16*width and
    ``classes`` units.

    ``width`` is the number of channels of the first convolution (64). The original is made for
    224x224 pixels: its first convolution is 11x11 with stride 4, and its linear layers have 4096
    units on 6x6 features. Here the first convolution is 5x5, with stride 1 on 32x32 pixels (28x28
    in a zero frame) and 2 on 64x64, so that 4x4 features are left of both; the linear layers are
    a quarter as wide; local response normalisation is left out, as in Krizhevsky 2014, and dropout,
    as training is kept plain. Layers to look at: ``conv1`` … ``conv5``, ``fc1``, ``fc2``, each
    after its ReLU (convolutions before the pooling). He initialisation, biases 0, as for VGG here.
    """

    layers = ("conv1", "conv2", "conv3", "conv4", "conv5", "fc1", "fc2")

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        side = square_side(spec.shape, _SIDES, "alexnet")
        self.input = Input(spec.shape, spec.mean, spec.std, frame=(32 - side) // 2 * (side < 32))
        channels = spec.shape[0]
        for k, multiple in enumerate(_MULTIPLES):
            kernel, stride = (5, 2 if side == 64 else 1) if k == 0 else (5 if k == 1 else 3, 1)
            out = multiple * width
            convolution = nn.Conv2d(channels, out, kernel, stride=stride, padding=kernel // 2)
            self.add_module(f"conv{k + 1}", nn.Sequential(convolution, nn.ReLU()))
            channels = out
        self.pool = MaxPool2()
        self.fc1 = nn.Sequential(nn.Linear(channels * 16, 16 * width), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(16 * width, 16 * width), nn.ReLU())
        self.output = nn.Linear(16 * width, spec.outputs)
        self.apply(_initialise)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.input(x)
        for name in self.layers[:5]:
            x = self.get_submodule(name)(x)
            if name in _POOLED:
                x = self.pool(x)
        return self.output(self.fc2(self.fc1(x.flatten(1))))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        mode = "fan_out" if isinstance(module, nn.Conv2d) else "fan_in"
        nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        nn.init.zeros_(module.bias)


ALEXNET = Network(
    "alexnet",
    "AlexNet",
    AlexNet,
    ("image",),
    AlexNet.layers,
    64,
    "channels of the first convolution",
)
