"""DistilBERT on IMDb, whose games others played: 20 sentences, 14 tokens each (Cheng et al. 2024,
Fig. 3, has DistilBERT on SST-2; real pretrained networks, for D2, L2 and O2 to O4)."""

from __future__ import annotations

from ..datasets.shapiq_games import DISTILBERT_IMDB
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=DISTILBERT_IMDB,
    floor=Floor(
        value=0.85,
        source="ours: 0.928 is published (Sanh et al. 2019, Table 2), chance is 0.5",
    ),
)
