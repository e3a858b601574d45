"""M7, M8: do all five kinds of course occur, more than in random courses, and what do the printed
definitions cover?"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import stats
from ..claims import Part
from ..jobs.components import Analysis
from ..metrics import groups
from ..params import FiveGroups
from .components import basis, certified, spread
from .courses import Courses, Selections, changed, enough_checkpoints

__all__ = ["definition_case", "fits", "kinds_case", "kinds_of", "kinds_parts"]


def kinds_parts(
    shares: np.ndarray, own: np.ndarray, walks: np.ndarray, persistent: np.ndarray
) -> list[Part]:
    """M7 from shares of the groups per network and image, NaN where an image has no curves.

    shares (S, E, X, 5) at E margins, own (S, X, 5) at margin 0.1, walks and persistent (S, B, X, 5)
    of random courses. As stated: each group's share at the margin where it is least, which other
    networks and other images choose: a minimum taken on the data that it judges would be too low.
    The rarest group is not chosen at all: all five must clear the bound. Specific: excess distance
    of the image's shares from both kinds of random courses.
    """
    found = []
    for k, name in enumerate(groups.GROUPS):
        options = shares[..., k]
        found.append(Part.of(name, stats.chosen(options, stats.cross_chosen(options, np.argmin))))
    for name, null in (("walk_distance", walks), ("persistence_distance", persistent)):
        excess = groups.excess_distance(own, np.moveaxis(null, 1, 0))
        found.append(Part.of(name, excess, scale=spread(excess)))
    return found


def kinds_of(chosen: Courses, kept: np.ndarray | None = None) -> list[Part]:
    """The parts of M7 for one analysis; kept (R, X): images that count."""
    own, walks = chosen.top.at(kept=kept)
    margins = np.stack(
        [groups.shares(chosen.top.own_at(margin, kept)) for margin in chosen.top.own], axis=1
    )
    persistent = (
        chosen.persistent
        if kept is None
        else np.where(kept[:, None, :, None], chosen.persistent, -1)
    )
    return kinds_parts(margins, groups.shares(own), groups.shares(walks), groups.shares(persistent))


def kinds_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """M7: the other end of the face must not be asked (no orders), it is reported, and so is every
    second checkpoint."""
    main = found.main
    shown = {"groups": list(groups.GROUPS)}
    for margin in main.top.own:
        own, walks = (
            np.nanmean(groups.shares(x), axis=tuple(range(x.ndim - 1))) for x in main.top.at(margin)
        )
        shown |= {
            f"network, margin {margin:g}": own.tolist(),
            f"random walks, margin {margin:g}": walks.tolist(),
        }
    shown["random courses of the curves' persistence, margin 0.1"] = np.nanmean(
        groups.shares(main.persistent), axis=(0, 1, 2)
    ).tolist()
    first = np.abs(main.curves[..., 0]) / np.maximum(np.abs(main.curves).max(-1), 1e-300)
    shown["share of curves that start above a tenth of their maximum"] = float((first > 0.1).mean())
    cases = found.others | {"every second checkpoint": found.sparse}
    return {
        **certified(lambda only: kinds_of(main, main.kept if only else None)),
        "control": shown,
        "reported": {name: kinds_of(one) for name, one in cases.items()},
        "premises": [enough_checkpoints(p)],
        "changed": changed(p),
        **basis(p, a, a.main, *a.others.values()),
    }


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


def definition_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """The describer's keyword arguments for M8: how many curves fit none, one, several of the
    definitions of Table 2."""
    curves = found.main.curves
    own, noise = fits(curves), fits(np.random.default_rng(0).standard_normal(curves.shape))
    control = {
        "network": own,
        "independent noise": noise,
        "share that fits each printed definition": {
            name: float(x.mean()) for name, x in groups.printed(curves).items()
        },
    }
    statement = (
        f"Of the curves of the {p.top} strongest interactions {own['none']:.1%} fit none of the "
        "five printed "
        f"definitions, {own['one']:.1%} fit one and {own['several']:.1%} several (independent "
        "noise: "
        f"{noise['none']:.1%}, {noise['one']:.1%}, {noise['several']:.1%}): to the letter they "
        "are no partition."
    )
    return {
        "statement": statement,
        "n": len(p.seeds),
        "scope": basis(p, a)["scope"],
        "control": control,
    }
