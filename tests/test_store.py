"""Verdicts on disk: the same bytes, corrected over a family, tabulated, compared; and files of the
first schema."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.rules import (
    OTHER_END,
    SYSTEM,
    UP,
    both,
    edit,
    excess,
    judge,
    settings,
    small_registry,
)
from utils import claims, io, paths, stats, systems
from utils.claims import Part, levels
from utils.systems import System, finding


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return small_registry(tmp_path)


def judge_on(rules: Path, system: str, values: Any) -> claims.Verdict:
    return claims.judge(
        "M2", system, [Part(n, values) for n in "abc"], seeds=range(5), scope="a test", claims=rules
    )


def write(rules: Path, folder: Path, systems: dict[str, Any]) -> None:
    for system, values in systems.items():
        claims.record(judge_on(rules, system, values), folder)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_verdict_holds_science_only_and_is_the_same_bytes(rules: Path, tmp_path: Path) -> None:
    control = {
        "N0": np.float32(0.5),
        "curve": np.array([1 / 3, np.nan]),
        "fit": stats.t_interval(UP),
    }
    found = judge(rules, UP, control=control)
    content = json.loads(found.to_json())
    assert content["schema_version"] == 2 and (content["as_stated"], content["specific"]) == (
        "REPRODUCED",
        "REPRODUCED",
    )
    assert content["readings"]["as_stated"]["parts"][0]["values"] == UP.tolist(), (
        "every network's value is kept"
    )
    assert not {"time", "host", "commit", "units"} & set(content)
    assert content["control"]["curve"] == [0.333333333333, None]
    assert content["claims_sha256"] == claims.sha256(rules)
    again = judge(
        rules, UP * (1 + 1e-15), control={**control, "fit": stats.t_interval(UP * (1 + 1e-15))}
    )
    assert again.to_json() == found.to_json()
    path = claims.record(found, tmp_path / "run")
    assert path == tmp_path / "run" / "D2" / "lenet__mnist_part" / "verdict.json"
    assert claims.read_all(tmp_path / "run") == [found]


def test_the_correction_runs_over_the_systems_of_a_row(rules: Path, tmp_path: Path) -> None:
    """Three systems with p about .01, .02, .03: Benjamini-Hochberg keeps what its step-up allows,
    Holm is shown beside."""
    run = tmp_path / "run"
    base = 4 * (UP - 1.0)
    wanted = {f"net{k}/mnist": base + shift for k, shift in enumerate((0.56, 0.46, 0.40))}
    raw = {s: stats.crossed(x).p_above(0.0) for s, x in wanted.items()}
    assert list(raw.values()) == sorted(raw.values()) and all(
        0.005 < p < 0.025 for p in raw.values()
    )
    write(rules, run, wanted)
    assert {v.verdict for v in claims.read_all(run)} == {"REPRODUCED"}
    claims.record(judge(rules, UP), run)  # another row: another family
    final = {v.system: v for v in claims.finalise(run)}
    adjusted, strict = stats.benjamini_hochberg(raw), stats.holm(raw)
    for system, p in adjusted.items():
        reading = final[system].readings["as_stated"]
        assert reading.p_claim_corrected == pytest.approx(p) and reading.family == 3
        assert reading.outcome == ("REPRODUCED" if p <= 0.025 else "INCONCLUSIVE")
        assert reading.holm == ("REPRODUCED" if strict[system] <= 0.025 else "INCONCLUSIVE")
    assert {final[s].readings["as_stated"].holm for s in raw} == {"INCONCLUSIVE"}
    assert final["net0/mnist"].verdict == "REPRODUCED"
    assert final[SYSTEM].readings["as_stated"].family == 1
    before = files(run)
    assert claims.finalise(run) == list(claims.read_all(run)) and files(run) == before, "idempotent"
    alone = {v.system: v for v in claims.finalise(run, alone=True)}
    assert (
        alone["net2/mnist"].readings["as_stated"].family == 1
        and alone["net2/mnist"].verdict == "REPRODUCED"
    )
    claims.finalise(run)
    assert files(run) == before, "computed afresh, not accumulated"


def test_both_directions_are_corrected(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(
        rules, run, {f"n{k}/mnist": 2 * (UP - 1) + shift for k, shift in enumerate((0.1, 1.0, 1.0))}
    )
    found = {v.system: v.readings["as_stated"] for v in claims.finalise(run)}
    raw = {s: r.p_not for s, r in found.items()}
    assert found["n0/mnist"].p_not_corrected == pytest.approx(
        stats.benjamini_hochberg(raw)["n0/mnist"]
    )


def test_identities_and_failed_premises_in_the_family(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    claims.record(
        claims.judge_identity("D1", SYSTEM, {"matching": [0.0]}, scope="a test", claims=rules), run
    )
    for system, accuracy in ((SYSTEM, 0.5), ("other/mnist_part", 0.97)):
        found = claims.judge(
            "D3a",
            system,
            both(UP, UP),
            **settings(rules, accuracy=[accuracy] * 5),
            variants={OTHER_END: both(UP, UP)},
        )
        claims.record(found, run)
    final = {(v.row, v.system): v for v in claims.finalise(run)}
    assert final["D1", SYSTEM].readings == {}
    failed = final["D3a", SYSTEM]
    assert failed.verdict == "INCONCLUSIVE" and "accuracy" in failed.reason
    assert failed.readings["as_stated"].family == 2, "a failed premise stays in the family"


def test_a_moved_or_damaged_verdict_is_named(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    path = claims.record(judge(rules, UP), run)
    moved = run / "D4" / path.parent.name / path.name
    moved.parent.mkdir(parents=True)
    path.rename(moved)
    with pytest.raises(ValueError, match="it was moved"):
        claims.finalise(run)
    moved.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="verdict"):
        claims.read_all(run)
    for content in ("{}", '{"schema_version": 2}', "[]", '{"schema_version": 3}'):
        moved.write_text(content, encoding="utf-8")
        with pytest.raises(ValueError, match="not a verdict"):
            claims.read_all(run)
    with pytest.raises(ValueError, match="was not judged"):
        claims.record(claims.status_rows(claims=rules)[0], run)


# --- how far the evidence reaches


PAPER_SIZES = {"n_players": 10, "images": 100, "seeds": [0]}
ALL_OF_MNIST = {"training": {"n_train": 60000}}


def run_of(*names: str, **change: Any) -> list[System]:
    """The systems of a run that trains on all of MNIST, unless ``change`` says otherwise."""
    return [systems.changed(systems.find(name), ALL_OF_MNIST | change) for name in names]


@pytest.mark.parametrize(
    ("row", "system", "chosen", "changed", "expected"),
    [
        ("D1", "lenet/mnist_part", run_of("lenet/mnist_part"), {}, "identity"),
        ("D8", "theory/synthetic", [], {}, "identity"),
        # A lemma's premise, measured on a network; its data are a part of the paper's.
        ("D6", "lenet/mnist_part", run_of("lenet/mnist_part"), {}, "toy"),
        ("L13", "mlp7_w256/breast_cancer", run_of("mlp7_w256/breast_cancer"), {}, "toy"),
        ("M12", "mlp_toy/planted", [], {}, "toy"),
        ("L2", "mlp7/mnist", run_of("mlp7/mnist"), {}, "paper"),
        ("L2", "mlp7/mnist", run_of("lenet/mnist_part", "mlp7/mnist"), {}, "paper"),
        ("L5", "mlp7+vgg11/mnist", run_of("mlp7/mnist", "vgg11/mnist"), {}, "paper"),
        ("L5", "mlp7+lenet/mnist", run_of("mlp7/mnist", "lenet/mnist"), {}, "reduced"),
        # Of a pair both must be known.
        ("L5", "mlp7+vgg11/mnist", run_of("mlp7/mnist"), {}, "reduced"),
        ("L2", "mlp7_w256/mnist", run_of("mlp7/mnist", width=256), {}, "reduced"),
        ("L2", "lenet/mnist", run_of("lenet/mnist"), {}, "reduced"),  # no network of that paper
        ("L2", "mlp7/mnist", run_of("mlp7/mnist"), {"images": 99}, "reduced"),
        ("L2", "mlp7/mnist", run_of("mlp7/mnist"), {"n_players": 9}, "reduced"),
        ("L2", "mlp7/mnist", run_of("mlp7/mnist", training={"n_train": 12000}), {}, "reduced"),
        ("L2", "mlp7/mnist", [], {}, "reduced"),  # what is not shown
        ("O2", "mlp7/mnist", run_of("mlp7/mnist"), {}, "reduced"),  # no paper has its sizes
    ],
)
def test_evidence_is_derived_from_row_system_and_settings(
    row: str, system: str, chosen: list[System], changed: dict[str, Any], expected: str
) -> None:
    entry = claims.load().row(row)
    sizes = PAPER_SIZES | changed
    assert levels.level(entry.kind, entry.paper, system, sizes, chosen) == expected


def test_every_paper_of_the_registry_has_its_sizes_but_ours() -> None:
    assert set(claims.load().papers) - set(levels.PAPERS) == {"appendix"}


def test_evidence_survives_the_correction_and_keeps_the_units(rules: Path, tmp_path: Path) -> None:
    found = levels.with_evidence(judge(rules, UP), PAPER_SIZES, run_of(SYSTEM))
    found = found.model_copy(update={"system_sha256": "f" * 64})
    assert found.evidence == "toy" and found.units is not None
    claims.record(found, tmp_path / "run")
    again = claims.finalise(tmp_path / "run")[0]
    assert (again.evidence, again.system_sha256) == ("toy", "f" * 64)
    assert json.loads(found.to_json())["system_sha256"] == "f" * 64


# --- files of the first schema


FIRST = {
    "row": "D2",
    "system": SYSTEM,
    "kind": "empirical",
    "status": "judged",
    "paper": "p",
    "figure": "f",
    "verdict": "REPRODUCED",
    "statistic": "excess: in words",
    "estimate": 1.0,
    "interval": [0.9, 1.1],
    "level": 0.95,
    "method": "t",
    "n": 5,
    "unit": "u",
    "threshold": "> 0",
    "control": {"criterion": {}},
    "reason": "clears",
    "scope": "s",
    "claims_sha256": "0" * 64,
    "p_value": 0.01,
    "p_holm": 0.04,
    "variants": {},
    "parts": [
        {
            "name": "excess",
            "statistic": "in words",
            "unit": "u",
            "threshold": "> 0",
            "direction": "above",
            "bound": 0.0,
            "estimate": 1.0,
            "interval": [0.9, 1.1],
            "n": 5,
            "dropped": 0,
            "method": "t",
            "p_value": 0.01,
            "decision": "clears",
        }
    ],
}


def test_a_file_of_the_first_schema_is_read_compared_and_never_written(
    rules: Path, tmp_path: Path
) -> None:
    path = claims.verdict_path(tmp_path / "run", "D2", SYSTEM)
    io.write_json(path, FIRST)
    before = path.read_bytes()
    old = claims.finalise(tmp_path / "run")[0]
    assert (old.schema_version, old.verdict, old.as_stated, old.specific) == (
        1,
        "REPRODUCED",
        "REPRODUCED",
        None,
    )
    assert old.readings["as_stated"].p_claim_corrected == 0.04 and path.read_bytes() == before
    with pytest.raises(ValueError, match="first schema, which is never written"):
        claims.record(old, tmp_path / "elsewhere")
    assert (
        "under the first protocol, whose verdict was REPRODUCED"
        in claims.agrees(judge(rules, UP), old)[0]
    )
    io.write_json(
        path, {**FIRST, "row": "L13", "kind": "qualitative", "status": "described", "verdict": None}
    )
    path.parent.parent.rename(path.parents[2] / "L13")
    assert claims.read_all(tmp_path / "run")[0].kind == "described"


# --- tables


def test_the_table_has_every_row_and_no_verdict_where_none_was_judged(tmp_path: Path) -> None:
    table = claims.table(tmp_path / "nothing")
    assert list(table.row) == sorted(claims.load().rows, key=claims.row_key)
    assert table.verdict.str.match(r"not run|needs |see ").all() and table.system.isna().all()
    assert claims.summary(table).empty
    assert all(v.verdict is None and v.status != "judged" for v in claims.status_rows())


def test_the_table_keeps_systems_and_readings_apart(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(rules, run, {"a/mnist": UP, "b/mnist": -UP, "c/mnist": 1.1 * UP})
    claims.record(judge(rules, UP, -UP), run)
    claims.finalise(run)
    table = claims.table(run, rules).set_index("row")
    assert list(table.loc["M2"].verdict) == ["REPRODUCED", "NOT REPRODUCED", "REPRODUCED"]
    assert tuple(table.loc["D2"][["verdict", "as_stated", "specific"]]) == (
        "REPRODUCED, NOT SPECIFIC",
        "REPRODUCED",
        "NOT REPRODUCED",
    )
    found = claims.summary(table.reset_index())
    assert {"1 of 3 systems", "2 of 3 systems"} <= set(found.systems)


def test_a_moved_threshold_needs_an_entry(rules: Path) -> None:
    kept = [judge(rules, UP)]
    old, tmp_path = claims.sha256(rules), rules.parent
    assert claims.check_changes(kept, rules) == []
    reworded = edit(tmp_path, lambda c: c["rows"]["D2"].update(expected_risk="better words"), rules)
    assert claims.sha256(reworded) != old and claims.check_changes(kept, reworded) == []
    moved = edit(tmp_path, lambda c: c["rows"]["D2"]["thresholds"][0].update(bound=0.5), rules)
    assert (
        len(claims.check_changes(kept, moved)) == 1 and old in claims.check_changes(kept, moved)[0]
    )
    entry = {
        "row": "D2",
        "date": "2025-01-31",
        "claims_sha256": old,
        "what": "0 -> 0.5",
        "reason": "a test",
    }
    wrong = edit(
        tmp_path, lambda c: c.update(changed=[{**entry, "before": {SYSTEM: "INCONCLUSIVE"}}]), moved
    )
    assert claims.check_changes(kept, wrong)
    explained = edit(
        tmp_path, lambda c: c["changed"][0].update(before={SYSTEM: "REPRODUCED"}), wrong
    )
    assert claims.check_changes(kept, explained) == []
    for change in (
        lambda c: c["rows"]["D2"].update(needs_accuracy=False),
        lambda c: c["protocol"].update(min_seeds=3),
        lambda c: c["rows"]["D2"].update(order_based=True),
    ):
        assert claims.check_changes(kept, edit(tmp_path, change, rules))


def test_a_moved_floor_needs_an_entry_though_claims_yaml_is_the_same(
    rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = [judge(rules, UP)]
    assert claims.check_changes(kept, rules) == []
    easier = dataclasses.replace(systems.find(SYSTEM), floor=systems.Floor(value=0.5, source="now"))
    monkeypatch.setattr(finding, "find", lambda name: easier)
    (problem,) = claims.check_changes(kept, rules)
    assert f"criterion of D2 moved: on {SYSTEM}" in problem and claims.sha256(rules) in problem
    entry = {
        "row": "D2",
        "date": "2025-01-31",
        "claims_sha256": claims.sha256(rules),
        "what": "the floor, .95 -> .5",
        "reason": "a test",
        "before": {SYSTEM: "REPRODUCED"},
    }
    explained = edit(rules.parent, lambda c: c.update(changed=[entry]), rules)
    assert claims.check_changes(kept, explained) == []


def test_a_system_that_is_not_known_here_has_not_moved_its_floor(rules: Path) -> None:
    """Another width or a user's own file: its floor is the one that it was judged by."""
    own = claims.judge("D2", "lenet_w2/mnist_part", excess(UP), **settings(rules, floor=0.6))
    reworded = edit(rules.parent, lambda c: c["rows"]["D2"].update(expected_risk="other"), rules)
    assert claims.check_changes([own], reworded) == []
    moved = edit(rules.parent, lambda c: c["protocol"].update(min_seeds=3), rules)
    assert claims.check_changes([own], moved)


