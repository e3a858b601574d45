"""Multi-layer perceptron with ReLU: the MLP-7 of Cheng et al. 2024 (seven linear layers, 1024
units)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn

from .parts import Input

__all__ = ["MLP"]


class MLP(nn.Module):
    """``depth`` linear layers: the images flattened, ``depth - 1`` times ``width`` ReLU units,
    ``classes`` logits.

    Layers to look at: ``hidden1`` … ``hidden{depth - 1}``, each after its ReLU, (N, width).
    Initialised as PyTorch does by default: uniform in +-1/sqrt(fan-in), weights and biases.
    """

    def __init__(
        self,
        in_shape: Sequence[int],
        classes: int,
        width: int,
        mean: object = None,
        std: object = None,
        *,
        depth: int = 7,
    ) -> None:
        super().__init__()
        self.input = Input(in_shape[0], mean, std)
        sizes = [math.prod(in_shape)] + [width] * (depth - 1)
        self.layers = [f"hidden{k}" for k in range(1, depth)]
        for name, fan_in, units in zip(self.layers, sizes[:-1], sizes[1:], strict=True):
            self.add_module(name, nn.Sequential(nn.Linear(fan_in, units), nn.ReLU()))
        self.output = nn.Linear(width, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.input(x).flatten(1)
        for name in self.layers:
            x = self.get_submodule(name)(x)
        return self.output(x)
