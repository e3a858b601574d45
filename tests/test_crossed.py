"""Intervals over networks and units, selections on other data, corrections: identities, coverage,
planted noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as sps

from utils import stats
from utils.claims import Part


def array(
    rng: np.random.Generator, networks: int, units: int, sd: tuple[float, float, float]
) -> np.ndarray:
    """(S, X): noise of networks, of units (shared by the networks) and of both."""
    a, b, c = sd
    return (
        a * rng.normal(size=(networks, 1))
        + b * rng.normal(size=(1, units))
        + c * rng.normal(size=(networks, units))
    )


def test_networks_alone_are_the_t_interval() -> None:
    x = np.random.default_rng(0).normal(1, 2, 7)
    found, known = stats.crossed(x), sps.ttest_1samp(x, 0.3)
    span = found.interval(0.95)
    assert (span.low, span.high) == pytest.approx(tuple(known.confidence_interval(0.95)))
    assert found.p_above(0.3) == pytest.approx(
        sps.ttest_1samp(x, 0.3, alternative="greater").pvalue
    )
    assert found.p_below(0.3) == pytest.approx(sps.ttest_1samp(x, 0.3, alternative="less").pvalue)
    assert found.p_above(0.3) + found.p_below(0.3) == pytest.approx(1)


def test_units_of_one_given_network_are_the_t_interval_over_units() -> None:
    y = np.random.default_rng(0).normal(1, 2, (1, 30))
    part = Part.of("x", y)
    found = stats.crossed(part.values, part.without, given=True)
    span, known = found.interval(0.95), sps.ttest_1samp(y[0], 0.0).confidence_interval(0.95)
    assert (span.low, span.high) == pytest.approx(tuple(known)) and found.df == pytest.approx(29)
    assert not np.isfinite(stats.crossed(part.values, part.without).interval().high), (
        "one network is no sample"
    )


def test_variances_add_and_their_degrees_of_freedom_are_satterthwaites() -> None:
    y = array(np.random.default_rng(1), 6, 25, (0.5, 1.0, 0.3))
    found = stats.crossed(stats.unit_means(y), stats.leave_one_out(y))
    a, b = y.mean(1).var(ddof=1) / 6, y.mean(0).var(ddof=1) / 25
    assert (found.networks, found.units) == pytest.approx((a, b))
    assert found.df == pytest.approx((a + b) ** 2 / (a**2 / 5 + b**2 / 24))


def test_missing_units_and_networks() -> None:
    y = np.array([[1.0, np.nan, 3.0], [2.0, 2.0, 5.0], [np.nan] * 3])
    assert stats.unit_means(y)[:2] == pytest.approx([2.0, 3.0]) and np.isnan(stats.unit_means(y)[2])
    left = stats.leave_one_out(y)
    assert left[0] == pytest.approx([3.0, 2.0, 1.0]) and left[1] == pytest.approx([3.5, 3.5, 2.0])
    found = stats.crossed(stats.unit_means(y), left)
    assert (found.n, found.dropped, found.n_units) == (2, 1, 3)
    with pytest.raises(ValueError, match="no value is left"):
        stats.crossed([np.nan, np.nan])
    with pytest.raises(ValueError, match="one finite value"):
        stats.crossed([np.inf, 1.0])
    with pytest.raises(ValueError, match=r"\(networks, units\)"):
        stats.crossed([1.0, 2.0], np.ones((3, 4)))
    undefined = stats.crossed([1.0, 2.0], [[1.0, np.nan], [2.0, 2.0]])
    assert undefined.p_above(-100.0) == 1.0, "an undefined leave-one-out decides nothing"


def test_without_variation_the_interval_is_the_point() -> None:
    found = stats.crossed(np.ones(5), np.ones((5, 9)))
    assert (
        found.error,
        found.p_above(0.9),
        found.p_above(1.0),
        found.p_above(1.0, inclusive=True),
    ) == (0.0, 0.0, 1.0, 0.0)


def test_pseudo_values_of_a_mean_are_its_units_and_rebuild_the_rest() -> None:
    y = array(np.random.default_rng(2), 4, 12, (1, 1, 1))
    part = Part.of("x", y)
    pseudo = stats.pseudo_values(part.values, part.without)
    assert pseudo == pytest.approx(y)
    slope = Part.jackknifed("x", lambda keep: np.log((y[:, keep] ** 2).mean(1)), 12)
    rebuilt = (12 * slope.values[:, None] - stats.pseudo_values(slope.values, slope.without)) / 11
    assert rebuilt == pytest.approx(slope.without)


@pytest.mark.parametrize("networks", [5, 10])
@pytest.mark.parametrize("units", [20, 40, 100])
@pytest.mark.parametrize("sd", [(1.0, 0.3, 0.3), (0.3, 2.0, 0.5), (0.2, 1.0, 2.0), (0.5, 3.0, 0.1)])
def test_coverage(networks: int, units: int, sd: tuple[float, float, float]) -> None:
    """95 % intervals cover in 94-96 % of simulated studies, or more where the noise of both
    networks and units is large."""
    rng, runs = np.random.default_rng([networks, units, int(10 * sd[1])]), 1500
    hits = 0
    for _ in range(runs):
        y = array(rng, networks, units, sd)
        span = stats.crossed(stats.unit_means(y), stats.leave_one_out(y)).interval(0.95)
        hits += span.low <= 0 <= span.high
    error = 3 * np.sqrt(0.95 * 0.05 / runs)
    assert 0.94 - error <= hits / runs, hits / runs
    # The interaction of network and unit is in both variances: an interval may be too wide, never
    # too narrow.
    assert hits / runs <= (0.96 if sd[2] < 1 else 1.0) + error, hits / runs


# --- selections


def rise(y: np.ndarray, both: bool, networks_only: bool = False) -> bool:
    """Is the last of C options above a minimum that is chosen elsewhere? ``y`` (S, C, X)."""
    if both:
        at = stats.cross_chosen(y, lambda curve: int(np.argmin(curve)))
        low = stats.chosen(y, at)
    elif networks_only:
        low = np.stack([y[s, np.delete(y, s, 0).mean((0, 2)).argmin()] for s in range(len(y))])
    else:
        half = y.shape[2] // 2
        one, other = y[..., :half], y[..., half:]
        low = np.concatenate(
            [
                np.stack([a[s, b[s].mean(1).argmin()] for s in range(len(y))])
                for a, b in ((one, other), (other, one))
            ],
            axis=1,
        )
    part = Part.of("rise", y[:, -1] - low)
    return stats.crossed(part.values, part.without).p_above(0.0) <= 0.025


@pytest.mark.parametrize("networks", [5, 10])
def test_a_minimum_is_chosen_on_other_networks_and_other_images(networks: int) -> None:
    """A plateau with noise per network and step and per image and step: only both selections
    together rarely find a rise."""
    rng, runs = np.random.default_rng(networks), 250
    yes = np.zeros(3)
    for _ in range(runs):
        y = 0.2 * rng.normal(size=(networks, 9, 1)) + rng.normal(size=(1, 9, 40))
        yes += [rise(y, True), rise(y, False, True), rise(y, False)]
    assert yes[0] / runs <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert yes[2] / runs > 0.09, (
        "halves of the images alone find what the network's own noise put there"
    )


def test_what_is_chosen_and_where() -> None:
    y = np.zeros((3, 4, 6))
    y[:, 2] = -1.0
    y[0, 1, :3] = -50.0  # the first network's own dip on its first half
    at = stats.cross_chosen(y, lambda curve: int(np.argmin(curve)))
    assert at.shape == (3, 2) and at[0].tolist() == [2, 2], "a network does not choose for itself"
    assert at[1].tolist() == [2, 1] and at[2].tolist() == [2, 1], (
        "its first half chooses for the others' second half"
    )
    assert stats.chosen(y, at)[0].tolist() == [-1.0] * 6
    one = stats.cross_chosen(y[:1], lambda curve: int(np.argmin(curve)))
    assert one.tolist() == [[2, 1]], "a single network chooses on its other half"
    y[1, 2, 3:] = np.nan
    assert stats.cross_chosen(y, lambda curve: int(np.nanargmin(curve)))[0].tolist() == [2, 2]
    with pytest.raises(ValueError, match="at least 2 units"):
        stats.cross_chosen(np.zeros((3, 4, 1)), np.argmin)
    assert [h.tolist() for h in stats.halves(5)] == [[0, 1], [2, 3, 4]]


# --- many systems


def test_benjamini_hochberg_is_scipys_and_holm_is_stricter() -> None:
    p = dict(enumerate(np.random.default_rng(3).uniform(size=12) ** 3))
    found, strict = stats.benjamini_hochberg(p), stats.holm(p)
    assert list(found.values()) == pytest.approx(sps.false_discovery_control(list(p.values())))
    assert list(found) == list(p) and all(p[k] <= found[k] <= strict[k] for k in p)
    assert stats.benjamini_hochberg({"a": 0.5}) == {"a": 0.5} and stats.benjamini_hochberg({}) == {}
    with pytest.raises(ValueError, match="not a number in"):
        stats.benjamini_hochberg({"a": 1.5})
