"""F2, F3: multi-order interactions, their strength by order and what an attack changes in them."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise
from ..jobs.attacked import Attacked
from ..metrics import multi_order

__all__ = [
    "ATTACK",
    "HALF",
    "attack_controls",
    "attack_parts",
    "attack_reported",
    "attack_table",
    "bottleneck_controls",
    "bottleneck_parts",
    "bottleneck_reported",
    "bottleneck_table",
    "changes",
    "fooled",
    "strength_chosen",
    "strengths",
]

HALF = 0.5
"""Share of the images whose class an attack must change."""
ATTACK, NOISE = 0, 1


def strengths(games: torch.Tensor) -> np.ndarray:
    """J^(m) of every image, games (R, X, 2^n) → (R, X, n - 1): see
    :func:`utils.metrics.multi_order.order_strength`."""
    return multi_order.order_strength(multi_order.multi_order(games)).numpy()


def changes(found: Attacked) -> np.ndarray:
    """E_ij |ΔI^(m)| / E_ij |I^(m)| of every image under the attack and under the noise, (R, 2, K,
    X, n - 1)."""
    clean = multi_order.multi_order(found.clean)[:, None, None]
    moved = multi_order.multi_order(found.moved)
    return ((moved - clean).abs().mean(-1) / clean.abs().mean(-1)).numpy()


def _spread(units: np.ndarray) -> float:
    """Standard deviation across images (S, X), within a network: what an effect is counted in where
    no paper says."""
    return float(np.sqrt(np.nanvar(units, axis=1, ddof=1).mean()))


def _ends(curve: np.ndarray) -> dict[str, np.ndarray]:
    low, middle, high = multi_order.order_fifths(torch.from_numpy(curve))
    return {"low_end": (low - middle).numpy(), "high_end": (high - middle).numpy()}


def bottleneck_parts(trained: np.ndarray, untrained: np.ndarray) -> list[Part]:
    """F3: J at either end minus J in the middle, and the same minus the untrained network's (N0);
    both (R, X, n - 1)."""
    ours, null = _ends(trained), _ends(untrained)
    return [
        *(Part.of(name, values, scale=_spread(values)) for name, values in ours.items()),
        *(
            Part.of(f"{name}_above_null", values - null[name], scale=_spread(values))
            for name, values in ours.items()
        ),
    ]


def bottleneck_reported(trained: torch.Tensor, untrained: torch.Tensor) -> dict[str, list[Part]]:
    """The ratio of sums over images, which is how Deng et al. 2022 (Eq. 5) print J: games (R, X,
    2^n) of both."""
    strength, null = (
        multi_order.multi_order(games).abs().mean(-1) for games in (trained, untrained)
    )
    scale = {name: _spread(x) for name, x in _ends(strengths(trained)).items()}

    def ends(name: str, less: float, keep: np.ndarray) -> np.ndarray:
        def of(games: torch.Tensor) -> np.ndarray:
            mean = games[:, torch.from_numpy(keep)].mean(1)
            return _ends((mean / mean.mean(-1, keepdim=True)).numpy())[name]

        return of(strength) - less * of(null)

    return {
        "ratio of sums over images": [
            Part.jackknifed(
                f"{name}{suffix}",
                functools.partial(ends, name, less),
                strength.shape[1],
                scale=scale[name],
            )
            for suffix, less in (("", 0.0), ("_above_null", 1.0))
            for name in scale
        ]
    }


def bottleneck_controls(untrained: np.ndarray) -> dict[str, float]:
    """The two differences of the untrained network, mean over seeds and images."""
    return {
        f"untrained (N0), {name}": float(values.mean()) for name, values in _ends(untrained).items()
    }


def _slopes(curves: np.ndarray) -> np.ndarray:
    """Least-squares slope over m = 0 … of curves (..., M)."""
    order = np.arange(curves.shape[-1]) - (curves.shape[-1] - 1) / 2
    return curves @ order / (order @ order)


def strength_chosen(fooled: np.ndarray) -> np.ndarray:
    """(R, 2): for each network and half of the images, the first size at which the attack changes
    the class of half of the others (other networks, other half); the last where none does. fooled
    (R, K, X)."""

    def first(share: np.ndarray) -> int:
        enough = np.flatnonzero(share >= HALF)
        return int(enough[0]) if len(enough) else len(share) - 1

    return stats.cross_chosen(fooled, first)


def attack_parts(change: np.ndarray, fooled: np.ndarray) -> list[Part]:
    """F2: slope over m of an image's relative change under the attack, and the same minus that
    under random noise.

    change (R, 2, K, X, n - 1), see :func:`changes`; fooled (R, K, X): by the attack. Its size:
    :func:`strength_chosen`.
    """
    slopes, choice = _slopes(change), strength_chosen(fooled)
    ours, null = (stats.chosen(slopes[:, by], choice) for by in (ATTACK, NOISE))
    return [
        Part.of("slope", ours, scale=_spread(ours)),
        Part.of("slope_above_random", ours - null, scale=_spread(ours)),
    ]


def attack_reported(change: np.ndarray, sizes: Sequence[float]) -> dict[str, list[Part]]:
    """The same at every size of the attack, whatever it fools."""
    slopes = _slopes(change)
    return {
        f"attack of size {size:g}": [
            Part.of("slope", slopes[:, ATTACK, k], scale=_spread(slopes[:, ATTACK, k])),
            Part.of(
                "slope_above_random",
                slopes[:, ATTACK, k] - slopes[:, NOISE, k],
                scale=_spread(slopes[:, ATTACK, k]),
            ),
        ]
        for k, size in enumerate(sizes)
    }


def attack_controls(
    found: Attacked, change: np.ndarray, sizes: Sequence[float]
) -> dict[str, object]:
    """The sizes that were chosen, what they fool, and the slope under noise of the same size."""
    wrong = found.fooled.double().numpy()
    choice = strength_chosen(wrong[:, ATTACK])
    null = stats.chosen(_slopes(change)[:, NOISE], choice)
    return {
        "slope under random noise": float(null.mean()),
        "size of the attack, per network and half of the images": np.asarray(sizes)[
            choice
        ].tolist(),
        "images fooled by the attack": float(stats.chosen(wrong[:, ATTACK], choice).mean()),
        "images fooled by the noise": float(stats.chosen(wrong[:, NOISE], choice).mean()),
        "images fooled by the attack, per size": wrong[:, ATTACK].mean((0, 2)).tolist(),
    }


def fooled(found: Attacked, sizes: Sequence[float]) -> Premise:
    """The attack must be one: wherever its size was chosen, some size changed the class of half of
    the images."""
    wrong = found.fooled[:, ATTACK].double().numpy()
    reached = stats.cross_chosen(wrong, lambda share: int((share >= HALF).any())).all()
    return Premise(
        "the attack succeeds",
        bool(reached),
        f"an attack of size {sizes[-1]:g} changes the class of {wrong[:, -1].mean():.0%} of the "
        "images, half of "
        "them are needed: raise attack_sizes or attack_steps",
    )


def _table(curves: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Mean over networks and images of curves (R, X, M) with its interval over both."""
    pieces = []
    for label, values in curves.items():
        spans = [
            stats.crossed(stats.unit_means(x), stats.leave_one_out(x)).interval()
            for x in np.moveaxis(values, -1, 0)
        ]
        pieces.append(
            pd.DataFrame(
                {
                    "games": label,
                    "order": range(values.shape[-1]),
                    "value": [s.estimate for s in spans],
                    "low": [s.low for s in spans],
                    "high": [s.high for s in spans],
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


def bottleneck_table(trained: np.ndarray, untrained: np.ndarray) -> pd.DataFrame:
    """J^(m) over m, mean and 95 % interval over networks and images."""
    return _table({"trained": trained, "untrained": untrained})


def attack_table(change: np.ndarray, fooled: np.ndarray) -> pd.DataFrame:
    """Relative change over m under the attack of the chosen size and under random noise of that
    size."""
    choice = strength_chosen(fooled)
    return _table(
        {
            label: np.stack(
                [stats.chosen(change[:, by, ..., m], choice) for m in range(change.shape[-1])], -1
            )
            for by, label in ((ATTACK, "attack"), (NOISE, "random noise"))
        }
    )
