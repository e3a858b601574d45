"""M7, M8: do all five kinds of course occur, more than in random courses, and what do the printed
definitions cover?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..claims import Part
from ..metrics import groups
from .courses import Courses, enough_checkpoints
from .group_statistics import kinds_parts

__all__ = ["curve_table", "definitions", "fits", "five_kinds", "printed_table", "told"]


def five_kinds(c: Courses) -> list[Part]:
    """M7: share of each group at the margin where it is least, and the distance of the image's
    shares from both kinds of random courses."""
    kept, persistent = c.counting, c.persistent
    own, walks = c.top.at(kept=kept)
    if kept is not None:
        persistent = np.where(kept[:, None, :, None], persistent, -1)
    return kinds_parts(
        c.shares(kept), groups.shares(own), groups.shares(walks), groups.shares(persistent)
    )


def _mean_shares(labels: np.ndarray) -> np.ndarray:
    """Mean share of each group over networks and images: (..., T) → (5,)."""
    return np.nanmean(groups.shares(labels), axis=tuple(range(labels.ndim - 1)))


def told(c: Courses, sparse: Courses) -> dict[str, Any]:
    """M7's premise and controls, and beside it the same from every second checkpoint."""
    shown: dict[str, Any] = {"groups": list(groups.GROUPS)}
    for margin in c.top.own:
        own, walks = (_mean_shares(x).tolist() for x in c.top.at(margin))
        shown |= {f"network, margin {margin:g}": own, f"random walks, margin {margin:g}": walks}
    persistent = _mean_shares(c.persistent).tolist()
    shown["random courses of the curves' persistence, margin 0.1"] = persistent
    first = np.abs(c.curves[..., 0]) / np.maximum(np.abs(c.curves).max(-1), 1e-300)
    shown["share of curves that start above a tenth of their maximum"] = float((first > 0.1).mean())
    return {
        "premises": [enough_checkpoints(c)],
        "control": shown,
        "beside": {"every second checkpoint": five_kinds(sparse)},
    }


def curve_table(c: Courses, name: str, most: int = 30) -> pd.DataFrame:
    """Curves of the first seed, up to ``most`` of each group, the strongest first, each divided by
    its maximum (Fig. 6)."""
    curves = c.curves[0].reshape(-1, c.curves.shape[-1])
    labels, peak = c.top.at()[0][0].ravel(), np.abs(curves).max(-1)
    share, walk = (_mean_shares(x) for x in c.top.at())
    pieces = []
    for k, group in enumerate(groups.GROUPS):
        members = [i for i in np.argsort(-peak, kind="stable") if labels[i] == k][:most]
        title = f"{group}: {share[k]:.0%} (walks {walk[k]:.0%})"
        common = {"system": name, "panel": title, "group": group}
        lines = [
            pd.DataFrame({**common, "curve": i, "step": c.steps, "value": curves[i] / peak[i]})
            for i in members
        ]
        # A group without curves keeps its panel, by a row without a value.
        none = {**common, "curve": -1, "step": c.steps[:1], "value": np.nan}
        pieces += lines or [pd.DataFrame(none)]
    return pd.concat(pieces, ignore_index=True)


# M8 -----------------------------------------------------------------------------------------------


def fits(curves: np.ndarray) -> dict[str, float]:
    """Share of curves (..., C) that fit none, one, several of the printed definitions, those of
    zeros left out."""
    alive = np.abs(curves).max(-1) > 0
    number = sum(x.astype(int) for x in groups.printed(curves).values())[alive]
    return {
        "none": float((number == 0).mean()),
        "one": float((number == 1).mean()),
        "several": float((number > 1).mean()),
    }


def _beside_noise(c: Courses) -> dict[str, dict[str, float]]:
    """Fits of the curves of the network and of as many of independent noise."""
    noise = np.random.default_rng(0).standard_normal(c.curves.shape)
    return {"network": fits(c.curves), "independent noise": fits(noise)}


def definitions(c: Courses) -> dict[str, Any]:
    """M8's statement and controls: how many curves fit none, one, several of the definitions of
    Table 2."""
    found, printed = _beside_noise(c), groups.printed(c.curves)
    own, noise = found.values()
    each = {name: float(x.mean()) for name, x in printed.items()}
    statement = (
        f"Of the curves of the {c.curves.shape[2]} strongest interactions {own['none']:.1%} fit "
        f"none of the five printed definitions, {own['one']:.1%} fit one and {own['several']:.1%} "
        f"several (independent noise: {noise['none']:.1%}, {noise['one']:.1%}, "
        f"{noise['several']:.1%}): to the letter they are no partition."
    )
    control = {**found, "share that fits each printed definition": each}
    return {"statement": statement, "control": control}


def printed_table(c: Courses, name: str) -> pd.DataFrame:
    """M8: share of the curves that fit none, one, several of the printed definitions; the same for
    independent noise."""
    return pd.DataFrame(
        [
            {"system": name, "curves": label, "definitions": number, "share": share}
            for label, found in _beside_noise(c).items()
            for number, share in found.items()
        ]
    )
