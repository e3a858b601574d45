"""ResNet-20 and ResNet-32 for CIFAR-10 (He et al. 2016, Section 4.2) as their published weights
name and normalise them (akamaster/pytorch_resnet_cifar10, Yerlan Idelbayev, BSD-2).

The same networks as those of :mod:`utils.models.resnet` in all but three things, each of which
decides what the weights mean: the names of the modules, the constants by which pixels are
normalised (ImageNet's, not those of the training samples), and on which side of the old channels
the new ones of a shortcut stand.
"""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.nn import functional as F

from .base import InputSpec, Network
from .parts import square_side
from .resnet import Block

__all__ = ["RESNET20_GIVEN", "RESNET32_GIVEN", "GivenResNet"]

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What the authors' training subtracted from pixels in [0, 1] and divided them by."""


def _named(blocks: int) -> tuple[str, ...]:
    """``stem``, ``layer1.0`` … ``layer3.{blocks - 1}``."""
    return ("stem", *(f"layer{s}.{k}" for s in (1, 2, 3) for k in range(blocks)))


class GivenBlock(Block):
    """A block whose shortcut puts half of its new, zero channels before and half behind the old."""

    def shortcut(self, x: torch.Tensor) -> torch.Tensor:
        before = self.new_channels // 2
        channels = (before, self.new_channels - before)
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, *channels))


class GivenResNet(nn.Module):
    """``conv1``, ``bn1``, three stages ``layer1`` … ``layer3`` of ``blocks`` blocks, global
    average, ``linear``: the names of the published files, and nothing else in the ``state_dict``.

    Takes 32x32 images of three channels, raw, in [0, 1]. Layers to look at: ``stem`` and every
    block, each after its last ReLU. The mean and deviation of an :class:`InputSpec` are not used:
    the weights were trained with constants of their own. Initialised as its authors did, until
    the weights are loaded: He normal (fan-in) for convolutions and the last layer's weights.
    """

    def __init__(self, spec: InputSpec, width: int, *, blocks: int) -> None:
        super().__init__()
        square_side(spec.shape, (32,), "a network of given weights")
        if spec.shape[0] != len(MEAN):
            raise ValueError(
                f"the given weights take images of three channels, got {tuple(spec.shape)}"
            )
        for name, values in (("mean", MEAN), ("std", STD)):
            self.register_buffer(name, torch.tensor(values).view(-1, 1, 1), persistent=False)
        self.layers = _named(blocks)
        self.conv1 = nn.Conv2d(spec.shape[0], width, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.stem = nn.ReLU()
        channels = width
        for stage in range(3):
            out = width * 2**stage
            strides = (1 if out == channels else 2, *(1 for _ in range(blocks - 1)))
            inside = (channels, *(out for _ in range(blocks - 1)))
            parts = [GivenBlock(c, out, s) for c, s in zip(inside, strides, strict=True)]
            self.add_module(f"layer{stage + 1}", nn.Sequential(*parts))
            channels = out
        self.linear = nn.Linear(channels, spec.outputs)
        self.output = nn.Identity()  # the name by which logits are read, as of a layer
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.Linear)):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (x - self.mean) / self.std
        x = self.stem(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.output(self.linear(x.mean(dim=(2, 3))))


def _network(depth: int, blocks: int) -> Network:
    make = functools.partial(GivenResNet, blocks=blocks)
    width = "channels of the first stage"
    title = f"ResNet-{depth} as given"
    return Network(f"resnet{depth}_given", title, make, ("image",), _named(blocks), 16, width)


RESNET20_GIVEN = _network(20, 3)
RESNET32_GIVEN = _network(32, 5)
