"""Layerwise rows: the metrics by hand and by brute force, planted courses found, their opposites and nulls not."""

from __future__ import annotations

import dataclasses
import types

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from utils import claims, figures, lattice, params
from utils.interactions import Interactions
from utils.jobs.layered import Analyses, Layered
from utils.jobs.study import Extracted
from utils.metrics import layers
from utils.rows import layerwise
from utils.rows import layerwise_tables as tables

N = 5
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"
NAMES = ("a", "b", "c", "d", "e", "output")


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# The metrics ---------------------------------------------------------------------------------------------------------

# Subsets of two players: {}, {1}, {2}, {1, 2}. Order 0 never counts.
OWN = tensor(9, 3, -2, 1)
TARGET = tensor(9, 1, 2, 4)
ALL = torch.tensor([False, True, True, True])


def test_decomposition_by_hand() -> None:
    found = layers.change(OWN, TARGET, ALL, ALL)
    assert layers.shared(OWN, TARGET, ALL, ALL).tolist() == [0, 1, 0, 1]
    assert found.own.tolist() == [5, 1]
    assert found.target.tolist() == [3, 4]
    assert found.overlap.tolist() == [1, 1]
    assert found.forget.tolist() == [4, 0]  # 3 - 1, and -2 whose sign the final layer does not share
    assert found.new.tolist() == [2, 3]


def test_what_is_salient_in_one_layer_only_is_not_shared() -> None:
    """Without the zeroing, the first player's 1 would be taken from "forget" although "overlap" never had it."""
    only = torch.tensor([False, False, True, True])
    found = layers.change(OWN, TARGET, ALL, only)
    assert found.overlap.tolist() == [0, 1]
    assert found.forget.tolist() == [5, 0]
    assert (found.overlap + found.forget).tolist() == found.own.tolist() == [5, 1]
    assert (found.overlap + found.new).tolist() == found.target.tolist() == [2, 4]


def test_decomposition_is_exact_for_any_layers() -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = torch.randn(2, 3, 4, 16, generator=generator, dtype=torch.float64)
    masks = torch.rand(2, 3, 4, 16, generator=generator) > 0.4
    masks[..., 0] = False
    found = layers.change(one, other, *masks)
    torch.testing.assert_close(found.overlap + found.forget, found.own)
    torch.testing.assert_close(found.overlap + found.new, found.target)
    for m in range(1, 5):  # against the definitions, a set at a time
        sets = [s for s in range(16) if s.bit_count() == m]
        x, s = 1, 2
        both = [k for k in sets if masks[0][x, s, k] and masks[1][x, s, k] and one[x, s, k] * other[x, s, k] > 0]
        assert float(found.overlap[x, s, m - 1]) == pytest.approx(sum(float(min(abs(one[x, s, k]), abs(other[x, s, k])))
                                                                      for k in both))


def test_ties_at_tau_are_salient_and_order_zero_never() -> None:
    found = Interactions(tensor(100, 2, 1, 0.1)[None], tensor(0, 0, 0, 0)[None])
    salient, _ = found.salient(tensor(1.0))
    assert salient.tolist() == [[False, True, True, False]]


def test_normalisation_is_per_layer_and_a_constant_layer_has_none() -> None:
    v = torch.zeros(2, 2, 4, dtype=torch.float64)
    v[0, :, -1] = tensor(2, 4)  # mean |v(N) - v(∅)| = 3
    unit = layers.normalised(Interactions(torch.ones(2, 2, 4, dtype=torch.float64), torch.zeros(2, 2, 4)), v)
    assert unit.and_[0].unique().tolist() == pytest.approx([1 / 3])
    assert bool(unit.and_[1].isnan().all())


def test_ratios_of_sums_of_single_samples_and_without_a_target() -> None:
    part = torch.stack([tensor(1, 2), tensor(3, 0), tensor(0, 0)])
    whole = torch.stack([tensor(2, 8), tensor(1, 0), tensor(0, 0)])
    share = layers.completeness(part, whole)
    assert share[:2].tolist() == pytest.approx([0.3, 3.0])
    assert bool(share[2].isnan())
    ratios = layers.completeness(part, whole, per_sample=True)
    assert ratios[:2].tolist() == pytest.approx([0.375, 3.0])  # a sample without a target is left out
    assert float(layers.redundancy(tensor(3)[:, None], tensor(2)[:, None])[0]) == 1.5  # one sample; may exceed 1


