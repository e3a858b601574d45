"""D13, M13: do networks use more high-order interactions on the wrong labels that they learnt by
heart?

Every network has wrong labels, mislabelled and clean images of its own, so a network's value
already holds the chance of its images: networks are the sample (protocol 6.4 without B, which would
count that chance twice).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch

from ..claims import Part, Premise
from ..jobs.games import CertifiedGames
from ..jobs.mislabelled import GROUPS, Memorised, Mislabelled
from ..metrics import orders
from .exactness import signal

__all__ = [
    "CLEAN",
    "FEWEST",
    "HIGH",
    "MISLABELLED",
    "START",
    "START_CLEAN",
    "TRUE",
    "NoisyGames",
    "Samples",
    "beside",
    "controls",
    "group_shares",
    "label_parts",
    "overlapping",
    "premises",
    "samples",
    "wrong_labels",
]

HIGH = 4
"""Orders from here on are high (as registered for both rows)."""
MEMORISED = 0.9
"""Share of the mislabelled training images that must be answered by their wrong label, in every
seed."""
FEWEST = 15
"""Mislabelled images per network that must lie within the clean images' range of both outputs (as
registered)."""

MISLABELLED, CLEAN, TRUE, START, START_CLEAN = range(len(GROUPS))


@dataclasses.dataclass(frozen=True, eq=False)
class NoisyGames:
    """Games of one system in the groups of ``GROUPS`` (the checkpoint axis; at least the first
    two), and per seed the images they are games of."""

    e: CertifiedGames
    images: Sequence[Mislabelled]

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance."""
        return self.e.uncertified

    def certified(self) -> NoisyGames:
        """The same for statistics of pairs whose two games are certified."""
        return dataclasses.replace(self, e=self.e.certified())


@dataclasses.dataclass(frozen=True)
class Samples:
    """Two groups of P images in each of S networks: what the statistics of both rows are computed
    from.

    strength (S, 2, P, n): Σ |I| of each order, mislabelled first; output, effect (S, 2, P): |v(N)|
    and |v(N) - v(∅)|; label (S, P): the given class, that of the i-th mislabelled and of the i-th
    clean image; kept (S, P) bool.
    """

    strength: np.ndarray
    output: np.ndarray
    effect: np.ndarray
    label: np.ndarray
    kept: np.ndarray


def samples(x: NoisyGames, one: int = MISLABELLED, other: int = CLEAN) -> Samples:
    """The games of groups ``one`` and ``other``; of certified games only, pairs whose two are."""
    groups, e = [one, other], x.e
    positive, negative = orders.strength_by_order(e.merged[:, groups])
    v = e.v[:, groups]
    kept = torch.stack([images.kept for images in x.images])
    if e.certified_only:
        kept = kept & e.converged[:, groups].all(1)
    return Samples(
        (positive - negative).numpy(),
        v[..., -1].abs().numpy(),
        (v[..., -1] - v[..., 0]).abs().numpy(),
        torch.stack([images.label for images in x.images]).numpy(),
        kept.numpy(),
    )


def wrong_labels(x: NoisyGames) -> list[Part]:
    """D13, M13 of one system's games."""
    return label_parts(samples(x))


def label_parts(x: Samples, high: int = HIGH) -> list[Part]:
    """Per network: the log ratio of the mean strengths, and the coefficient of a wrong label in the
    regression."""
    return [Part("log_ratio", _log_ratio(x, high)), Part("coefficient", _coefficient(x, high))]


def _log_ratio(x: Samples, high: int) -> np.ndarray:
    """log(mean over mislabelled / mean over clean images of Σ |I| in orders ≥ ``high``), (S,); NaN
    where one is 0."""
    mean = (x.strength[..., high - 1 :].sum(-1) * x.kept[:, None]).sum(
        -1
    )  # both over the same number of images
    found, known = np.full(len(mean), np.nan), (mean > 0).all(1)
    found[known] = np.log(mean[known, 0] / mean[known, 1])
    return found


def _coefficient(x: Samples, high: int) -> np.ndarray:
    """Least squares of an image's share of orders ≥ ``high`` on (mislabelled, |v(N)|, |v(N) -
    v(∅)|, class), (S,).

    The coefficient of mislabelled, after Frisch and Waugh: classes are taken out by subtracting
    their means, both outputs by projection. NaN where the label is a combination of the others.
    """
    total = x.strength.sum(-1)
    use = (x.kept[:, None] & (total > 0)).reshape(len(total), -1)
    share = np.where(
        total > 0, x.strength[..., high - 1 :].sum(-1) / np.where(total > 0, total, 1), 0
    ).reshape(use.shape)
    wrong = (
        np.broadcast_to(np.array([1.0, 0.0])[:, None], total.shape[1:])
        .reshape(1, -1)
        .repeat(len(total), 0)
    )
    label = np.concatenate([x.label, x.label], axis=1)
    member = (label[..., None] == np.unique(label)) & use[..., None]
    columns = (
        np.stack([share, wrong, x.output.reshape(use.shape), x.effect.reshape(use.shape)], -1)
        * use[..., None]
    )
    means = (
        np.swapaxes(member, 1, 2).astype(float) @ columns / np.maximum(member.sum(1), 1)[..., None]
    )
    within = columns - member @ means
    y, treated, others = within[..., 0], within[..., 1:2], within[..., 2:]
    others = others / np.maximum(np.sqrt((others**2).mean(1, keepdims=True)), 1e-300)
    crossed = np.swapaxes(others, 1, 2)
    rest = (
        treated - others @ (np.linalg.pinv(crossed @ others, hermitian=True) @ (crossed @ treated))
    )[..., 0]
    left, found = (rest**2).sum(1), np.full(len(use), np.nan)
    known = left > 1e-9 * use.sum(1)
    found[known] = (rest * y).sum(1)[known] / left[known]
    return found


