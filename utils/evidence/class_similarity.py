"""D12, D16: are the interactions of training and of test images alike at low orders only, and less
and less so?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy import stats as sps

from .. import stats
from ..claims import Part, Premise
from ..jobs.class_means import ClassMeans
from ..metrics import agreement, orders

__all__ = [
    "CLEAR",
    "LEAST_ORDERS",
    "ClassCourse",
    "Classes",
    "controls",
    "drop",
    "enough_orders",
    "established",
    "fall",
    "jaccard",
    "over_time",
    "parts",
    "products",
    "ratios",
]

CLEAR = 5
"""Standard errors by which the product of the halves must exceed 0 for an order to be established
(registered)."""
LEAST_ORDERS = 4
"""Established orders that a slope needs, one of them at least n/2 (registered with the row)."""


@dataclasses.dataclass(frozen=True, eq=False)
class Classes:
    """Class means of training and test images, one per network."""

    networks: Sequence[ClassMeans]
    certified_only: bool = False

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance."""
        done = torch.stack([one.converged for one in self.networks])
        return float((~done).double().mean())

    def certified(self) -> Classes:
        """The same for means over images whose split is certified."""
        return dataclasses.replace(self, certified_only=True)


@dataclasses.dataclass(frozen=True, eq=False)
class ClassCourse:
    """Class means at some checkpoints; steps: of training, one each."""

    times: Sequence[Classes]
    steps: Sequence[int]

    @property
    def uncertified(self) -> float:
        """Largest share of games above the split's tolerance, over the checkpoints."""
        return max(one.uncertified for one in self.times)

    def certified(self) -> ClassCourse:
        """The same for means over images whose split is certified."""
        return dataclasses.replace(self, times=[one.certified() for one in self.times])


def products(x: Classes) -> np.ndarray:
    """Inner products of class means over the sets of each order, AND and OR together: (2, R, K, n).

    First P: of a train half and the test images, averaged over both halves; then Q: of the two
    halves. Sampling errors of disjoint groups of images are independent, so neither has a bias,
    however few the images: a ratio of sums over classes is 1 where test images are what other
    training images are. A class without any certified image counts as 0.
    """
    pairs = []
    for one in x.networks:
        half, other, unseen = one.certified if x.certified_only else one.means
        across = (half * unseen + other * unseen) / 2
        pairs.append(torch.stack([orders.by_order(y).sum(-2) for y in (across, half * other)]))
    both = torch.stack(pairs, 1).numpy()
    return np.where(np.isnan(both).any(0), 0.0, both)


def _clarity(q: np.ndarray) -> np.ndarray:
    """Mean over the *other* networks of Σ_classes Q in standard errors: (R, K, n) → (R, n)."""
    total = q.sum(1)
    found = np.zeros_like(total)
    for r in range(len(total)):
        rest = np.delete(total, r, axis=0)
        if len(rest) < 2:
            continue
        error = rest.std(0, ddof=1) / math.sqrt(len(rest))
        clear = np.where(
            error > 0,
            rest.mean(0) / np.where(error > 0, error, 1.0),
            np.where(rest.mean(0) > 0, np.inf, 0.0),
        )
        found[r] = clear
    return found


def established(q: np.ndarray) -> np.ndarray:
    """Orders at which two halves of the training images agree clearly in the other networks: (R, K,
    n) → bool (R, n).

    Chosen on other networks, so that a network's own luck with Q does not decide whether it enters
    its ratio.
    """
    interval = sps.t.ppf(0.975, max(len(q) - 2, 1))  # above 5 only with three networks or fewer
    return _clarity(q) > max(CLEAR, interval)


def ratios(products: np.ndarray, use: np.ndarray, keep: np.ndarray | None = None) -> np.ndarray:
    """R_k = Σ_classes P_k / Σ_classes Q_k over the classes of ``keep``: (R, n), NaN outside ``use``
    (R, n)."""
    p, q = (x if keep is None else x[:, keep] for x in products)
    bottom = q.sum(1)
    use = use & (bottom > 0)
    return np.where(use, p.sum(1) / np.where(use, bottom, 1.0), np.nan)


def _enough(use: np.ndarray) -> np.ndarray:
    n = use.shape[-1]
    return (use.sum(-1) >= LEAST_ORDERS) & use[:, math.ceil(n / 2) - 1 :].any(-1)


