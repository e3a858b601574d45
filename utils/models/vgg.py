"""VGG-11 (Simonyan and Zisserman 2015, configuration A) for small images, without batch
normalisation."""

from __future__ import annotations

import torch
from torch import nn

from .base import InputSpec, Network
from .parts import Input, MaxPool2, square_side

__all__ = ["VGG11", "VGG_11"]

# Convolutions of each stage, as multiples of the width; every stage ends in a 2x2 max-pooling.
_STAGES = ((1,), (2,), (4, 4), (8, 8), (8, 8))


class VGG11(nn.Module):
    """Eight 3x3 convolutions in five stages, then 8*width, 8*width and ``classes`` units.

    ``width`` is the number of channels of the first convolution (64). Images of 32x32, and of 28x28
    in a zero frame, leave the last pooling as one vector of 8*width numbers, so the head is the
    small one usual for CIFAR-10 (the original has two layers of 4096 units, made for 7x7 features);
    dropout is left out, as training is kept plain. Layers to look at: ``conv1_1``, ``conv2_1``,
    ``conv3_1``, … ``conv5_2``, ``fc1``, ``fc2``, each after its ReLU (convolutions before the
    pooling).

    Initialisation as in torchvision's VGG: He normal (fan-out) for convolutions, biases 0; here He
    normal (fan-in) for the linear layers too, because PyTorch's default shrinks the signal through
    eleven layers to nothing.
    """

    layers = (
        *(f"conv{s}_{k}" for s, m in enumerate(_STAGES, 1) for k in range(1, len(m) + 1)),
        "fc1",
        "fc2",
    )

    def __init__(
        self,
        spec: InputSpec,
        width: int,
    ) -> None:
        super().__init__()
        side = square_side(spec.shape, (28, 32), "vgg11")
        self.input = Input(spec.shape, spec.mean, spec.std, frame=(32 - side) // 2)
        channels = spec.shape[0]
        for stage, multiples in enumerate(_STAGES, start=1):
            for k, multiple in enumerate(multiples, start=1):
                name = f"conv{stage}_{k}"
                self.add_module(
                    name,
                    nn.Sequential(nn.Conv2d(channels, multiple * width, 3, padding=1), nn.ReLU()),
                )
                channels = multiple * width
        self.pool = MaxPool2()
        self.fc1 = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.fc2 = nn.Sequential(nn.Linear(channels, channels), nn.ReLU())
        self.output = nn.Linear(channels, spec.outputs)
        self.apply(_initialise)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.input(x)
        for stage, multiples in enumerate(_STAGES, start=1):
            for k in range(1, len(multiples) + 1):
                x = self.get_submodule(f"conv{stage}_{k}")(x)
            x = self.pool(x)
        return self.output(self.fc2(self.fc1(x.flatten(1))))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        mode = "fan_out" if isinstance(module, nn.Conv2d) else "fan_in"
        nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
        nn.init.zeros_(module.bias)


VGG_11 = Network(
    "vgg11", "VGG-11", VGG11, ("image",), VGG11.layers, 64, "channels of the first convolution"
)
