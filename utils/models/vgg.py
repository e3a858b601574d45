"""VGG-11, VGG-13 and VGG-16 (Simonyan and Zisserman 2015, configurations A, B and D) for small
images, without batch normalisation."""

from __future__ import annotations

import functools

import torch
from torch import nn

from .base import InputSpec, Network
from .parts import Input, MaxPool2, square_side

__all__ = ["VGG", "VGG_11", "VGG_13", "VGG_16"]

# Convolutions in each of five stages (Simonyan and Zisserman 2015, Table 1); every stage ends in a
# 2x2 max-pooling.
_A, _B, _D = (1, 1, 2, 2, 2), (2, 2, 2, 2, 2), (2, 2, 3, 3, 3)
# Channels of each stage, as multiples of the width.
_CHANNELS = (1, 2, 4, 8, 8)
# Sides of the images taken: the last pooling leaves 1x1 of a small one, 2x2 of Tiny ImageNet's.
_SIDES = (28, 32, 64)


def _named(convolutions: tuple[int, ...]) -> tuple[str, ...]:
    """``conv1_1`` … ``conv5_2``, ``fc1``, ``fc2``."""
    stages = enumerate(convolutions, start=1)
    return (*(f"conv{s}_{k}" for s, c in stages for k in range(1, c + 1)), "fc1", "fc2")


class VGG(nn.Module):
    """3x3 convolutions in five stages, ``convolutions`` in each, then 8*width, 8*width and
    ``classes`` units.

    ``width`` is the number of channels of the first convolution (64). Images of 32x32, and of 28x28
    in a zero frame, leave the last pooling as one vector of 8*width numbers, so the head is the
    small one usual for CIFAR-10 (the original has two layers of 4096 units, made for 7x7 features);
    of 64x64 images four such vectors are left, and the first linear layer takes all. Dropout is
    left out, as training is kept plain. Layers to look at: ``conv1_1``, … ``conv5_2`` (or ``_3``),
    ``fc1``, ``fc2``, each after its ReLU (convolutions before the pooling).

    Initialisation as in torchvision's VGG: He normal (fan-out) for convolutions, biases 0; here He
    normal (fan-in) for the linear layers too, because PyTorch's default shrinks the signal through
    eleven layers to nothing.
    """

    def __init__(
        self, spec: InputSpec, width: int, *, convolutions: tuple[int, ...], name: str
    ) -> None:
        super().__init__()
        side = square_side(spec.shape, _SIDES, name)
        frame = (32 - side) // 2 if side < 32 else 0
        self.input = Input(spec.shape, spec.mean, spec.std, frame=frame)
        self.layers, self.convolutions = _named(convolutions), convolutions
        channels = spec.shape[0]
        for stage, (count, multiple) in enumerate(zip(convolutions, _CHANNELS, strict=True), 1):
            for k in range(1, count + 1):
                convolution = nn.Conv2d(channels, multiple * width, 3, padding=1)
                self.add_module(f"conv{stage}_{k}", nn.Sequential(convolution, nn.ReLU()))
                channels = multiple * width
        self.pool = MaxPool2()
        places = ((side + 2 * frame) // 32) ** 2
        self.fc1 = nn.Sequential(nn.Linear(channels * places, channels), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.output = nn.Linear(channels, spec.outputs)
        self.apply(_initialise)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.input(x)
        for stage, count in enumerate(self.convolutions, start=1):
            for k in range(1, count + 1):
                x = self.get_submodule(f"conv{stage}_{k}")(x)
            x = self.pool(x)
        return self.output(self.fc2(self.fc1(x.flatten(1))))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        mode = "fan_out" if isinstance(module, nn.Conv2d) else "fan_in"
        nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        nn.init.zeros_(module.bias)


def _network(depth: int, convolutions: tuple[int, ...]) -> Network:
    name, width = f"vgg{depth}", "channels of the first convolution"
    make = functools.partial(VGG, convolutions=convolutions, name=name)
    return Network(name, f"VGG-{depth}", make, ("image",), _named(convolutions), 64, width)


VGG_11 = _network(11, _A)
VGG_13 = _network(13, _B)
VGG_16 = _network(16, _D)
