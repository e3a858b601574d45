"""Simulated studies of 06_iou_stability: L5, L9 (counts of shared sets), L6, L10 (stabilities),
D12, D16 (class products).

Noise is chosen after the default networks (MNIST part): two networks' pooled IoU differ between
pairs of networks by a few hundredths and between images by about .15; slopes of log stability by
.05 between networks. The split is not drawn here; :mod:`tests.test_iou_stability` sends planted
stabilities through it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ..claims import Part
from ..evidence import class_similarity, overlap, stability
from .base import Simulation, Sizes

__all__ = ["SIMULATIONS", "class_products", "shared_counts", "stabilities"]

N = 10
ROOM = np.array([math.comb(N, k) for k in range(1, N + 1)])


def shared_counts(low: float, high: float, sizes: Sizes, rng: np.random.Generator) -> np.ndarray:
    """Numbers of salient sets (3, S, X, n), as :func:`utils.metrics.agreement.counts`: every order
    equally dense (.3).

    Of the sets of orders 1 and 2 a share ``low`` is common to both networks by construction, of the
    others ``high``; the rest is placed at random. Pairs of networks vary by .03, images by .15.
    """
    shape = (sizes.networks, sizes.units)
    lift = 0.03 * rng.standard_normal((2, sizes.networks, 1)) + 0.15 * rng.standard_normal(
        (2, *shape)
    )
    share = np.where(
        np.arange(1, N + 1) <= 2, (low + lift[0])[..., None], (high + lift[1])[..., None]
    ).clip(0, 1)
    common = rng.binomial(rng.binomial(np.broadcast_to(ROOM, (*shape, N)), 0.3), share)
    left = ROOM - common
    own = [
        rng.binomial(left, 0.3 * (1 - share) / np.maximum(1 - 0.3 * share, 1e-9)) for _ in range(2)
    ]
    met = rng.hypergeometric(own[0], left - own[0], own[1])
    return np.stack([common + met, common + own[0], common + own[1]]).astype(np.float64)


def _shared(kind: overlap.Kind) -> Callable[[str, Sizes, np.random.Generator], list[Part]]:
    def draw(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
        # A share s of common sets gives an IoU of about .18 + .82 s²; slopes of both readings near
        # .5 are about 1.
        gain = {"paper": 0.04, "half": 0.02}.get(scenario, 0.0)
        return overlap.parts(kind, shared_counts(0.5 + gain, 0.5, sizes, rng))

    return draw


SETS = {
    "AND": (7.0, 7.5, 1.8, 0.4, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0),
    "OR": (0.0, 7.5, 2.6, 0.6, 0.15, 0.0, 0.0, 0.0, 0.0, 0.0),
}
"""Salient sets of each order per image, as in the default networks (MNIST part)."""


def stabilities(
    slope: float, kind: stability.Kind, sizes: Sizes, rng: np.random.Generator
) -> list[stability.Sets]:
    """Log stability of the salient sets of every network: ``slope`` per order, noise of networks,
    images and sets.

    Networks: .04 per order; images, the same for all networks: .4, and .05 per order; networks on
    an image: .3; sets: .8.
    """
    shared = rng.standard_normal((2, sizes.units))
    found = []
    for _ in range(sizes.networks):
        count = rng.poisson(np.broadcast_to(SETS[kind], (sizes.units, N)))
        image, order = (np.repeat(x.ravel(), count.ravel()) for x in np.indices(count.shape))
        order = order + 1
        steep = slope + 0.04 * rng.standard_normal() + 0.05 * shared[1][image]
        level = 3 + 0.4 * shared[0][image] + 0.3 * rng.standard_normal(sizes.units)[image]
        found.append(
            stability.Sets(
                level + steep * order + 0.8 * rng.standard_normal(len(order)), order, image
            )
        )
    return found


def _stable(kind: stability.Kind) -> Callable[[str, Sizes, np.random.Generator], list[Part]]:
    def draw(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
        slope = {"paper": -0.35, "half": -0.17}.get(scenario, 0.0)
        return stability.parts(
            stabilities(slope, kind, sizes, rng), N, 5, sizes.units, resamples=60
        )

    return draw


LIKENESS = (0.98, 0.95, 0.85, 0.70, 0.50)
NOISE = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
"""Energy of one image's deviation from its class mean over the energy of the mean, per order: it
doubles, as the variance of independent noise does. ``orders`` 1 to 5 can then be established with
200 images a class, and not with 30."""


def class_products(
    likeness: np.ndarray, images: int, sizes: Sizes, rng: np.random.Generator
) -> np.ndarray:
    """(2, S, K, n) products of class means whose true ratio at each order is ``likeness`` (n,) with
    .03 between networks.

    Exact moments of ⟨m1, t⟩, ⟨m2, t⟩ and ⟨m1, m2⟩ for means with independent Gaussian errors of
    ``images`` images: the truth's energy M, errors along it, and products of two errors in all
    directions.
    """
    shape, n = (sizes.networks, sizes.units), len(likeness)
    true = (
        likeness
        + 0.03 * rng.standard_normal((sizes.networks, 1, n))
        + 0.05 * rng.standard_normal((*shape, n))
    )
    energy = np.exp(
        0.3 * rng.standard_normal((sizes.units, n))
        + 0.15 * rng.standard_normal((sizes.networks, 1, n))
    )
    directions = 2.0 * np.array([math.comb(n, k) for k in range(1, n + 1)])
    error = np.sqrt(
        np.asarray(NOISE[:n]) / images / directions
    )  # per direction, where the truth's energy is 1
    along, cross = rng.standard_normal((3, *shape, n)), rng.standard_normal((3, *shape, n))
    size, both = np.sqrt(energy) * error, np.sqrt(directions) * error**2
    within = energy + size * (along[0] + along[1]) + both * cross[0]
    across = [
        true * energy + size * (true * along[i] + along[2]) + both * cross[1 + i] for i in range(2)
    ]
    return np.stack([(across[0] + across[1]) / 2, within])


def _images(sizes: Sizes) -> int:
    return int(sizes.unit.split()[2])


def _likeness(sizes: Sizes, scenario: str) -> np.ndarray:
    falling = np.array([*LIKENESS, *(LIKENESS[-1] - 0.12 * k for k in range(1, 5))])
    weight = {"paper": 1.0, "half": 0.5 * 0.06 / 0.12}.get(scenario, 0.0)
    return weight * falling + (1 - weight) * 0.9


def _like(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    return class_similarity.parts(
        class_products(_likeness(sizes, scenario), _images(sizes), sizes, rng)
    )


def _drop(scenario: str, sizes: Sizes, rng: np.random.Generator) -> list[Part]:
    """Four checkpoints: the ratio of orders 3 and above falls from .9 by 2e or e after the second,
    or does not."""
    fall = {"paper": 0.2, "half": 0.1}.get(scenario, 0.0)
    every = [
        class_products(np.full(9, 0.9 - fall * t), _images(sizes), sizes, rng)
        for t in (0.0, 0.0, 0.5, 1.0)
    ]
    shape = (sizes.networks, len(every), sizes.units)
    middle = np.array([2.4, 2.0, 2.3, 2.6])[:, None] + 0.1 * rng.standard_normal(shape)
    return class_similarity.over_time(np.stack(every, 2), middle)


_PAIRS = {"default": Sizes(5, 100, 2, "images"), "reference": Sizes(10, 100, 2, "images")}
# Two systems stand for the larger family of the reference profile: counting sets and bootstraps
# cost 10 ms a system.
_NOISY = {"default": Sizes(5, 20, 2, "images"), "reference": Sizes(10, 40, 2, "images")}
_CLASSES = {
    "default": Sizes(5, 10, 2, "classes of 30 images"),
    "reference": Sizes(10, 10, 4, "classes of 200 images"),
    "5 networks, 200 images a class": Sizes(5, 10, 2, "classes of 200 images"),
}
_LATE = {"reference": Sizes(10, 10, 4, "classes of 200 images")}

SIMULATIONS = [
    *(
        Simulation(
            row,
            "mlp7_w256+lenet/mnist_part",
            _shared(kind),
            ("utils.evidence.overlap", "utils.metrics.agreement"),
            _PAIRS,
        )
        for row, kind in (("L5", "AND"), ("L9", "OR"))
    ),
    *(
        Simulation(
            row,
            "lenet/mnist_part",
            _stable(kind),
            ("utils.evidence.stability", "utils.metrics.agreement"),
            _NOISY,
        )
        for row, kind in (("L6", "AND"), ("L10", "OR"))
    ),
    Simulation(
        "D12",
        "lenet/mnist_part",
        _like,
        ("utils.evidence.class_similarity", "utils.metrics.agreement"),
        _CLASSES,
    ),
    Simulation(
        "D16",
        "lenet/mnist_part",
        _drop,
        ("utils.evidence.class_similarity", "utils.metrics.agreement"),
        _LATE,
    ),
]
