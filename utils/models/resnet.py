"""ResNet-20 and ResNet-32 for small images (He et al. 2016, Section 4.2): nine or fifteen residual
blocks in three stages."""

from __future__ import annotations

import functools

import torch
from torch import nn
from torch.nn import functional as F

from .base import InputSpec, Network
from .parts import Input

__all__ = ["RESNET20", "RESNET32", "Block", "ResNet", "named"]


def named(blocks: int) -> tuple[str, ...]:
    """``stem``, ``block1`` … ``block{3 * blocks}``."""
    return ("stem", *(f"block{k + 1}" for k in range(3 * blocks)))


class Block(nn.Module):
    """relu(x + BN(conv(relu(BN(conv(x)))))), 3x3 convolutions.

    The shortcut is the paper's option A, which has no parameters: where the block halves the image,
    every second pixel is kept and the new channels are zero.
    """

    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.stride, self.new_channels = stride, out - channels
        self.conv1 = nn.Conv2d(channels, out, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        changes = self.new_channels or self.stride > 1
        shortcut = self.shortcut(x) if changes else x
        y = F.relu(self.bn1(self.conv1(x)))
        return F.relu(shortcut + self.bn2(self.conv2(y)))

    def shortcut(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) → (N, out, H / stride, W / stride): the new channels are the last."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.new_channels))


class ResNet(nn.Module):
    """Stem, ``3 * blocks`` residual blocks of width, 2*width and 4*width channels, global average,
    ``classes`` logits.

    ResNet-20 has ``blocks = 3``, ResNet-32 five. Images of any size from 8x8. Layers to look at:
    ``stem`` and ``block1`` … ``block9`` (or 15), each after its last ReLU. Initialisation as in the
    paper: He normal (fan-out) for convolutions; PyTorch's default for the last layer; batch
    normalisation starts as the identity and, in eval mode, uses the running statistics.
    """

    def __init__(
        self,
        spec: InputSpec,
        width: int,
        *,
        blocks: int,
    ) -> None:
        super().__init__()
        if len(spec.shape) != 3 or min(spec.shape[1:]) < 8:
            raise ValueError(
                f"resnet{6 * blocks + 2} takes images (channels, height, width) of at least "
                f"8x8 pixels, got {tuple(spec.shape)}"
            )
        self.input = Input(spec.shape, spec.mean, spec.std)
        convolution = nn.Conv2d(spec.shape[0], width, 3, padding=1, bias=False)
        self.stem = nn.Sequential(convolution, nn.BatchNorm2d(width), nn.ReLU())
        self.layers = named(blocks)
        channels = width
        for k, name in enumerate(self.layers[1:]):
            out = width * 2 ** (k // blocks)
            self.add_module(name, Block(channels, out, stride=2 if out > channels else 1))
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


def _network(blocks: int) -> Network:
    depth = 6 * blocks + 2
    return Network(
        f"resnet{depth}",
        f"ResNet-{depth}",
        functools.partial(ResNet, blocks=blocks),
        ("image",),
        named(blocks),
        16,
        "channels of the first stage",
    )


RESNET20 = _network(3)
RESNET32 = _network(5)
