"""Intervals cover what they claim, tests reject a true null as rarely as they claim, and NaN is
never silent.

Simulations have fixed seeds; their tolerance is the binomial band of the number of runs (3.5
standard deviations).
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as sps

from utils import stats


def band(rate: float, runs: int) -> float:
    return 3.5 * np.sqrt(rate * (1 - rate) / runs)


def autoregressive(rng: np.random.Generator, phi: float, shape: tuple[int, int]) -> np.ndarray:
    """Stationary AR(1) curves ``(curves, time)``."""
    x = rng.normal(size=shape)
    x[:, 0] /= np.sqrt(1 - phi**2)
    for t in range(1, shape[1]):
        x[:, t] += phi * x[:, t - 1]
    return x


# --- t interval


def test_t_interval_is_the_textbook_one() -> None:
    x = [4.1, 5.0, 5.2, 6.3, 4.4]
    found = stats.t_interval(x)
    half = (
        2.7764451051977987 * np.std(x, ddof=1) / np.sqrt(5)
    )  # t quantile for 4 degrees of freedom, from tables
    assert found.estimate == pytest.approx(5.0)
    assert (found.low, found.high) == pytest.approx((5.0 - half, 5.0 + half))
    assert (found.n, found.dropped, found.level) == (5, 0, 0.95)


@pytest.mark.parametrize("n", [5, 10])
def test_t_interval_covers(n: int) -> None:
    draws = np.random.default_rng(n).normal(3.0, 2.0, size=(4000, n))
    covered = np.mean([not stats.t_interval(x).excludes(3.0) for x in draws])
    assert 0.93 <= covered <= 0.97


def test_t_interval_width_follows_the_level() -> None:
    x = [0.0, 1.0, 2.0, 3.0]
    assert (
        stats.t_interval(x, 0.99).high
        > stats.t_interval(x, 0.95).high
        > stats.t_interval(x, 0.5).high
    )


def test_nan_is_dropped_and_counted_infinity_refused() -> None:
    found = stats.t_interval([1.0, np.nan, 3.0])
    assert (found.estimate, found.n, found.dropped) == (2.0, 2, 1)
    assert stats.t_pvalue([1.0, np.nan, 3.0], 2.0) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="no value is left of 2"):
        stats.t_interval([np.nan, np.nan])
    with pytest.raises(ValueError, match="no value is left"):
        stats.t_pvalue([])
    with pytest.raises(ValueError, match="infinite value at position 1"):
        stats.t_interval([1.0, np.inf])
    with pytest.raises(ValueError, match="one axis"):
        stats.t_interval(np.ones((5, 3)))
    with pytest.raises(ValueError, match="level"):
        stats.t_interval([1.0, 2.0], 95)


def test_no_variation_is_a_point_and_one_seed_says_nothing() -> None:
    point = stats.t_interval([0.1] * 5)
    assert (point.low, point.estimate, point.high) == (0.1, 0.1, 0.1)
    assert stats.t_pvalue([0.1] * 5, 0.1) == 1.0
    assert stats.t_pvalue([0.1] * 5, 0.0) == 0.0
    one = stats.t_interval([0.1])
    assert (one.low, one.high) == (-np.inf, np.inf)
    assert stats.t_pvalue([0.1], 0.0) == 1.0


def test_nearly_constant_values_raise_no_warning() -> None:
    x = 1.0 + np.array([0, 1, 2, 3, 4]) * 2.3e-16
    assert stats.t_pvalue(x, 0.0) < 1e-30
    assert stats.t_interval(x).low == pytest.approx(1.0)


@given(
    st.lists(st.floats(-100, 100).map(lambda v: round(v, 3)), min_size=2, max_size=12),
    st.floats(-100, 100).map(lambda v: round(v, 3)),
    st.sampled_from([0.8, 0.95, 0.99]),
)
def test_p_below_alpha_exactly_where_the_interval_excludes_the_bound(
    x: list[float], bound: float, level: float
) -> None:
    p, interval = stats.t_pvalue(x, bound), stats.t_interval(x, level)
    if abs(p - (1 - level)) > 1e-9:
        assert (p < 1 - level) == interval.excludes(bound)


def test_p_is_that_of_scipy() -> None:
    x = np.random.default_rng(0).normal(0.3, 1, 7)
    assert stats.t_pvalue(x, 0.1) == pytest.approx(sps.ttest_1samp(x, 0.1).pvalue)


def test_directed_p_never_rewards_the_wrong_side() -> None:
    x = [1.0, 1.1, 0.9, 1.05, 0.95]
    assert stats.directed_pvalue(x, 0.0, "above") == stats.t_pvalue(x, 0.0) < 1e-4
    assert stats.directed_pvalue(x, 0.0, "below") == 1.0
    assert stats.directed_pvalue([1.0, 1.0], 1.0, "below") == 1.0
    assert stats.directed_pvalue([1.0, 1.0], 1.0, "below", inclusive=True) == 0.0
    assert stats.directed_pvalue([0.0, 2.0], 1.0, "below", inclusive=True) == 1.0


def test_directed_p_rejects_a_true_null_in_half_of_alpha() -> None:
    draws = np.random.default_rng(1).normal(size=(3000, 5))
    rate = np.mean([stats.directed_pvalue(x, 0.0, "above") < 0.05 for x in draws])
    assert abs(rate - 0.025) < band(0.025, 3000)


def test_equivalence_agrees_with_the_interval() -> None:
    rng = np.random.default_rng(2)
    for x in rng.normal(0, 0.03, size=(200, 5)):
        found = stats.t_interval(x)
        assert (stats.tost(x, -0.05, 0.05) < 0.05) == (found.low > -0.05 and found.high < 0.05)
    with pytest.raises(ValueError, match="low must be below"):
        stats.tost([0.0, 1.0], 1.0, -1.0)


# --- the seed axis


def test_seed_means_average_samples_within_a_seed() -> None:
    x = np.arange(25.0).reshape(5, 5)  # square: an exchanged axis would not change the shape
    assert stats.seed_means(x).tolist() == [2.0, 7.0, 12.0, 17.0, 22.0]
    x[1, :4] = np.nan
    x[2] = np.nan
    assert stats.seed_means(x)[1] == 9.0
    assert np.isnan(stats.seed_means(x)[2])
    with pytest.raises(ValueError, match="seeds, samples"):
        stats.seed_means(np.ones(5))
    with pytest.raises(ValueError, match="infinite"):
        stats.seed_means([[1.0, np.inf]])


def test_the_wrong_axis_would_take_samples_for_networks() -> None:
    """Networks differ, samples of one network hardly: only the mean per seed keeps the false
    positive rate."""
    rng, runs = np.random.default_rng(3), 800
    data = rng.normal(size=(runs, 5, 1)) + 0.1 * rng.normal(size=(runs, 5, 5))
    right = np.mean([stats.t_pvalue(stats.seed_means(x)) < 0.05 for x in data])
    wrong = np.mean([stats.t_pvalue(stats.seed_means(x.T)) < 0.05 for x in data])
    assert abs(right - 0.05) < band(0.05, runs)
    assert wrong > 0.5


# --- cluster bootstrap


def test_cluster_bootstrap_covers_and_rows_alone_do_not() -> None:
    """30 images with 4 correlated rows each. Drawing rows instead of images halves the interval."""
    rng, runs = np.random.default_rng(4), 150
    images = np.repeat(np.arange(30), 4)
    by_image, by_row = [], []
    for k in range(runs):
        values = (rng.normal(size=30)[images] + 0.3 * rng.normal(size=120)).astype(np.float64)
        by_image.append(stats.cluster_bootstrap(values, images, n_boot=200, seed=k))
        by_row.append(stats.cluster_bootstrap(values, np.arange(120), n_boot=200, seed=k))
    assert abs(np.mean([i.low <= 0 <= i.high for i in by_image]) - 0.94) < band(0.94, runs)
    assert np.mean([i.low <= 0 <= i.high for i in by_row]) < 0.8


def test_cluster_bootstrap_is_reproducible_and_takes_any_statistic() -> None:
    rng = np.random.default_rng(5)
    values, images = rng.exponential(size=(60, 2)), np.repeat(["a", "b", "c", "d", "e", "f"], 10)

    def ratio(rows: np.ndarray) -> float:
        return rows[:, 0].sum() / rows[:, 1].sum()

    first = stats.cluster_bootstrap(values, images, ratio, n_boot=300, seed=7)
    again = stats.cluster_bootstrap(values, images, ratio, n_boot=300, seed=7)
    assert first == again
    assert first != stats.cluster_bootstrap(values, images, ratio, n_boot=300, seed=8)
    assert first.estimate == pytest.approx(ratio(values))
    assert first.low < first.estimate < first.high
    assert first.n == 6
    assert stats.cluster_bootstrap(values, images, ratio, n_boot=300, seed=7, method="BCa").low > 0


def test_cluster_bootstrap_refuses_what_it_cannot_use() -> None:
    assert stats.cluster_bootstrap(np.ones(6), [0, 0, 1, 1, 2, 2], method="BCa").low == 1.0
    with pytest.raises(ValueError, match="at least 2 clusters"):
        stats.cluster_bootstrap([1.0, 2.0], [0, 0])
    with pytest.raises(ValueError, match="NaN"):
        stats.cluster_bootstrap([1.0, np.nan], [0, 1])
    with pytest.raises(ValueError, match="one cluster label per row"):
        stats.cluster_bootstrap([1.0, 2.0], [0, 1, 2])


# --- permutation tests


def test_permutation_p_is_exact_where_it_can_be() -> None:
    paired = stats.permutation_test([1, 2, 3, 4, 5], [0] * 5, paired=True)
    assert (paired.pvalue, paired.n_null, paired.exact) == (2 / 32, 32, True)
    unpaired = stats.permutation_test([4, 5, 6], [1, 2, 3], paired=False, alternative="greater")
    assert (unpaired.pvalue, unpaired.n_null, unpaired.exact) == (1 / 20, 20, True)
    random = stats.permutation_test(np.arange(12.0), np.zeros(12), paired=True, n_perm=199)
    assert (random.n_null, random.exact) == (199, False)
    assert random.pvalue >= 1 / 200


@pytest.mark.parametrize("paired", [True, False])
def test_permutation_false_positive_rate(paired: bool) -> None:
    rng, runs = np.random.default_rng(6), 400
    shared = rng.standard_t(3, size=(runs, 8)) if paired else np.zeros((runs, 8))
    a, b = rng.standard_t(3, size=(2, runs, 8)) + shared
    rate = np.mean(
        [
            stats.permutation_test(x, y, paired, n_perm=199, seed=3).pvalue <= 0.05
            for x, y in zip(a, b, strict=True)
        ]
    )
    assert rate <= 0.05 + band(0.05, runs)


def test_permutation_finds_a_difference_and_checks_its_input() -> None:
    rng = np.random.default_rng(7)
    assert (
        stats.permutation_test(
            rng.normal(3, 1, 10), rng.normal(0, 1, 10), paired=False, n_perm=999
        ).pvalue
        < 0.01
    )
    with pytest.raises(ValueError, match="NaN at position 0"):
        stats.permutation_test([np.nan, 1.0], [0.0, 1.0], paired=True)
    with pytest.raises(ValueError, match="equal lengths"):
        stats.permutation_test([1.0, 2.0], [0.0], paired=True)
    with pytest.raises(ValueError, match="at least 2 pairs"):
        stats.permutation_test([1.0], [0.0], paired=True)


# --- circular shifts


def first_rise(curve: np.ndarray) -> int:
    """Where a curve leaves its minimum by more than 5 % of its range."""
    start = int(np.argmin(curve))
    up = np.flatnonzero(curve[start:] > curve[start] + 0.05 * np.ptp(curve))
    return start + (int(up[0]) if len(up) else 0)


def test_circular_shift_by_hand() -> None:
    curve = np.array([3.0, 0.0, 3.0, 3.0])
    found = stats.circular_shift_test(curve, lambda c, s: abs(int(np.argmin(c)) - 1))
    assert (found.statistic, found.pvalue, found.n_null, found.exact) == (0.0, 1 / 4, 4, True)
    away = stats.circular_shift_test(curve, lambda c, s: abs(int(np.argmin(c)) - 2))
    assert away.pvalue == 3 / 4  # distances 1, 0, 1, 2
    assert (
        stats.circular_shift_test(
            curve, lambda c, s: -abs(int(np.argmin(c)) - 1), alternative="greater"
        ).pvalue
        == 1 / 4
    )
    two = stats.circular_shift_test(
        [curve, curve], lambda c, s: abs(int(np.argmin(c)) - 1), together=False
    )
    assert (two.pvalue, two.n_null) == (1 / 16, 16)
    some = stats.circular_shift_test(
        [curve] * 5, lambda c, s: abs(int(np.argmin(c)) - 1), together=False, n_shifts=99
    )
    assert (some.exact, some.n_null) == (False, 99)


@pytest.mark.parametrize("walk", [False, True])
def test_circular_shift_false_positive_rate(walk: bool) -> None:
    """Five seeds share one autocorrelated curve (or random walk) that has nothing to do with the
    reference time."""
    rng, runs, time = np.random.default_rng(8), 120, 40
    together, alone = [], []
    for _ in range(runs):
        common = (
            np.cumsum(rng.normal(size=(1, time)), 1)
            if walk
            else autoregressive(rng, 0.9, (1, time))
        )
        curves = common + 0.3 * autoregressive(rng, 0.5, (5, time))
        reference = int(rng.integers(time))

        def distance(curve: np.ndarray, s: int, reference: int = reference) -> float:
            return abs(first_rise(curve) - reference)

        together.append(stats.circular_shift_test(curves, distance).pvalue <= 0.05)
        alone.append(
            stats.circular_shift_test(curves, distance, together=False, n_shifts=199).pvalue <= 0.05
        )
    assert np.mean(together) <= 0.05 + band(0.05, runs)
    assert np.mean(alone) > 0.12  # why seeds of one recipe are shifted together


@pytest.mark.parametrize("kind", ["noise", "walk", "rise"])
def test_event_shift_false_positive_rate(kind: str) -> None:
    rng, runs, time = np.random.default_rng(9), 1200, 60
    hits = 0
    for _ in range(runs):
        walk, rise = (
            np.cumsum(rng.normal(size=time)),
            np.maximum(0.0, np.arange(time) - rng.integers(time)),
        )
        common = {"noise": np.zeros(time), "walk": walk, "rise": rise}[kind]
        events = [first_rise(common + 0.3 * rng.normal(size=time)) for _ in range(5)]
        reference = np.full(5, rng.integers(time))
        hits += stats.event_shift_test(events, reference, time).pvalue <= 0.05
    assert hits / runs <= 0.05 + band(0.05, runs)


def test_event_shift_finds_an_alignment() -> None:
    found = stats.event_shift_test([30, 31, 30, 29, 30], [30, 30, 30.5, 30, 30], 60)
    assert found.statistic == pytest.approx(0.5)
    assert found.pvalue == 1 / 60
    assert stats.event_shift_test([3.0], [30.0], 60).pvalue > 0.4
    assert stats.event_shift_test([59.0 + 1e-13], [-1e-13], 60).statistic == pytest.approx(59.0)


def test_shift_tests_refuse_what_they_cannot_use() -> None:
    with pytest.raises(ValueError, match="not finite"):
        stats.circular_shift_test([1.0, 2.0, 3.0], lambda c, s: np.nan)
    with pytest.raises(ValueError, match="NaN or infinite"):
        stats.circular_shift_test([1.0, np.nan, 3.0], lambda c, s: 0.0)
    with pytest.raises(ValueError, match="at least 3 points"):
        stats.circular_shift_test([1.0, 2.0], lambda c, s: 0.0)
    with pytest.raises(ValueError, match="on the grid"):
        stats.event_shift_test([60.0], [3.0], 60)
    with pytest.raises(ValueError, match="one event and one reference"):
        stats.event_shift_test([6.0, 7.0], [3.0], 60)


# --- Holm


def test_holm_by_hand() -> None:
    found = stats.holm({"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005})
    assert found == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert list(found) == ["a", "b", "c", "d"]
    assert stats.holm({}) == {}
    assert stats.holm({"x": 0.7, "y": 0.9}) == {"x": 1.0, "y": 1.0}
    with pytest.raises(ValueError, match="'b' is nan"):
        stats.holm({"a": 0.1, "b": np.nan})


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_monotone_and_between_none_and_bonferroni(ps: list[float]) -> None:
    found = stats.holm(dict(enumerate(ps)))
    for i, p in enumerate(ps):
        assert p <= found[i] <= min(1.0, len(ps) * p) + 1e-15
    ranked = [found[i] for i in np.argsort(ps, kind="stable")]
    assert ranked == sorted(ranked)


def test_holm_keeps_the_family_wise_error() -> None:
    """Ten correlated tests, three of them with a real effect: some true null is rejected in at most
    5 % of runs."""
    rng, runs = np.random.default_rng(10), 2000
    z = 0.5 * rng.normal(size=(runs, 1)) + np.sqrt(0.75) * rng.normal(size=(runs, 10))
    z[:, :3] += 6
    p = 2 * sps.norm.sf(np.abs(z))
    wrong = np.mean(
        [any(v <= 0.05 for k, v in stats.holm(dict(enumerate(q))).items() if k >= 3) for q in p]
    )
    assert wrong <= 0.05 + band(0.05, runs)
    assert np.mean((p[:, 3:] <= 0.05).any(axis=1)) > 0.15  # what it protects against


# --- shapes of distributions


def test_gini_by_hand() -> None:
    assert stats.gini([1.0, -1.0, 1.0, 1.0]) == pytest.approx(0.0)
    assert stats.gini([0.0, 0.0, 0.0, 5.0]) == pytest.approx(0.75)
    assert stats.gini([1.0, 3.0]) == pytest.approx(
        0.25
    )  # mean absolute difference 1, twice the mean is 4
    assert np.isnan(stats.gini([0.0, 0.0]))
    assert stats.gini(np.array([[[1.0, 3.0], [2.0, 2.0]]])).tolist() == [[0.25, 0.0]]
    with pytest.raises(ValueError, match="NaN"):
        stats.gini([np.nan, 1.0])
    with pytest.raises(ValueError, match="at least one"):
        stats.gini([])


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=20), st.floats(1e-3, 1e3))
def test_gini_does_not_depend_on_scale_or_order(x: list[float], scale: float) -> None:
    x = [round(v, 3) for v in x]
    if sum(x) > 0:
        assert stats.gini(np.array(x[::-1]) * scale) == pytest.approx(
            float(stats.gini(x)), abs=1e-9
        )
        pairs = np.abs(np.subtract.outer(x, x)).mean() / (2 * np.mean(x))
        assert stats.gini(x) == pytest.approx(pairs, abs=1e-9)


def test_spearman_is_scipys_and_nan_for_constants() -> None:
    assert stats.spearman([1, 2, 3, 4], [2.0, 4.0, 6.0, 100.0]) == pytest.approx(1.0)
    assert np.isnan(stats.spearman([1, 2, 3], [5.0, 5.0, 5.0]))
    with pytest.raises(ValueError, match="NaN"):
        stats.spearman([1, 2, 3], [5.0, np.nan, 5.0])
    with pytest.raises(ValueError, match="one length"):
        stats.spearman([1, 2, 3], [5.0, 6.0])
