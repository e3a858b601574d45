"""02: do falls, rises, alignments and spindles appear where there are none, and are they found
where they are?

The noise is what the default networks show (MLP-7 and LeNet on the MNIST part): a network's mean
order leaves the common course by .1 to .25 orders at a checkpoint, an image's, in all networks
alike, by .5 to .8; nulls have the stronger noise.
"""

from __future__ import annotations

import numpy as np

from ..claims import Part
from ..evidence import alignment, mean_order, spindle
from ..metrics import orders
from .base import DEFAULT, Simulation, Sizes

__all__ = ["SIMULATIONS", "alignment_study", "mean_order_study"]

CHECKPOINTS, ORDERS = 13, 10
_CODE = (
    "utils.evidence.mean_order",
    "utils.evidence.alignment",
    "utils.evidence.spindle",
    "utils.metrics.dynamics",
)


def mean_order_study(
    course: np.ndarray, sizes: Sizes, rng: np.random.Generator, network: float, image: float
) -> np.ndarray:
    """Mean orders (S, C, X): a course (C,) plus noise per network and step and, in all networks,
    per image and step."""
    steps = len(course)
    return (
        course[:, None]
        + network * rng.normal(size=(sizes.networks, steps, 1))
        + image * rng.normal(size=(steps, sizes.units))
    )


def _walk(course: np.ndarray, sizes: Sizes, rng: np.random.Generator) -> np.ndarray:
    """Each network walks on its own, each image in all networks alike."""
    noise = mean_order_study(np.zeros(len(course)), sizes, rng, 0.2, 0.5)
    return course[:, None] + noise.cumsum(1)


