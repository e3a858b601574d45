"""F1, F2, F3: how often does each criterion err? Curves over orders of networks × images, through
the rows' own statistics.

Noise as measured in the default networks: an image's slope or difference varies with the image (in
every network alike: half of its variance, measured are none to .4), with network and image, and a
network shifts all its images by .1 standard deviations. Effects are in standard deviations across
the images of one network: no paper shows a number, so the "paper's" is twice the smallest effect,
.5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..claims import Part
from ..evidence.bayesian import bayesian_parts
from ..evidence.multi_order import attack_parts, bottleneck_parts
from .base import Simulation, Sizes

__all__ = ["SIMULATIONS"]

_EFFECTS = {"paper": 0.5, "half": 0.25}
_NETWORK = 0.1
_ORDERS = 9


def _units(sizes: Sizes, rng: np.random.Generator, mean: float = 0.0) -> np.ndarray:
    """(S, X) of standard deviation 1 across images, ``mean`` with network noise around it."""
    shape = (sizes.networks, sizes.units)
    image = rng.standard_normal(sizes.units)
    return (
        mean
        + _NETWORK * rng.standard_normal((sizes.networks, 1))
        + (image + rng.standard_normal(shape)) / np.sqrt(2)
    )


def _attack(scenario: str, sizes: Sizes, rng: np.random.Generator) -> Sequence[Part]:
    """Relative changes (S, 2, K, X, orders): 5 sizes of an attack, of which the third fools about
    half of the images."""
    order = np.arange(_ORDERS) - (_ORDERS - 1) / 2
    scale = np.array([0.1, 0.25, 0.5, 1.0, 1.5])
    resistance = rng.normal(0, 0.5, sizes.units) + rng.normal(0, 0.3, (sizes.networks, 1))
    fooled = np.log(scale / 0.4)[:, None] > resistance[:, None]
    size, curves = _EFFECTS.get(scenario, 0.0), []
    for effect in (size, 0.0):
        slope = 0.05 * _units(sizes, rng, effect)
        change = scale[:, None, None] * (1 + slope[:, None, :, None] * order)
        curves.append(change + 0.05 * scale[:, None, None] * rng.standard_normal(change.shape))
    return attack_parts(np.stack(curves, 1), fooled.astype(float))


def _ends(scenario: str, sizes: Sizes, rng: np.random.Generator) -> Sequence[Part]:
    """J (S, X, orders) of trained and untrained networks. "one end": the low end alone is above the
    middle."""
    size = _EFFECTS.get(scenario, 0.0)
    low, high = (1.0, 0.0) if scenario == "none: one end" else (size, size)
    curves = []
    for one, other in ((low, high), (0.0, 0.0)):
        j = 1 + 0.05 * rng.standard_normal((sizes.networks, sizes.units, _ORDERS))
        j[..., :2] += 0.2 * _units(sizes, rng, one)[..., None]
        j[..., -2:] += 0.2 * _units(sizes, rng, other)[..., None]
        curves.append(j)
    return bottleneck_parts(*curves)


def _bayesian(scenario: str, sizes: Sizes, rng: np.random.Generator) -> Sequence[Part]:
    """Shares (S, 2, X): Bayesian and standard, the difference of an image varying by .7 of the
    spread across images."""
    standard = _units(sizes, rng)
    bayes = standard + 0.7 * _units(sizes, rng, -_EFFECTS.get(scenario, 0.0) / 0.7)
    return bayesian_parts(0.4 + 0.15 * np.stack([bayes, standard], 1))


SIMULATIONS = [
    Simulation("F1", "lenet/mnist_part", _bayesian, code=("utils.evidence.bayesian",)),
    Simulation(
        "F2",
        "lenet/mnist_part",
        _attack,
        code=("utils.evidence.multi_order", "utils.metrics.multi_order"),
    ),
    Simulation(
        "F3",
        "lenet/mnist_part",
        _ends,
        code=("utils.evidence.multi_order", "utils.metrics.multi_order"),
        nulls=("none", "none: one end"),
    ),
]
