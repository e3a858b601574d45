"""Every formula against a hand-computed case, planted structure recovered, nulls with the moments
they promise."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from utils import lattice
from utils.interactions import Interactions
from utils.metrics import attribution, nulls, orders, salience, sparsity


def hand() -> Interactions:
    """Two samples, three players; AND: {0}=2, {0,1}=-1, {0,1,2}=.5; OR: {1,2}=1; the second sample
    is half of it."""
    conj, disj = torch.zeros(2, 8, dtype=torch.float64), torch.zeros(2, 8, dtype=torch.float64)
    conj[:, 0], conj[:, 1], conj[:, 3], conj[:, 7], disj[:, 6] = 10.0, 2.0, -1.0, 0.5, 1.0
    return Interactions(conj * torch.tensor([[1.0], [0.5]]), disj * torch.tensor([[1.0], [0.5]]))


def test_strength_by_order() -> None:
    positive, negative = orders.strength_by_order(hand())
    assert positive.tolist() == [[2, 1, 0.5], [1, 0.5, 0.25]]
    assert negative.tolist() == [[0, -1, 0], [0, -0.5, 0]]
    positive, negative = orders.strength_by_order(hand(), torch.tensor([1.0, 1.0]))
    assert positive.tolist() == [[2, 1, 0], [1, 0, 0]]
    assert negative.tolist() == [[0, -1, 0], [0, 0, 0]]


def test_mean_order_is_a_ratio_of_sums_over_samples() -> None:
    one, two = (
        hand()[0],
        Interactions(*(torch.eye(8, dtype=torch.float64)[i] * s for i, s in ((7, 9.0), (0, 0.0)))),
    )
    both = Interactions(torch.stack([one.and_, two.and_]), torch.stack([one.or_, two.or_]))
    # sample 1: orders 1, 2, 3, 2 with strengths 2, 1, .5, 1; sample 2: order 3 with strength 9
    assert float(orders.mean_order(both)) == pytest.approx((2 + 2 + 1.5 + 2 + 27) / (4.5 + 9))
    assert orders.order_shares(both).tolist() == pytest.approx([2 / 13.5, 2 / 13.5, 9.5 / 13.5])


def test_mean_order_of_zero_games_is_nan() -> None:
    assert math.isnan(orders.mean_order(Interactions(torch.zeros(3, 8), torch.zeros(3, 8))))


def test_thresholds() -> None:
    found, v = hand(), torch.zeros(2, 8, dtype=torch.float64)
    v[:, 0], v[0, -1], v[1, -1] = 1.0, 5.0, -1.0
    assert salience.threshold(found, v, "mean_output").tolist() == pytest.approx([0.03 * 3] * 2)
    assert salience.threshold(found, v, "max_per_sample").tolist() == pytest.approx([0.1, 0.05])
    assert salience.threshold(found, v, "max_over_samples").tolist() == pytest.approx([0.1, 0.1])
    tau = torch.tensor([1.0, 1.0])
    assert salience.salient_counts(found, tau).tolist() == [3, 1]  # ties at tau are salient
    with pytest.raises(ValueError, match="mean_output"):
        salience.threshold(found, v, "largest")
    with pytest.raises(ValueError, match="axis of samples"):
        salience.threshold(found[0], v[0], "mean_output")


def test_thresholds_are_taken_per_checkpoint() -> None:
    """(checkpoints, samples, 2^n): an average over samples must not run over checkpoints."""
    found = Interactions(*(torch.stack([x, 10 * x]) for x in (hand().and_, hand().or_)))
    v = torch.zeros(2, 2, 8, dtype=torch.float64)
    v[0, :, -1], v[1, :, -1] = 1.0, 100.0
    assert salience.threshold(found, v, "mean_output").tolist() == [[0.03] * 2, [3.0] * 2]
    assert salience.threshold(found, v, "max_over_samples").tolist() == [[0.1] * 2, [1.0] * 2]


def test_mass_fraction_and_gini() -> None:
    found = hand()
    # sorted strengths 2, 1, 1, .5 of total 4.5; 90 % = 4.05 needs all four; 80 % = 3.6 needs three
    assert sparsity.mass_fraction(found).tolist() == [4 / 16] * 2
    assert sparsity.mass_fraction(found, 0.8).tolist() == [3 / 16] * 2
    equal = Interactions(torch.ones(4, dtype=torch.float64), torch.tensor([0.0, 1, 1, 1]).double())
    assert float(sparsity.gini(equal)) == pytest.approx(0)
    single = Interactions(torch.eye(4, dtype=torch.float64)[2], torch.zeros(4, dtype=torch.float64))
    assert float(sparsity.gini(single)) == pytest.approx(1 - 1 / 6)
    assert float(sparsity.mass_fraction(single)) == 1 / 8
    nothing = Interactions(torch.zeros(4), torch.zeros(4))
    assert float(sparsity.mass_fraction(nothing)) == 0
    assert math.isnan(sparsity.gini(nothing))
    with pytest.raises(ValueError, match="between 0 and 1"):
        sparsity.mass_fraction(found, 1.0)


@given(st.integers(0, 100))
def test_gini_is_the_mean_difference(seed: int) -> None:
    found = Interactions(
        *(
            torch.randn(8, generator=torch.Generator().manual_seed(seed + k), dtype=torch.float64)
            * torch.tensor([k == 0, 1, 1, 1, 1, 1, 1, 1])
            for k in (0, 1)
        )
    )
    x = sparsity.strengths(found).numpy()
    brute = np.abs(x[:, None] - x[None]).sum() / (2 * len(x) ** 2 * x.mean())
    assert float(sparsity.gini(found)) == pytest.approx(brute)


def test_or_is_and_of_the_inverted_game_for_any_game() -> None:
    v = torch.randn(5, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert float(sparsity.duality_error(v).max()) < 1e-12


def test_spindle_at_ten_players() -> None:
    expected = [0.002, 0.013, 0.051, 0.125, 0.212, 0.250, 0.202, 0.107, 0.034, 0.005]
    assert orders.spindle(10).tolist() == pytest.approx(expected, abs=6e-4)


def test_independent_outputs_give_the_spindle() -> None:
    """Lemma 1 by simulation: the AND interactions of iid values have the shares that ``spindle``
    states."""
    noise = torch.randn(4000, 256, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    i_and = lattice.and_interactions(noise)
    shares = orders.order_shares(Interactions(i_and, torch.zeros_like(i_and)))
    assert float(orders.total_variation(shares, orders.spindle(8))) < 0.01


def test_total_variation() -> None:
    assert (
        float(orders.total_variation(torch.tensor([1.0, 0, 0]), torch.tensor([0, 0.5, 0.5]))) == 1
    )
    assert (
        float(orders.total_variation(torch.tensor([0.5, 0.5]), torch.tensor([0.25, 0.75]))) == 0.25
    )


NULLS = [nulls.iid_games, nulls.smooth_games, nulls.additive_games, nulls.size_games]


@pytest.mark.parametrize("make", NULLS)
def test_null_games_keep_the_empty_set_and_are_reproducible(make) -> None:
    v = torch.randn(
        3, 4, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    ).cumsum(-1)
    game = make(v, seed=7)
    assert game.shape == v.shape
    assert torch.allclose(game[..., 0], v[..., 0])
    assert torch.equal(game, make(v, seed=7))
    assert not torch.equal(game, make(v, seed=8))


def test_smooth_games_match_mean_strength_per_size() -> None:
    v = torch.randn(6, 128, generator=torch.Generator().manual_seed(0), dtype=torch.float64).cumsum(
        -1
    )
    game, order = nulls.smooth_games(v, seed=0), lattice.order(7)
    for size in range(1, 8):
        mine, theirs = ((x - x[:, :1]).abs()[:, order == size].mean(1) for x in (game, v))
        assert torch.allclose(mine, theirs)


def test_iid_games_match_mean_and_variance() -> None:
    v = 3 + 2 * torch.randn(
        50, 4096, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    game = nulls.iid_games(v, seed=1)
    assert float(game.mean()) == pytest.approx(3, abs=0.02)
    assert float(game.std()) == pytest.approx(2, abs=0.02)


def test_controls_have_the_structure_they_are_controls_for() -> None:
    v = torch.randn(3, 64, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    order = lattice.order(6)
    linear = lattice.and_interactions(nulls.additive_games(v, seed=0))
    assert float(linear[:, order > 1].abs().max()) < 1e-12
    sized = nulls.size_games(v, seed=0)
    for size in range(7):
        of_size = sized[:, order == size]
        assert float((of_size - of_size[:, :1]).abs().max()) < 1e-12


def test_shapley_values_by_hand() -> None:
    """v = 6 [1] + 3 [1 and 2] + 2 [2 or 3]: φ = (6 + 1.5, 1.5 + 1, 1)."""
    conj, disj = torch.zeros(8, dtype=torch.float64), torch.zeros(8, dtype=torch.float64)
    conj[0], conj[0b001], conj[0b011], disj[0b110] = 4.0, 6.0, 3.0, 2.0
    found = Interactions(conj, disj)
    assert attribution.shapley_of(found).tolist() == [7.5, 2.5, 1.0]
    assert attribution.shapley(found.reconstruct()).tolist() == pytest.approx([7.5, 2.5, 1.0])


@pytest.mark.parametrize("n", [1, 3, 6])
def test_shapley_values_are_shapiqs(
    n: int, shapiq_computer: Callable[[np.ndarray], object]
) -> None:
    v = np.random.default_rng(n).normal(size=1 << n)
    found = shapiq_computer(v)("SV")
    assert attribution.shapley(torch.tensor(v)).tolist() == pytest.approx(
        [found[(i,)] for i in range(n)], abs=1e-12
    )
