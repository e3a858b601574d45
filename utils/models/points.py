"""Small modules that the networks of point clouds share."""

from __future__ import annotations

import torch
from torch import nn

from .base import InputSpec

__all__ = ["Normed", "Pointwise", "Pool", "points_of"]


class Normed(nn.Module):
    """Batch normalisation of the last axis, over all others: (..., C) → (..., C)."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.batch = nn.BatchNorm1d(units)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.batch(x.flatten(0, -2)).view(x.shape)


class Pointwise(nn.Sequential):
    """The same linear layer, batch normalisation and activation for every point: (N, points,
    ``inputs``) → (N, points, ``units``); for vectors (N, inputs) → (N, units).

    A "shared MLP" or 1x1 convolution of the papers, as a matrix product on the last axis. Weights
    start as in the published code of PointNet and of DGCNN, Glorot uniform with biases 0: PyTorch's
    default shrinks the signal through that many layers (an untrained PointNet of width 8 had
    interactions of 1e-5: seen in a first trial, which led to this).
    """

    def __init__(self, inputs: int, units: int, slope: float = 0.0, *, bias: bool = True) -> None:
        activation = nn.LeakyReLU(slope) if slope else nn.ReLU()
        super().__init__(nn.Linear(inputs, units, bias=bias), Normed(units), activation)
        nn.init.xavier_uniform_(self[0].weight)
        if bias:
            nn.init.zeros_(self[0].bias)


class Pool(nn.Module):
    """What does not depend on the points' order: the largest number of every channel over the
    points and, with ``mean``, also their mean behind it. (N, points, C) → (N, C) or (N, 2 C)."""

    def __init__(self, *, mean: bool = False) -> None:
        super().__init__()
        self.mean = mean

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        largest = x.amax(1)
        return torch.cat([largest, x.mean(1)], 1) if self.mean else largest


def points_of(spec: InputSpec, model: str, least: int = 1) -> int:
    """Points of a cloud; ValueError where samples are no clouds (points, 3) of at least
    ``least``."""
    if len(spec.shape) != 2 or spec.shape[1] != 3 or spec.shape[0] < least:
        raise ValueError(
            f"{model} takes point clouds (points, 3) of at least {least} points, got "
            f"{tuple(spec.shape)}"
        )
    return spec.shape[0]
