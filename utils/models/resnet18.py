"""ResNet-18 (He et al. 2016, Table 1) in the form usual for small images: a 3x3 stem in place of
the 7x7 one with its pooling, as the same paper's networks for CIFAR-10 have it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .base import InputSpec, Network
from .parts import Input

__all__ = ["RESNET18", "ResNet18"]

_STAGES, _BLOCKS = 4, 2


class ProjectedBlock(nn.Module):
    """relu(shortcut(x) + BN(conv(relu(BN(conv(x)))))), 3x3 convolutions.

    The shortcut is the paper's option B, as in its ImageNet networks: the identity, and a 1x1
    convolution with batch normalisation where the block halves the image or has new channels.
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.shortcut: nn.Module = nn.Identity()
        if stride > 1 or channels != out:
            projection = nn.Conv2d(channels, out, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(projection, nn.BatchNorm2d(out))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(self.shortcut(x) + self.bn2(self.conv2(y)))


class ResNet18(nn.Module):
    """Stem, eight residual blocks, two each of width, 2, 4 and 8 times width channels, global
    average, ``classes`` logits.

    ``width`` is 64. Images of any size from 8x8. Layers to look at: ``stem`` and ``block1`` …
    ``block8``, each after its last ReLU. Initialisation as in the paper: He normal (fan-out) for
    convolutions; PyTorch's default for the last layer; batch normalisation starts as the identity
    and, in eval mode, uses the running statistics.
    """

    layers = ("stem", *(f"block{k + 1}" for k in range(_STAGES * _BLOCKS)))

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        if len(spec.shape) != 3 or min(spec.shape[1:]) < 8:
            raise ValueError(
                "resnet18 takes images (channels, height, width) of at least 8x8 pixels, got "
                f"{tuple(spec.shape)}"
            )
        self.input = Input(spec.shape, spec.mean, spec.std)
        convolution = nn.Conv2d(spec.shape[0], width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
        channels = width
        for k, name in enumerate(self.layers[1:]):
            out = width * 2 ** (k // _BLOCKS)
            self.add_module(name, ProjectedBlock(channels, out, stride=2 if out > channels else 1))
            channels = out
        self.output = nn.Linear(channels, spec.outputs)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.input(x)
        for name in self.layers:
            x = self.get_submodule(name)(x)
        return self.output(x.mean(dim=(2, 3)))


RESNET18 = Network(
    "resnet18",
    "ResNet-18",
    ResNet18,
    ("image",),
    ResNet18.layers,
    64,
    "channels of the first stage",
)
