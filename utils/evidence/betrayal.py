"""M12: a planted input that is learnt with one sign and then betrayed: does the rule call it
betraying?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..datasets.planted import BETRAYED, INPUTS, LOYAL
from ..jobs.games import CertifiedGames
from ..metrics import groups

__all__ = ["planted_table", "told"]


def _planted(e: CertifiedGames, player: int) -> np.ndarray:
    """Curves (R, X, C) of the interaction that consists of one input."""
    return e.merged.and_[..., 1 << player].transpose(1, 2).numpy()


def _betraying(curves: np.ndarray, margin: float = groups.MARGIN) -> np.ndarray:
    """Share of the samples whose curve is betraying: (..., X, C) → (...)."""
    return (groups.classify(curves, margin, groups.WIDTH) == groups.GROUPS.index("betraying")).mean(
        -1
    )


def _walks_betraying(e: CertifiedGames, walks: int) -> float:
    """Share of the samples whose planted input's matched random walk is called betraying."""
    curves = torch.from_numpy(_planted(e, BETRAYED))
    walk, every = (
        groups.RandomCourses.of(curves),
        torch.arange(curves.shape[1]).expand(len(curves), -1),
    )
    drawn = [
        walk.curves(walk.signs(torch.Generator().manual_seed(k)), every).numpy()
        for k in range(walks)
    ]
    return float(np.mean([_betraying(x) for x in drawn]))


def told(
    ends: Mapping[str, CertifiedGames], margins: Sequence[float], walks: int
) -> dict[str, Any]:
    """M12's statement and controls: in how many networks most samples' curve of the planted input
    is betraying, at both ends of the face, beside the loyal input and random walks."""
    shown: dict[str, Any] = {}
    betrayed = {}
    for name, e in ends.items():
        for what, player in (("planted", BETRAYED), ("loyal", LOYAL)):
            shares = _betraying(_planted(e, player))
            label = f"share of samples whose {what} input is called betraying, {name}"
            shown[label], betrayed[what, name] = shares.tolist(), int((shares > 0.5).sum())
    first, main = next(iter(ends.items()))
    for m in margins:
        if m != groups.MARGIN:
            shares = _betraying(_planted(main, BETRAYED), m)
            shown[f"the same at margin {m:g}, {first}"] = shares.tolist()
    shown["share of matched random walks called betraying"] = _walks_betraying(main, walks)
    shown["share of uncertified games"] = max(e.uncertified for e in ends.values())
    return {"statement": _statement(betrayed, list(ends), len(main.v)), "control": shown}


def _statement(betrayed: Mapping[tuple[str, str], int], names: Sequence[str], count: int) -> str:
    planted = " and ".join(
        f"{betrayed['planted', name]} of {count} networks at {name}" for name in names
    )
    loyal = " and ".join(f"{betrayed['loyal', name]}" for name in names)
    return (
        f"The planted input is called betraying in {planted}; an input that keeps its sign in "
        f"{loyal}. It was planted so that the split identifies it: this shows that a betrayal can "
        "be found, not that any would be."
    )


def planted_table(main: CertifiedGames, system: str) -> pd.DataFrame:
    """Utility of each input over training: mean over samples; mean and range over seeds; system:
    the networks' id."""
    pieces = []
    for player, name in enumerate(INPUTS):
        curves = _planted(main, player).mean(1)
        pieces.append(
            pd.DataFrame(
                {
                    "system": system,
                    "input": name,
                    "step": main.steps,
                    "utility": curves.mean(0),
                    "low": curves.min(0),
                    "high": curves.max(0),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