def overlapping(x: Samples) -> np.ndarray:
    """Mislabelled images per network within the clean images' range of |v(N)| and of |v(N) - v(∅)|:
    (S,) int."""
    inside = x.kept.copy()
    for size in (x.output, x.effect):
        clean = np.where(x.kept, size[:, 1], np.nan)
        some = x.kept.any(1)
        low, high = (
            np.array(
                [
                    f(row[k]) if ok else np.nan
                    for row, k, ok in zip(clean, x.kept, some, strict=True)
                ]
            )
            for f in (np.min, np.max)
        )
        inside &= (size[:, 0] >= low[:, None]) & (size[:, 0] <= high[:, None])
    return inside.sum(1)


def beside(x: NoisyGames) -> dict[str, list[Part]]:
    """Shown without deciding: true label, untrained network (N0), neighbouring orders."""
    main = samples(x)
    start = label_parts(samples(x, START, START_CLEAN))
    parts = {
        "the true label as target": label_parts(samples(x, TRUE, CLEAN)),
        "minus the untrained network (N0)": [
            Part(a.name, a.values - b.values) for a, b in zip(label_parts(main), start, strict=True)
        ],
    }
    return parts | {
        f"orders {k} and above": label_parts(main, k)
        for k in (HIGH - 1, HIGH + 1)
        if k <= x.e.found.n
    }


def premises(known: Sequence[Memorised], x: NoisyGames, seeds: Sequence[int]) -> list[Premise]:
    """The wrong labels were learnt by heart, both groups reach the same outputs, and games stand
    out of rounding.

    That they reach the same outputs is a premise of the regression alone: the papers compare them
    whatever they are.
    """
    shares = [m.accuracy(m.flipped, m.given) for m in known]
    forgot = {
        seed: round(share, 3)
        for seed, share in zip(seeds, shares, strict=True)
        if not share >= MEMORISED
    }
    none = all(not bool(m.flipped.any()) for m in known)
    text = (
        "no label is wrong: set label_noise above 0"
        if none
        else (
            f"seed(s) {forgot} (share of the mislabelled training images answered by their given "
            "label) did not memorise; at "
            f"least {MEMORISED} is needed: train for more steps or on fewer images"
        )
    )
    common = overlapping(samples(x))
    few = {seed: int(count) for seed, count in zip(seeds, common, strict=True) if count < FEWEST}
    trained = x.e.at(*range(START))
    return [
        Premise("wrong labels memorised", not forgot, text),
        Premise(
            "common outputs",
            not few,
            f"seed(s) {few} (mislabelled images within the clean images' range of |v(N)| and "
            "|v(N) - v(∅)|) have "
            f"fewer than the {FEWEST} needed: more images or label noise",
            "specific",
        ),
        signal(trained),
    ]


def controls(known: Sequence[Memorised], x: NoisyGames) -> dict[str, object]:
    """Per seed: memorisation, images, outputs; and the mean strength and share of high orders in
    each group of games."""
    main = samples(x)
    count = main.kept.sum(1)
    mean = [
        np.where(count > 0, (size * main.kept[:, None]).sum(-1).T / np.maximum(count, 1), np.nan)
        for size in (main.output, main.effect)
    ]
    share = group_shares(x.e)[..., HIGH - 1 :].sum(-1)
    return {
        "training accuracy on mislabelled images, given label": [
            m.accuracy(m.flipped, m.given) for m in known
        ],
        "training accuracy on mislabelled images, true label": [
            m.accuracy(m.flipped, m.true) for m in known
        ],
        "training accuracy on clean images": [m.accuracy(~m.flipped, m.given) for m in known],
        "mislabelled images": count.tolist(),
        "mislabelled images within the clean ones' outputs": overlapping(main).tolist(),
        **{
            f"mean {what}, {who}": size[k].tolist()
            for what, size in zip(("|v(N)|", "|v(N) - v(empty)|"), mean, strict=True)
            for k, who in enumerate(GROUPS[:2])
        },
        f"share of strength in orders {HIGH} and above": {
            name: share[:, g].tolist() for g, name in enumerate(GROUPS)
        },
    }


def group_shares(e: CertifiedGames) -> np.ndarray:
    """Share of strength per order (R, G, n), a ratio of sums over images; NaN where there is
    none."""
    positive, negative = orders.strength_by_order(e.merged)
    total = (positive - negative).sum(2)
    return (total / total.sum(-1, keepdim=True)).numpy()
