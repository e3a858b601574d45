"""What is shown beside L6 and L10: sets behind each order, and curves under noise of other
structure."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..metrics import agreement
from .order_curves import curve
from .stability import Noisy, Sets, curves, frozen, resplit

__all__ = ["controls", "shown", "table"]


def shown(x: Noisy) -> dict[str, dict[str, list[Sets]]]:
    """What the figure draws, panel → noise → sets: noise on the image and noise of other structure,
    the split optimised again and frozen."""
    cases = {"noise on the image": x} | {
        f"{name} noise on the score": one for name, one in x.nulls.items()
    }
    return {
        "split optimised again": {name: resplit(one) for name, one in cases.items()},
        "split frozen (not judged)": {name: frozen(one) for name, one in cases.items()},
    }


def controls(x: Noisy) -> dict[str, object]:
    """Number of sets behind each order, and the slopes of the curves that are drawn beside the main
    one, per network."""
    found, orders = resplit(x), range(1, x.n + 1)
    counts = np.array([[(sets.order == k).sum() for k in orders] for sets in found])
    slopes = {
        f"slope: {name}, {panel}, per network": agreement.slopes(curves(one, x.n, x.least)).tolist()
        for panel, kinds in shown(x).items()
        for name, one in kinds.items()
    }
    return {
        "order": list(orders),
        "salient sets, mean over networks": counts.mean(0).tolist(),
        "share of sets whose spread is below the split's tolerance, per network": [
            sets.floored for sets in found
        ],
        **slopes,
        "slope that independent noise gives interactions of equal size, split frozen": -np.log(2)
        / 2,
    }


def table(x: Noisy) -> pd.DataFrame:
    """Median stability per order of what is :func:`shown`; geometric means over networks with their
    95 % t interval."""
    logs = pd.concat(
        [
            curve(panel, label, curves(found, x.n, x.least))
            for panel, kinds in shown(x).items()
            for label, found in kinds.items()
        ],
        ignore_index=True,
    )
    logs[["value", "low", "high"]] = np.exp(logs[["value", "low", "high"]])
    return logs.rename(columns={"curve": "noise", "value": "stability"})
