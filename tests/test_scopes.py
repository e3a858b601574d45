"""For what verdicts speak: the sentences that the settings give are those of the committed
verdicts, to the byte, before anything is computed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from utils import params, paths
from utils.studies import (
    Study,
    class_means,
    five_groups,
    identified,
    iou_stability,
    layer_pairs,
    layerwise,
    networks,
    noisy_labels,
    planted_toy,
    theoretical_fit,
)

COMMITTED = paths.ROOT / "results" / "committed" / "default"
OF_NO_SYSTEM = {"D5", "D6", "D7", "D8", "D9", "O1"}
"""Rows of synthetic games, whose notebooks say what they are (D6: one of its systems)."""


def of_networks(
    notebook: str, rows: str, scope: Any = networks.scope
) -> Iterator[tuple[str, str, str]]:
    """Row, system and scope of the rows of each system's networks."""
    p = params.validate(notebook)
    systems = noisy_labels.systems(p) if notebook[:2] == "07" else networks.systems(p)
    for system in systems:
        for row in rows.split():
            yield row, system.id, scope(p, system)


def of_components(p: Any, system: networks.Trained) -> str:
    return noisy_labels._scope(p, system, True)


def of_patches(p: Any, system: networks.Trained) -> str:
    return noisy_labels._scope(p, system, False)


def of_pairs() -> Iterator[tuple[str, str, str]]:
    """Every two networks on one data set, of 06 and of 04."""
    p = params.validate("06_iou_stability")
    found = [
        layer_pairs.AtLayers(s, [0.9] * 5, layer_pairs.layer_names(s), {})
        for s in networks.systems(p)
    ]
    for pair in iou_stability.pairs(p, found):
        yield from (
            ("L5", pair["AND"].id, pair["AND"].scope),
            ("L9", pair["OR"].id, pair["OR"].scope),
        )
    p = params.validate("04_five_groups")
    both = [
        Study((s.of,), s.seeds, five_groups._scope(p, s), [0.9] * 5, {})
        for s in networks.systems(p)
    ]
    for one in five_groups.pairs(both):
        yield "M14", one.id, one.scope


def of_maps(p: Any, system: networks.Trained) -> str:
    return f"{p.map_images} images of the first of {five_groups._scope(p, system)}"


def every() -> Iterator[tuple[str, str, str]]:
    yield from of_networks("01_sparsity", "D1 D2 L1 L2 L7 L12 F4")
    yield from of_networks("02_two_phase_dynamics", "D3a D3b D4 D11a D11b")
    yield from of_networks("03_theoretical_fit", "D10 D15")
    yield from of_networks("03_theoretical_fit", "D6", theoretical_fit.scope_of_copies)
    yield from of_networks("04_five_groups", "M1 M2 M3 M4 M5 M6 M7 M8 M10", five_groups._scope)
    yield from of_networks("04_five_groups", "M11", of_maps)
    yield "M12", "mlp_toy/planted", planted_toy.scope(params.validate("04_five_groups"))
    rows = "L3 L4 L8a L8b L11 L13 L15 L16 L17 L18"
    yield from of_networks("05_layerwise_change", rows, layerwise._scope)
    yield from of_networks("06_iou_stability", "L6 L10", iou_stability._noise_scope)
    yield from of_networks("06_iou_stability", "D12", class_means._scope)
    yield from of_pairs()
    for images in iou_stability.input_noise(params.validate("06_iou_stability")):
        yield "L14", images.id, images.scope
    yield from of_networks("07_noisy_labels", "D13", of_patches)
    yield from of_networks("07_noisy_labels", "M13", of_components)
    yield from of_networks("08_what_the_split_identifies", "O3 O4")
    yield from of_networks("08_what_the_split_identifies", "O2 O5", identified.scope_of_ways)
    yield from of_networks("09_multi_order", "F2 F3")


@pytest.fixture(scope="module")
def said() -> dict[tuple[str, str], str]:
    """Row and system → scope by the default settings."""
    return {(row, system): scope for row, system, scope in every()}


@pytest.fixture(scope="module")
def committed() -> dict[tuple[str, str], str]:
    found = [json.loads(path.read_text("utf-8")) for path in COMMITTED.glob("*/*/verdict.json")]
    return {(one["row"], one["system"]): one["scope"] for one in found}


def test_the_settings_say_what_the_committed_verdicts_say(
    said: dict[tuple[str, str], str], committed: dict[tuple[str, str], str]
) -> None:
    assert len(committed) > 80
    left = {row for row, _ in set(committed) - set(said)}
    assert left == OF_NO_SYSTEM
    assert {row for row, system in set(committed) - set(said) if "synthetic" not in system} == set()
    for key in set(committed) & set(said):
        assert said[key] == committed[key], key


def test_a_table_and_another_optimiser_are_said() -> None:
    adam = {
        "training": {"optimizer": "adamw"},
        "mlp7_w256/breast_cancer": {"training": {"steps": 90}},
    }
    p = params.validate("05_layerwise_change", change=adam, images=7, n_players=4)
    mlp, _, table = networks.systems(p)
    assert "steps of AdamW (lr 0.1, batch 64) on 12000 images of mnist_part" in networks.made(
        p, mlp
    )
    heavy = params.validate("05_layerwise_change", change={"training": {"momentum": 0.9}})
    assert "4000 steps of SGD (lr" in networks.made(heavy, networks.systems(heavy)[0])
    assert "trained for 90 steps" in networks.made(p, table)
    assert networks.sampled(p, table) == "7 test rows, 4 columns each, baseline: training mean"
