"""L12: does the bound of the noise terms decide which interactions are found?"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch

from ..claims import Part
from ..jobs.games import CertifiedGames
from ..jobs.layered import Layered
from ..metrics import identification, salience
from .sparsity import LAST

__all__ = [
    "Kappas",
    "agreement_controls",
    "kappa_likeness",
    "kappa_table",
    "similarity_parts",
]


def _two_inner(names: Sequence[str]) -> list[int]:
    """Two probed layers, at a third and at two thirds of the depth; the output layer, which is
    last, is none."""
    probed = len(names) - 1
    return sorted({round((probed - 1) / 3), round(2 * (probed - 1) / 3)})


def _likeness(a: CertifiedGames, b: CertifiedGames, at: int) -> tuple[np.ndarray, np.ndarray]:
    """Cosine of all interactions and Jaccard similarity of the salient sets, (R, X) each, at one
    checkpoint or layer."""
    one, two = (e.merged[:, at] for e in (a, b))
    cosine = torch.nn.functional.cosine_similarity(
        *(torch.cat([x.and_[..., 1:], x.or_[..., 1:]], -1) for x in (one, two)), dim=-1
    )
    taus = [salience.threshold(x, e.v[:, at], "max_per_sample") for x, e in ((one, a), (two, b))]
    return cosine.numpy(), identification.salient_jaccard(one, two, *taus).numpy()


def similarity_parts(cosine: np.ndarray, overlap: np.ndarray) -> list[Part]:
    """L12 from arrays (S, K, X): K comparisons (other kappas, places in the network), the least
    similar of each image."""
    return [Part.of("cosine", _least(cosine)), Part.of("salient_overlap", _least(overlap))]


def _least(x: np.ndarray) -> np.ndarray:
    filled = np.where(np.isnan(x), np.inf, x).min(axis=1)
    return np.where(np.isinf(filled), np.nan, filled)


@dataclasses.dataclass(frozen=True, eq=False)
class Kappas:
    """The same games split with each kappa: at the output (the last checkpoint of ``main`` and of
    ``others`` by kappa), and at the layers of the trained network (``inner`` by kappa)."""

    main: CertifiedGames
    others: Mapping[float, CertifiedGames]
    inner: Mapping[float, Layered]
    certified_only: bool = False

    @property
    def uncertified(self) -> float:
        """Largest share of games above the split's tolerance."""
        done = [self.main, *self.others.values(), *(x.e for x in self.inner.values())]
        return max(e.uncertified for e in done)

    def certified(self) -> Kappas:
        """The same for statistics of pairs of certified games."""
        return dataclasses.replace(self, certified_only=True)

    def pairs(self, kappa: float) -> dict[str, tuple[CertifiedGames, CertifiedGames, int]]:
        """What is compared at ``kappa`` with the main one: place -> both games and the index."""
        one, two = self.inner[self.main.kappa], self.inner[kappa]
        found = {"output": (self.main, self.others[kappa], LAST)}
        return found | {two.layers[k]: (one.e, two.e, k) for k in _two_inner(two.layers)}


def kappa_likeness(x: Kappas) -> list[Part]:
    """L12: every other kappa against the main one, at the output and at two layers (Cheng et al.
    2024, App. J)."""
    found = []
    for kappa in x.others:
        for a, b, at in x.pairs(kappa).values():
            keep = (a.converged[:, at] & b.converged[:, at]).numpy() if x.certified_only else True
            found.append([np.where(keep, values, np.nan) for values in _likeness(a, b, at)])
    cosine, overlap = (np.stack(values, axis=1) for values in zip(*found, strict=True))
    return similarity_parts(cosine, overlap)


def agreement_controls(x: Kappas, again: Mapping[str, CertifiedGames]) -> dict[str, object]:
    """Mean cosine and overlap by kappa and place, and of ``again``: the same games at equal kappa,
    solved another way."""
    found: dict[str, object] = {}
    for kappa in x.others:
        for place, pair in x.pairs(kappa).items():
            found[f"kappa {kappa:g}, {place}"] = [float(np.nanmean(y)) for y in _likeness(*pair)]
    for name, other in again.items():
        alike = _likeness(x.main, other, LAST)
        found[f"equal kappa, {name}"] = [float(np.nanmean(y)) for y in alike]
    return {"cosine and overlap of salient sets": found}


def kappa_table(x: Kappas, top: int = 60) -> pd.DataFrame:
    """The ``top`` strongest interactions at the main kappa and the same ones at the others: first
    image, first seed."""
    main, found = x.main, {x.main.kappa: x.main, **x.others}
    values = {
        k: torch.cat([e.merged.and_[0, LAST, 0, 1:], e.merged.or_[0, LAST, 0, 1:]])
        for k, e in found.items()
    }
    order = values[main.kappa].argsort(descending=True)
    strongest = values[main.kappa].abs().argsort(descending=True)[:top]
    ranked = [i for i in order.tolist() if i in set(strongest.tolist())]
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "kappa": f"kappa = {k:g}",
                    "rank": range(1, len(ranked) + 1),
                    "interaction": values[k][ranked].numpy(),
                }
            )
            for k in sorted(values)
        ],
        ignore_index=True,
    )
