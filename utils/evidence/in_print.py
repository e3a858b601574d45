"""What the papers print of a row, in one table with what was found here.

Their networks, data and numbers of images are others: a distance is shown, and nothing is judged
by it. Table 3 (M9) stands in the row's own figure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pandas as pd

from ..claims import Verdict

__all__ = ["PRINTED", "Printed", "beside"]

_ORDERS = tuple(range(1, 11))


class Printed(NamedTuple):
    """One row's numbers in print.

    source: figure or table; values: whose and what → the numbers, in the order of ``columns`` (a
    shorter list ends in zeros); ours: the row's tidy table and its verdict → what → our numbers, in
    the same order; distance: what theirs is from ours, total variation (of two distributions) or
    the mean difference.
    """

    source: str
    columns: tuple[int | str, ...]
    values: dict[tuple[str, str], tuple[float, ...]]
    ours: Callable[[pd.DataFrame, Verdict], dict[str, list[float]]]
    distance: str = "mean difference"


def beside(verdict: Verdict, table: pd.DataFrame) -> pd.DataFrame | None:
    """Our numbers first, then those in print with their distance from ours: a line per network and
    what was measured. None where nothing of the row is in print, or nothing was found here.

    verdict: of the row; table: its figure's tidy table.
    """
    printed = PRINTED.get(verdict.row)
    found = {} if printed is None else printed.ours(table, verdict)
    if not found:
        return None
    lines = {(f"here: {verdict.system}", what): (*own, None) for what, own in found.items()}
    for (whose, what), values in printed.values.items():
        theirs = (*values, *[0.0] * (len(printed.columns) - len(values)))
        own = found.get(what)
        apart = None if own is None else _apart(theirs, own, printed.distance)
        lines[f"{printed.source}: {whose}", what] = (*theirs, apart)
    columns = [*printed.columns, f"{printed.distance} from ours"]
    index = pd.MultiIndex.from_tuples(lines, names=["whose", "what"])
    return pd.DataFrame(list(lines.values()), index=index, columns=columns, dtype=float).round(3)


def _apart(theirs: tuple[float, ...], ours: list[float], distance: str) -> float:
    total = sum(abs(a - b) for a, b in zip(theirs, ours, strict=True))
    return total / 2 if distance == "total variation" else total / len(ours)


def _accuracies(table: pd.DataFrame, _verdict: Verdict) -> dict[str, list[float]]:
    last = table[table["network"] == "trained"].set_index("using")["accuracy"]
    return {"accuracy": last[["whole feature", "principal components"]].tolist()}


def _count(_table: pd.DataFrame, verdict: Verdict) -> dict[str, list[float]]:
    return {} if verdict.estimate is None else {"a sample": [verdict.estimate]}


def _shares(table: pd.DataFrame, _verdict: Verdict) -> dict[str, list[float]]:
    """Fig. 4's bars: of all interactions, at the times that are named as the paper's are."""
    if "row" not in table:
        return {}
    bars = table[table["row"] == "all interactions"]
    return {
        f"{time.partition(chr(10))[0]}, {kind}": _by_order(part, "share")
        for (time, kind), part in bars.groupby(["time", "shares"], sort=False)
    }


def _jaccard(table: pd.DataFrame, _verdict: Verdict) -> dict[str, list[float]]:
    own = table[(table["panel"] == "weighted Jaccard") & (table["curve"] == "train and test")]
    return {} if own.empty else {"train and test": _by_order(own, "value")}


def _by_order(part: pd.DataFrame, column: str) -> list[float]:
    return part.set_index("order")[column].reindex(_ORDERS).fillna(0.0).tolist()


_FIG4 = {
    "AlexNet, CUB": {
        "early": ((0.795, 0.205), (0.806, 0.176, 0.018)),
        "intermediate": ((0.665, 0.235, 0.085, 0.015), (0.668, 0.246, 0.065, 0.020)),
        "late": (
            (0.425, 0.204, 0.141, 0.109, 0.070, 0.035, 0.016),
            (0.389, 0.228, 0.144, 0.114, 0.081, 0.036, 0.009),
        ),
    },
    "VGG-11, CIFAR-10": {
        "early": ((0.836, 0.164), (0.858, 0.129, 0.013)),
        "intermediate": ((0.662, 0.199, 0.095, 0.035, 0.010), (0.696, 0.246, 0.052, 0.005)),
        "late": (
            (0.484, 0.182, 0.138, 0.105, 0.062, 0.022, 0.007),
            (0.506, 0.198, 0.106, 0.095, 0.068, 0.027),
        ),
    },
    "BERT-Medium, SST-2": {
        "early": ((0.911, 0.089), (0.917, 0.069, 0.014)),
        "intermediate": ((0.769, 0.154, 0.071, 0.006), (0.801, 0.175, 0.018, 0.006)),
        "late": (
            (0.568, 0.235, 0.103, 0.051, 0.030, 0.009, 0.004),
            (0.480, 0.274, 0.148, 0.072, 0.022, 0.004),
        ),
    },
}

PRINTED: dict[str, Printed] = {
    "L2": Printed(
        "Cheng et al. 2024, Fig. 2",
        ("salient interactions",),
        {
            ("MNIST, 100 images", "a sample"): (21.8,),
            ("CIFAR-10, 30 images", "a sample"): (45.6,),
        },
        _count,
    ),
    "M3": Printed(
        "Ren J. et al. 2025, Table 1",
        ("whole feature", "principal components"),
        {
            ("MLP-5, income", "accuracy"): (0.92, 0.94),
            ("MLP-5, TV news", "accuracy"): (0.86, 0.85),
            ("MLP-8, income", "accuracy"): (0.95, 0.90),
            ("ResNet, MNIST", "accuracy"): (1.0, 1.0),
            ("ResNet, CIFAR-10", "accuracy"): (0.89, 0.89),
            ("VGG, MNIST", "accuracy"): (1.0, 1.0),
            ("VGG, CIFAR-10", "accuracy"): (0.98, 0.97),
        },
        _accuracies,
    ),
    # Heights of bars read off the figure, as shares.
    "D10": Printed(
        "Ren Q. et al. 2024, Fig. 4",
        _ORDERS,
        {
            (whose, f"{time}, {kind}"): bars
            for whose, times in _FIG4.items()
            for time, both in times.items()
            for kind, bars in zip(("real", "theory"), both, strict=True)
        },
        _shares,
        "total variation",
    ),
    # Read off the figure.
    "D12": Printed(
        "Ren Q. et al. 2024, Fig. 5",
        _ORDERS,
        {
            ("VGG-11, CIFAR-10", "train and test"): (0.49, 0.26, 0.10, 0.045, 0.045, 0.02, 0.01),
            ("LeNet, MNIST", "train and test"): (0.50, 0.27, 0.14, 0.065, 0.05, 0.03, 0.02, 0.015),
            ("AlexNet, Tiny ImageNet", "train and test"): (0.56, 0.21, 0.035, 0.01),
            ("VGG-13, CUB", "train and test"): (
                0.39,
                0.20,
                0.035,
                0.005,
                0.0,
                0.0,
                0.0,
                0.01,
                0.01,
            ),
        },
        _jaccard,
    ),
}
"""Row → its numbers in print, as far as they are legible."""
