"""Floors, which left claims.yaml for the systems' files, and the rows that speak of a system."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pydantic
import pytest

from tests.rules import edit
from utils import claims, io, paths, systems
from utils.systems import Floor, find

FOLDER = paths.ROOT / "utils" / "systems"
TABLE, LENET = find("mlp7_w256/breast_cancer"), find("lenet/mnist_part")


# Floors -------------------------------------------------------------------------------------------

FLOORS = {
    "mlp7_w256/mnist_part": 0.90,
    "lenet/mnist_part": 0.95,
    "mlp7_w256+lenet/mnist_part": 0.90,
    "mlp7_w256/breast_cancer": 0.90,
}


def test_a_floor_has_a_value_that_can_be_reached_and_a_source() -> None:
    for wrong in ({"value": 0.9}, {"value": 1.1, "source": "x"}, {"value": 0.9, "source": ""}):
        with pytest.raises(pydantic.ValidationError, match=r"source|value"):
            Floor(**wrong)
    assert Floor(value=-0.5, source="R² of a regression").value == -0.5


def test_the_floor_of_a_pair_is_the_lower_one() -> None:
    assert {name: systems.floor_of(name) for name in FLOORS} == FLOORS
    assert systems.floor_of("lenet+mlp7_w256/mnist_part") == 0.90
    high, low = find("vgg11/mnist").floor.value, find("mlp7/mnist").floor.value
    assert high > low and systems.floor_of("mlp7+vgg11/mnist") == low
    for unknown in (
        "lenet_w3/mnist_part",
        "lenet+nobody/mnist_part",
        "theory/synthetic",
        "lenet",
        "",
    ):
        assert systems.floor_of(unknown) is None, unknown


def test_no_floor_moved_when_floors_left_claims_yaml() -> None:
    """The committed verdicts carry the number that they were judged by."""
    found = {}
    for path in (paths.ROOT / "results" / "committed" / "default").glob("*/*/verdict.json"):
        verdict = claims.read_verdict(path)
        judged_by = verdict.control.get("criterion", {}).get("min_accuracy")
        if judged_by is not None:
            assert found.setdefault(verdict.system, judged_by) == judged_by, path
            assert claims.load().row(verdict.row).needs_accuracy, path
    assert set(FLOORS) <= set(found)
    assert found == {name: systems.floor_of(name) for name in found}


def test_the_file_of_a_system_is_in_its_verdicts() -> None:
    one, other = find("lenet/mnist_part"), find("mlp7_w256/mnist_part")
    assert systems.sha256(one) == io.sha256_file(FOLDER / "lenet_mnist_part.py")
    assert systems.sha256_of(one.id, [other, one]) == systems.sha256(one)
    both = systems.sha256_of("mlp7_w256+lenet/mnist_part", [other, one])
    assert re.fullmatch("[0-9a-f]{64}", both)
    assert both not in {systems.sha256(one), systems.sha256(other)}
    assert both == systems.sha256_of("mlp7_w256+lenet/mnist_part", [one, other])
    assert both != systems.sha256_of("lenet+mlp7_w256/mnist_part", [one, other]), (
        "pairs are ordered"
    )
    for name in ("theory/synthetic", "mlp7_w64/mnist_part", "mlp7_w64+lenet/mnist_part", ""):
        assert systems.sha256_of(name, [one]) is None, name
    toy = systems.sha256_of("mlp_toy/planted", [one])
    assert toy == io.sha256_file(FOLDER / "mlp_toy_planted.py"), "M12's, in no run's list"
    nowhere = dataclasses.replace(LENET, network=LENET.network._replace(name="mine"))
    with pytest.raises(ValueError, match="mine/mnist_part comes from no file"):
        systems.sha256(nowhere)


# Rows ---------------------------------------------------------------------------------------------


def test_the_rows_of_a_table() -> None:
    assert claims.rows_of("05_layerwise_change", TABLE) == ["L11", "L13"]
    for notebook in ("04_five_groups", "06_iou_stability", "07_noisy_labels"):
        assert claims.rows_of(notebook, TABLE) == [], notebook
    assert "F2" not in claims.rows_of("09_multi_order", TABLE)
    for row in ("D12", "D16", "F2", "L14", "M4"):
        why = claims.why_not(row, TABLE)
        assert why == "it speaks of image; mlp7_w256/breast_cancer is of kind table", row
    assert "it speaks of image, text, points;" in claims.why_not("M11", TABLE)
    assert "D2" in claims.rows_of("01_sparsity", TABLE)


@pytest.mark.parametrize("name", systems.names())
def test_the_rows_of_images(name: str) -> None:
    system = find(name)
    if system.kind != "image":
        assert "it speaks of image" in claims.why_not("D12", system)
        return
    for row in ("D12", "D13", "D16", "F2", "L3", "L5", "L13", "M2", "M11", "M13"):
        needs = claims.load().row(row).needs
        missing = [field for field in needs if getattr(system, field) is None]
        assert system.given or not missing, "what was trained here can be taken apart"
        assert (claims.why_not(row, system) is None) == (not missing), row
    if system.given:
        return
    assert claims.why_not("L11", system) == f"it speaks of table; {name} is of kind image"
    every = {n for n, r in claims.load().rows.items() if r.notebook == "04_five_groups"}
    # M9 compares two networks, M12 is shown on a system of its own.
    assert set(claims.rows_of("04_five_groups", system)) == every - {"M9", "M12"}
    assert claims.why_not("M12", system) == "it is a demonstration on a system made for it"


@pytest.mark.parametrize(
    ("field", "rows", "words"),
    [
        ("half_depth", ("M1", "M2", "M11", "M13"), "a layer at half depth"),
        ("read_at", ("L5", "L6", "L9", "L10"), "a layer that a probe reads"),
        ("probes", ("L3", "L12", "L13"), "the training of its probes"),
        ("memorising", ("D13", "M13"), "a training on wrong labels"),
    ],
)
def test_a_row_takes_no_part_where_a_system_does_not_say_what_it_needs(
    field: str, rows: tuple[str, ...], words: str
) -> None:
    without = dataclasses.replace(LENET, **{field: None})
    needing = {name for name, row in claims.load().rows.items() if field in row.needs}
    assert set(rows) <= needing
    for row in needing - {"L11", "M9"}:  # of tables; of pairs
        assert claims.why_not(row, LENET) is None, row
        assert claims.why_not(row, without) == f"{LENET.id} does not name {words} ({field})", row
    for row in set(claims.load().rows) - needing:
        assert claims.why_not(row, without) == claims.why_not(row, LENET), row


def test_a_row_without_a_threshold_for_a_system_says_so(tmp_path: Path) -> None:
    def on_cifar(content: dict[str, Any]) -> None:
        for threshold in content["rows"]["D2"]["thresholds"]:
            threshold["systems"] = ["*/cifar10"]

    registry = edit(tmp_path, on_cifar)
    assert claims.why_not("D2", LENET) is None
    assert claims.why_not("D2", find("lenet/cifar10"), registry) is None
    why = "claims.yaml has no threshold of its statement for lenet/mnist_part"
    assert claims.why_not("D2", LENET, registry) == why
    assert "D2" not in claims.rows_of("01_sparsity", LENET, registry)
    with pytest.raises(claims.RegistryError, match="no row 'D99'"):
        claims.why_not("D99", LENET)
