"""The small network of the planted set: an MLP of three linear layers."""

from __future__ import annotations

import functools

from .base import Network
from .mlp import MLP, hidden

__all__ = ["MLP_TOY"]

MLP_TOY = Network(
    "mlp_toy",
    "toy MLP",
    functools.partial(MLP, depth=3),
    ("table",),
    hidden(3),
    32,
    "units of each hidden layer",
)