def _draw_fall(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """A fall or none, then a rise of one order; or flat altogether."""
    return mean_order.fall_parts(
        _phases(scenario, sizes, rng, rise=0.0 if scenario == "none: flat" else 1.0)
    )


def _draw_rise(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """A fall of two orders, then a rise or none."""
    return mean_order.rise_parts(_phases(scenario, sizes, rng, fall=2.0))


def _phases(
    scenario: str,
    sizes: Sizes,
    rng: np.random.Generator,
    fall: float | None = None,
    rise: float | None = None,
) -> np.ndarray:
    """Mean orders (S, C, X) that turn in the middle; the fall or rise that is not given is the
    scenario's."""
    size = {"paper": 0.5, "half": 0.25}.get(scenario, 0.0)
    turn, last = CHECKPOINTS // 2, CHECKPOINTS - 1
    place = np.arange(CHECKPOINTS)
    before, after = np.clip(1 - place / turn, 0, 1), np.clip((place - turn) / (last - turn), 0, 1)
    noise = (0.1, 0.5) if size else (0.2, 1.0)
    if scenario == "none: random walk":
        return _walk(np.full(CHECKPOINTS, 2.0), sizes, rng)
    course = (
        2.0 + (size if fall is None else fall) * before + (size if rise is None else rise) * after
    )
    return mean_order_study(course, sizes, rng, *noise)


def alignment_study(
    cells: float,
    sizes: Sizes,
    rng: np.random.Generator,
    checkpoints: int = CHECKPOINTS,
    turn: float = 0.5,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Log steps, mean orders (S, K), log grid, gaps (S, G): t_gap lies ``cells`` after t* (place
    ``turn`` in 0..1).

    A network's moments scatter by .4 and .2 cells of 12 around the common ones; mean orders fall by
    2 and rise by 1 over the window, .2 of noise; the gap rises from 0 to .9, with smooth noise of
    .02.
    """
    x, grid = np.linspace(0, 1, checkpoints - 1), np.linspace(0, 1, alignment.GRID)
    cell, of_12 = 1 / (checkpoints - 2), 1 / (CHECKPOINTS - 2)
    stars = turn + 0.4 * of_12 * rng.normal(size=(sizes.networks, 1))
    starts = turn + cells * cell + 0.2 * of_12 * rng.normal(size=(sizes.networks, 1))
    mu = 2 + 4 * np.clip(stars - x, 0, None) + 2 * np.clip(x - stars, 0, None)
    mu = mu + 0.2 * rng.normal(size=mu.shape)
    rough = rng.normal(size=(sizes.networks, len(grid) + 4))
    smooth = np.stack([rough[:, i : i + len(grid)] for i in range(5)]).mean(0) * 5**0.5
    return x, mu, grid, 1.8 * np.clip(grid - starts, 0, None) + 0.02 * smooth


def _draw_alignment(
    scenario: str, sizes: Sizes, rng: np.random.Generator, checkpoints: int = CHECKPOINTS
) -> list[Part]:
    """Without an effect each reading has its own null: the moments 1.5 cells apart (as stated), or
    unrelated (specific)."""
    if scenario in ("paper", "half"):
        cells = {"paper": 0.0, "half": 0.75}[scenario]
        return alignment.alignment_parts(*alignment_study(cells, sizes, rng, checkpoints))
    apart = {"none": 1.5, "none: earlier": -1.5}[scenario]
    distance, _ = alignment.alignment_parts(*alignment_study(apart, sizes, rng, checkpoints))
    turn, start = rng.uniform(0.25, 0.75), rng.uniform(0, 1)
    _, shift = alignment.alignment_parts(
        *alignment_study((start - turn) * (checkpoints - 2), sizes, rng, checkpoints, turn)
    )
    return [distance, shift]


def _shares(
    profile: np.ndarray, sizes: Sizes, rng: np.random.Generator, network: float, image: float
) -> np.ndarray:
    """Order shares (S, X, n) around ``profile``: log-normal noise per network and order, and per
    image too."""
    every = (sizes.networks, sizes.units, len(profile))
    strength = profile * np.exp(
        network * rng.normal(size=(every[0], 1, every[2])) + image * rng.normal(size=every)
    )
    return strength / strength.sum(-1, keepdims=True)


def _draw_shape(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """The paper's spindle; ends at .26 of the peak (half); ends at half of it; a dip as deep as the
    bound allows.

    After the split a network's share of an order is off by some 8 %, an image's by 30 %.
    """
    profile = orders.spindle(ORDERS).numpy()
    place = np.linspace(-1, 1, ORDERS)
    if scenario in ("half", "none"):
        low = {"half": 0.26, "none": 0.5}[scenario]
        profile = low + (1 - low) * (1 - place**2)
    elif scenario == "none: two peaks":
        profile = np.array([0.02, 0.05, 0.10, 0.19, 0.15, 0.24, 0.14, 0.08, 0.02, 0.01])
    return spindle.shape_parts(_shares(profile / profile.sum(), sizes, rng, 0.08, 0.3))


def _draw_law(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Shares that are those of noise (paper), .05 (half) or .10 (none) of total variation away from
    them.

    Pure interactions are known best (3 % of a share between networks, 10 % between images), as are
    noise games.
    """
    law = orders.spindle(ORDERS).numpy()
    away = {"paper": 0.0, "half": 0.05, "none": 0.1}[scenario]
    moved = law + away / (np.abs(law[::-1] - law).sum() / 2) * (law[::-1] - law)
    pure, split, noise = (
        _shares(p, sizes, rng, *scatter)
        for p, scatter in ((moved, (0.03, 0.1)), (moved, (0.08, 0.3)), (law, (0.03, 0.1)))
    )
    return spindle.law_parts(pure, split, noise)


_SYSTEM = "lenet/mnist_part"
SIMULATIONS = [
    Simulation(
        "D3a", _SYSTEM, _draw_fall, _CODE, nulls=("none", "none: flat", "none: random walk")
    ),
    Simulation("D3b", _SYSTEM, _draw_rise, _CODE, nulls=("none", "none: random walk")),
    Simulation("D4", _SYSTEM, _draw_alignment, _CODE, nulls=("none", "none: earlier")),
    # The jackknife asks for hundreds of distances to unimodal profiles, 10 to 30 ms a system: fewer
    # runs and systems.
    Simulation(
        "D11a",
        _SYSTEM,
        _draw_shape,
        (*_CODE, "utils.metrics.unimodal"),
        {"default": DEFAULT, "reference": Sizes(10, 40)},
        nulls=("none", "none: two peaks"),
        runs=200,
    ),
    Simulation("D11b", _SYSTEM, _draw_law, _CODE),
]
