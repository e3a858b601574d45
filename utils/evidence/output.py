"""M5, M6: how few interactions give a network's output, and fit its outputs on all masks."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..claims import Part, Premise
from ..interactions import Interactions
from ..jobs.games import CertifiedGames
from ..metrics import faithfulness
from .before_after import first_and_last, kept, means
from .component_statistics import FIRST, LAST, crossing_parts, fit_parts

__all__ = [
    "JUDGED_ALPHA",
    "Outputs",
    "crossing_table",
    "few",
    "few_told",
    "fit",
    "fit_table",
    "fit_told",
]

_LEAST_SCORE = 0.1
JUDGED_ALPHA = 60


@dataclasses.dataclass(frozen=True, eq=False)
class Outputs:
    """Games of one system at all checkpoints, of which the first and the last count.

    noise: independent noise matched to the last (N2), for controls; exact: the first and the last,
    split without noise terms, shown beside.
    """

    games: CertifiedGames
    noise: CertifiedGames | None = None
    exact: CertifiedGames | None = None

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance, the larger of the games' and the noise's."""
        return max(e.uncertified for e in (self.games, self.noise) if e is not None)

    def certified(self) -> Outputs:
        """The same for statistics of certified games only."""
        return dataclasses.replace(self, games=self.games.certified())

    @property
    def ends(self) -> CertifiedGames:
        """The games before and after training."""
        return first_and_last(self.games)


# M5 -----------------------------------------------------------------------------------------------


def _crossings(
    found: Interactions, v: torch.Tensor, order: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """First and last crossing of games (..., 2^n), NaN where |g(f_N)| is below 0.1."""
    whole = v[..., -1]
    pair = faithfulness.crossings(faithfulness.matching_error(found, v, order), whole, found.n)
    first, last = (torch.where(whole.abs() >= _LEAST_SCORE, x, torch.nan) for x in pair)
    return first, last


def _both(e: CertifiedGames) -> list[np.ndarray]:
    return [kept(e, x) for x in _crossings(e.merged, e.v)]


def few(x: Outputs) -> list[Part]:
    """M5: share of interactions needed to come within 10 % of g(f_N), at first and for good."""
    return crossing_parts(*_both(x.ends))


def _random_order(found: Interactions, seed: int = 0) -> torch.Tensor:
    shape = (*found.and_.shape[:-1], 2 * (found.and_.shape[-1] - 1))
    return torch.rand(
        shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).argsort(-1)


def few_told(x: Outputs) -> dict[str, Any]:
    """M5's controls, and beside it the split without noise terms."""
    ends, merged = x.ends, x.ends.merged
    trained, noise = _both(ends), _both(x.noise)
    random = [found.numpy() for found in _crossings(merged, ends.v, _random_order(merged))]
    cases = {
        "untrained (N0)": (trained, FIRST),
        "independent noise (N2)": (noise, LAST),
        "interactions in random order": (random, LAST),
    }
    control: dict[str, Any] = {
        f"{label}: {name}": means(values[:, state])
        for label, (found, state) in cases.items()
        for name, values in zip(("first crossing", "last crossing"), found, strict=True)
    }
    first, last = (found[:, LAST] for found in trained)
    control |= {
        "share of images left out, |g| < 0.1": float(np.isnan(first).mean()),
        "share of images whose error does not stay within 10 %": float((last == 1).mean()),
    }
    return {"control": control, "beside": {"no noise terms": few(Outputs(x.exact))}}


def crossing_table(x: Outputs, name: str, points: int = 100) -> pd.DataFrame:
    """Matching error against α (Fig. 4), in units of the mean |g(f_N)|: mean over images, range
    over seeds."""
    ends = x.ends
    least = [float(np.mean(means(found[:, LAST]))) for found in _both(ends)]
    panel = f"{name}: $\\hat\\alpha/2^{{r+1}}$ = {least[0]:.1%} (for good: {least[1]:.1%})"
    cases = {
        "trained": (ends, LAST, None),
        "untrained": (ends, FIRST, None),
        "iid noise": (x.noise, LAST, None),
        "random order": (ends, LAST, _random_order(ends.merged)),
    }
    pieces = []
    for label, (games, state, order) in cases.items():
        error = faithfulness.matching_error(games.merged, games.v, order)[:, state].mean(1)
        curve = error / games.v[:, state, :, -1].abs().mean(-1, keepdim=True)
        alphas = np.unique(np.geomspace(1, curve.shape[-1] - 1, points).round().astype(int))
        part = curve[:, alphas]
        pieces.append(
            pd.DataFrame(
                {
                    "panel": panel,
                    "games": label,
                    "alpha": alphas,
                    "error": part.mean(0).numpy(),
                    "low": part.amin(0).numpy(),
                    "high": part.amax(0).numpy(),
                }
            )
        )
    return pd.concat(pieces, ignore_index=True)


# M6 -----------------------------------------------------------------------------------------------


def _errors(e: CertifiedGames, alpha: int = JUDGED_ALPHA) -> np.ndarray:
    return kept(e, faithfulness.top_model_error(e.merged, e.v, alpha))


def fit(x: Outputs) -> list[Part]:
    """M6: error of the model of the 60 strongest interactions over all masks, in deviations of the
    output."""
    return fit_parts(_errors(x.ends))


def fit_told(x: Outputs, alphas: Sequence[int]) -> dict[str, Any]:
    """M6's premise and controls, and beside it the split without noise terms."""
    ends, n, possible = x.ends, x.games.found.n, 2 ** (x.games.found.n + 1)
    few_enough = Premise(
        "60 is few",
        possible >= 10 * JUDGED_ALPHA,
        f"60 of {possible} interactions are not few: 9 or more players are needed, n_players is "
        f"{n}",
    )
    control = {f"{alpha} interactions": means(_errors(ends, alpha)[:, LAST]) for alpha in alphas}
    control |= {
        "untrained (N0), 60 interactions": means(_errors(ends)[:, FIRST]),
        "independent noise (N2), 60 interactions": means(_errors(x.noise)[:, LAST]),
    }
    beside = {"no noise terms": fit(Outputs(x.exact))}
    return {"premises": [few_enough], "control": control, "beside": beside}


def fit_table(x: Outputs, alphas: Sequence[int], neighbours: int = 50) -> pd.DataFrame:
    """Fig. 5, first image of the first seed: outputs on all masks, ascending, with errors smoothed
    over ``neighbours`` masks (panel "smoothed"); and every single error (panel "histogram")."""
    v, found = x.ends.v[0, LAST, 0], x.ends.merged[0, LAST, 0]
    order = v.argsort()
    lines = [_line("output $g(f_S)$", v[order].numpy())]
    errors = []
    window = np.ones(min(neighbours, len(v))) / min(neighbours, len(v))
    for alpha in alphas:
        off = (v - faithfulness.top_model(found, alpha))[order].numpy()
        name = f"error, {alpha} interactions"
        smooth = np.convolve(off, window, "same") / np.convolve(np.ones(len(off)), window, "same")
        lines.append(_line(name, smooth))
        errors.append(_line(name, off))
    panels = {"smoothed": lines, "histogram": errors}
    return pd.concat(
        [one.assign(panel=name) for name, many in panels.items() for one in many], ignore_index=True
    )


def _line(name: str, values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"curve": name, "mask": range(len(values)), "value": values})
