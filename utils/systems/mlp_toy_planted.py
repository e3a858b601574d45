"""A small MLP on a planted table, in which one input is betrayed: M12's networks (Ren J. et al.
2025, appendix I, whose toy data are not described).

M12 draws the table anew for each seed; here it is the first draw, and every row that speaks of
tables can be asked of it.
"""

from __future__ import annotations

from ..datasets.planted import PLANTED
from ..models.toy import MLP_TOY
from ..players import ColumnDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    data=PLANTED,
    network=MLP_TOY,
    players=ColumnDraw(),
    training=Training(lr=0.1, batch=200, steps=3000, n_train=20000),
    floor=Floor(
        value=0.75,
        source="ours, fixed before a run: labels are drawn, so that who knows their law is right "
        "in 0.845 of the cases, and who always says the same in 0.50",
    ),
    half_depth="hidden1",
    read_at="hidden2",
    probes=ProbeConfig(lr=0.01),
)
