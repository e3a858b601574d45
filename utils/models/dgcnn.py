"""DGCNN (Wang, Sun, Liu, Sarma, Bronstein, Solomon 2019), the classifier of point clouds by edge
convolutions."""

from __future__ import annotations

import torch
from torch import nn

from .base import InputSpec, Network
from .points import Normed, Pointwise, Pool, points_of

__all__ = ["DGCNN", "DGCNN_CLASSIFIER", "EdgeConv", "neighbours"]

_NEIGHBOURS = 20  # their Section 5.1
_SLOPE = 0.2


def neighbours(x: torch.Tensor, k: int) -> torch.Tensor:
    """The k nearest points of each point of a cloud (N, points, C), itself among them: int64 (N,
    points, k), in no order."""
    x = x.detach()
    squares = x.square().sum(2)
    # |a - b|² - |a|², which ranks the points b as the distance from a does
    ranks = squares[:, None] - 2 * (x @ x.transpose(1, 2))
    return ranks.topk(k, 2, largest=False, sorted=False).indices


class EdgeConv(nn.Module):
    """max_j LeakyReLU(BN(θ·(x_j - x_i) + φ·x_i)) over the k nearest neighbours j of point i, found
    in this layer's own input (their Eq. 8): (N, points, C) → (N, points, units).

    θ·x_j is computed once per point instead of once per edge. Without training, normalisation and
    activation are monotone in it, so the largest edge is found first, or the smallest where the
    normalisation's factor is negative.
    """

    def __init__(self, inputs: int, units: int, k: int) -> None:
        super().__init__()
        self.k = k
        self.theta = nn.Linear(inputs, units, bias=False)
        self.phi = nn.Linear(inputs, units, bias=False)
        self.norm, self.activation = Normed(units), nn.LeakyReLU(_SLOPE)
        # One matrix (2 inputs, units) of the paper in two halves: Glorot uniform for the whole.
        bound = (6 / (2 * inputs + units)) ** 0.5
        for half in (self.theta, self.phi):
            nn.init.uniform_(half.weight, -bound, bound)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        near = neighbours(x, self.k)
        count, points = x.shape[0], x.shape[1]
        moved = self.theta(x)
        own = self.phi(x) - moved
        first = torch.arange(count, device=x.device)[:, None, None] * points
        edges = moved.flatten(0, 1).index_select(0, (near + first).flatten())
        edges = edges.view(count, points, self.k, -1)
        if self.training:
            return self.activation(self.norm(edges + own[:, :, None])).amax(2)
        extreme = torch.where(self.norm.batch.weight >= 0, edges.amax(2), edges.amin(2))
        return self.activation(self.norm(extreme + own))


class DGCNN(nn.Module):
    """Clouds (N, points, 3) → logits: four edge convolutions of w, w, 2w and 4w units, all of them
    together through a shared layer of 16w units, maximum and mean over points, then 8w, 4w and
    ``classes`` units (their Fig. 3, w = 64; 20 neighbours, 21 MB with Adam's two moments in their
    Table 3: 1.8 million parameters).

    Layers to look at: ``edge1`` … ``edge4``, ``conv5`` (N, points, units), ``pool`` (N, 32w),
    ``fc1``, ``fc2``, after normalisation and LeakyReLU. Dropout is left out, as training is kept
    plain. ``pool`` and what follows do not depend on the points' order.
    """

    layers = ("edge1", "edge2", "edge3", "edge4", "conv5", "pool", "fc1", "fc2")

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        points_of(spec, "dgcnn", _NEIGHBOURS)
        self.edge1 = EdgeConv(3, width, _NEIGHBOURS)
        self.edge2 = EdgeConv(width, width, _NEIGHBOURS)
        self.edge3 = EdgeConv(width, 2 * width, _NEIGHBOURS)
        self.edge4 = EdgeConv(2 * width, 4 * width, _NEIGHBOURS)
        self.conv5 = Pointwise(8 * width, 16 * width, _SLOPE, bias=False)
        self.pool = Pool(mean=True)
        self.fc1 = Pointwise(32 * width, 8 * width, _SLOPE, bias=False)
        self.fc2 = Pointwise(8 * width, 4 * width, _SLOPE)
        self.output = nn.Linear(4 * width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.edge1(x)
        second = self.edge2(first)
        third = self.edge3(second)
        fourth = self.edge4(third)
        every = torch.cat([first, second, third, fourth], 2)
        return self.output(self.fc2(self.fc1(self.pool(self.conv5(every)))))


DGCNN_CLASSIFIER = Network(
    "dgcnn",
    "DGCNN",
    DGCNN,
    ("points",),
    DGCNN.layers,
    64,
    "units of the first edge convolution",
)
