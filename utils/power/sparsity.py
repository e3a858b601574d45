"""D2, L2, L12 with planted sizes: mass fractions, Gini coefficients, counts and similarities per
network and image."""

from __future__ import annotations

import numpy as np

from ..claims import Part
from ..evidence import likeness, sparsity
from .base import DEFAULT, REFERENCE, Simulation, Sizes

__all__ = ["SIMULATIONS"]

_CODE = ("utils.evidence.sparsity", "utils.evidence.likeness")


def crossed(
    rng: np.random.Generator, sizes: Sizes, network: float, image: float, both: float
) -> np.ndarray:
    """Noise (S, X) of networks, of images (shared by the networks) and of both."""
    s, x = sizes.networks, sizes.units
    return (
        network * rng.normal(size=(s, 1))
        + image * rng.normal(size=(1, x))
        + both * rng.normal(size=(s, x))
    )


def _sparsity(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Mass fractions around .05 (paper), .075 (half) or at the bound; Gini above the stronger null
    by .5, .25 or 0 sd."""
    mass = {"paper": 0.05, "half": 0.075}.get(scenario, 0.10) + crossed(
        rng, sizes, 0.004, 0.015, 0.01
    )
    rivals = 0.85 + np.stack([crossed(rng, sizes, 0.005, 0.02, 0.01) for _ in range(2)], axis=1)
    if scenario != "none: two equal rivals":
        rivals[:, 1] -= 0.05
    spread = np.hypot(0.02, 0.01)
    above = {"paper": 0.5, "half": 0.25}.get(scenario, 0.0) * spread
    # The trained network's images are sparse where the null's are: they share the larger part of
    # the noise over images.
    gini = rivals[:, 0] + above + crossed(rng, sizes, 0.005, 0.005, 0.005)
    return sparsity.sparse_parts(mass, gini, rivals)


def _count(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """The paper's 21.8; half way to a bound (on a scale of ratios); at the lower or the upper
    bound."""
    level = {"paper": 21.8, "half": 15.4, "none: too few": 10.9}.get(scenario, 43.6)
    count = level + crossed(rng, sizes, 0.06 * level, 0.4 * level, 0.2 * level)
    spread = float(np.hypot(0.4, 0.2) * level)
    below = {"paper": 0.5, "half": 0.25}.get(scenario, 0.0) * spread
    untrained = count + below + crossed(rng, sizes, 0.04 * level, 0.1 * level, 0.2 * level)
    return sparsity.number_parts(count, untrained)


def _kappa(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Six comparisons per image around 'almost the same' (.985, .9), half way to the bounds, or one
    of them at its bound."""
    cosine, overlap = {"paper": (0.985, 0.93), "half": (0.97, 0.87), "none": (0.95, 0.93)}.get(
        scenario, (0.985, 0.80)
    )
    s, x, k = sizes.networks, sizes.units, 6
    worst = rng.integers(
        k, size=(s, 1, x)
    )  # the comparison that is the least similar: the others lie above it
    lift = np.where(np.arange(k)[None, :, None] == worst, 0.0, 1.0)

    def similar(level: float, noise: float) -> np.ndarray:
        base = level + crossed(rng, sizes, noise / 4, noise, noise)
        return np.minimum(base[:, None] + lift * noise * rng.uniform(size=(s, k, x)), 1.0)

    return likeness.similarity_parts(similar(cosine, 0.008), similar(overlap, 0.04))


_HUNDRED = {"default": Sizes(5, 100, systems=2), "reference": Sizes(10, 100, systems=4)}
_SIZES = {"default": DEFAULT, "reference": REFERENCE}
SIMULATIONS = [
    Simulation(
        "D2", "lenet/mnist_part", _sparsity, _CODE, _SIZES, nulls=("none", "none: two equal rivals")
    ),
    Simulation("L2", "lenet/mnist_part", _count, _CODE, _HUNDRED, nulls=("none", "none: too few")),
    Simulation("L12", "lenet/mnist_part", _kappa, _CODE, _SIZES, nulls=("none", "none: overlap")),
]
