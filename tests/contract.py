"""A notebook's cells in this process, at the smallest scale: from data to verdicts, without a
kernel and without pictures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import IPython.display
import nbformat
import pytest
from matplotlib import pyplot as plt

from utils import claims, figures, notebook, paths, publish
from utils.claims import Verdict

_KEPT = {"COLOURS", "save", "use_style", "write_table"}
"""What of the figures is not replaced by an empty one."""


def run_cells(
    name: str, given: Mapping[str, Any], folder: Path, patch: pytest.MonkeyPatch
) -> list[Verdict]:
    """Execute notebook ``name`` and return the verdicts that it left below ``folder``."""
    patch.setenv("INTERACTIONS_RESULTS", str(folder))
    for module in (IPython.display, notebook, publish):
        patch.setattr(module, "display", lambda *_shown: None)
    for drawing in figures.__all__:
        if drawing not in _KEPT:
            patch.setattr(figures, drawing, _blank)
    scope: dict[str, Any] = {"display": lambda *_shown: None, "__name__": "__main__"}
    for cell in nbformat.read(paths.NOTEBOOKS / f"{name}.ipynb", 4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, name, "exec"), scope)
            if "parameters" in cell.metadata.get("tags", ()):
                scope.update(given)
    plt.close("all")
    return [claims.read_verdict(path) for path in sorted(folder.rglob("verdict.json"))]


def _blank(*_arguments: Any, **_options: Any) -> plt.Figure:
    return plt.figure(figsize=(1, 1))
