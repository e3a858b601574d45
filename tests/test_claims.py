"""The registry holds every row; a verdict follows its rules, says no to noise, and is the same bytes every time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from utils import claims, paths, stats
from utils.claims import Part, Premise, judging

SYSTEM = "lenet/mnist_part"
OTHER_END, DROPPED = "order weight -0.2", "uncertified games dropped"
ROWS = [
    *(f"D{k}" for k in range(1, 15)),
    *(f"M{k}" for k in range(1, 14)),
    *(f"L{k}" for k in range(1, 16)),
    *(f"F{k}" for k in range(1, 5)),
    *(f"O{k}" for k in range(1, 6)),
]
UP = np.array([1.0, 1.1, 0.9, 1.05, 0.95])
SPEC = paths.ROOT.parent / "shared" / "SPEC.md"


# --- the registry


def test_every_row_of_the_papers_is_there_in_order() -> None:
    assert list(claims.load().rows) == sorted(ROWS, key=lambda r: ("DFMLO".index(r[0]), int(r[1:])))
    assert sorted(claims.load().rows, key=claims.row_key) == ROWS


@pytest.mark.skipif(not SPEC.is_file(), reason="the specification is not part of the repository")
def test_rows_and_kinds_are_those_of_the_specification() -> None:
    text = SPEC.read_text(encoding="utf-8")
    section = text[text.index("\n## 1.") : text.index("\n## 2.")]
    papers = [name for name in ROWS if name[0] != "O"]  # rows O are the appendix's own
    assert sorted(re.findall(r"^\| ([DMLF]\d+) \|", section, re.M), key=claims.row_key) == papers
    kinds = {name: row.kind for name, row in claims.load().rows.items() if name in papers}
    identities = re.search(r"\*identity\* \(([^:]*):", text).group(1).split(", ")
    numerical = re.search(r"\*numerical\* \(([^:]*):", text).group(1).split(", ")
    assert {name for name, kind in kinds.items() if kind == "identity"} == set(identities)
    assert {name for name, kind in kinds.items() if kind == "numerical"} == set(numerical)


def test_thresholds_fixed_before_the_runs() -> None:
    """Numbers that decide. Whoever changes one here changes a criterion: claims.yaml then needs a `changed:` entry."""
    rows = claims.load().rows
    bounds = {(r, t.name): t.text() for r, row in rows.items() for t in row.thresholds}
    expected = {
        ("D1", "matching"): "< 1e-08",
        ("D2", "mass90"): "< 0.1",
        ("D2", "gini_above_null"): "> 0",
        ("D3", "phase1"): "> 0",
        ("D3", "phase2"): "> 0",
        ("D4", "distance"): "<= 1",
        ("D4", "circular_shift"): "<= 0.05",
        ("D6", "slope_not_below"): "> 0.95",
        ("D6", "slope_not_above"): "< 1.05",
        ("D10", "distance"): "< 0.1",
        ("D11", "harsanyi"): "< 0.1",
        ("L2", "count_not_fewer"): "> 10.9",
        ("L2", "count_not_more_cifar"): "< 91.2",
        ("L12", "cosine"): "> 0.95",
        ("L12", "top50_overlap"): "> 0.8",
        ("L14", "spread"): "< 0.1",
        ("M2", "variance_share"): "> 0.8",
        ("M3", "not_lower"): "> -0.05",
        ("M12", "found"): ">= 0.8",
        ("O1", "both_optimal"): "< 1e-12",
        ("O2", "excess"): "> 0.01",
        ("O3", "mean_order"): "> 0.25",
        ("O3", "equal_strength"): "< 0.002",
        ("O4", "jaccard"): "< 0.8",
    }
    assert {key: bounds[key] for key in expected} == expected
    protocol = claims.load().protocol
    assert (protocol.level, protocol.min_seeds, protocol.uncertified_limit) == (0.95, 5, 0.05)
    assert protocol.order_weights == [0.2, -0.2]
    accuracy = rows["D2"].min_accuracy
    assert {"mlp7_w256/mnist_part": 0.90, SYSTEM: 0.95}.items() <= {s: a.value for s, a in accuracy.items()}.items()


def test_rows_can_be_judged_or_say_why_not() -> None:
    for name, row in claims.load().rows.items():
        assert bool(row.thresholds) == (row.kind != "qualitative"), name
        # Every empirical row has an opponent; L14 is about the input alone, O2 about an optimiser and its optimum.
        assert row.kind != "empirical" or row.nulls or name in ("L14", "O2"), name
        assert not row.order_based or row.uses_split, name
        assert row.order_based == any("order weight -0.2 (must agree)" in c for c in row.controls) or name in (
            "D11",
            "L13",
        ), name
    assert {r.notebook for n, r in claims.load().rows.items() if n in ("D1", "D2", "L1", "L2", "L12")} == {
        "01_sparsity"
    }
    assert {claims.load().rows[n].notebook for n in ("D3", "D4", "D11")} == {"02_two_phase_dynamics"}


def test_the_registry_stands_alone() -> None:
    text = paths.CLAIMS.read_text(encoding="utf-8")
    assert not re.search(r"SPEC|DESIGN|/work|\[P\d|\bsec(tion)? 4\b", text)


def edit(tmp_path: Path, change: Callable[[dict[str, Any]], None], source: Path | None = None) -> Path:
    """A copy of the registry with one change."""
    content = yaml.safe_load((source or paths.CLAIMS).read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / f"claims{len(list(tmp_path.glob('claims*')))}.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["rows"]["D2"].update(colour="red"), r"rows\.D2\.colour: Extra inputs"),
        (lambda c: c["rows"]["L3"].pop("claim"), r"rows\.L3\.claim: Field required"),
        (lambda c: c["rows"]["M4"]["thresholds"][0].update(bound="low"), r"rows\.M4\.thresholds\.0\.bound"),
        (lambda c: c["rows"]["M4"].update(status="later"), r"rows\.M4\.status"),
        (lambda c: c["rows"]["M4"].update(nulls=["N9"]), r"M4\.nulls: 'N9' is none of"),
        (lambda c: c["rows"]["M4"].update(paper="nobody"), r"M4\.paper: 'nobody' is none of"),
        (lambda c: c["rows"]["M4"].update(direction="above"), r"M4\.direction: its thresholds make it 'below'"),
        (
            lambda c: c["rows"]["D2"]["thresholds"].append(dict(c["rows"]["D2"]["thresholds"][0])),
            r"D2\.thresholds: .*twice",
        ),
        (lambda c: c["rows"].update(X1=c["rows"]["D1"]), r"rows\.X1"),
        (lambda c: c["protocol"].update(level=95), r"protocol\.level"),
        (lambda c: c["rows"]["D2"]["min_accuracy"][SYSTEM].pop("source"), r"rows\.D2\.min_accuracy\.lenet.*source"),
    ],
)
def test_a_fault_in_the_registry_is_named_by_row_and_field(tmp_path: Path, change: Any, message: str) -> None:
    with pytest.raises(claims.RegistryError, match=message):
        claims.load(edit(tmp_path, change))


def test_a_row_written_twice_and_broken_yaml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.yaml"
    path.write_text(paths.CLAIMS.read_text(encoding="utf-8") + "\n  D1: {}\n", encoding="utf-8")
    with pytest.raises(claims.RegistryError, match="D1 is there twice"):
        claims.load(path)
    path.write_text("rows: [", encoding="utf-8")
    with pytest.raises(claims.RegistryError, match="not valid YAML"):
        claims.load(path)
    with pytest.raises(claims.RegistryError, match="no row 'D99'"):
        claims.load().row("D99")


# --- a small registry for the rules


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """D2: one part > 0. D3: two parts > 0, based on orders. D4: distance <= 1 and a test. L2: two parts, by system.
    M2: three parts, no split. D1: identity. D8: numerical."""

    def t(name: str, direction: str = "above", bound: float = 0.0, **more: Any) -> dict[str, Any]:
        return {
            "name": name,
            "statistic": f"{name} in words",
            "unit": "u",
            "direction": direction,
            "bound": bound,
            **more,
        }

    rows = {
        "D2": ("above", [t("excess")], {}),
        "D3": ("above", [t("fall"), t("rise")], {"order_based": True}),
        "D4": (
            "below",
            [t("distance", "below", 1.0, inclusive=True), t("shift", "below", 0.05, inclusive=True, by="p")],
            {},
        ),
        "L2": ("mixed", [t("excess"), t("count", "below", 5.0, systems=["*/mnist*"])], {}),
        "M2": ("above", [t("a"), t("b"), t("c")], {"uses_split": False, "min_accuracy": {}}),
        "D1": ("exact", [t("matching", "below", 1e-8)], {"kind": "identity", "min_accuracy": {}}),
        "D8": ("above", [t("ratio", "above", 1.0), t("step")], {"kind": "numerical", "min_accuracy": {}}),
    }

    def change(c: dict[str, Any]) -> None:
        for name, (direction, thresholds, more) in rows.items():
            base = {"kind": "empirical", "order_based": False, "uses_split": True, "min_accuracy": accuracy}
            c["rows"][name] = {**c["rows"][name], **base, "direction": direction, "thresholds": thresholds, **more}
        c["rows"], c["changed"] = {name: c["rows"][name] for name in rows}, []

    accuracy = {SYSTEM: {"value": 0.95, "source": "test"}}
    return edit(tmp_path, change)


def settings(rules: Path, **more: Any) -> dict[str, Any]:
    return {"seeds": range(5), "scope": "a test", "accuracy": [0.97] * 5, "uncertified": 0.0, "claims": rules, **more}


def judge(rules: Path, values: Any, **more: Any) -> claims.Verdict:
    return claims.judge("D2", SYSTEM, [Part("excess", values)], **settings(rules, **more))


def both(fall: Any, rise: Any) -> list[Part]:
    return [Part("fall", fall), Part("rise", rise)]


# --- the three values


def test_three_values_of_one_part(rules: Path) -> None:
    up, down, open_ = judge(rules, UP), judge(rules, -UP), judge(rules, UP - 1.0)
    assert (up.verdict, down.verdict, open_.verdict) == ("REPRODUCED", "NOT REPRODUCED", "INCONCLUSIVE")
    assert up.estimate == pytest.approx(1.0)
    assert up.interval == pytest.approx((stats.t_interval(UP).low, stats.t_interval(UP).high))
    assert up.p_value == up.p_holm == pytest.approx(stats.t_pvalue(UP, 0.0))
    assert down.p_value == 1.0
    assert "lies wholly on the other side of > 0" in down.reason
    assert "does not clear > 0" in open_.reason
    assert (up.threshold, up.n, up.unit, up.status) == ("> 0", 5, "u", "judged")


def test_a_bound_is_cleared_strictly_unless_it_is_inclusive(rules: Path) -> None:
    assert judge(rules, np.zeros(5)).verdict == "INCONCLUSIVE"
    assert judge(rules, np.full(5, 1e-9)).verdict == "REPRODUCED"

    def distance(values: Any) -> str:
        parts = [Part("distance", values), Part("shift", pvalue=0.02, estimate=0.5)]
        return claims.judge("D4", SYSTEM, parts, **settings(rules)).verdict

    assert distance(np.ones(5)) == "REPRODUCED"  # at most one, and all are exactly one
    assert distance(np.full(5, 1.001)) == "NOT REPRODUCED"


def test_a_conjunction_needs_every_part_and_takes_the_largest_p(rules: Path) -> None:
    def two(fall: Any, rise: Any) -> claims.Verdict:
        return claims.judge("D3", SYSTEM, both(fall, rise), **settings(rules), variants={OTHER_END: both(fall, rise)})

    noisy = UP + np.array([1, -1, 0.5, -0.5, 0.0])
    good = two(UP, noisy)
    assert good.verdict == "REPRODUCED"
    assert good.p_value == pytest.approx(stats.t_pvalue(noisy, 0.0))
    assert good.statistic.startswith("rise")  # the deciding part is shown
    assert [p.name for p in good.parts] == ["fall", "rise"]
    assert two(UP, UP - 1).verdict == "INCONCLUSIVE"
    assert two(UP, -UP).verdict == "NOT REPRODUCED"
    assert two(UP - 1, -UP).verdict == "NOT REPRODUCED"
    assert two(UP, -UP).statistic.startswith("rise")


def test_a_test_with_its_own_null_can_open_but_not_contradict(rules: Path) -> None:
    def shift(p: float) -> claims.Verdict:
        return claims.judge(
            "D4", SYSTEM, [Part("distance", UP * 0.1), Part("shift", pvalue=p, estimate=2.0)], **settings(rules)
        )

    assert shift(0.05).verdict == "REPRODUCED"
    assert shift(0.05).p_value == 0.05
    assert shift(0.051).verdict == "INCONCLUSIVE"
    assert shift(1.0).verdict == "INCONCLUSIVE"
    assert shift(0.9).estimate == 2.0
    assert shift(0.9).interval is None


# --- what a verdict must survive


def test_too_few_seeds_name_the_number_needed(rules: Path) -> None:
    two = claims.judge("D2", SYSTEM, [Part("excess", UP[:2])], **settings(rules, seeds=[0, 1], accuracy=[0.97] * 2))
    assert two.verdict == "INCONCLUSIVE"
    assert "at least 5 seeds are needed, excess has 2" in two.reason
    assert two.estimate == pytest.approx(1.05)
    one = claims.judge("D2", SYSTEM, [Part("excess", UP[:1])], **settings(rules, seeds=[0], accuracy=[0.97]))
    assert one.verdict == "INCONCLUSIVE"
    assert one.interval == (None, None)
    assert json.loads(one.to_json())["p_value"] == 1.0
    missing = judge(rules, [1.0, 1.1, np.nan, 0.9, 1.0])
    assert missing.verdict == "INCONCLUSIVE"
    assert "excess has 4" in missing.reason
    assert "1 of 5 seeds gave no value" in missing.reason
    none = judge(rules, [np.nan] * 5)
    assert (none.verdict, none.estimate, none.p_value) == ("INCONCLUSIVE", None, 1.0)


def test_missing_seeds_are_counted_where_enough_are_left(rules: Path) -> None:
    six = claims.judge(
        "D2", SYSTEM, [Part("excess", [*UP, np.nan])], **settings(rules, seeds=range(6), accuracy=[0.97] * 6)
    )
    assert six.verdict == "REPRODUCED"
    assert (six.n, six.parts[0].dropped) == (5, 1)
    assert "1 of 6 seeds gave no value" in six.reason


def test_accuracy_below_the_registered_one_is_inconclusive(rules: Path) -> None:
    low = judge(rules, UP, accuracy=[0.97, 0.97, 0.949, 0.97, 0.97])
    assert low.verdict == "INCONCLUSIVE"
    assert "lowest test accuracy is 0.949, at least 0.950 is needed" in low.reason
    other = claims.judge("D2", "resnet20/cifar10", [Part("excess", UP)], **settings(rules))
    assert other.verdict == "INCONCLUSIVE"
    assert "no min_accuracy is registered for resnet20/cifar10" in other.reason
    with pytest.raises(ValueError, match="accuracy= is needed"):
        judge(rules, UP, accuracy=None)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        judge(rules, UP, accuracy=[97.0] * 5)


def test_uncertified_games(rules: Path) -> None:
    agreeing, differing = {DROPPED: [Part("excess", UP)]}, {DROPPED: [Part("excess", UP - 1)]}
    assert judge(rules, UP, uncertified=0.05, variants=agreeing).verdict == "REPRODUCED"
    many = judge(rules, UP, uncertified=0.051, variants=agreeing)
    assert many.verdict == "INCONCLUSIVE"
    assert "5.1% of the games are uncertified, at most 5% may be" in many.reason
    changed = judge(rules, UP, uncertified=0.01, variants=differing)
    assert changed.verdict == "INCONCLUSIVE"
    assert "not identified: REPRODUCED in the main analysis (excess" in changed.reason
    assert f"with {DROPPED} it is INCONCLUSIVE" in changed.reason
    with pytest.raises(ValueError, match="uncertified= is needed"):
        judge(rules, UP, uncertified=None)
    with pytest.raises(ValueError, match=f"must have '{DROPPED}'"):
        judge(rules, UP, uncertified=0.01)


def test_order_based_rows_must_agree_at_both_ends(rules: Path) -> None:
    def ends(main: Any, other: Any) -> claims.Verdict:
        return claims.judge("D3", SYSTEM, both(UP, main), **settings(rules), variants={OTHER_END: both(UP, other)})

    assert ends(UP, UP).verdict == "REPRODUCED"
    assert ends(-UP, -UP).verdict == "NOT REPRODUCED"
    for main, other in ((UP, -UP), (-UP, UP), (UP, UP - 1), (UP - 1, UP)):
        found = ends(main, other)
        assert found.verdict == "INCONCLUSIVE"
        assert "not identified" in found.reason
        assert OTHER_END in found.reason
    assert ends(UP, 3 * UP).variants[OTHER_END].spread["rise"] == pytest.approx(2.0)
    with pytest.raises(ValueError, match=f"must have '{OTHER_END}'"):
        claims.judge("D3", SYSTEM, both(UP, UP), **settings(rules))


def test_the_variants_p_values_are_in_the_correction(rules: Path) -> None:
    noisy = UP + np.array([1, -1, 0.5, -0.5, 0.0])
    found = claims.judge("D3", SYSTEM, both(UP, UP), **settings(rules), variants={OTHER_END: both(UP, noisy)})
    assert found.verdict == "REPRODUCED"
    assert found.p_value == pytest.approx(stats.t_pvalue(noisy, 0.0))


def test_a_second_draw_is_reported_and_does_not_gate(rules: Path) -> None:
    found = judge(rules, UP, reported={"second draw of players": [Part("excess", -2 * UP)]})
    assert found.verdict == "REPRODUCED"
    assert "With second draw of players it would be NOT REPRODUCED (reported, not a gate)" in found.reason
    assert found.control["reported"]["second draw of players"]["spread"]["excess"] == pytest.approx(-3.0)


def test_a_false_premise_is_inconclusive_with_its_reason(rules: Path) -> None:
    needs = Premise("overfits", False, "the test loss turns up in 3 of 5 seeds, all are needed")
    found = judge(rules, UP, premises=[Premise("other", True, "fine"), needs])
    assert found.verdict == "INCONCLUSIVE"
    assert found.reason.startswith("the test loss turns up in 3 of 5 seeds")
    assert "fine" not in found.reason
    assert judge(rules, -UP, premises=[needs]).verdict == "INCONCLUSIVE"


# --- mistakes of a notebook


def test_a_dropped_null_or_an_invented_part_is_refused(rules: Path) -> None:
    with pytest.raises(ValueError, match=r"decided by \['count', 'excess'\], got \['count'\]"):
        claims.judge("L2", SYSTEM, [Part("count", UP)], **settings(rules))
    with pytest.raises(ValueError, match="give each of them once"):
        claims.judge("D2", SYSTEM, [Part("excess", UP), Part("excess", UP)], **settings(rules))
    with pytest.raises(ValueError, match="give each of them once"):
        claims.judge("D3", SYSTEM, both(UP, UP), **settings(rules), variants={OTHER_END: [Part("rise", UP)]})
    bare = {"seeds": range(5), "scope": "a test", "accuracy": [0.97] * 5, "uncertified": 0.0}
    with pytest.raises(ValueError, match="gini_above_null"):  # the real row: sparse, but compared with nothing
        claims.judge("D2", SYSTEM, [Part("mass90", UP * 0.05)], **bare)


def test_thresholds_follow_the_system(rules: Path) -> None:
    one = claims.judge("L2", "lenet/cifar10", [Part("excess", UP)], **settings(rules))
    assert [p.name for p in one.parts] == ["excess"]
    two = claims.judge("L2", SYSTEM, [Part("count", UP), Part("excess", UP)], **settings(rules))
    assert [p.name for p in two.parts] == ["excess", "count"]


def test_values_must_be_one_per_seed(rules: Path) -> None:
    for wrong in (np.ones(20), np.ones((5, 20)), np.ones((20, 5)), 1.0, np.ones(4)):
        with pytest.raises(ValueError, match="give one value per seed"):
            judge(rules, wrong)
    with pytest.raises(ValueError, match="infinite at seed 1"):
        judge(rules, [0.0, np.inf, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="distinct"):
        judge(rules, UP, seeds=[0, 0, 1, 2, 3])
    with pytest.raises(ValueError, match="no pvalue="):
        claims.judge("D2", SYSTEM, [Part("excess", UP, pvalue=0.1)], **settings(rules))
    with pytest.raises(ValueError, match="give pvalue="):
        claims.judge("D4", SYSTEM, [Part("distance", UP), Part("shift", UP)], **settings(rules))


def test_other_mistakes_are_named(rules: Path) -> None:
    with pytest.raises(ValueError, match=r"use judge_identity\(\)"):
        claims.judge("D1", SYSTEM, [], **settings(rules))
    with pytest.raises(ValueError, match=r"use judge\(\)"):
        claims.judge_identity("D2", SYSTEM, {}, scope="a test", claims=rules)
    with pytest.raises(ValueError, match="network/data"):
        claims.judge("D2", "LeNet", [Part("excess", UP)], **settings(rules))
    with pytest.raises(ValueError, match="scope= must say"):
        judge(rules, UP, scope=" ")
    with pytest.raises(ValueError, match="written by the judge"):
        judge(rules, UP, control={"premises": []})
    with pytest.raises(ValueError, match=r"L13 is a row of kind qualitative: use describe\(\)"):
        claims.judge("L13", SYSTEM, [], seeds=range(5), scope="a test")
    content = yaml.safe_load(rules.read_text(encoding="utf-8"))
    content["rows"]["D2"]["thresholds"][0]["systems"] = ["*/cifar10"]
    rules.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ValueError, match=f"D2 has no threshold for {SYSTEM}"):
        judge(rules, UP)


# --- identities and computed statements


def test_identity(rules: Path) -> None:
    def exact(errors: Any) -> claims.Verdict:
        return claims.judge_identity("D1", SYSTEM, {"matching": errors}, scope="a test", claims=rules)

    found = exact(np.array([[1e-12, -9e-9], [0.0, 1e-10]]))
    assert (found.verdict, found.estimate, found.n) == ("EXACT", 9e-9, 4)
    assert found.p_value is None
    assert exact([0.0, 1e-8]).verdict == "BROKEN"
    assert exact([0.0, -1.0]).verdict == "BROKEN"
    assert exact([0.0, np.nan]).verdict == "BROKEN"
    with pytest.raises(ValueError, match="no errors were given"):
        exact([])
    with pytest.raises(ValueError, match="give each of them once"):
        claims.judge_identity("D1", SYSTEM, {}, scope="a test", claims=rules)


def test_numerical(rules: Path) -> None:
    def grid(ratio: float, step: float) -> claims.Verdict:
        values = {"ratio": ratio, "step": step}
        return claims.judge_numerical(
            "D8", "synthetic/n10", values, "ratio on 25 values", n=25, scope="grid", claims=rules
        )

    assert grid(1.2, 0.1).verdict == "REPRODUCED"
    assert grid(0.99996, 0.1).verdict == "NOT REPRODUCED"
    assert grid(1.2, 0.1).reason == "ratio on 25 values"
    with pytest.raises(ValueError, match="finite"):
        grid(float("nan"), 0.1)


# --- verdicts on disk


def write(rules: Path, folder: Path, p_like: dict[str, Any]) -> None:
    for system, values in p_like.items():
        claims.record(judge_on(rules, system, values), folder)


def judge_on(rules: Path, system: str, values: Any) -> claims.Verdict:
    return claims.judge("M2", system, [Part(n, values) for n in "abc"], seeds=range(5), scope="a test", claims=rules)


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_verdict_holds_science_only_and_is_the_same_bytes(rules: Path, tmp_path: Path) -> None:
    found = judge(
        rules, UP, control={"N0": np.float32(0.5), "curve": np.array([1 / 3, np.nan]), "fit": stats.t_interval(UP)}
    )
    content = json.loads(found.to_json())
    fixed = (
        "row system kind status paper figure verdict statistic estimate interval level method n unit threshold control "
    )
    assert set(content) == set((fixed + "reason scope claims_sha256 p_value p_holm parts variants").split())
    assert content["control"]["curve"] == [0.333333333333, None]
    assert content["claims_sha256"] == claims.sha256(rules)
    rounding = UP * (1 + 1e-15)
    again = judge(
        rules, rounding, control={"N0": 0.5, "curve": [1 / 3 + 1e-15, np.nan], "fit": stats.t_interval(rounding)}
    )
    assert again.to_json() == found.to_json()
    path = claims.record(found, tmp_path / "run")
    assert path == tmp_path / "run" / "D2" / "lenet__mnist_part" / "verdict.json"
    assert claims.read_all(tmp_path / "run") == [found]


def test_holm_runs_over_one_papers_rows_of_the_run(rules: Path, tmp_path: Path) -> None:
    """Three systems with p about .02, .03, .04: each clears alone, together only what Holm leaves."""
    run = tmp_path / "run"
    base = UP - 1.0
    wanted = {f"net{k}/mnist": base + shift for k, shift in enumerate((0.12, 0.113, 0.105))}
    raw = {system: stats.t_pvalue(values) for system, values in wanted.items()}
    assert all(0.015 < p < 0.05 for p in raw.values())
    write(rules, run, wanted)
    assert {v.verdict for v in claims.read_all(run)} == {"REPRODUCED"}
    claims.record(judge(rules, UP), run)  # another paper's row: another family
    final = {v.system: v for v in claims.finalise(run)}
    adjusted = stats.holm(raw)
    for system, p in adjusted.items():
        assert final[system].p_holm == pytest.approx(p)
        assert final[system].p_value == pytest.approx(raw[system])
        assert final[system].verdict == "INCONCLUSIVE"
        assert "Holm's p over 3 tests of this paper" in final[system].reason
    assert final[SYSTEM].verdict == "REPRODUCED"
    assert final[SYSTEM].p_holm == final[SYSTEM].p_value
    before = files(run)
    assert claims.finalise(run) == list(claims.read_all(run))
    assert files(run) == before
    for system in list(wanted)[1:]:  # a smaller family: the correction is computed afresh, not accumulated
        claims.verdict_path(run, "M2", system).unlink()
    assert claims.finalise(run)[1].verdict == "REPRODUCED"


def test_identities_and_failed_premises_in_the_family(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    claims.record(claims.judge_identity("D1", SYSTEM, {"matching": [0.0]}, scope="a test", claims=rules), run)
    claims.record(judge(rules, UP), run)
    failed = claims.judge(
        "D3", SYSTEM, both(UP, UP), **settings(rules, accuracy=[0.5] * 5), variants={OTHER_END: both(UP, UP)}
    )
    claims.record(failed, run)
    final = {v.row: v for v in claims.finalise(run)}
    assert final["D1"].p_holm is None
    assert final["D2"].control["holm"] == {"tests_of_this_paper_in_this_run": 2}
    assert final["D3"].verdict == "INCONCLUSIVE"
    assert "accuracy" in final["D3"].reason


def test_a_moved_or_damaged_verdict_is_named(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    path = claims.record(judge(rules, UP), run)
    moved = run / "D3" / path.parent.name / path.name
    moved.parent.mkdir(parents=True)
    path.rename(moved)
    with pytest.raises(ValueError, match="it was moved"):
        claims.finalise(run)
    moved.write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match="verdict"):
        claims.read_all(run)
    moved.write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match="not a verdict"):
        claims.read_all(run)
    with pytest.raises(ValueError, match="was not judged"):
        claims.record(claims.status_rows(claims=rules)[0], run)


def test_the_table_has_every_row_and_no_verdict_where_none_was_judged(tmp_path: Path) -> None:
    table = claims.table(tmp_path / "nothing")
    assert list(table.row) == ROWS
    assert table.verdict.str.match(r"not run|needs ").all()
    assert table.system.isna().all()
    assert claims.summary(table).empty
    assert all(v.verdict is None and v.status != "judged" for v in claims.status_rows())


def test_the_table_keeps_systems_apart(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    write(rules, run, {"a/mnist": UP, "b/mnist": -UP, "c/mnist": 1.1 * UP})
    claims.finalise(run)
    table = claims.table(run, rules)
    assert list(table.row) == ["D1", "D2", "D3", "D4", "D8", "M2", "M2", "M2", "L2"]
    judged = table[table.system.notna()]
    assert list(judged.verdict) == ["REPRODUCED", "NOT REPRODUCED", "REPRODUCED"]
    assert (judged.low < judged.high).all()
    assert judged.current.all()
    assert dict(zip(claims.summary(table).verdict, claims.summary(table).systems, strict=True)) == {
        "NOT REPRODUCED": "1 of 3 systems",
        "REPRODUCED": "2 of 3 systems",
    }


def test_a_moved_threshold_needs_an_entry(rules: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    claims.record(judge(rules, UP), run)
    old = claims.sha256(rules)
    assert claims.check_changes(run, rules) == []
    reworded = edit(tmp_path, lambda c: c["rows"]["D2"].update(expected_risk="better words"), rules)
    assert claims.sha256(reworded) != old
    assert claims.check_changes(run, reworded) == []
    assert not claims.table(run, reworded).current[1]

    moved = edit(tmp_path, lambda c: c["rows"]["D2"]["thresholds"][0].update(bound=0.5), rules)
    assert len(claims.check_changes(run, moved)) == 1
    assert old in claims.check_changes(run, moved)[0]
    entry = {"row": "D2", "date": "2025-01-31", "claims_sha256": old, "what": "0 -> 0.5", "reason": "a test"}
    wrong = edit(tmp_path, lambda c: c.update(changed=[{**entry, "before": {SYSTEM: "INCONCLUSIVE"}}]), moved)
    assert claims.check_changes(run, wrong)
    explained = edit(tmp_path, lambda c: c["changed"][0].update(before={SYSTEM: "REPRODUCED"}), wrong)
    assert claims.check_changes(run, explained) == []
    assert claims.table(run, explained).before[1] == "REPRODUCED"
    for change in (
        lambda c: c["rows"]["D2"]["min_accuracy"][SYSTEM].update(value=0.5),
        lambda c: c["protocol"].update(min_seeds=3),
        lambda c: c["rows"]["D2"].update(order_based=True),
    ):
        assert claims.check_changes(run, edit(tmp_path, change, rules))


def test_runs_on_two_machines_agree_by_verdict_and_overlap(rules: Path) -> None:
    here, near, far = judge(rules, UP), judge(rules, UP + 0.05), judge(rules, UP + 1)
    assert claims.agrees(here, near) == []
    assert claims.agrees(here, far) == [f"D2 on {SYSTEM}: intervals of excess do not overlap"]
    assert "was NOT REPRODUCED" in claims.agrees(here, judge(rules, -UP))[0]
    assert claims.agrees(judge(rules, UP - 1.0), judge(rules, UP - 1.05)) == []
    assert claims.agrees(judge(rules, np.ones(5)), judge(rules, np.full(5, 1 + 1e-12))) == []


# --- no effect, noise, random walks: REPRODUCED in at most 5 % of runs


def says_yes(rows: list[claims.Verdict]) -> float:
    return float(np.mean([v.verdict == "REPRODUCED" for v in rows]))


def band(runs: int) -> float:
    return 3.5 * np.sqrt(0.05 * 0.95 / runs)


def test_one_part_without_effect(rules: Path) -> None:
    rng, runs = np.random.default_rng(0), 600
    found = [judge(rules, x) for x in rng.normal(size=(runs, 5))]
    assert says_yes(found) <= 0.025 + band(runs)
    wrong = np.mean([v.verdict == "NOT REPRODUCED" for v in found])
    assert wrong <= 0.025 + band(runs)


@pytest.mark.parametrize("correlated", [False, True])
def test_a_conjunction_with_one_true_part_and_one_without_effect(rules: Path, correlated: bool) -> None:
    rng, runs = np.random.default_rng(1), 400
    hits = []
    for _ in range(runs):
        noise = rng.normal(size=5)
        fall = 5 + (noise if correlated else rng.normal(size=5))
        parts = both(fall, noise)
        hits.append(claims.judge("D3", SYSTEM, parts, **settings(rules), variants={OTHER_END: parts}))
    assert says_yes(hits) <= 0.05 + band(runs)


def test_a_family_without_effect(rules: Path) -> None:
    """Six systems without any effect: after Holm, some verdict is REPRODUCED in at most 5 % of runs."""
    rng, runs = np.random.default_rng(2), 60
    some = []
    for _ in range(runs):
        values = rng.normal(size=(6, 1, 5)) + 0.1 * rng.normal(size=(6, 3, 5))
        family = [
            claims.judge(
                "M2",
                f"n{i}/d",
                [Part(n, x) for n, x in zip("abc", v, strict=True)],
                seeds=range(5),
                scope="t",
                claims=rules,
            )
            for i, v in enumerate(values)
        ]
        adjusted = stats.holm({v.system: v.p_value for v in family})
        some.append(any(judging.rejudge(v, adjusted[v.system], 6).verdict == "REPRODUCED" for v in family))
    assert np.mean(some) <= 0.05 + band(runs)


def test_the_null_subtracted_or_dropped(rules: Path) -> None:
    """Everything is sparse after an L1 split. Only the excess over the null says something about training."""
    rng, runs = np.random.default_rng(5), 300
    trained, untrained = 0.7 + 0.05 * rng.normal(size=(2, runs, 5))
    assert says_yes([judge(rules, x) for x in trained - untrained]) <= 0.05 + band(runs)
    assert says_yes([judge(rules, x) for x in trained[:30]]) == 1.0


def test_a_qualitative_row_is_described_and_stands_outside_every_tally(tmp_path: Path) -> None:
    found = claims.describe("L13", "lenet/mnist_part", "what was seen", n=5, scope="a test", control={"height": 0.5})
    assert (found.verdict, found.status, found.reason) == (None, "described", "what was seen")
    claims.record(found, tmp_path)
    assert claims.finalise(tmp_path) == [found], "no p value, so no correction"
    line = claims.table(tmp_path).set_index("row").loc["L13"]
    assert (line.system, line.verdict) == ("lenet/mnist_part", "described")
    with pytest.raises(ValueError, match="L3 is a row of kind empirical: use judge"):
        claims.describe("L3", "lenet/mnist_part", "what was seen", n=5, scope="a test")
    with pytest.raises(ValueError, match="L13 is a row of kind qualitative: use describe"):
        claims.judge_identity("L13", "lenet/mnist_part", {}, scope="a test")
