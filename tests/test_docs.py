"""What docs/ shows is run: the system of add_a_system, the statistic of add_a_claim."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from utils import claims, paths, run, start, systems
from utils.interactions import Interactions
from utils.jobs.games import CertifiedGames
from utils.params import validate
from utils.places import of as place_of

DOCS = paths.ROOT / "docs"


def blocks(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def wine(tmp_path: Path) -> Path:
    path = tmp_path / "wine_mlp.py"
    path.write_text(blocks("add_a_system.md", "python")[0], encoding="utf-8")
    return path


def test_the_system_of_the_page_is_found_by_its_path(wine: Path) -> None:
    system = systems.find(str(wine))
    assert system.id == "mlp5_w64/wine" and system.kind == "table"
    assert claims.rows_of("02_two_phase_dynamics", system)
    assert "L11" in claims.rows_of("05_layerwise_change", system)
    assert "L3" not in claims.rows_of("05_layerwise_change", system)
    start.require(validate("02_two_phase_dynamics", systems=[str(wine)]))


def test_the_system_of_the_page_is_judged(
    wine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file outside of the package, through a kernel, to verdicts of its own."""
    monkeypatch.setenv("INTERACTIONS_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "cache"))
    given = {
        **{"systems": [str(wine)], "seeds": 2, "images": 4, "n_players": 5, "checkpoints": 6},
        "change": {"training": {"steps": 40}},
    }
    (outcome,) = run.run_profile("custom", {"02_two_phase_dynamics": given})
    assert outcome.error is None
    place = place_of(validate("02_two_phase_dynamics", **given))
    found = claims.read_all(place.folder)
    assert {v.system for v in found} == {"mlp5_w64/wine"} and len(found) == 5
    assert {v.system_sha256 for v in found} == {systems.sha256(systems.find(str(wine)))}
    assert all("columns each, baseline: training mean" in v.scope for v in found)


def test_the_statistic_of_the_page_is_one() -> None:
    namespace: dict[str, object] = {}
    exec(blocks("add_a_claim.md", "python")[0], namespace)
    n, shape = 3, (2, 4, 5)
    generator = torch.Generator().manual_seed(0)
    parts = torch.randn(2, *shape, 2**n, generator=generator, dtype=torch.float64)
    parts[1, ..., 0] = 0
    flat = torch.zeros(shape, dtype=torch.float64)
    e = CertifiedGames(
        v=parts.sum(0),
        found=Interactions(parts[0], parts[1]),
        kappa=0.0,
        gap=flat,
        converged=flat == 0,
        l1=flat,
        error=flat,
        steps=np.arange(4),
        saturated=flat[..., 0],
        noise_floor=flat[..., 0],
    )
    (part,) = namespace["mean_order"](e)
    weighted, strength = e.moments()
    wanted = (weighted.sum(-1) / strength.sum(-1)).diff(dim=1).sum(1)
    assert np.allclose(part.values, wanted)


def test_the_entry_of_the_page_has_the_fields_of_the_registry() -> None:
    (entry,) = yaml.safe_load(blocks("add_a_claim.md", "yaml")[0]).values()
    assert set(entry) <= set(claims.Row.model_fields)
    assert set(entry["thresholds"][0]) <= set(claims.Threshold.model_fields)
    assert entry["thresholds"][0] in [
        t.model_dump(include=set(entry["thresholds"][0]))
        for t in claims.load().row("D4").thresholds
    ]
