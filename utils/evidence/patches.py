"""M4: are interactions between feature components sparser than those between raw patches?"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from ..claims import Part
from ..jobs.games import CertifiedGames
from ..metrics import sparsity
from .before_after import first_and_last, kept, means
from .component_statistics import FIRST, LAST, sparsity_parts

__all__ = ["PAPER_GAP", "PAPER_PLAYERS", "AgainstPatches", "sparser", "table", "told"]

PAPER_GAP = 0.01
"""Certified gap from which M4's 12 patches count: many of them are background, whose games the
split closes slowly; a share of interactions moves by less than their strength does."""

PAPER_PLAYERS = (10, 12)
"""M4: components and raw patches in the paper."""


@dataclasses.dataclass(frozen=True, eq=False)
class AgainstPatches:
    """Games of one system's networks between feature components and between patches of the image.

    components: at all checkpoints; raw: as many patches, at the first and the last; paper: the
    paper's patches, at the last.
    """

    components: CertifiedGames
    raw: CertifiedGames
    paper: CertifiedGames

    @property
    def lenient(self) -> CertifiedGames:
        """The paper's patches, certified from a gap of 0.01 on."""
        return dataclasses.replace(self.paper, converged=self.paper.gap <= PAPER_GAP)

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance, the largest of the three."""
        return max(e.uncertified for e in (self.components, self.raw, self.lenient))

    def certified(self) -> AgainstPatches:
        """The same for statistics of certified games only."""
        return AgainstPatches(*(e.certified() for e in (self.components, self.raw, self.paper)))


def _fraction(e: CertifiedGames) -> np.ndarray:
    """Fraction of interactions that holds 90 % of the strength, (R, C, X)."""
    return kept(e, sparsity.mass_fraction(e.merged))


def sparser(x: AgainstPatches) -> list[Part]:
    """M4: fraction of interactions with 90 % of the strength, components minus raw patches."""
    own = _fraction(first_and_last(x.components))
    return sparsity_parts(own, _fraction(x.raw), _fraction(x.lenient)[:, LAST])


def told(x: AgainstPatches, redrawn: AgainstPatches | None) -> dict[str, Any]:
    """M4's controls, and beside it other draws of as many patches."""
    own, equal = _fraction(first_and_last(x.components)), _fraction(x.raw)
    patches = f"{x.paper.found.n} patches out of all 4x4 cells, the paper's comparison"
    control = {
        "components": means(own[:, LAST]),
        f"{x.raw.found.n} raw patches": means(equal[:, LAST]),
        patches: means(_fraction(x.paper)[:, LAST]),
        "components minus as many patches": means(own[:, LAST] - equal[:, LAST]),
        "the same before training (N0)": means(own[:, FIRST] - equal[:, FIRST]),
    }
    beside = {} if redrawn is None else {"second draw of patches": sparser(redrawn)}
    return {"control": control, "beside": beside}


def table(x: AgainstPatches, name: str, points: int = 120) -> pd.DataFrame:
    """Relative strength at each rank (Fig. 3), over all 2^(n+1) interactions of its kind: mean over
    images and seeds."""
    cases = {
        "feature components": first_and_last(x.components),
        "raw patches, as many": x.raw,
        "raw patches as in the paper": x.paper,
    }
    pieces = []
    for label, e in cases.items():
        curve = sparsity.ranked(e.merged[:, LAST]).mean(1)
        ranks = np.unique(np.geomspace(1, curve.shape[-1], points).round().astype(int))
        part = curve[:, ranks - 1]
        pieces.append(
            pd.DataFrame(
                {
                    "system": name,
                    "players": label,
                    "rank": ranks,
                    "low": part.amin(0).numpy(),
                    "strength": part.mean(0).numpy(),
                    "high": part.amax(0).numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)
