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

from utils import claims, figures, notebook, params, paths, publish
from utils.claims import Verdict
from utils.systems import System
from utils.train import Training

PLAYERS, SAMPLES, CHECKPOINTS = 5, 2, 2
NOTEBOOKS = [name for name in params.PARAMS if name[:2] not in ("00", "10")]

_KEPT = {"COLOURS", "save", "use_style", "write_table"}
"""What of the figures is not replaced by an empty one."""
_SMALL: dict[str, dict[str, Any]] = {
    "01_sparsity": {"probe_steps": 5, "count_images": SAMPLES},
    "02_two_phase_dynamics": {"checkpoints": 6},
    "03_theoretical_fit": {
        "checkpoints": 6,
        "sizes": [4],
        "norm_sizes": [8],
        "fit_images": 8,
        "noise_copies": 2,
        "noise_images": 1,
    },
    "04_five_groups": {
        "pca_images": 40,
        "test_images": 40,
        "walks": 2,
        "toy_steps": 20,
        "map_images": 1,
        "paper_patches": PLAYERS,
    },
    "05_layerwise_change": {"probe_steps": 5},
    "06_iou_stability": {
        "class_players": PLAYERS,
        "class_images": 2,
        "pair_images": SAMPLES,
        "noise_draws": 2,
        "noise_images": 1,
    },
    "07_noisy_labels": {"pca_images": 40, "checkpoints": 3},
    "08_what_the_split_identifies": {
        "loops": {"image code": {"learning_rate": 1e-5, "iterations": 20}},
        "loop_images": 1,
        "loop_checkpoints": 4,
        "checkpoints": 4,
    },
    "09_multi_order": {"attack_steps": 2},
}


def settings(name: str, system: System, **more: Any) -> dict[str, Any]:
    """The smallest run of notebook ``name`` on ``system``."""
    players = getattr(system.data, "n", PLAYERS)
    return {
        "systems": [system.file or system.id],
        "device": "cpu",
        "n_players": players,
        "images": SAMPLES,
        "checkpoints": CHECKPOINTS,
        "seeds": [0],
        "second_draw": False,
        "change": {
            **_short("training", system.training),
            **_short("memorising", system.memorising),
        },
        **_SMALL.get(name, {}),
        **more,
    }


def _short(field: str, training: Any) -> dict[str, Any]:
    if not isinstance(training, Training):
        return {}
    batch = min(training.batch, 16)
    return {field: {"steps": 8, "first_checkpoint": 1, "batch": batch, "n_train": 64}}


def applies(system: System) -> list[str]:
    """The notebooks that judge a row on ``system`` alone."""
    return [name for name in NOTEBOOKS if claims.rows_of(name, system)]


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
