"""Small modules that the networks share: the raw image's frame and scale, and the checks of what a
network can take."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

__all__ = ["Input", "MaxPool2", "positive", "square_side"]


class Input(nn.Module):
    """Raw samples to what the first layer sees: zero frame up to ``side`` pixels, then (x - mean) /
    std.

    It is a part of the network, so that everything outside (masking, baselines, noise) happens on
    the raw sample. ``mean`` and ``std`` (one number per channel of an image or column of a table,
    or one for all) are buffers and travel with the weights.
    """

    def __init__(self, shape: Sequence[int], mean: object, std: object, frame: int = 0) -> None:
        super().__init__()
        self.frame = frame
        self.register_buffer("mean", _per_channel(mean, 0.0, shape, "mean"))
        self.register_buffer("std", _per_channel(std, 1.0, shape, "std"))
        if not bool((self.std > 0).all()):
            raise ValueError(
                f"std must be positive in every channel, got {self.std.flatten().tolist()}"
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.frame:
            x = F.pad(x, (self.frame,) * 4)
        return (x - self.mean) / self.std


class MaxPool2(nn.MaxPool2d):
    """The largest of each 2x2 block: ``nn.MaxPool2d(2)``, bit for bit, in a tenth of its time on a
    CPU without gradients.

    torch's kernel gathers one window after the other and keeps its indices for the backward pass;
    without gradients the maximum of four strided views is a plain stream (LeNet, 2 cores: 26,000 →
    60,000 inputs/s).
    """

    def __init__(self) -> None:
        super().__init__(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if torch.is_grad_enabled() or x.device.type != "cpu":
            return super().forward(x)
        height, width = (side // 2 * 2 for side in x.shape[-2:])
        rows = torch.maximum(x[..., 0:height:2, :width], x[..., 1:height:2, :width])
        return torch.maximum(rows[..., 0::2], rows[..., 1::2])


def _per_channel(value: object, default: float, shape: Sequence[int], what: str) -> torch.Tensor:
    """(channels, 1, 1) for images (channels, H, W), (columns,) for rows of a table."""
    channels = shape[0]
    tensor = (
        torch.as_tensor(default if value is None else value, dtype=torch.float32).flatten().clone()
    )
    if len(tensor) not in (1, channels) or not bool(torch.isfinite(tensor).all()):
        raise ValueError(
            f"{what} must be one finite number or one per channel ({channels}), got "
            f"{tensor.tolist()}"
        )
    return tensor.expand(channels).reshape(channels, *(1 for _ in shape[1:])).clone()


def positive(value: int, what: str) -> int:
    """``value`` if it is a positive whole number; ValueError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{what} must be a positive whole number, got {value!r}")
    return value


def square_side(in_shape: Sequence[int], accepted: Sequence[int], model: str) -> int:
    """The side of square images (C, H, H) when ``model`` takes it; ValueError naming the accepted
    sides otherwise."""
    if len(in_shape) != 3:
        raise ValueError(f"{model} takes images (channels, height, width), got {tuple(in_shape)}")
    _, height, width = in_shape
    if height != width or height not in accepted:
        sizes = ", ".join(f"{side}x{side}" for side in accepted)
        raise ValueError(
            f"{model} takes images of {sizes} pixels, got {height}x{width}; crop or resize them "
            "before"
        )
    return height
