"""Five groups: each planted course is called what it is, random walks are not a finding, the toy set's betrayal is found."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest
import torch

from utils import claims, params
from utils.interactions import Interactions
from utils.jobs import toy
from utils.jobs.study import Extracted
from utils.metrics import groups
from utils.rows import five_groups

SYSTEM = "lenet/mnist_part"
SEEDS = (0, 1, 2, 3, 4)
C = 13
T = np.linspace(0, 1, C)
COURSES = {
    "reliable": [T, -T ** 2, np.full(C, 2.0), 0.02 * np.sin(9 * T) + T],
    "withdrawn": [np.sin(np.pi * T), -np.exp(-30 * (T - 0.4) ** 2)],
    "forgotten": [1 - T, -np.exp(-4 * T)],
    "betraying": [1 - 2 * T, np.where(T < 0.5, -0.8, 1.0), np.sin(2 * np.pi * T)],
    "fluctuating": [np.sin(5 * np.pi * T), 1.2 + np.cos(8 * np.pi * T), np.abs(1 - 2 * T)],
}


@pytest.mark.parametrize("margin", [0.05, 0.1, 0.2])
@pytest.mark.parametrize(("name", "curve"), [(name, curve) for name, many in COURSES.items() for curve in many])
def test_a_planted_course_is_called_what_it_is(name: str, curve: np.ndarray, margin: float) -> None:
    assert groups.GROUPS[int(groups.classify(curve, margin))] == name
    assert groups.classify(-7 * curve, margin) == groups.classify(curve, margin), "neither sign nor scale matters"


def test_a_curve_of_zeros_belongs_to_no_group() -> None:
    labels = groups.classify(np.stack([np.zeros(C), T, T, 1 - T]))
    assert labels.tolist() == [-1, 0, 0, 2]
    assert groups.counts(labels).tolist() == [2, 0, 1, 0, 0]
    assert groups.shares(labels) == pytest.approx([2 / 3, 0, 1 / 3, 0, 0])
    assert np.isnan(groups.shares(labels[:1])).all()


def test_the_margin_is_a_tolerance_of_losses_and_of_signs() -> None:
    dented = np.array([0.2, 0.4, 0.6, 0.5, 0.8, 1.0])  # loses exactly 0.1
    assert [int(groups.classify(dented, m, width=1)) for m in (0.11, 0.05)] == [0, 4]
    dipping = np.array([-0.1, -0.08, 0.0, 0.5, 0.8, 1.0])  # starts below zero by a tenth of its maximum
    assert [groups.GROUPS[int(groups.classify(dipping, m, width=1))] for m in (0.11, 0.05)] == ["reliable", "betraying"]


def test_three_large_turns_fluctuate() -> None:
    turns = np.array([0.2, 1.0, 0.2, 1.0, 0.2])
    assert groups._reversals(turns, 0.2) == 3
    assert groups._reversals(turns, 0.9) == 0
    assert groups._reversals(np.array([0.5, 0.6, 0.5, 1.0, 0.4]), 0.2) == 1


def test_smoothing_by_hand() -> None:
    assert groups.smoothed(np.array([0.0, 3.0, 0.0]), 3) == pytest.approx([1, 1, 1])
    assert groups.smoothed(np.array([1.0, 2.0, 4.0]), 1) == pytest.approx([0.25, 0.5, 1])
    assert groups.smoothed(np.array([3.0, 0.0, -3.0]), 3) == pytest.approx([1, 0, -1])
    assert groups.smoothed(np.zeros(4), 3).tolist() == [0, 0, 0, 0]


def test_the_printed_definitions_overlap_and_leave_gaps() -> None:
    def fits(*values: float) -> set[str]:
        return {name for name, yes in groups.printed(np.array(values)).items() if yes}

    assert fits(1, 2, 3, 4) == {"reliable"}
    assert fits(2, 2, 2, 2) == {"reliable", "forgotten", "withdrawn"}  # one curve, three groups
    assert fits(4, 3, 2, 1) == {"forgotten"}
    assert fits(0, 2, 3, 1) == {"withdrawn", "betraying"}  # to the letter: 0 times anything is not positive
    assert fits(1, 2, 3, 1) == {"withdrawn"}
    assert fits(-2, -1, 1, 2) == {"betraying"}
    assert fits(1, -2, 3, -1, 2) == {"fluctuating", "forgotten"}  # to the letter: every step goes against the sign
    assert fits(3, 1, 2, 1, 3) == set()  # a curve that fits none


def test_walks_keep_the_first_value_and_the_size_of_every_step() -> None:
    curves = torch.randn(3, 50, C, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = groups.walks(curves, torch.Generator().manual_seed(1))
    assert torch.equal(drawn[..., 0], curves[..., 0])
    assert torch.allclose(drawn.diff().abs(), curves.diff().abs())
    same = (drawn.diff() * curves.diff() > 0).double().mean()
    assert 0.4 < float(same) < 0.6


def test_distance_from_a_null_by_hand() -> None:
    null = np.array([[0.5, 0.5, 0, 0, 0], [0.5, 0.5, 0, 0, 0]])
    assert groups.excess_distance(np.array([1.0, 0, 0, 0, 0]), null) == pytest.approx(1.0)
    apart = np.array([[1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0]])  # each is 2 away from the other, a member 1 from the mean
    assert groups.excess_distance(apart[0], apart) == pytest.approx(1.0 - 2.0)


def test_the_strongest_are_those_with_the_largest_maximum_over_time() -> None:
    curves = torch.tensor([[[0.0, 1.0], [-3.0, 0.0], [2.0, 2.0]]])
    assert groups.strongest(curves, 2).tolist() == [[1, 2]]
    assert groups.strongest(curves, 9).tolist() == [[1, 2, 0]]


# Rows ------------------------------------------------------------------------------------------------------------------

N, IMAGES = 6, 10


def study(**given: Any) -> params.FiveGroups:
    rest = {"images": IMAGES, "n_players": N, "walks": 8, "top": 40, "map_images": 1} | given
    return params.validate("04_five_groups", **rest)


def extracted(and_: torch.Tensor, steps: int = C) -> Extracted:
    """Interactions (R, C, X, 2^n) without OR terms."""
    found = Interactions(and_, torch.zeros_like(and_))
    shape = and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return Extracted(v=found.reconstruct(), found=found, kappa=0.0, gap=nothing, error=nothing.clone(), l1=nothing,
                     converged=torch.ones(shape, dtype=torch.bool), steps=np.arange(steps), saturated=torch.zeros(shape[:2]),
                     noise_floor=torch.zeros(shape[:2]))


def analysis(e: Extracted) -> types.SimpleNamespace:
    config = types.SimpleNamespace(steps=100, lr=0.1, batch=16, n_train=100, model="lenet")
    system = types.SimpleNamespace(id=SYSTEM, name="LeNet", jobs=[types.SimpleNamespace(config=config)])
    runs = [types.SimpleNamespace(test_accuracy=0.99)] * len(SEEDS)
    return types.SimpleNamespace(system=system, layer="conv2", runs=runs, main=e, others={"order weight -0.2": e})


def with_courses(of_order: Any, noise: float = 0.0, seed: int = 0) -> Extracted:
    """Interactions whose curve is of_order(order, generator) (C,), each of a strength of its own."""
    rng = np.random.default_rng(seed)
    order = np.array([mask.bit_count() for mask in range(1 << N)])
    curves = np.zeros((len(SEEDS), IMAGES, 1 << N, C))
    for place in np.ndindex(curves.shape[:3]):
        if place[2]:
            curves[place] = rng.uniform(0.5, 2) * of_order(order[place[2]], rng) + noise * rng.standard_normal(C)
    return extracted(torch.from_numpy(np.ascontiguousarray(np.moveaxis(curves, 3, 1))))


def walk(_order: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(C).cumsum()


def judged(row: str, e: Extracted, **given: Any) -> claims.Verdict:
    p, a = study(**given), analysis(e)
    cases = {"M7": five_groups.kinds_case, "M8": five_groups.definition_case, "M9": five_groups.group_case,
             "M10": five_groups.contrast_case}
    return claims.judge(row, SYSTEM, **cases[row](p, a, five_groups.selections(p, a)))


def test_random_walks_are_not_five_groups() -> None:
    found = [judged(row, with_courses(walk, seed=s), walks=5, top=20) for s in range(2) for row in ("M7", "M8", "M9", "M10")]
    assert [v.verdict for v in found].count("REPRODUCED") == 0
    distances = [v.estimate for v in found if v.row == "M7"]
    assert abs(float(np.mean(distances))) < 0.1, "walks have no excess distance on average"


def five_kinds(_order: int, rng: np.random.Generator) -> np.ndarray:
    return [T, np.sin(np.pi * T), 1 - T, np.sin(2 * np.pi * T), rng.standard_normal(C)][rng.integers(5)]


def test_five_kinds_of_course_are_told_from_random_walks() -> None:
    e = with_courses(five_kinds, noise=0.01)
    for row in ("M7", "M8"):
        verdict = judged(row, e)
        assert verdict.verdict == "REPRODUCED", verdict.reason


def test_fewer_than_five_kinds_are_not_five() -> None:
    e = with_courses(lambda _order, rng: [T, np.sin(np.pi * T), 1 - T][rng.integers(3)], noise=0.01)
    assert judged("M8", e).verdict == "REPRODUCED", "far from walks"
    assert judged("M7", e).verdict == "NOT REPRODUCED", "but two of the five kinds are missing"


def test_one_network_on_one_data_set_shows_no_contrast() -> None:
    verdict = judged("M9", with_courses(five_kinds, noise=0.01))
    assert verdict.verdict == "INCONCLUSIVE" and "resnet20" in verdict.reason
    assert verdict.control["L1 distance of the shares to RN-20, MNIST in Table 3"] > 0


def test_high_orders_that_fluctuate_are_told_from_low_ones_that_do() -> None:
    def high(order: int, rng: np.random.Generator) -> np.ndarray:
        return 2 * rng.standard_normal(C) if order >= 5 else T

    def low(order: int, rng: np.random.Generator) -> np.ndarray:
        return 3 * T if order >= 5 else rng.standard_normal(C)

    assert judged("M10", with_courses(high), top=63).verdict == "REPRODUCED"
    assert judged("M10", with_courses(low), top=63).verdict == "NOT REPRODUCED"


def test_too_few_high_orders_leave_the_row_open() -> None:
    verdict = judged("M10", with_courses(lambda order, _rng: T if order < 5 else 0 * T))
    assert verdict.verdict == "INCONCLUSIVE"
    assert "has 0 of order 6" in verdict.reason and "at least 10 are needed" in verdict.reason


def test_too_few_checkpoints_leave_the_rows_open_and_say_how_many_are_needed() -> None:
    whole = with_courses(walk)
    few = extracted(whole.found.and_[:, :6], 6)
    for row in ("M7", "M8", "M9", "M10"):
        verdict = judged(row, few, checkpoints=6)
        assert verdict.verdict == "INCONCLUSIVE"
        assert "6 checkpoints" in verdict.reason and "at least 11 are needed" in verdict.reason


def test_uncertified_games_drop_out_of_the_variant() -> None:
    e = with_courses(lambda _order, _rng: T)
    e.converged[0, 3, 2] = False
    e.found.and_[0, :, 2] *= -1
    chosen = five_groups.select(study(), e, certified_only=True)
    labels = groups.classify(chosen.curves)
    assert (labels[0, 2] == -1).all() and (np.delete(labels, 2, axis=1) == 0).all()
    assert (groups.classify(chosen.null)[0, :, 2] == -1).all()


def test_contrasts_between_networks_need_both() -> None:
    one, two = analysis(with_courses(lambda _o, _r: T)), analysis(with_courses(lambda _o, r: r.standard_normal(C)))
    one.system.jobs[0].config.model, two.system.jobs[0].config.model = "resnet20", "vgg11"
    p = study()
    assert list(five_groups.pairs(p, [one])) == []
    ((name, first, second),) = five_groups.pairs(p, [two, one])
    assert (name, first, second) == ("resnet20+vgg11/mnist_part", one, two)
    case = five_groups.pair_case(p, one, two)
    values = {part.name: np.mean(part.values) for part in case["parts"]}
    assert values["more_reliable"] > 0.5 and values["fewer_fluctuating"] > 0.3
    assert abs(values["more_forgotten"]) < 0.2
    verdict = claims.judge("M9", name, **case)  # every contrast is weighed; no accuracy is registered for the pair
    assert len(verdict.parts) == 5 and verdict.verdict == "INCONCLUSIVE"


def test_tables_count_what_was_grouped() -> None:
    e = with_courses(lambda order, _rng: T if order > 1 else 1 - T)
    p, a = study(), analysis(e)
    chosen = five_groups.selections(p, a)
    layout = five_groups.paper_layout(p, a, chosen)
    assert list(layout.columns) == list(groups.GROUPS) and len(layout) == 9
    assert layout.sum(axis=1).to_numpy() == pytest.approx(40, abs=0.3)
    table = five_groups.order_table(p, a, chosen)
    own = table[table["curves"] == "network"].pivot(index="order", columns="group", values="count")
    assert own.loc[1, "reliable"] == 0 and own.loc[2:, "forgotten"].sum() == 0
    assert own.to_numpy().sum() == pytest.approx(40)
    curves = five_groups.curve_table(p, a, chosen)
    assert set(curves.dropna()["group"]) == {"reliable", "forgotten"}
    assert curves["panel"].nunique() == 5, "a group without curves keeps its panel"
    assert curves["value"].abs().max() == 1


# The planted toy set ---------------------------------------------------------------------------------------------------


def planted_curves(curve: np.ndarray, loyal: np.ndarray = T) -> dict[str, Extracted]:
    rng = np.random.default_rng(0)
    and_ = torch.zeros(len(SEEDS), C, 4, 1 << len(toy.INPUTS), dtype=torch.float64)
    for player, values in ((toy.BETRAYED, curve), (toy.LOYAL, loyal)):
        noisy = values + 0.01 * rng.standard_normal((len(SEEDS), 4, C))
        and_[..., 1 << player] = torch.from_numpy(noisy).transpose(1, 2)
    return {"order weight +0.2": extracted(and_), "order weight -0.2": extracted(and_)}


@pytest.mark.parametrize(("name", "verdict"), [("betraying", "REPRODUCED"), ("reliable", "NOT REPRODUCED"),
                                               ("withdrawn", "NOT REPRODUCED")])
def test_a_betraying_input_is_found_where_there_is_one(name: str, verdict: str) -> None:
    case = five_groups.toy_case(study(), planted_curves(COURSES[name][0]))
    got = claims.judge("M12", toy.TOY_SYSTEM, **case)
    assert got.verdict == verdict, got.reason
    assert got.control["seeds where the loyal input is called betraying"] == 0


def test_the_toy_data_betray_as_planned() -> None:
    x, y = toy.toy_data(200_000, 0)
    z, s, u = x[:, 0, 0, toy.BETRAYED], x[:, 0, 0, 1], x[:, 0, 0, toy.LOYAL]
    sign = 2.0 * y - 1
    assert float((sign * z).mean()) > 0.1  # helps on its own
    near = (s - 0.1).abs() < 0.02
    assert float((sign * z)[near].mean() - sign[near].mean() * z[near].mean()) < -0.05  # hurts once s is known
    assert float((sign * u).mean()) > 0.1 and float((sign * u)[near].mean()) > 0.1


def test_a_small_network_on_the_toy_data_betrays_its_early_feature() -> None:
    found = toy.planted(study(seeds=[0], images=5, toy_steps=1500))
    case = five_groups.toy_case(study(seeds=[0], images=5, toy_steps=1500), found)
    assert case["parts"][0].values.tolist() == [1.0]
    assert case["control"]["share of samples where the loyal input is called betraying"] == [0.0]
    table = five_groups.toy_table(found)
    z = table[table["input"] == toy.INPUTS[toy.BETRAYED]]["utility"].to_numpy()
    assert z.max() > 0.3 and z[-1] < -0.3