def test_low_minus_high_by_hand() -> None:
    assert float(layers.low_minus_high(tensor(1, 2, 3, 4))) == 1 - 3 - 4  # n = 4: the middle order 2 takes no part
    assert float(layers.low_minus_high(tensor(5, 4, 3, 2, 1))) == 5 + 4 - 3 - 2 - 1
    assert float(layers.low_minus_high(tensor(5, 4, 3, 2, 1), first=2)) == 4 - 3 - 2 - 1
    assert float(layers.low_minus_high(tensor(5, 10, 10, 5, 1), per_subset=True)) == pytest.approx(1 + 1 - 1 - 1 - 1)


def test_similarity_by_hand() -> None:
    one, same = OWN[None], torch.tensor([False, True, True, True])[None]
    assert float(layers.similarity(one, one, same, same)) == 1
    assert float(layers.similarity(one, TARGET[None], same, same)) == pytest.approx((1 + 0 + 1) / (3 + 2 + 4))
    none = torch.zeros(1, 4, dtype=torch.bool)
    assert bool(layers.similarity(one, one, none, none).isnan())
    assert float(layers.similarity(one, -one, same, same)) == 0


def test_slope_and_rank_correlation_over_depth() -> None:
    assert layers.depth_slope(np.array([1.0, 2.0, 3.0])) == pytest.approx(2.0)  # from depth 0 to 1
    assert np.isnan(layers.depth_slope(np.array([1.0])))
    assert np.isnan(layers.depth_slope(np.array([1.0, np.nan, 2.0])))
    assert layers.depth_correlation(np.array([0.1, 0.3, 0.2])) == pytest.approx(0.5)
    assert np.isnan(layers.depth_correlation(np.array([0.5, 0.5, 0.5])))
    assert np.isnan(layers.depth_correlation(np.array([0.1, 0.2])))


def test_the_peak_is_chosen_on_one_half_and_judged_on_the_other() -> None:
    forget = torch.tensor([[1.0, 1.0], [5.0, 2.0], [0.0, 4.0], [1.0, 1.0]], dtype=torch.float64)  # layers x 2 samples
    whole = torch.ones_like(forget)
    above_first, above_last, peaks = layers.peak_heights(forget, whole)
    assert peaks == (1, 2)
    assert above_first == pytest.approx(((2 - 1) + (0 - 1)) / 2)  # each half's peak, as the other half sees it
    assert above_last == pytest.approx(((2 - 1) + (0 - 1)) / 2)
    assert np.isnan(layers.peak_heights(forget[:2], whole[:2])[0])
    assert np.isnan(layers.peak_heights(forget[:, :1], whole[:, :1])[0])
    assert np.isnan(layers.peak_heights(forget, whole * 0)[0])


def test_a_peak_of_noise_is_not_a_peak() -> None:
    generator = torch.Generator().manual_seed(0)
    heights = [layers.peak_heights(torch.rand(6, 4, generator=generator), torch.ones(6, 4))[0] for _ in range(400)]
    assert abs(np.mean(heights)) < 3 * np.std(heights) / 20


# Planted courses -----------------------------------------------------------------------------------------------------


def extracted(found: Interactions) -> Extracted:
    shape = found.and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return Extracted(v=found.reconstruct(), found=found, kappa=0.04, gap=nothing, error=nothing.clone(), l1=nothing,
                     converged=torch.ones(shape, dtype=torch.bool), steps=np.arange(shape[1]),
                     saturated=torch.zeros(shape[:2]), noise_floor=torch.full(shape[:2], 1e-9))


def reports(names: tuple[str, ...] = NAMES[:-1], converged: bool = True) -> pd.DataFrame:
    return pd.DataFrame([{"seed": seed, "layer": name, "loss": 0.1, "accuracy": 0.9, "decrease": 0.001 if converged else 0.2,
                          "converged": converged, "steps": 100} for seed in SEEDS for name in names])


