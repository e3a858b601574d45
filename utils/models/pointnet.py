"""PointNet (Qi, Su, Mo, Guibas 2017), the classifier of point clouds, with and without its
transforms."""

from __future__ import annotations

import functools

import torch
from torch import nn

from .base import InputSpec, Network
from .points import Pointwise, Pool, points_of

__all__ = ["POINTNET", "POINTNET_VANILLA", "PointNet"]


class Transform(nn.Module):
    """T-Net (their Section 4.2 and supplement C): a small PointNet that answers a matrix (N, k, k)
    for a cloud (N, points, k).

    Shared layers of w, 2w and 16w units, maximum over points, 8w and 4w units. Its last layer
    starts at 0 with the identity as bias, so that training starts with untransformed clouds.
    """

    def __init__(self, k: int, width: int) -> None:
        super().__init__()
        self.points = nn.Sequential(
            Pointwise(k, width), Pointwise(width, 2 * width), Pointwise(2 * width, 16 * width)
        )
        self.pool = Pool()
        self.head = nn.Sequential(Pointwise(16 * width, 8 * width), Pointwise(8 * width, 4 * width))
        self.matrix = nn.Linear(4 * width, k * k)
        nn.init.zeros_(self.matrix.weight)
        with torch.no_grad():
            self.matrix.bias.copy_(torch.eye(k).flatten())
        self.k = k

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.matrix(self.head(self.pool(self.points(x)))).view(-1, self.k, self.k)


class PointNet(nn.Module):
    """Clouds (N, points, 3) → logits: shared layers of w, w | w, 2w and 16w units, the maximum over
    points, then 8w, 4w and ``classes`` units (their Fig. 2, w = 64).

    ``transforms``: a 3x3 matrix from a T-Net turns the cloud, another of w x w the features before
    ``conv3``. With them it has the 3.5 million parameters of their Table 6, without (there
    "vanilla") .8 million. Layers to look at: ``conv1`` … ``conv5`` (N, points, units), ``pool`` (N,
    16w), ``fc1``, ``fc2``, after normalisation and ReLU. Left out, as training is kept plain:
    dropout before the last layer and the penalty that draws the second matrix to orthogonal ones.
    ``pool`` and what follows do not depend on the points' order; the layers before follow it.
    """

    layers = ("conv1", "conv2", "conv3", "conv4", "conv5", "pool", "fc1", "fc2")

    def __init__(self, spec: InputSpec, width: int, *, transforms: bool) -> None:
        super().__init__()
        points_of(spec, "pointnet")
        self.transforms = transforms
        if transforms:
            self.turn = Transform(3, width)
            self.turn_features = Transform(width, width)
        self.conv1 = Pointwise(3, width)
        self.conv2 = Pointwise(width, width)
        self.conv3 = Pointwise(width, width)
        self.conv4 = Pointwise(width, 2 * width)
        self.conv5 = Pointwise(2 * width, 16 * width)
        self.pool = Pool()
        self.fc1 = Pointwise(16 * width, 8 * width)
        self.fc2 = Pointwise(8 * width, 4 * width)
        self.output = nn.Linear(4 * width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.transforms:
            x = x @ self.turn(x)
        x = self.conv2(self.conv1(x))
        if self.transforms:
            x = x @ self.turn_features(x)
        x = self.conv5(self.conv4(self.conv3(x)))
        return self.output(self.fc2(self.fc1(self.pool(x))))


_WIDTH = (64, "units of the first shared layer")
POINTNET = Network(
    "pointnet",
    "PointNet",
    functools.partial(PointNet, transforms=True),
    ("points",),
    PointNet.layers,
    *_WIDTH,
)
POINTNET_VANILLA = Network(
    "pointnet_vanilla",
    "PointNet without transforms",
    functools.partial(PointNet, transforms=False),
    ("points",),
    PointNet.layers,
    *_WIDTH,
)
