"""MLP-5 and MLP-8 of Ren J. et al. 2025 (Table 1: census income, TV news): five and eight linear
layers with ReLU.

Their 100 units are those of the authors' public code for these tables (sjtu-xai-lab's
interaction-concept, ``src/setup_exp.py``: 12 inputs of census, 10 of commercial, 2 outputs). MLP-7,
of Cheng et al. 2024, is in :mod:`utils.models.mlp`.
"""

from __future__ import annotations

import functools

from .base import Network
from .mlp import MLP, hidden

__all__ = ["MLP5", "MLP8"]

_UNITS = 100
_COUNTED = "units of each hidden layer"

MLP5 = Network(
    "mlp5",
    "MLP-5",
    functools.partial(MLP, depth=5),
    ("image", "table"),
    hidden(5),
    _UNITS,
    _COUNTED,
)

MLP8 = Network(
    "mlp8",
    "MLP-8",
    functools.partial(MLP, depth=8),
    ("image", "table"),
    hidden(8),
    _UNITS,
    _COUNTED,
)
