"""A planted table for M12: one input that helps at first and must be betrayed, one that keeps its
sign throughout.

The paper's toy data are not described; these are ours. The label is drawn with log-odds 2 (2 s - .8
z + .3 u + h1 h2), where z is correlated with s (.9). The network sees s at .15 of its size, so it
learns s late: first z serves as its proxy, with the sign of the correlation (E[z (2 s - .8 z)] = 1
> 0), later, once s is known, z counts with the opposite sign. u is loyal: independent of the rest,
it counts the same way from the first step to the last.

Labels are drawn, not decided, so that the log-odds to be learnt are finite and do not dwarf the
early effect. u counts for little because of what the split leaves open: two effects of one sign may
as well stand as an AND and an OR of the pair, and at that end of the face of optima a strong u
would hide z's early effect in pairs. An earlier design had a strong u and hid it: sizes and
learning rate were changed after that was seen, until the betrayal showed at both ends. So M12 says
that a planted betrayal *can* be found, not that any would be.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from .base import About, Raw, Source, Split

__all__ = ["BETRAYED", "INPUTS", "LOYAL", "PLANTED", "draw"]

INPUTS = ("z: betrayed", "s: learnt late", "u: loyal", "h1", "h2", "noise")
BETRAYED, LOYAL = 0, 2

_CORRELATION, _SIZE_OF_S, _CERTAINTY = 0.9, 0.15, 2.0
_COUNT = {"train": 20000, "test": 2000}


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs (count, 6) float32 and labels (count,) int64 of one draw of the set."""
    generator = torch.Generator().manual_seed(seed)
    s, e, u, h1, h2, noise = torch.randn(6, count, generator=generator)
    z = _CORRELATION * s + (1 - _CORRELATION**2) ** 0.5 * e
    x = torch.stack([z, _SIZE_OF_S * s, u, h1, h2, noise], 1)
    chance = torch.sigmoid(_CERTAINTY * (2 * s - 0.8 * z + 0.3 * u + h1 * h2))
    return x, (torch.rand(count, generator=generator) < chance).long()


def _read(_folder: Path, split: Split) -> Raw:
    x, labels = draw(_COUNT[split], 0 if split == "train" else 1)
    return Raw(x.numpy(), labels.numpy(), np.arange(len(labels)))


PLANTED = Source(
    "planted",
    ("0", "1"),
    (len(INPUTS),),
    lambda: Path(__file__).parent,
    _read,
    kind="table",
    about=About(columns=INPUTS),
    sha256={
        "train": ("c4984fb096a64f7cdc020197240ca11f0562d825fa519b49390cb6a91c65c847",),
        "test": ("d920e6c9b9acd74369377e2bf91142ceb3ff7f5c1a7860a68a9bb7da75672d3e",),
    },
)
