"""The jobs of a whole notebook before any is computed: what ``reproduce plan`` prints."""

from __future__ import annotations

import importlib
from typing import Any

from ..discovery import nearest
from ..jobs.plan import Node, graph
from ..params import ParameterError
from . import networks as games_of

__all__ = ["PLANNED", "plan_of"]

PLANNED = {
    "01_sparsity": "sparsity",
    "02_two_phase_dynamics": "two_phase",
    "03_theoretical_fit": "theoretical_fit",
    "04_five_groups": "five_groups",
    "05_layerwise_change": "layerwise",
    "06_iou_stability": "iou_stability",
    "07_noisy_labels": "noisy_labels",
    "08_what_the_split_identifies": "identified",
    "09_multi_order": "multi_order",
    "10_modalities": "modalities",
}
"""Notebook -> its module here."""


def plan_of(notebook: str, p: Any, system: str | None = None) -> list[Node]:
    """Every job that ``notebook`` needs with the settings ``p``, each once, what is needed first.

    system: network/data, only that one's. Nothing is trained, scored or split; data sets are read,
    since their checksums stand in the jobs' keys. ParameterError for a notebook without a plan or a
    system that is not among the settings'.
    """
    if notebook not in PLANNED:
        known = ", ".join(PLANNED)
        raise ParameterError(f"{notebook} has no plan of its jobs yet; these have: {known}")
    module = importlib.import_module(f"{__package__}.{PLANNED[notebook]}")
    systems = {s.id: s for s in getattr(module, "systems", games_of.systems)(p)}
    if system is not None and system not in systems:
        there = ", ".join(systems)
        raise ParameterError(
            f"{system!r} is not among the run's systems{nearest(system, systems)}; "
            f"they are: {there}"
        )
    chosen = systems.values() if system is None else [systems[system]]
    return graph(job for s in chosen for job in module.plan(p, s))