def parts(products: np.ndarray) -> list[Part]:
    """D12 from (2, R, K, n), per network: slope of R_k over its established orders; none where too
    few are."""
    use = established(products[1])
    use = use & _enough(use)[:, None]
    return [
        Part.jackknifed(
            "slope",
            lambda keep: agreement.slopes(ratios(products, use, keep), LEAST_ORDERS),
            products.shape[2],
        )
    ]


def enough_orders(products: np.ndarray, per_class: int) -> Premise:
    """In every network 4 orders must be established, one of them at least n/2; else how many images
    would do.

    Where an order is not established the sampling error of Q is that of a product of two errors: it
    falls as 1 / images.
    """
    n, clear = products.shape[-1], np.maximum(_clarity(products[1]), 1e-9)
    high = np.sort(clear[:, math.ceil(n / 2) - 1 :], 1)[:, -1]
    short = min(float(np.sort(clear, 1)[:, -LEAST_ORDERS].min()), float(high.min()))
    images = math.ceil(per_class * CLEAR / short)
    much = f"about {images}" if images <= 100 * per_class else f"more than {100 * per_class}"
    return Premise(
        "established orders",
        bool(_enough(established(products[1])).all()),
        f"{LEAST_ORDERS} orders, one of at least {math.ceil(n / 2)}, must be established (two "
        "halves of the "
        f"training images agree by {CLEAR} standard errors in the other networks); a network has "
        f"{int(established(products[1]).sum(-1).min())}: {much} images per class and half would do "
        f"(class_images), there are {per_class}",
    )


def over_time(products: np.ndarray, order: np.ndarray) -> list[Part]:
    """D16 from (2, R, C, K, n) at C checkpoints and the mean order (R, C, K), per network: R of
    orders ≥ 3 at t* minus last.

    t*: the checkpoint of least mean order of the test images, chosen on other networks and the
    other half of the classes. A network has no value where the pooled Q is not established at both.
    """
    p, q = products[..., 2:].sum(-1)
    choice = stats.cross_chosen(order, np.argmin)
    early, late = (
        np.stack([stats.chosen(x, choice) for x in (p, q)]),
        np.stack([p[:, -1], q[:, -1]]),
    )
    early, late = early[..., None], late[..., None]
    use = established(early[1]) & established(late[1])
    return [
        Part.jackknifed(
            "drop",
            lambda keep: (ratios(early, use, keep) - ratios(late, use, keep))[:, 0],
            p.shape[2],
        )
    ]


def fall(x: Classes) -> list[Part]:
    """D12 of a system's class means."""
    return parts(products(x))


def drop(x: ClassCourse) -> list[Part]:
    """D16 of class means per checkpoint and network (see :func:`over_time`)."""
    every = np.stack([products(one) for one in x.times], 2)
    order = [[means.order[2].numpy() for means in one.networks] for one in x.times]
    return over_time(every, np.stack(order, 1))


def jaccard(x: Classes) -> tuple[np.ndarray, np.ndarray]:
    """The papers' similarity, mean over classes: train half with test (mean of both), half with
    half; (R, n) each."""
    rows = []
    for one in x.networks:
        half, other, unseen = one.means
        across = (
            agreement.weighted_jaccard(half, unseen) + agreement.weighted_jaccard(other, unseen)
        ) / 2
        rows.append(torch.stack([across, agreement.weighted_jaccard(half, other)]).nanmean(1))
    test, train = torch.stack(rows, 1).numpy()
    return test, train


def controls(x: Classes, per_class: int) -> dict[str, object]:
    """The papers' raw curves, which fall for sampling reasons alone, and how clearly each order is
    established; per_class: images of a class in each group."""
    every, (test, train) = products(x), jaccard(x)
    use = established(every[1])
    return {
        "order": list(range(1, every.shape[-1] + 1)),
        "images per class and group": per_class,
        "raw Jaccard of training and test images": test.mean(0).tolist(),
        "raw Jaccard of two halves of training images": train.mean(0).tolist(),
        "P, mean over networks": every[0].sum(1).mean(0).tolist(),
        "Q, mean over networks": every[1].sum(1).mean(0).tolist(),
        "Q in standard errors over the other networks, least": _clarity(every[1]).min(0).tolist(),
        "networks that count the order as established": use.sum(0).tolist(),
    }