def planted(have: list[float] | np.ndarray, extra: list[float] | np.ndarray, *, where: str = "and", low: bool = True,
            seed: int = 0, images: int = 6) -> Layered:
    """Layers that hold the share ``have`` of the final layer's interactions and ``extra`` of their own, as given per layer.

    The target is all sets of one size, order 2 (``low``) or N - 1, of whose strength a layer has the given share; its own
    are sets of order 3, which the output lacks. have, extra: a number per layer, or (seeds, layers).
    """
    shape = (len(SEEDS), np.shape(have)[-1])
    shares, extras = (np.broadcast_to(np.asarray(given, float), shape) for given in (have, extra))
    generator = torch.Generator().manual_seed(seed)
    order = lattice.order(N)
    goal = (order == (2 if low else N - 1)).nonzero().flatten()
    own = (order == 3).nonzero().flatten()[:4]
    count = shares.shape[1]
    values = torch.zeros(len(SEEDS), count + 1, images, 1 << N, dtype=torch.float64)
    wobble = 1 + 0.05 * torch.rand(len(SEEDS), count + 1, images, 1, generator=generator, dtype=torch.float64)
    for r in range(len(SEEDS)):
        for c, (share, more) in enumerate(zip([*shares[r], 1.0], [*extras[r], 0.0], strict=True)):
            values[r, c][:, goal] = share
            values[r, c][:, own] = more * len(goal) / len(own)
    values *= wobble
    zero = torch.zeros_like(values)
    found = Interactions(values, zero) if where == "and" else Interactions(zero, values)
    e = extracted(found)
    # every layer's mean output is 1, so that shares are what they say
    v = torch.zeros_like(e.v)
    v[..., -1] = 1.0
    return Layered(dataclasses.replace(e, v=v), (*NAMES[:count], "output"), reports(NAMES[:count]))


RISING, HUMP, FLAT = [0.2, 0.4, 0.5, 0.7, 0.9], [0.2, 0.5, 0.9, 0.4, 0.1], [0.4] * 5


def analyses(main: Layered, shuffled: Layered | None = None, untrained: Layered | None = None, **change: object) -> Analyses:
    null = planted(FLAT, FLAT, low=False, seed=9)
    shuffled, untrained = shuffled or null, untrained or null
    names = {"order weight -0.2": main}
    return Analyses(main=main, orders=names, second={}, shuffled=shuffled, controls={"order weight -0.2": shuffled},
                    untrained=untrained, noise=null, accuracies=[0.99] * 5, **change)


def judged(row: str, a: Analyses, system: str = SYSTEM) -> claims.Verdict:
    p = params.validate("05_layerwise_change", n_players=N)
    config = types.SimpleNamespace(model="lenet", steps=1, lr=0.1, batch=1, n_train=10)
    stub = types.SimpleNamespace(id=system, name="LeNet", jobs=[types.SimpleNamespace(config=config)])
    return claims.judge(row, system, **layerwise.case(p, stub, a, row))


def test_planted_shares_are_read_back() -> None:
    p = layerwise.control_of(planted(RISING, HUMP), "and", "max_per_sample")
    assert p["completeness"][:-1] == pytest.approx(RISING, abs=0.04)
    assert p["redundancy"][:-1] == pytest.approx(HUMP, abs=0.06)
    assert p["completeness"][-1] == pytest.approx(1)
    assert p["redundancy"][-1] == 0


def test_a_rise_and_a_hump_are_found() -> None:
    assert judged("L4", analyses(planted(RISING, HUMP))).verdict == "REPRODUCED"
    assert judged("L15", analyses(planted(RISING, HUMP))).verdict == "REPRODUCED"


@pytest.mark.parametrize(("have", "extra"), [
    (RISING[::-1], HUMP), (RISING, sorted(HUMP)), (RISING, sorted(HUMP, reverse=True)), ([0.9, 0.4, 0.7, 0.2, 0.5], HUMP),
    (RISING, [0.9, 0.5, 0.1, 0.5, 0.9]),
], ids=["completeness falls", "redundancy only rises", "redundancy only falls", "layers in shuffled order", "valley"])
def test_other_courses_are_not_called_a_rise_and_a_hump(have: list[float], extra: list[float]) -> None:
    assert judged("L4", analyses(planted(have, extra))).verdict == "NOT REPRODUCED"


@pytest.mark.parametrize("walk", [False, True], ids=["independent layers", "random walks over layers"])
def test_courses_of_chance_are_not_called_a_finding(walk: bool) -> None:
    """Each seed its own noise; the null is another draw of the same."""
    rng = np.random.default_rng(0)
    found = {"L4": 0, "L15": 0}
    for run in range(20):
        have, extra, *nulls = rng.normal(size=(4, len(SEEDS), 5)).cumsum(-1) if walk else rng.normal(size=(4, len(SEEDS), 5))
        shares = [0.9 / (1 + np.exp(-x)) for x in (have, extra, *nulls)]
        null = planted(shares[2], shares[3], seed=run)
        a = analyses(planted(shares[0], shares[1], seed=run + 100), shuffled=null, untrained=null)
        for row in found:
            found[row] += judged(row, a).verdict == "REPRODUCED"
    assert found["L4"] <= 1
    assert found["L15"] <= 2


