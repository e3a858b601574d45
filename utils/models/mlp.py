"""Multi-layer perceptron with ReLU: the MLP-7 of Cheng et al. 2024 (seven linear layers, 1024
units)."""

from __future__ import annotations

import functools
import math

import torch
from torch import nn

from .base import InputSpec, Network
from .parts import Input

__all__ = ["MLP", "MLP7", "hidden"]


def hidden(depth: int) -> tuple[str, ...]:
    """Names of the hidden layers: ``hidden1`` … ``hidden{depth - 1}``."""
    return tuple(f"hidden{k}" for k in range(1, depth))


class MLP(nn.Module):
    """``depth`` linear layers: the samples flattened, ``depth - 1`` times ``width`` ReLU units,
    ``classes`` logits.

    Layers to look at: ``hidden1`` … ``hidden{depth - 1}``, each after its ReLU, (N, width).
    Initialised as PyTorch does by default: uniform in +-1/sqrt(fan-in), weights and biases.
    """

    def __init__(
        self,
        spec: InputSpec,
        width: int,
        *,
        depth: int,
    ) -> None:
        super().__init__()
        self.input = Input(spec.shape, spec.mean, spec.std)
        sizes = [math.prod(spec.shape)] + [width] * (depth - 1)
        self.layers = hidden(depth)
        for name, fan_in, units in zip(self.layers, sizes[:-1], sizes[1:], strict=True):
            self.add_module(name, nn.Sequential(nn.Linear(fan_in, units), nn.ReLU()))
        self.output = nn.Linear(width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.input(x).flatten(1)
        for name in self.layers:
            x = self.get_submodule(name)(x)
        return self.output(x)


MLP7 = Network(
    "mlp7",
    "MLP-7",
    functools.partial(MLP, depth=7),
    ("image", "table"),
    hidden(7),
    1024,
    "units of each hidden layer",
)
