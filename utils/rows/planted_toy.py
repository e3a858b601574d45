"""M12: a planted input that is learnt with one sign and then betrayed: does the rule call it
betraying?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from ..jobs import toy
from ..jobs.games import CertifiedGames
from ..metrics import groups
from ..params import FiveGroups

__all__ = ["toy_case", "toy_table"]


def _planted(e: CertifiedGames, player: int) -> np.ndarray:
    """Curves (R, X, C) of the interaction that consists of one input."""
    return e.merged.and_[..., 1 << player].transpose(1, 2).numpy()


def _betraying(curves: np.ndarray, margin: float) -> np.ndarray:
    """Share of the samples whose curve is betraying: (..., X, C) → (...)."""
    return (groups.classify(curves, margin, groups.WIDTH) == groups.GROUPS.index("betraying")).mean(
        -1
    )


def toy_case(p: FiveGroups, found: dict[str, CertifiedGames]) -> dict[str, Any]:
    """The demonstrator's keyword arguments: in how many networks most samples' curve of the planted
    input is betraying, at both ends of the face, beside the loyal input and random walks."""
    shown, betrayed = {}, {}
    for name, e in found.items():
        for what, player in (("planted", toy.BETRAYED), ("loyal", toy.LOYAL)):
            shares = _betraying(_planted(e, player), groups.MARGIN)
            shown[f"share of samples whose {what} input is called betraying, {name}"] = (
                shares.tolist()
            )
            betrayed[what, name] = int((shares > 0.5).sum())
    main = next(iter(found))
    shown |= {
        f"the same at margin {m:g}, {main}": _betraying(
            _planted(found[main], toy.BETRAYED), m
        ).tolist()
        for m in p.margins
        if m != groups.MARGIN
    }
    curves = torch.from_numpy(_planted(found[main], toy.BETRAYED))
    walk, every = (
        groups.RandomCourses.of(curves),
        torch.arange(curves.shape[1]).expand(len(curves), -1),
    )
    drawn = [
        walk.curves(walk.signs(torch.Generator().manual_seed(k)), every).numpy()
        for k in range(p.walks)
    ]
    shown["share of matched random walks called betraying"] = float(
        np.mean([_betraying(x, groups.MARGIN) for x in drawn])
    )
    shown["share of uncertified games"] = max(e.uncertified for e in found.values())
    count = len(p.seeds)
    planted = " and ".join(
        f"{betrayed['planted', name]} of {count} networks at {name}" for name in found
    )
    loyal = " and ".join(f"{betrayed['loyal', name]}" for name in found)
    statement = (
        f"The planted input is called betraying in {planted}; an input that keeps its sign in "
        f"{loyal}. It was "
        "planted so that the split identifies it: this shows that a betrayal can be found, not "
        "that any would be."
    )
    scope = (
        f"{count} small MLPs on planted data of ours with {len(toy.INPUTS)} inputs as players, "
        "masked by their mean, "
        f"{p.toy_steps} steps of plain SGD; the paper's toy data are not described"
    )
    return {"statement": statement, "n": count, "scope": scope, "control": shown}


def toy_table(found: dict[str, CertifiedGames]) -> pd.DataFrame:
    """Utility of each input over training: mean over samples; mean and range over seeds."""
    main = next(iter(found.values()))
    pieces = []
    for player, name in enumerate(toy.INPUTS):
        curves = _planted(main, player).mean(1)
        pieces.append(
            pd.DataFrame(
                {
                    "system": toy.TOY_SYSTEM,
                    "input": name,
                    "step": main.steps,
                    "utility": curves.mean(0),
                    "low": curves.min(0),
                    "high": curves.max(0),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