def test_the_output_layer_is_outside_of_every_statistic_over_layers() -> None:
    """Flat courses that jump to 1 and 0 at the output, as all do by definition."""
    x = planted(FLAT, FLAT)
    parts = {part.name: np.asarray(part.values) for part in layerwise.course_parts(x, "and")}
    assert np.abs(parts["completeness_slope"]).max() < 0.05
    assert np.abs(parts["redundancy_above_last"]).max() < 0.05
    assert judged("L4", analyses(x)).verdict != "REPRODUCED"
    assert judged("L15", analyses(planted(RISING[::-1], FLAT))).verdict == "NOT REPRODUCED"


def test_probes_on_shuffled_labels_that_rise_as_well_explain_it() -> None:
    same = planted(RISING, HUMP, seed=5)
    found = judged("L15", analyses(planted(RISING, HUMP), shuffled=same))
    assert found.verdict != "REPRODUCED"
    found = judged("L4", analyses(planted(RISING, HUMP), shuffled=same))
    assert found.verdict == "INCONCLUSIVE"
    assert "shuffled labels meets the criterion as well" in found.reason


def test_shuffled_probes_that_share_nothing_anywhere_are_a_correlation_of_zero() -> None:
    nothing = planted([0.0] * 5, FLAT)
    parts = {part.name: np.asarray(part.values) for part in layerwise.sharing_parts(planted(RISING, HUMP), nothing)}
    assert parts["above_control"] == pytest.approx(parts["correlation"])
    assert parts["correlation"] == pytest.approx([1.0] * 5)


def test_low_orders_are_found_where_they_are() -> None:
    assert judged("L3", analyses(planted(RISING, HUMP))).verdict == "REPRODUCED"
    assert judged("L3", analyses(planted(RISING, HUMP, low=False))).verdict == "NOT REPRODUCED"
    explained = judged("L3", analyses(planted(RISING, HUMP), untrained=planted(RISING, HUMP, seed=3)))
    assert explained.verdict == "INCONCLUSIVE"
    assert "untrained network (N0) meets the criterion as well" in explained.reason


def test_or_interactions_are_judged_by_l8_and_not_by_l4() -> None:
    null = planted(FLAT, FLAT, where="or", low=False, seed=9)
    a = analyses(planted(RISING, HUMP, where="or"), shuffled=null, untrained=null)
    assert judged("L8", a).verdict == "REPRODUCED"
    lost = judged("L4", a)  # no AND interaction at all: no seed has a value
    assert lost.verdict == "INCONCLUSIVE"
    assert lost.parts[0].dropped == len(SEEDS)
    assert judged("L8", analyses(planted(RISING[::-1], HUMP, where="or"), shuffled=null, untrained=null)).verdict == \
        "NOT REPRODUCED"


def test_little_redundancy_of_a_table() -> None:
    system = "mlp7_w256/breast_cancer"
    small, large = ([0.3 * h for h in HUMP], [1.2 * h for h in HUMP])
    assert judged("L11", analyses(planted(RISING, small)), system).verdict == "REPRODUCED"
    assert judged("L11", analyses(planted(RISING, large)), system).verdict == "NOT REPRODUCED"


def test_a_probe_that_did_not_converge_is_named_and_nothing_is_concluded() -> None:
    x = planted(RISING, HUMP)
    late = reports()
    late.loc[(late["layer"] == "c") & (late["seed"] == 3), ["converged", "decrease"]] = [False, 0.2]
    found = judged("L4", analyses(dataclasses.replace(x, reports=late)))
    assert found.verdict == "INCONCLUSIVE"
    assert "c (seeds 3" in found.reason and "20.0%" in found.reason
    assert judged("L3", analyses(dataclasses.replace(x, reports=late))).verdict == "REPRODUCED"  # rests on no probe


def test_too_few_layers_are_told() -> None:
    found = judged("L4", analyses(planted([0.2, 0.9], [0.1, 0.2]), shuffled=planted([0.2, 0.9], [0.1, 0.2]),
                                  untrained=planted([0.2, 0.9], [0.1, 0.2])))
    assert found.verdict == "INCONCLUSIVE"
    assert "at least 3 probed layers" in found.reason


