"""F2, F3: multi-order interactions, their strength by order and what an attack changes in them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise
from ..jobs.attacked import Attacked
from ..metrics import multi_order

__all__ = ["attack_controls", "attack_parts", "attack_table", "bottleneck_controls", "bottleneck_parts",
           "bottleneck_table", "changes", "fooled", "strengths"]

CLEAN, ATTACK, NOISE = 0, 1, 2


def strengths(found: Attacked) -> torch.Tensor:
    """J^(m) of the clean images of every seed, (R, n - 1): see :func:`utils.metrics.multi_order.order_strength`."""
    return multi_order.order_strength(multi_order.multi_order(found.v[:, CLEAN]))


def changes(found: Attacked, by: int) -> torch.Tensor:
    """E_x E_ij |ΔI^(m)| / E_x E_ij |I^(m)| under the attack or the noise, per seed: (R, n - 1)."""
    clean, other = (multi_order.multi_order(found.v[:, k]) for k in (CLEAN, by))
    return (other - clean).abs().mean((-3, -1)) / clean.abs().mean((-3, -1))


def _ends(curve: torch.Tensor) -> dict[str, np.ndarray]:
    low, middle, high = multi_order.order_fifths(curve)
    return {"low_end": (low - middle).numpy(), "high_end": (high - middle).numpy()}


def bottleneck_parts(trained: Attacked, untrained: Attacked) -> list[Part]:
    """F3, per seed: J at either end minus J in the middle, and the same above the untrained network's (N0)."""
    ours, null = _ends(strengths(trained)), _ends(strengths(untrained))
    return [*(Part(name, values) for name, values in ours.items()),
            *(Part(f"{name}_above_null", values - null[name]) for name, values in ours.items())]


def bottleneck_controls(untrained: Attacked) -> dict[str, float]:
    """The two differences of the untrained network, mean over seeds."""
    return {f"untrained (N0), {name}": float(values.mean()) for name, values in _ends(strengths(untrained)).items()}


def _slopes(curves: torch.Tensor) -> np.ndarray:
    orders = np.arange(curves.shape[-1])
    return np.array([np.polyfit(orders, curve, 1)[0] for curve in curves.numpy()])


def attack_parts(trained: Attacked) -> list[Part]:
    """F2, per seed: slope over m of the relative change under the attack, and the same above that of random noise."""
    ours, null = (_slopes(changes(trained, by)) for by in (ATTACK, NOISE))
    return [Part("slope", ours), Part("slope_above_random", ours - null)]


def attack_controls(trained: Attacked, untrained: Attacked) -> dict[str, float]:
    """Mean slopes of what the claim is compared with, and the share of images that the attack and the noise fool."""
    return {"slope under random noise": float(_slopes(changes(trained, NOISE)).mean()),
            "slope under the attack, untrained (N0)": float(_slopes(changes(untrained, ATTACK)).mean()),
            "images fooled by the attack": float(trained.fooled[:, 0].mean()),
            "images fooled by the noise": float(trained.fooled[:, 1].mean())}


def fooled(found: Attacked, least: float = 0.5) -> Premise:
    """The attack must be one: in every seed it changes the class of at least half of the images."""
    share = float(found.fooled[:, 0].min())
    return Premise("the attack succeeds", share >= least,
                   f"in some seed the attack changes the class of only {share:.0%} of the images, at least {least:.0%} are "
                   "needed: raise attack_size or attack_steps")


def _table(curves: Mapping[str, torch.Tensor]) -> pd.DataFrame:
    pieces = []
    for label, values in curves.items():
        spans = [stats.t_interval(column) if len(column) > 1 else None for column in values.T.numpy()]
        pieces.append(pd.DataFrame({
            "games": label, "order": range(values.shape[-1]), "value": values.mean(0).numpy(),
            "low": [s.low if s else np.nan for s in spans], "high": [s.high if s else np.nan for s in spans]}))
    return pd.concat(pieces, ignore_index=True)


def bottleneck_table(trained: Attacked, untrained: Attacked) -> pd.DataFrame:
    """J^(m) over m, mean and 95 % interval over seeds."""
    return _table({"trained": strengths(trained), "untrained": strengths(untrained)})


def attack_table(trained: Attacked) -> pd.DataFrame:
    """Relative change over m under the attack and under random noise of the same size."""
    return _table({"attack": changes(trained, ATTACK), "random noise": changes(trained, NOISE)})