def test_no_edit_of_the_registry_makes_the_guard_crash(rules: Path) -> None:
    """Rows without a criterion in their file (described ones, of the first schema) have none that
    could have moved."""
    shown = claims.describe("L13", SYSTEM, "seen", n=1, scope="a test", claims=rules)
    bare = shown.model_copy(update={"control": {}})
    moved = edit(rules.parent, lambda c: c["protocol"].update(min_seeds=3), rules)
    assert claims.check_changes([bare], moved) == []
    assert claims.check_changes([claims.Verdict.read(FIRST)], moved)


def test_runs_on_two_machines_agree_by_verdict_and_overlap(rules: Path) -> None:
    here, near, far = judge(rules, UP), judge(rules, UP + 0.05), judge(rules, UP + 1)
    assert claims.agrees(here, near) == []
    assert claims.agrees(here, far) == [
        f"D2 on {SYSTEM}: intervals of {name} do not overlap" for name in ("excess", "beyond")
    ]
    assert "as stated NOT REPRODUCED, was REPRODUCED" in claims.agrees(judge(rules, -UP), here)[0]
    assert any("specific" in line for line in claims.agrees(judge(rules, UP, -UP), here))
    assert claims.agrees(judge(rules, np.ones(5)), judge(rules, np.full(5, 1 + 1e-12))) == []


def test_the_committed_results_have_entries_for_every_moved_criterion() -> None:
    for profile in (paths.ROOT / "results" / "committed").iterdir():
        assert claims.check_changes(claims.read_all(profile)) == []
