"""From values to the two readings of a row: what decides, what a verdict must survive, what a
notebook gets wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from scipy import stats as sps

from tests.rules import (
    DROPPED,
    OTHER_END,
    SYSTEM,
    UP,
    both,
    excess,
    judge,
    settings,
    small_registry,
)
from utils import claims, io, stats
from utils.claims import Part, Premise, criteria
from utils.claims.verdict import headline
from utils.claims.weighing import correct, decide


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    return small_registry(tmp_path)


# --- two readings, three values, five headlines


@pytest.mark.parametrize(
    ("stated", "specific", "expected"),
    [
        ("REPRODUCED", "REPRODUCED", "REPRODUCED"),
        ("REPRODUCED", None, "REPRODUCED"),
        ("REPRODUCED", "NOT REPRODUCED", "REPRODUCED, NOT SPECIFIC"),
        ("REPRODUCED", "INCONCLUSIVE", "REPRODUCED, SPECIFICITY OPEN"),
        ("NOT REPRODUCED", "REPRODUCED", "NOT REPRODUCED"),
        ("INCONCLUSIVE", "REPRODUCED", "INCONCLUSIVE"),
    ],
)
def test_the_headline_of_two_readings(stated: Any, specific: Any, expected: str) -> None:
    assert headline(stated, specific) == expected


def test_three_values_of_each_reading(rules: Path) -> None:
    up, down, open_ = (
        judge(rules, UP),
        judge(rules, -UP),
        judge(rules, UP - 0.7 + [1, -1, 1, -1, 0]),
    )
    assert (up.verdict, down.verdict, open_.verdict) == (
        "REPRODUCED",
        "NOT REPRODUCED",
        "INCONCLUSIVE",
    )
    t = sps.ttest_1samp(UP, 0.0)
    assert up.estimate == pytest.approx(1.0)
    assert up.interval == pytest.approx(tuple(t.confidence_interval(0.95)))
    assert up.readings["as_stated"].p_claim == pytest.approx(t.pvalue / 2)
    assert down.readings["as_stated"].p_not == pytest.approx(
        sps.ttest_1samp(-UP, 0.5, alternative="less").pvalue
    )
    assert (
        "excludes an effect of 0.5 or more" in down.reason and "does not decide > 0" in open_.reason
    )
    assert (up.threshold, up.n, up.unit, up.status) == (
        "> 0 (smallest effect 0.5)",
        5,
        "u",
        "judged",
    )
    mixed = judge(rules, UP, -UP)
    assert (mixed.as_stated, mixed.specific, mixed.verdict) == (
        "REPRODUCED",
        "NOT REPRODUCED",
        "REPRODUCED, NOT SPECIFIC",
    )
    assert "As stated: REPRODUCED." in mixed.reason and "Specific: NOT REPRODUCED." in mixed.reason
    assert judge(rules, -UP, UP).verdict == "NOT REPRODUCED", (
        "specific is computed whatever as stated says"
    )
    assert judge(rules, -UP, UP).specific == "REPRODUCED"


def test_no_effect_is_a_finding_and_a_small_one_says_so(rules: Path) -> None:
    nothing = judge(rules, (UP - 1.0) * 0.5)
    assert nothing.verdict == "NOT REPRODUCED" and "present, but" not in nothing.reason
    small = judge(rules, UP * 0.2)
    assert small.verdict == "NOT REPRODUCED"
    assert "present, but smaller than half of the paper's" in small.reason


def test_a_size_lies_inside_outside_or_across(rules: Path) -> None:
    def distance(values: Any) -> claims.Verdict:
        parts = [Part("distance", values), Part("shift", pvalue=0.02, estimate=0.5)]
        return claims.judge("D4", SYSTEM, parts, **settings(rules))

    assert distance(UP * 0.1).verdict == distance(-UP * 0.1).verdict == "REPRODUCED"
    assert distance(UP + 1).verdict == distance(-UP - 1).verdict == "NOT REPRODUCED"
    assert distance(UP + 0.5).verdict == "INCONCLUSIVE"
    assert distance(UP).threshold == "inside (-1.5, 1.5)"


def test_a_conjunction_takes_its_largest_p_and_fails_by_its_smallest_times_k(rules: Path) -> None:
    def two(fall: Any, rise: Any) -> claims.Verdict:
        return claims.judge(
            "D3a",
            SYSTEM,
            both(fall, rise),
            **settings(rules),
            variants={OTHER_END: both(fall, rise)},
        )

    noisy = UP + np.array([1, -1, 0.5, -0.5, 0.0])
    good = two(UP, noisy)
    assert good.verdict == "REPRODUCED" and good.specific is None
    assert good.readings["as_stated"].p_claim == pytest.approx(
        sps.ttest_1samp(noisy, 0, alternative="greater").pvalue
    )
    assert good.statistic.startswith("rise")  # the deciding part is shown
    below = UP - 1 + np.array([0.2, -0.2, 0.1, -0.1, 0])
    failing = two(UP, below)
    assert failing.readings["as_stated"].p_not == pytest.approx(
        2 * sps.ttest_1samp(below, 0.5, alternative="less").pvalue
    )
    assert two(UP, -UP).verdict == two(-UP, -UP).verdict == "NOT REPRODUCED"


def test_a_test_with_its_own_null_can_open_but_not_contradict(rules: Path) -> None:
    def shift(p: float) -> claims.Verdict:
        return claims.judge(
            "D4",
            SYSTEM,
            [Part("distance", UP * 0.1), Part("shift", pvalue=p, estimate=2.0)],
            **settings(rules),
        )

    assert shift(0.05).specific == "REPRODUCED"
    assert shift(0.05).readings["specific"].p_claim == pytest.approx(0.025), (
        "its own bound is the level of the others"
    )
    assert shift(0.051).specific == shift(1.0).specific == "INCONCLUSIVE"
    part = shift(0.9).readings["specific"].parts[0]
    assert (part.estimate, part.interval, part.p_value) == (2.0, None, 0.9)


def test_a_smallest_effect_in_standard_deviations_needs_them(rules: Path) -> None:
    content = yaml.safe_load(rules.read_text())
    for t in content["rows"]["D2"]["thresholds"]:
        t["effect"] = {"sd": 0.25, "source": "ours"}
    rules.write_text(yaml.safe_dump(content))
    with pytest.raises(ValueError, match="give scale="):
        judge(rules, UP)
    parts = [Part("excess", UP, scale=8.0), Part("beyond", UP, scale=0.4)]
    found = claims.judge("D2", SYSTEM, parts, **settings(rules))
    assert (found.as_stated, found.specific) == ("NOT REPRODUCED", "REPRODUCED")
    assert found.readings["as_stated"].parts[0].smallest == pytest.approx(2.0)


# --- networks and units


def test_networks_and_units_both_spread(rules: Path) -> None:
    """Per image the same for every network: the spread over networks alone would call it
    certain."""
    rng = np.random.default_rng(0)
    image = rng.normal(0.0, 2.5, 40)
    image += 0.55 - image.mean()
    y = image + 1e-3 * rng.normal(size=(5, 40))
    alone = judge(rules, y.mean(1))
    crossed = claims.judge(
        "D2", SYSTEM, [Part.of("excess", y), Part.of("beyond", y)], **settings(rules)
    )
    assert alone.as_stated == "REPRODUCED" and crossed.as_stated == "INCONCLUSIVE"
    part = crossed.readings["as_stated"].parts[0]
    assert part.n_units == 40 and len(part.values) == 5
    assert part.variance["units"] == pytest.approx(image.var(ddof=1) / 40, rel=0.02)
    table = crossed.units
    assert len(table) == 2 * 5 * 40 and set(table.columns) == {
        "reading",
        "part",
        "seed",
        "unit",
        "value",
    }
    assert table[table.part == "excess"].value.to_numpy().reshape(5, 40) == pytest.approx(y)


def test_one_given_network_is_judged_by_its_units_alone(rules: Path) -> None:
    rng = np.random.default_rng(0)

    def given(units: int) -> claims.Verdict:
        y = rng.normal(1, 0.5, (1, units))
        return claims.judge(
            "D2",
            SYSTEM,
            [Part.of("excess", y), Part.of("beyond", y)],
            given=True,
            **settings(rules, seeds=[0], accuracy=[0.97]),
        )

    assert given(30).verdict == "REPRODUCED"
    few = given(19)
    assert (
        few.verdict == "INCONCLUSIVE"
        and "at least 20 units are needed for one given network" in few.reason
    )


# --- what a verdict must survive


def test_too_few_seeds_name_the_number_needed(rules: Path) -> None:
    two = claims.judge(
        "D2", SYSTEM, excess(UP[:2]), **settings(rules, seeds=[0, 1], accuracy=[0.97] * 2)
    )
    assert two.verdict == "INCONCLUSIVE"
    assert "at least 5 networks are needed, excess has 2" in two.reason
    one = claims.judge("D2", SYSTEM, excess(UP[:1]), **settings(rules, seeds=[0], accuracy=[0.97]))
    assert (one.verdict, one.interval) == ("INCONCLUSIVE", (None, None))
    missing = judge(rules, [1.0, 1.1, np.nan, 0.9, 1.0])
    assert "excess has 4" in missing.reason and "1 of 5 networks gave no value" in missing.reason
    none = judge(rules, [np.nan] * 5)
    assert (none.verdict, none.estimate) == ("INCONCLUSIVE", None)
    six = claims.judge(
        "D2", SYSTEM, excess([*UP, np.nan]), **settings(rules, seeds=range(6), accuracy=[0.97] * 6)
    )
    assert six.verdict == "REPRODUCED" and six.readings["as_stated"].parts[0].dropped == 1


def test_accuracy_below_the_floor_is_inconclusive(rules: Path) -> None:
    low = judge(rules, UP, accuracy=[0.97, 0.97, 0.949, 0.97, 0.97])
    assert (
        low.verdict == low.specific == "INCONCLUSIVE"
        and low.readings["as_stated"].cause == "premise"
    )
    assert "lowest test accuracy is 0.949, at least 0.950 is needed" in low.reason
    assert judge(rules, UP, accuracy=[0.95] * 5).verdict == "REPRODUCED", "the floor itself will do"
    with pytest.raises(ValueError, match="accuracy= is needed: the test accuracy of each seed"):
        judge(rules, UP, accuracy=None)
    for wrong in ([0.97] * 4 + [97.0], [0.97] * 4 + [np.nan], []):
        with pytest.raises(ValueError, match="accuracies must be at most 1"):
            judge(rules, UP, accuracy=wrong)


def test_the_floor_is_of_the_system_and_stands_in_the_verdict(rules: Path) -> None:
    """No registry knows it: the same values under another floor are another verdict, and without
    one there is none."""
    at, above = (judge(rules, UP, floor=floor) for floor in (0.97, 0.971))
    assert (at.verdict, above.verdict) == ("REPRODUCED", "INCONCLUSIVE")
    assert "at least 0.971 is needed" in above.reason
    found = [v.control["criterion"]["min_accuracy"] for v in (at, above)]
    assert found == [0.97, 0.971]
    missing = "floor= is needed: the test accuracy below which D2 concludes nothing on lenet/mnist_"
    with pytest.raises(ValueError, match=missing):
        judge(rules, UP, floor=None)
    two = [Part(name, UP) for name in "abc"]  # M2 needs none, whatever the system names
    free = claims.judge("M2", SYSTEM, two, **settings(rules, accuracy=None, floor=0.99))
    assert free.verdict == "REPRODUCED" and free.control["criterion"]["min_accuracy"] is None
    assert all(p["name"] != "accuracy" for p in free.control["premises"])


def test_a_regression_is_measured_by_its_r_squared(rules: Path) -> None:
    """Which may be below zero, where a network is worse than the mean."""
    how = {"measure": "test R²", "floor": 0.5}
    low = judge(rules, UP, accuracy=[-0.3, 0.6, 0.6, 0.6, 0.6], **how)
    assert "the lowest test R² is -0.300, at least 0.500 is needed" in low.reason
    assert low.verdict == "INCONCLUSIVE"
    assert judge(rules, UP, accuracy=[0.6] * 5, **how).verdict == "REPRODUCED"
    with pytest.raises(ValueError, match="accuracy= is needed: the test R² of each seed's network"):
        judge(rules, UP, accuracy=None, **how)


def test_uncertified_games(rules: Path) -> None:
    agreeing, differing = {DROPPED: excess(UP)}, {DROPPED: excess(-UP)}
    assert judge(rules, UP, uncertified=0.05, variants=agreeing).verdict == "REPRODUCED"
    many = judge(rules, UP, uncertified=0.051, variants=agreeing)
    assert "5.1% of the games are uncertified, at most 5% may be" in many.reason
    changed = judge(rules, UP, uncertified=0.01, variants=differing)
    assert (
        changed.verdict == "INCONCLUSIVE"
        and changed.readings["as_stated"].cause == "not identified"
    )
    assert f"with {DROPPED} it is NOT REPRODUCED" in changed.reason
    with pytest.raises(ValueError, match="uncertified= is needed"):
        judge(rules, UP, uncertified=None)
    with pytest.raises(ValueError, match=f"must have '{DROPPED}'"):
        judge(rules, UP, uncertified=0.01)


def test_order_based_rows_must_agree_at_both_ends(rules: Path) -> None:
    def ends(main: Any, other: Any) -> claims.Verdict:
        return claims.judge(
            "D3a", SYSTEM, both(UP, main), **settings(rules), variants={OTHER_END: both(UP, other)}
        )

    assert ends(UP, UP).verdict == "REPRODUCED" and ends(-UP, -UP).verdict == "NOT REPRODUCED"
    for main, other in ((UP, -UP), (-UP, UP)):
        found = ends(main, other)
        assert (
            found.verdict == "INCONCLUSIVE"
            and found.readings["as_stated"].cause == "not identified"
        )
        assert "no number of networks or images" in found.readings["as_stated"].to_settle
    assert ends(UP, 3 * UP).readings["as_stated"].variants[OTHER_END].spread[
        "rise"
    ] == pytest.approx(2.0)
    noisy = UP + np.array([1, -1, 0.5, -0.5, 0.0])
    assert ends(UP, noisy).readings["as_stated"].p_claim == pytest.approx(
        sps.ttest_1samp(noisy, 0, alternative="greater").pvalue
    ), "the variants' p values decide too"
    with pytest.raises(ValueError, match=f"must have '{OTHER_END}'"):
        claims.judge("D3a", SYSTEM, both(UP, UP), **settings(rules))


def test_a_second_draw_is_reported_and_does_not_gate(rules: Path) -> None:
    found = judge(rules, UP, reported={"second draw of players": excess(-2 * UP)})
    assert found.verdict == "REPRODUCED"
    assert (
        "With second draw of players it would be NOT REPRODUCED (reported, not a gate)"
        in found.reason
    )
    assert found.readings["as_stated"].reported["second draw of players"].spread[
        "excess"
    ] == pytest.approx(-3.0)


def test_a_false_premise_opens_its_reading_with_its_reason(rules: Path) -> None:
    needs = Premise("overfits", False, "the test loss turns up in 3 of 5 seeds, all are needed")
    found = judge(rules, UP, premises=[Premise("other", True, "fine"), needs])
    assert found.verdict == "INCONCLUSIVE" and "fine" not in found.reason
    assert "the test loss turns up in 3 of 5 seeds" in found.reason
    assert judge(rules, -UP, premises=[needs]).verdict == "INCONCLUSIVE"
    one = judge(rules, UP, premises=[Premise("probes", False, "no control", "specific")])
    assert (one.as_stated, one.specific) == ("REPRODUCED", "INCONCLUSIVE")


def test_a_changed_statistic_loses_the_verdict(rules: Path) -> None:
    found = judge(rules, UP, changed="mass 0.5 instead of 0.9")
    assert (found.verdict, found.status) == (None, "criterion: changed")
    assert "mass 0.5" in found.reason and found.control["numbers"]["excess"][
        "estimate"
    ] == pytest.approx(1.0)


# --- what is known of a criterion before it judges


def _simulated(rules: Path, **entry: Any) -> None:
    registry = claims.load(rules)
    size = {"words": "5 networks × 40 images", "power": 0.3}
    rows = {
        "D2": {
            name: {
                "criterion": criteria.criterion_of(registry, "D2", name),
                "ok": True,
                "why": "",
                "sizes": {
                    "default": size,
                    "reference": {"words": "10 networks × 40 images", "power": 0.9},
                },
                **entry,
            }
            for name in ("as_stated", "specific")
        }
    }
    io.write_json(criteria.file(rules), {"rows": rows})


def test_only_a_criterion_that_was_simulated_judges(rules: Path) -> None:
    _simulated(rules)
    assert judge(rules, UP).verdict == "REPRODUCED"
    open_ = judge(rules, UP - 0.7 + [1, -1, 1, -1, 0]).readings["as_stated"]
    assert open_.cause == "power" and "10 networks × 40 images" in open_.to_settle
    assert open_.simulated == {"5 networks × 40 images": 0.3, "10 networks × 40 images": 0.9}
    other = claims.judge("L2", "lenet/cifar10", [Part("excess", UP)], **settings(rules))
    assert (other.verdict, other.status) == (
        None,
        "not judged",
    ) and "`reproduce power L2`" in other.reason
    _simulated(rules, ok=False, why="REPRODUCED in 300 of 1000 runs under 'none'")
    assert (
        "decides wrongly too often" in judge(rules, UP).reason and judge(rules, UP).verdict is None
    )


def test_a_criterion_changed_after_its_simulation_does_not_judge(rules: Path) -> None:
    _simulated(rules)
    content = yaml.safe_load(rules.read_text())
    content["rows"]["D2"]["thresholds"][1]["bound"] = 0.1
    rules.write_text(yaml.safe_dump(content))
    found = judge(rules, UP)
    assert (found.as_stated, found.specific) == ("REPRODUCED", None)
    assert "changed after it was simulated" in found.reason


def test_where_no_simulated_size_suffices_the_verdict_says_so(rules: Path) -> None:
    _simulated(rules, sizes={"default": {"words": "5 networks × 40 images", "power": 0.3}})
    assert (
        judge(rules, UP - 0.7 + [1, -1, 1, -1, 0]).readings["as_stated"].cause == "no size suffices"
    )


# --- mistakes of a notebook


def test_a_dropped_null_or_an_invented_part_is_refused(rules: Path) -> None:
    with pytest.raises(ValueError, match=r"decided by \['count', 'excess'\], got \['count'\]"):
        claims.judge("L2", "lenet/mnist", [Part("count", UP)], **settings(rules))
    with pytest.raises(ValueError, match="give each of them once"):
        claims.judge("D2", SYSTEM, [*excess(UP), Part("excess", UP)], **settings(rules))
    with pytest.raises(ValueError, match="give each of them once"):
        claims.judge(
            "D3a", SYSTEM, both(UP, UP), **settings(rules), variants={OTHER_END: [Part("rise", UP)]}
        )
    with pytest.raises(
        ValueError, match="give each of them once"
    ):  # sparse, but compared with nothing
        claims.judge("D2", SYSTEM, [Part("excess", UP)], **settings(rules))


def test_thresholds_follow_the_system(rules: Path) -> None:
    one = claims.judge("L2", "lenet/cifar10", [Part("excess", UP)], **settings(rules))
    assert [p.name for p in one.every_part()] == ["excess"]
    two = claims.judge("L2", SYSTEM, [Part("count", UP), Part("excess", UP)], **settings(rules))
    assert [p.name for p in two.every_part()] == ["excess", "count"]


def test_values_must_be_one_per_network(rules: Path) -> None:
    for wrong in (np.ones(20), np.ones((5, 20)), np.ones((20, 5)), 1.0, np.ones(4)):
        with pytest.raises(ValueError, match="give one value per network"):
            judge(rules, wrong)
    with pytest.raises(ValueError, match="infinite for network 1"):
        judge(rules, [0.0, np.inf, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="distinct"):
        judge(rules, UP, seeds=[0, 0, 1, 2, 3])
    with pytest.raises(ValueError, match="no pvalue="):
        claims.judge(
            "D2", SYSTEM, [Part("excess", UP, pvalue=0.1), Part("beyond", UP)], **settings(rules)
        )
    with pytest.raises(ValueError, match="give pvalue="):
        claims.judge("D4", SYSTEM, [Part("distance", UP), Part("shift", UP)], **settings(rules))


def test_other_mistakes_are_named(rules: Path) -> None:
    with pytest.raises(ValueError, match=r"use judge_identity\(\)"):
        claims.judge("D1", SYSTEM, [], **settings(rules))
    with pytest.raises(ValueError, match=r"use judge\(\)"):
        claims.judge_identity("D2", SYSTEM, {}, scope="a test", claims=rules)
    with pytest.raises(ValueError, match="network/data"):
        claims.judge("D2", "LeNet", excess(UP), **settings(rules))
    with pytest.raises(ValueError, match="scope= must say"):
        judge(rules, UP, scope=" ")
    with pytest.raises(ValueError, match="written by the judge"):
        judge(rules, UP, control={"premises": []})
    with pytest.raises(ValueError, match=r"L13 is a row of kind described: use describe\(\)"):
        claims.judge("L13", SYSTEM, [], **settings(rules))
    content = yaml.safe_load(rules.read_text(encoding="utf-8"))
    for t in content["rows"]["D2"]["thresholds"]:
        t["systems"] = ["*/cifar10"]
    rules.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(ValueError, match=f"D2 has no threshold for {SYSTEM}"):
        judge(rules, UP)


# --- identities, computed statements, rows without a verdict


def test_identity(rules: Path) -> None:
    def exact(errors: Any) -> claims.Verdict:
        return claims.judge_identity(
            "D1", SYSTEM, {"matching": errors}, scope="a test", claims=rules
        )

    found = exact(np.array([[1e-12, -9e-9], [0.0, 1e-10]]))
    assert (found.verdict, found.estimate, found.n, found.as_stated) == ("EXACT", 9e-9, 4, None)
    assert (
        exact([0.0, 1e-8]).verdict
        == exact([0.0, -1.0]).verdict
        == exact([0.0, np.nan]).verdict
        == "BROKEN"
    )
    with pytest.raises(ValueError, match="no errors were given"):
        exact([])
    with pytest.raises(ValueError, match="give each of them once"):
        claims.judge_identity("D1", SYSTEM, {}, scope="a test", claims=rules)


def test_numerical(rules: Path) -> None:
    def grid(ratio: float, step: float) -> claims.Verdict:
        values = {"ratio": ratio, "step": step}
        return claims.judge_numerical(
            "D8", "synthetic/n10", values, "25 values", n=25, scope="grid", claims=rules
        )

    assert grid(1.2, 0.1).verdict == "REPRODUCED" and grid(1.2, 0.1).reason == "25 values"
    assert grid(0.99996, 0.1).verdict == "NOT REPRODUCED"
    with pytest.raises(ValueError, match="finite"):
        grid(float("nan"), 0.1)


@pytest.mark.parametrize(("row", "show"), [("L13", claims.describe), ("M12", claims.demonstrate)])
def test_rows_that_are_shown_have_no_verdict(rules: Path, row: str, show: Any) -> None:
    found = show(
        row, SYSTEM, "what was seen", n=5, scope="a test", control={"height": 0.5}, claims=rules
    )
    assert (found.verdict, found.as_stated, found.reason) == (None, None, "what was seen")
    assert found.status == found.kind
    with pytest.raises(ValueError, match="D2 is a row of kind empirical: use judge"):
        show("D2", SYSTEM, "what was seen", n=5, scope="a test", claims=rules)


# --- no effect, noise: REPRODUCED in at most 2.5 % of runs


def band(runs: int) -> float:
    return 3.5 * np.sqrt(0.025 * 0.975 / runs)


def test_one_part_without_effect(rules: Path) -> None:
    rng, runs = np.random.default_rng(0), 300
    found = [judge(rules, x) for x in 3 * rng.normal(size=(runs, 5))]
    assert np.mean([v.verdict == "REPRODUCED" for v in found]) <= 0.025 + band(runs)
    real = [judge(rules, 0.5 + x) for x in rng.normal(size=(runs, 5))]
    assert np.mean([v.verdict == "NOT REPRODUCED" for v in real]) <= 0.025 + band(runs)


def test_images_without_effect_are_no_effect_of_networks(rules: Path) -> None:
    """All networks share the images: without their spread every second draw of images would be an
    effect."""
    rng, runs, yes, naive = np.random.default_rng(1), 200, 0, 0
    for _ in range(runs):
        y = rng.normal(size=(1, 40)) + 0.2 * rng.normal(size=(5, 40))
        found = claims.judge(
            "D2", SYSTEM, [Part.of("excess", y), Part("beyond", y.mean(1))], **settings(rules)
        )
        yes += found.readings["as_stated"].p_claim <= 0.025
        naive += found.readings["specific"].p_claim <= 0.025
    assert yes / runs <= 0.025 + band(runs) and naive / runs > 0.2


def test_a_family_without_effect_is_rarely_called_one() -> None:
    """Benjamini-Hochberg keeps twenty systems' false discoveries at the level; uncorrected some
    would be in 40 %."""
    rng, runs, some, plain = np.random.default_rng(2), 300, 0, 0
    for _ in range(runs):
        p = {
            k: float(stats.crossed(x).p_above(0.0)) for k, x in enumerate(rng.normal(size=(20, 5)))
        }
        found = correct({k: (v, 1.0) for k, v in p.items()})
        some += any(decide(*pair, 0.025) == "REPRODUCED" for pair in found.values())
        plain += any(v <= 0.025 for v in p.values())
    assert some / runs <= 0.025 + band(runs) and plain / runs > 0.25