def test_games_that_drown_in_rounding_are_told_by_layer() -> None:
    x = planted(RISING, HUMP)
    x.e.noise_floor[2, 1] = 100.0
    assert "at b the mean" in layerwise.signal(x).reason
    assert not layerwise.signal(x).ok
    assert layerwise.signal(planted(RISING, HUMP)).ok


def test_uncertified_images_are_left_out_of_their_seed() -> None:
    x = planted(RISING, HUMP)
    x.e.found.and_[0, :, 2] *= 50
    x.e.converged[0, 3, 2] = False
    parts = layerwise.strength_parts(x, "and", certified_only=True)[0].values
    assert parts[0] == pytest.approx(parts[1], rel=0.1)
    assert layerwise.strength_parts(x, "and")[0].values[0] > 2 * parts[0]
    variant = judged("L3", analyses(x)).variants["uncertified games dropped"]
    assert variant.parts[0].estimate == pytest.approx(float(np.mean(parts)))


def test_a_layer_that_answers_the_same_to_everything_costs_its_seed_only() -> None:
    x = planted(RISING, HUMP)
    x.e.v[2, 1] = 3.0
    x.e.found.and_[2, 1] = 0
    for part in layerwise.course_parts(x, "and") + layerwise.table_parts(x)[2:]:
        assert np.isnan(part.values[2])
        assert np.isfinite(np.delete(np.asarray(part.values), 2)).all()
    assert judged("L4", analyses(x)).parts[0].dropped == 1
    assert np.isfinite(tables.bar_table(x, "and", "max_per_sample")[["forget", "overlap", "new"]].to_numpy()).all()


def test_layers_that_are_equal_are_similar_and_neighbours_more_than_others() -> None:
    x = planted(RISING, [0.0] * 5)
    between = layerwise.similarities(x)
    assert between.shape == (5, 6, 6)
    assert between[:, 2, 2] == pytest.approx([1.0] * 5)
    assert between[0, 0, 1] == pytest.approx(0.5, abs=0.05)
    near = tables.adjacency(x, "max_per_sample")
    assert near["similarity of adjacent layers"] > near["similarity of layers further apart"]


# Tables and figures --------------------------------------------------------------------------------------------------


def test_bars_add_up_to_both_layers() -> None:
    x = planted(RISING, HUMP)
    bars = tables.bar_table(x, "and", "max_per_sample")
    change = layerwise.changes(x, "and")
    own = bars.groupby("layer", sort=False)[["forget", "overlap"]].sum().sum(axis=1)
    target = bars.groupby("layer", sort=False)[["new", "overlap"]].sum().sum(axis=1)
    assert own.to_numpy() == pytest.approx(change.own.sum(-1).mean((0, 2)).numpy())
    assert target.to_numpy() == pytest.approx([float(change.target.sum(-1).mean())] * 6)
    assert bars[bars["layer"] == "output"][["forget", "new"]].to_numpy().max() == 0


def test_figures_show_every_layer_and_curve() -> None:
    x, null = planted(RISING, HUMP), planted(FLAT, FLAT, seed=2)
    courses = tables.course_table(x, "and", "max_per_sample", {"shuffled labels": null})
    assert set(courses["curve"]) == {"all orders", "shuffled labels", *(f"order {m}" for m in range(1, 6))}
    assert "output" not in set(courses[courses["curve"] == "shuffled labels"]["layer"])
    bars = tables.bar_table(x, "and", "max_per_sample")
    whole = figures.layer_change(bars, courses, title="t")
    titles = [axis.get_title() for axis in whole.axes]
    assert titles[:6] == list(NAMES)
    assert figures.layer_courses(courses).axes[0].get_ylim()[0] == 0
    left, matrix = tables.sharing_tables(x, null, "max_per_sample")
    assert matrix.shape == (6, 6)
    assert figures.layer_similarity(left, matrix, ylabel="share").axes[0].get_xticklabels()[-1].get_text() == "output"
    plt.close("all")


def test_a_network_is_described_by_its_numbers() -> None:
    course = tables.behaviour_table(planted(RISING, HUMP), "max_per_sample", planted(FLAT, FLAT))
    text = tables.behaviour(course)
    assert "completeness is 0.2" in text and "largest at c (0.9" in text and "100% is of order above n/2" in text
    assert set(tables.behaviour_control(course)) == {"trained", "untrained"}
    verdict = claims.describe("L13", SYSTEM, text, n=5, scope="a test", control=tables.behaviour_control(course))
    assert verdict.verdict is None
