"""O2, O3, O4 with planted sizes per network and image: excess of an optimiser, distance between two
ends of a face.

The split itself is not drawn anew: its certificates say how far its strengths may be off, far below
what is judged here.
"""

from __future__ import annotations

import numpy as np

from ..claims import Part
from ..evidence import face, published
from .base import DEFAULT, REFERENCE, Simulation, Sizes
from .sparsity import crossed

__all__ = ["SIMULATIONS"]

_CODE = ("utils.evidence.published", "utils.evidence.face")


def _excess(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """The loop's strength over the optimum's: twice it, a tenth above it, or at the bound of 1
    %."""
    level = {"paper": 1.0, "half": 0.1}.get(scenario, 0.01)
    optimum = 10 * np.exp(crossed(rng, sizes, 0.1, 0.3, 0.1))
    best = optimum * (1 + level * np.exp(crossed(rng, sizes, 0.1, 0.2, 0.2)) / np.exp(0.045))
    return published.ratio_parts(best, optimum)


def _apart(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Mean orders apart by .5, .35 or at the bound of a quarter, or strengths apart by .2 %."""
    moved = {"paper": 0.5, "half": 0.35, "none: unequal strength": 0.5}.get(scenario, 0.25)
    unequal = 0.002 if scenario == "none: unequal strength" else 5e-4
    one = 10 * np.exp(crossed(rng, sizes, 0.1, 0.3, 0.1))
    other = one * (1 + unequal + crossed(rng, sizes, 5e-5, 1e-4, 1e-4))
    return face.apart_parts(moved + crossed(rng, sizes, 0.03, 0.15, 0.1), one, other)


def _overlap(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Jaccard similarity of the salient sets at both ends: .55, .7 or at the bound of .8."""
    level = {"paper": 0.55, "half": 0.7}.get(scenario, 0.8)
    return [Part.of("jaccard", level + crossed(rng, sizes, 0.02, 0.08, 0.08))]


_SIZES = {"default": DEFAULT, "reference": REFERENCE}
_LOOP = {"default": Sizes(5, 3, systems=2), "reference": Sizes(10, 3, systems=4)}
SIMULATIONS = [
    Simulation("O2", "lenet/mnist_part", _excess, _CODE, _LOOP),
    Simulation(
        "O3", "lenet/mnist_part", _apart, _CODE, _SIZES, nulls=("none", "none: unequal strength")
    ),
    Simulation("O4", "lenet/mnist_part", _overlap, _CODE, _SIZES),
]
