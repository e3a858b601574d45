"""Simulated studies of L3, L4, L8, L11 and L15-L18: 5 probed layers as the MLP-7 has, with noise of
networks and of images.

Noise is guessed, not read off the runs: shares and slopes .03-.05 between networks, .1-.15 between
images (shared by all networks) and as much between image and network; layers vary on their own by
half of it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..claims import Part
from ..evidence import layer_statistics as statistics
from .base import Simulation, Sizes

__all__ = ["SIMULATIONS"]

_LAYERS, _ORDERS = 5, 10
_DEPTH = np.arange(1, _LAYERS + 1) / (_LAYERS + 1)
_HUMP = np.array([0.0, 0.5, 1.0, 0.5, 0.0])
_WEIGHTS = np.array([0.3, 0.25, 0.15, 0.1, 0.08, 0.06, 0.03, 0.02, 0.007, 0.003])
_CODE = ("utils.evidence.layer_statistics",)
_NONE = "none"


def _size(scenario: str, smallest: float) -> float:
    """The effect of a scenario: twice the smallest (none can be read off the paper), the smallest,
    none."""
    return {"paper": 2 * smallest, "half": smallest}.get(scenario, 0.0)


def _noise(
    sizes: Sizes, rng: np.random.Generator, networks: float = 0.04, images: float = 0.12
) -> np.ndarray:
    """Noise of (S, P, X): of a network, of an image, of both; each also by layer, half as large."""
    s, p, x = sizes.networks, _LAYERS, sizes.units
    return networks * (rng.normal(size=(s, 1, 1)) + 0.5 * rng.normal(size=(s, p, 1))) + images * (
        rng.normal(size=(1, 1, x))
        + 0.5 * rng.normal(size=(1, p, x))
        + 0.5 * rng.normal(size=(s, p, x))
    )


def _low_high(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    shape = np.array([0.2, 0.1, 0.0, 0.05, 0.1])[None, :, None] * (
        scenario != _NONE
    )  # none: all layers equal, hardest
    return statistics.low_minus_high_parts(
        _size(scenario, 0.1) + shape + _noise(sizes, rng), shape + _noise(sizes, rng)
    )


def _redundancy(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    s, x = sizes.networks, sizes.units
    target = (
        _WEIGHTS * rng.gamma(4.0, 0.25, size=(s, x, 1)) * rng.gamma(2.0, 0.5, size=(s, x, _ORDERS))
    )

    def forget(height: float) -> np.ndarray:
        level = np.maximum(0.3 + height * _HUMP[None, :, None] + _noise(sizes, rng), 0.0)
        return level[..., None] * _WEIGHTS * rng.gamma(4.0, 0.25, size=(s, _LAYERS, x, _ORDERS))

    return statistics.redundancy_parts(forget(_size(scenario, 0.05)), target, forget(0.0))


def _slopes(
    name: str, smallest: float, networks: float, images: float
) -> Callable[..., list[Part]]:
    def draw(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
        course = _DEPTH[None, :, None]
        return statistics.slope_parts(
            name,
            0.3 + _size(scenario, smallest) * course + _noise(sizes, rng, networks, images),
            0.1 + _noise(sizes, rng, networks, images),
        )

    return draw


def _gap(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    s, x = sizes.networks, sizes.units
    target = (
        _WEIGHTS
        * rng.gamma(4.0, 0.25, size=(s, x, 1))
        * rng.gamma(0.7, 1 / 0.7, size=(s, x, _ORDERS))
    )
    share = (
        0.4 + _noise(sizes, rng)[:, -1, :, None] + _size(scenario, 0.1) * (np.arange(_ORDERS) < 2)
    )
    return statistics.order_gap_parts(
        np.clip(share + 0.1 * rng.normal(size=target.shape), 0, 1) * target, target
    )


def _neighbours(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    s, x = sizes.networks, sizes.units
    apart = np.abs(np.subtract.outer(np.arange(_LAYERS), np.arange(_LAYERS)))
    noise = (
        0.03 * rng.normal(size=(s, _LAYERS, _LAYERS, 1))
        + 0.06 * rng.normal(size=(1, _LAYERS, _LAYERS, x))
        + 0.06 * rng.normal(size=(s, _LAYERS, _LAYERS, x))
        + 0.1 * rng.normal(size=(1, 1, 1, x))
    )
    return statistics.neighbour_parts(
        0.4 + _size(scenario, 0.05) * (apart == 1)[None, :, :, None] + noise
    )


def _table(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Parts of L11; without an effect, the redundancy of a layer lies at its bound."""
    level = np.maximum((0.5 if scenario == _NONE else 0.2) + _noise(sizes, rng), 0.0)
    target = rng.gamma(16.0, 1 / 16, size=(sizes.networks, sizes.units))
    return [
        *_low_high(scenario, sizes, rng),
        *_slopes("completeness_slope", 0.1, 0.04, 0.12)(scenario, sizes, rng),
        statistics.largest_part(level * target[:, None], target),
    ]


SIMULATIONS = [
    *(Simulation(row, "mlp7_w256/mnist_part", _low_high, _CODE) for row in ("L3", "L8a")),
    # A draw of all orders takes 20 ms: 300 runs, and a smaller family than the reference profile
    # has.
    *(
        Simulation(
            row,
            "mlp7_w256/mnist_part",
            _redundancy,
            _CODE,
            runs=300,
            sizes={"default": Sizes(5, 40, systems=2), "reference": Sizes(10, 40, systems=4)},
        )
        for row in ("L4", "L8b")
    ),
    Simulation(
        "L11",
        "mlp7_w256/breast_cancer",
        _table,
        _CODE,
        sizes={
            "default": Sizes(5, 40, systems=1, unit="rows"),
            "reference": Sizes(10, 40, systems=1, unit="rows"),
        },
    ),
    Simulation(
        "L15", "mlp7_w256/mnist_part", _slopes("completeness_slope", 0.1, 0.04, 0.12), _CODE
    ),
    Simulation("L16", "mlp7_w256/mnist_part", _slopes("high_share_slope", 0.02, 0.01, 0.04), _CODE),
    Simulation("L17", "mlp7_w256/mnist_part", _gap, _CODE),
    Simulation("L18", "mlp7_w256/mnist_part", _neighbours, _CODE),
]
