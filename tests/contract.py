"""A notebook's cells in this process, at the smallest scale: from data to verdicts, without a
kernel and without pictures, with a narrow network."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import IPython.display
import nbformat
import numpy as np
import pytest
from matplotlib import pyplot as plt

from utils import claims, figures, notebook, params, paths, publish
from utils.claims import Verdict
from utils.evidence import closed_form
from utils.systems import System
from utils.train import Training

_KEPT = {"COLOURS", "save", "use_style", "write_table"}
"""What of the figures is not replaced by an empty one."""


_theory = functools.cache(closed_form.learnt_tables)
"""D5's tables, which are those of every system."""
_FIXED = ("minilm",)
"""Networks whose pretrained part has one width."""


def narrow(given: Mapping[str, Any], system: System) -> dict[str, Any]:
    """The settings ``given`` with an eighth of the network's width, where it can be chosen: what is
    to be shown is that a system's parts fit together, and it takes seconds then whatever its
    size."""
    network = system.network
    if network is None or network.name in _FIXED or not isinstance(system.training, Training):
        return dict(given)
    width = system.width or network.width
    # Five components need a layer of more dimensions; few units may all be dead.
    least = 12 if network.takes == ("table",) or network.name.startswith("mlp") else 4
    floor = {"value": 0.01, "source": "the contract: nothing is concluded"}
    change = {"width": min(width, max(least, width // 8)), "floor": floor}
    return {**given, "change": {**given["change"], **change}}


def run_cells(
    name: str, given: Mapping[str, Any], folder: Path, patch: pytest.MonkeyPatch
) -> list[Verdict]:
    """Execute notebook ``name`` and return the verdicts on its first system that it left below
    ``folder``."""
    patch.setenv("INTERACTIONS_RESULTS", str(folder))
    patch.setattr(closed_form, "learnt_tables", _theory)
    patch.setattr(os, "fsync", lambda _file: None)  # no power cut is waited for
    for module in (IPython.display, notebook, publish):
        patch.setattr(module, "display", lambda *_shown: None)
    for drawing in figures.__all__:
        if drawing not in _KEPT:
            patch.setattr(figures, drawing, _blank)
    scope: dict[str, Any] = {"display": lambda *_shown: None, "__name__": "__main__"}
    # Of two samples one may have no strength at the order where the other peaks (D11a): NaN.
    with np.errstate(invalid="ignore", divide="ignore"):
        for cell in nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", 4).cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, name, "exec"), scope)
                if "parameters" in cell.metadata.get("tags", ()):
                    scope.update(given)
    plt.close("all")
    of = params.validate(name, **given).chosen[0].id
    found = [claims.read_verdict(path) for path in sorted(folder.rglob("verdict.json"))]
    return [verdict for verdict in found if verdict.system == of]


def _blank(*_arguments: Any, **_options: Any) -> plt.Figure:
    return plt.figure(figsize=(1, 1))
