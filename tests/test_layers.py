"""Layerwise rows: the metrics by hand and by brute force, planted courses found, their opposites
and nulls not."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch

from utils import claims, figures, lattice
from utils.evidence import layer_behaviour as behaviours
from utils.evidence import layer_change, layer_controls, layer_similarity, layerwise
from utils.evidence import layer_statistics as statistics
from utils.evidence import layer_tables as tables
from utils.interactions import Interactions
from utils.jobs.games import CertifiedGames
from utils.jobs.layered import Layered, Trio
from utils.metrics import layers

N = 5
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"
NAMES = ("a", "b", "c", "d", "e", "output")


def tensor(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


# The metrics --------------------------------------------------------------------------------------

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
    assert found.forget.tolist() == [
        4,
        0,
    ]  # 3 - 1, and -2 whose sign the final layer does not share
    assert found.new.tolist() == [2, 3]


def test_what_is_salient_in_one_layer_only_is_not_shared() -> None:
    """Without the zeroing, the first player's 1 would be taken from "forget" although "overlap"
    never had it."""
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
        both = [
            k
            for k in sets
            if masks[0][x, s, k] and masks[1][x, s, k] and one[x, s, k] * other[x, s, k] > 0
        ]
        assert float(found.overlap[x, s, m - 1]) == pytest.approx(
            sum(float(min(abs(one[x, s, k]), abs(other[x, s, k]))) for k in both)
        )


def test_ties_at_tau_are_salient_and_order_zero_never() -> None:
    found = Interactions(tensor(100, 2, 1, 0.1)[None], tensor(0, 0, 0, 0)[None])
    salient, _ = found.salient(tensor(1.0))
    assert salient.tolist() == [[False, True, True, False]]


def test_normalisation_is_per_layer_and_a_constant_layer_has_none() -> None:
    v = torch.zeros(2, 2, 4, dtype=torch.float64)
    v[0, :, -1] = tensor(2, 4)  # mean |v(N) - v(∅)| = 3
    unit = layers.normalised(
        Interactions(torch.ones(2, 2, 4, dtype=torch.float64), torch.zeros(2, 2, 4)), v
    )
    assert unit.and_[0].unique().tolist() == pytest.approx([1 / 3])
    assert bool(unit.and_[1].isnan().all())


def test_ratios_of_sums_of_single_samples_and_without_a_target() -> None:
    part = torch.stack([tensor(1, 2), tensor(3, 0), tensor(0, 0)])
    whole = torch.stack([tensor(2, 8), tensor(1, 0), tensor(0, 0)])
    share = layers.completeness(part, whole)
    assert share[:2].tolist() == pytest.approx([0.3, 3.0])
    assert bool(share[2].isnan())
    ratios = layers.completeness(part, whole, per_sample=True)
    assert ratios[:2].tolist() == pytest.approx(
        [0.375, 3.0]
    )  # a sample without a target is left out
    assert (
        float(layers.redundancy(tensor(3)[:, None], tensor(2)[:, None])[0]) == 1.5
    )  # one sample; may exceed 1


def test_similarity_by_hand() -> None:
    one, same = OWN[None], torch.tensor([False, True, True, True])[None]
    assert float(layers.similarity(one, one, same, same)) == 1
    assert float(layers.similarity(one, TARGET[None], same, same)) == pytest.approx(
        (1 + 0 + 1) / (3 + 2 + 4)
    )
    none = torch.zeros(1, 4, dtype=torch.bool)
    assert bool(layers.similarity(one, one, none, none).isnan())
    assert float(layers.similarity(one, -one, same, same)) == 0


def extracted(found: Interactions) -> CertifiedGames:
    shape = found.and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=0.04,
        gap=nothing,
        error=nothing.clone(),
        l1=nothing,
        converged=torch.ones(shape, dtype=torch.bool),
        steps=np.arange(shape[1]),
        saturated=torch.zeros(shape[:2]),
        noise_floor=torch.full(shape[:2], 1e-9),
    )


def reports(names: tuple[str, ...] = NAMES[:-1], converged: bool = True) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "seed": seed,
                "layer": name,
                "loss": 0.1,
                "accuracy": 0.9,
                "decrease": 0.001 if converged else 0.2,
                "converged": converged,
                "steps": 100,
            }
            for seed in SEEDS
            for name in names
        ]
    )


def planted(
    have: list[float] | np.ndarray,
    extra: list[float] | np.ndarray,
    *,
    where: str = "and",
    low: bool = True,
    seed: int = 0,
    images: int = 6,
) -> Layered:
    """Layers that hold the share ``have`` of the final layer's interactions and ``extra`` of their
    own, as given per layer.

    The target is all sets of one size, order 2 (``low``) or N - 1, of whose strength a layer has
    the given share; its own are sets of order 3, which the output lacks. have, extra: a number per
    layer, or (seeds, layers).
    """
    shape = (len(SEEDS), np.shape(have)[-1])
    shares, extras = (np.broadcast_to(np.asarray(given, float), shape) for given in (have, extra))
    generator = torch.Generator().manual_seed(seed)
    order = lattice.order(N)
    goal = (order == (2 if low else N - 1)).nonzero().flatten()
    own = (order == 3).nonzero().flatten()[:4]
    count = shares.shape[1]
    values = torch.zeros(len(SEEDS), count + 1, images, 1 << N, dtype=torch.float64)
    wobble = 1 + 0.05 * torch.rand(
        len(SEEDS), count + 1, images, 1, generator=generator, dtype=torch.float64
    )
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


def test_planted_shares_are_read_back() -> None:
    p = layer_controls.courses(planted(RISING, HUMP), "and", "max_per_sample")
    assert p["completeness"][:-1] == pytest.approx(RISING, abs=0.04)
    assert p["redundancy"][:-1] == pytest.approx(HUMP, abs=0.06)
    assert p["completeness"][-1] == pytest.approx(1)
    assert p["redundancy"][-1] == 0


def test_games_that_drown_in_rounding_are_told_by_layer() -> None:
    x = planted(RISING, HUMP)
    x.e.noise_floor[2, 1] = 100.0
    assert "at b the mean" in layer_controls.signal(x).reason
    assert not layer_controls.signal(x).ok
    assert layer_controls.signal(planted(RISING, HUMP)).ok


def test_layers_that_are_equal_are_similar_and_neighbours_more_than_others() -> None:
    x = planted(RISING, [0.0] * 5)
    between = layer_similarity.salient_similarities(x, "max_per_sample")
    assert between.shape == (5, 6, 6)
    assert between[:, 2, 2] == pytest.approx([1.0] * 5)
    assert between[0, 0, 1] == pytest.approx(0.5, abs=0.05)
    near = parts("L18", Trio(x, x, x))["neighbours"]
    assert near.min() > 0.05


# Tables and figures -------------------------------------------------------------------------------


def test_bars_add_up_to_both_layers() -> None:
    x = planted(RISING, HUMP)
    bars = tables.bar_table(x, "and", "max_per_sample")
    change = layer_change.change_of(x, "and", "max_per_sample")
    own = bars.groupby("layer", sort=False)[["forget", "overlap"]].sum().sum(axis=1)
    target = bars.groupby("layer", sort=False)[["new", "overlap"]].sum().sum(axis=1)
    assert own.to_numpy() == pytest.approx(change.own.sum(-1).mean((0, 2)).numpy())
    assert target.to_numpy() == pytest.approx([float(change.target.sum(-1).mean())] * 6)
    assert bars[bars["layer"] == "output"][["forget", "new"]].to_numpy().max() == 0


def test_figures_show_every_layer_and_curve() -> None:
    x, null = planted(RISING, HUMP), planted(FLAT, FLAT, seed=2)
    courses = tables.course_table(Trio(x, null, null), "and", "max_per_sample")
    assert set(courses["curve"]) == {
        "all orders",
        "shuffled labels",
        "untrained",
        *(f"order {m}" for m in range(1, 6)),
    }
    assert "output" not in set(courses[courses["curve"] == "shuffled labels"]["layer"])
    bars = tables.bar_table(x, "and", "max_per_sample")
    whole = figures.layer_change(bars, courses, title="t")
    titles = [axis.get_title() for axis in whole.axes]
    assert titles[:6] == list(NAMES)
    assert figures.layer_courses(courses).axes[0].get_ylim()[0] == 0
    left, matrix = layer_similarity.sharing_tables(Trio(x, null, null), "max_per_sample")
    assert matrix.shape == (6, 6)
    assert (
        figures.layer_similarity(left, matrix, ylabel="share")
        .axes[0]
        .get_xticklabels()[-1]
        .get_text()
        == "output"
    )
    plt.close("all")


def test_a_network_is_described_by_its_numbers() -> None:
    null = planted(FLAT, FLAT)
    trio = Trio(planted(RISING, HUMP), null, null)
    course = behaviours.behaviour_table(trio, "max_per_sample")
    text = behaviours.behaviour(course)
    assert (
        "completeness is 0.2" in text
        and "largest at c (0.9" in text
        and "100% is of order above n/2" in text
    )
    assert set(behaviours.behaviour_control(course)) == {"trained", "untrained"}
    verdict = claims.describe(
        "L13", SYSTEM, text, n=5, scope="a test", control=behaviours.behaviour_control(course)
    )
    assert verdict.verdict is None


# The rows' statistics -----------------------------------------------------------------------------


STATISTICS = {
    "L3": layerwise.low_orders("and"),
    "L11": layerwise.little_redundancy("and", "max_per_sample"),
    "L15": layerwise.completeness("both", "max_per_sample"),
    "L18": layer_similarity.neighbours,
}


def parts(row: str, trio: Trio) -> dict[str, np.ndarray]:
    return {part.name: np.asarray(part.values) for part in STATISTICS[row](trio)}


def test_balance_and_high_share_by_hand() -> None:
    strength = np.array([4.0, 3.0, 2.0, 1.0])
    assert statistics.balance(strength) == pytest.approx((4 + 3 - 2 - 1) / 10)
    assert statistics.balance(strength, first=2) == pytest.approx((3 - 2 - 1) / 6)
    assert statistics.high_share(strength) == pytest.approx(0.3)
    assert statistics.high_share(np.ones(5)) == pytest.approx(3 / 5)  # orders 3, 4, 5 of 5
    assert np.isnan(statistics.balance(np.zeros(4)))


def test_slopes_agree_with_a_fit() -> None:
    y = np.random.default_rng(0).normal(size=(2, 4, 3))
    fits = [[np.polyfit(np.arange(1, 5) / 5, y[s, :, x], 1)[0] for x in range(3)] for s in range(2)]
    assert statistics.depth_slopes(y) == pytest.approx(np.array(fits))


def test_a_planted_rise_is_found_and_shuffled_probes_that_rise_as_well_explain_it() -> None:
    x, flat = planted(RISING, HUMP), planted(FLAT, FLAT, seed=4)
    found = parts("L15", Trio(x, flat, flat))
    assert (
        found["completeness_slope"].min() > 0.5
        and found["completeness_slope_beyond_shuffled"].min() > 0.5
    )
    alike = parts("L15", Trio(x, planted(RISING, HUMP, seed=5), flat))
    assert np.abs(alike["completeness_slope_beyond_shuffled"]).max() < 0.1
    assert (
        parts("L15", Trio(planted(RISING[::-1], HUMP), flat, flat))["completeness_slope"].max()
        < -0.5
    )


@pytest.mark.parametrize(
    ("course", "hump"),
    [
        (HUMP, True),
        (sorted(HUMP), False),
        (sorted(HUMP, reverse=True), False),
        ([0.9, 0.5, 0.1, 0.5, 0.9], False),
    ],
)
def test_a_hump_of_redundancy_and_other_courses(course: list[float], hump: bool) -> None:
    forget = np.broadcast_to(np.array(course)[None, :, None, None], (5, 5, 8, 3)) * np.ones(
        (5, 5, 8, 3)
    )
    found = {p.name: p for p in statistics.redundancy_parts(forget, np.ones((5, 8, 3)), forget)}
    assert (np.min(found["redundancy_peak"].values) > 0.3) == hump
    if not hump:
        assert np.max(found["redundancy_peak"].values) < 0
    assert np.abs(found["redundancy_peak_beyond_shuffled"].values).max() == 0


def test_redundancy_jackknife_is_the_statistic_without_the_image() -> None:
    rng = np.random.default_rng(1)
    forget, target = rng.random((3, 5, 8, 2)), rng.random((3, 8, 2))
    forget[:, 2] += 3.0
    forget[:, 0] += 1.0  # peak and end are beyond doubt
    part = statistics.redundancy_parts(forget, target, forget)[0]

    def value(s: int, gone: int | None) -> float:
        halves = [[x for x in half if x != gone] for half in (range(4), range(4, 8))]
        return float(
            np.mean(
                [
                    ((forget[s, 2, h] - forget[s, 0, h]).sum(0) / target[s, h].sum(0)).mean()
                    for h in halves
                ]
            )
        )

    assert part.values == pytest.approx([value(s, None) for s in range(3)])
    assert np.asarray(part.without) == pytest.approx(
        np.array([[value(s, x) for x in range(8)] for s in range(3)])
    )


def test_low_orders_are_found_where_they_are_and_an_untrained_network_alike_explains_them() -> None:
    rest = [0.0] * 5
    low, high = planted(FLAT, rest), planted(FLAT, rest, low=False)
    assert parts("L3", Trio(low, high, high))["low_minus_high"] == pytest.approx([1.0] * 5)
    assert parts("L3", Trio(high, low, low))["low_minus_high"] == pytest.approx([-1.0] * 5)
    assert parts("L3", Trio(low, high, low))["low_minus_high_beyond_untrained"] == pytest.approx(
        [0.0] * 5
    )


def test_gap_of_orders_by_hand_where_an_image_has_no_high_order() -> None:
    target = np.array([[[1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 5.0, 4.0]]])
    overlap = np.array([[[1.0, 0.0, 0.0, 0.0], [1.0, 0.0, 5.0, 1.0]]])
    assert statistics.order_gap_parts(overlap, target)[0].values == pytest.approx([2 / 4 - 1 / 4])


def test_little_and_much_redundancy_of_a_table() -> None:
    for factor, size in ((0.3, 0.27), (1.2, 1.08)):
        x = planted(RISING, [factor * h for h in HUMP])
        assert parts("L11", Trio(x, x, x))["redundancy"] == pytest.approx([size] * 5, rel=0.1)


def test_uncertified_images_are_left_out_of_their_network() -> None:
    x = planted(RISING, HUMP)
    x.e.found.and_[0, :, 2] *= -1
    x.e.converged[0, 3, 2] = False
    y = layer_change.strengths(x.certified(), "and")
    assert np.isnan(y[0, :, 2]).all() and np.isfinite(y[0, :, [0, 1, 3, 4, 5]]).all()
    assert np.isfinite(y[1:]).all()
