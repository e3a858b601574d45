"""How often does each criterion err, and how large must a study be? Simulated through the code that
judges (protocol 6.6).

One module per notebook says how a row's array looks with the paper's effect, with half of it, and
with none; ``base`` draws it many times, hands it to the row's own statistic, selection, interval,
correction and decision, and counts.
"""

from __future__ import annotations

from .base import (
    DEFAULT,
    REFERENCE,
    Counts,
    PowerJob,
    Simulation,
    Sizes,
    current_hash,
    simulate,
    simulations,
    update,
)
from .page import page

__all__ = [
    "DEFAULT",
    "REFERENCE",
    "Counts",
    "PowerJob",
    "Simulation",
    "Sizes",
    "current_hash",
    "page",
    "simulate",
    "simulations",
    "update",
]
