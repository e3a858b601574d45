"""Conventions, edge cases and refusals of ``split``, and what each convention would break if it
were changed."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from utils import lattice
from utils.sparsify import PaperSettings, Split, certificate, split

ALL = [f.name for f in dataclasses.fields(Split)]
QUICK = PaperSettings(learning_rate=1e-3, iterations=300)


def random_games(n: int, count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 1 << n)) + 3.0


def either(solver: str, games: np.ndarray, **options: float) -> Split:
    return split(games, solver=solver, paper=QUICK if solver == "paper" else None, **options)


@pytest.mark.parametrize("solver", ["certified", "paper"])
@pytest.mark.parametrize("kappa", [0.0, 0.04])
def test_gamma_and_delta_are_those_of_the_interactions(solver: str, kappa: float) -> None:
    """Overwriting γ_∅ alone instead of shifting the whole of γ would change every AND term and
    I_or(N)."""
    games = random_games(5, 3)
    found = either(solver, games, kappa=kappa)
    v_and, v_or = (
        0.5 * (games - found.delta) + found.gamma,
        0.5 * (games - found.delta) - found.gamma,
    )
    np.testing.assert_allclose(v_and[:, 0], games[:, 0], rtol=1e-12)
    np.testing.assert_allclose(v_or[:, 0], 0.0, atol=1e-12)
    np.testing.assert_allclose(lattice.and_interactions(v_and), found.i_and, atol=1e-10)
    np.testing.assert_allclose(lattice.or_interactions(v_or), found.i_or, atol=1e-10)
    np.testing.assert_allclose(
        lattice.reconstruct(found.i_and, found.i_or), games - found.delta, atol=1e-10
    )
    np.testing.assert_array_equal(found.i_and[:, 0], games[:, 0])
    np.testing.assert_array_equal(found.i_or[:, 0], 0.0)
    np.testing.assert_array_equal(found.delta[:, 0], 0.0)


def test_without_kappa_delta_is_exactly_zero_and_the_game_is_matched() -> None:
    games = random_games(7, 3)
    found = split(games, kappa=0.0)
    assert not found.delta.any()
    assert (
        np.abs(lattice.reconstruct(found.i_and, found.i_or) - games).max()
        < 1e-10 * np.abs(games).max()
    )


@pytest.mark.parametrize("solver", ["certified", "paper"])
def test_delta_uses_its_bound_and_never_more(solver: str) -> None:
    """κ is a fraction of the game's own |v(N) - v(∅)|: an absolute bound would be wrong by a factor
    of ten here."""
    games = random_games(5, 4) * 10
    found = either(solver, games, kappa=0.04)
    limit = 0.04 * np.abs(games[:, -1] - games[:, 0])
    np.testing.assert_allclose(np.abs(found.delta).max(1), limit, rtol=1e-9)


def test_order_zero_is_not_paid_for() -> None:
    """Adding a constant to a game changes I_and(∅) and nothing else: not the loss, not a single
    other interaction."""
    games = random_games(5, 3)
    plain, shifted = split(games), split(games + 1000.0)
    np.testing.assert_allclose(shifted.objective, plain.objective, rtol=1e-9)
    np.testing.assert_allclose(shifted.i_and[:, 1:], plain.i_and[:, 1:], atol=1e-8)
    np.testing.assert_allclose(shifted.i_and[:, 0], plain.i_and[:, 0] + 1000.0)
    np.testing.assert_allclose(
        plain.l1, (np.abs(plain.i_and) + np.abs(plain.i_or))[:, 1:].sum(1), rtol=1e-12
    )


def test_the_loss_does_not_see_entry_zero() -> None:
    one = torch.ones(1, 8, dtype=torch.float64)
    weights = certificate.subset_weights(3, 0.0)
    assert certificate.weighted_l1(one, one, weights) == 14.0
    assert weights[0] == 0.0 and certificate.forward(one, one)[0, 0] == 0.0
    assert all(half[0, 0] == 0.0 for half in certificate.adjoint(one))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e6, -1.0])
@pytest.mark.parametrize("kappa", [0.0, 0.04])
def test_a_scaled_game_has_the_scaled_split(scale: float, kappa: float) -> None:
    games = random_games(5, 3)
    plain, scaled = split(games, kappa), split(games * scale, kappa)
    np.testing.assert_array_equal(scaled.iterations, plain.iterations)
    np.testing.assert_allclose(scaled.objective, plain.objective * abs(scale), rtol=1e-6)
    np.testing.assert_allclose(scaled.i_and / scale, plain.i_and, atol=1e-6)
    np.testing.assert_allclose(scaled.delta / scale, plain.delta, atol=1e-6)


def test_constant_games_have_no_interaction() -> None:
    found = split(np.full((2, 16), 7.0))
    assert not found.i_and[:, 1:].any() and not found.i_or.any() and not found.delta.any()
    np.testing.assert_array_equal(found.i_and[:, 0], 7.0)
    assert (
        found.converged.all()
        and not found.gap.any()
        and not found.objective.any()
        and not found.iterations.any()
    )


def test_a_game_with_equal_ends_gets_no_slack() -> None:
    """v(N) = v(∅): κ' = 0, although κ > 0, and its neighbours keep theirs."""
    games = random_games(4, 2)
    games[0, -1] = games[0, 0]
    found = split(games, kappa=0.04)
    assert found.converged.all()
    assert not found.delta[0].any() and found.delta[1].any()
    np.testing.assert_array_equal(found.i_and[0], split(games[0], kappa=0.0).i_and)


def test_games_of_one_player() -> None:
    found = split(np.array([[2.0, 5.0], [1.0, 1.0]]), kappa=0.1, order_weight=0.0)
    np.testing.assert_allclose(found.objective, [2.7, 0.0], rtol=1e-3)
    np.testing.assert_allclose(found.delta, [[0.0, 0.3], [0.0, 0.0]], rtol=1e-2)
    assert found.converged.all()


def test_a_bound_that_swallows_the_game_leaves_nothing() -> None:
    found = split(np.array([0.0, 0.5, 0.5, 1.0]), kappa=1.0)
    assert found.objective == 0 and found.gap == 0 and found.converged
    np.testing.assert_allclose(found.delta, [0.0, 0.5, 0.5, 1.0])


def test_shapes_types_and_leading_axes() -> None:
    games = random_games(4, 6)
    flat = split(games)
    nested = split(torch.as_tensor(games.reshape(2, 3, 16), dtype=torch.float32))
    single = split(games[0])
    assert (
        nested.i_and.dtype == torch.float64
        and nested.gap.shape == (2, 3)
        and nested.delta.shape == (2, 3, 16)
    )
    assert single.gap.shape == () and single.i_or.shape == (16,)
    for name in ALL:
        assert isinstance(getattr(flat, name), np.ndarray) and isinstance(
            getattr(nested, name), torch.Tensor
        )
        np.testing.assert_array_equal(getattr(single, name), getattr(flat, name)[0])


@pytest.mark.parametrize("solver", ["certified", "paper"])
def test_an_empty_batch_gives_an_empty_split(solver: str) -> None:
    found = either(solver, np.zeros((0, 8)))
    assert found.i_and.shape == (0, 8) and found.gap.shape == (0,)


def test_the_input_is_left_alone() -> None:
    games = random_games(4, 2)
    before = games.copy()
    found = split(games)
    np.testing.assert_array_equal(games, before)
    found.i_and[:] = 0
    np.testing.assert_array_equal(games, before)


def test_the_sparse_iterate_has_exact_zeros_and_says_by_how_much_it_misses() -> None:
    games = random_games(6, 3)
    found = split(games, kappa=0.1)
    assert ((found.sparse_and[:, 1:] == 0).mean() > 0.2) and (
        (found.i_and[:, 1:] == 0).mean() < 0.2
    )
    left = np.abs(games - lattice.reconstruct(found.sparse_and, found.sparse_or)).max(1)
    excess = np.maximum(left - 0.1 * np.abs(games[:, -1] - games[:, 0]), 0)
    np.testing.assert_allclose(
        found.infeasibility, excess / np.abs(games - games[:, :1]).max(1), atol=1e-12
    )
    assert (found.infeasibility < 0.01).all()


def test_a_game_that_is_not_certified_in_time_says_so() -> None:
    with pytest.warns(RuntimeWarning, match="2 of 2 games were not certified .* worst gap") as told:
        found = split(random_games(6, 2), tol=1e-3, max_iterations=100)
    assert len(told) == 1 and f"{found.gap.max():.3g}" in str(told[0].message)
    assert (
        not found.converged.any() and (found.gap > 1e-3).all() and (found.iterations == 100).all()
    )
    assert (found.lower_bound <= found.objective).all()


def test_a_value_that_is_not_finite_is_named() -> None:
    games = random_games(3, 4)
    games[2, 5] = np.nan
    with pytest.raises(ValueError, match=r"sample 2, mask 5 \(\{0,2\} kept\)"):
        split(games)
    games[2, 5] = np.inf
    with pytest.raises(ValueError, match=r"sample \(1, 0\), mask 5"):
        split(games.reshape(2, 2, 8))


PLANTED = np.array([0, 1, 1, 0])  # of two players, OR - AND: strength 2 and none smaller


@pytest.mark.parametrize(
    "given",
    [
        PLANTED.tolist(),
        PLANTED,
        PLANTED.astype(">i2"),
        PLANTED.astype(bool),
        PLANTED[::-1],
        np.stack([PLANTED, PLANTED + 7], axis=1)[:, 0],
        torch.as_tensor(PLANTED),
        torch.as_tensor(PLANTED, dtype=torch.float64).requires_grad_(),
        torch.as_tensor(PLANTED, dtype=torch.float32).repeat_interleave(2)[::2],
    ],
    ids=["list", "int", "big endian", "bool", "reversed", "strided", "tensor", "grad", "step"],
)
def test_every_kind_of_input_has_the_planted_split(given: object) -> None:
    found = split(given, kappa=0.0, order_weight=0.0)
    assert isinstance(found.i_and, torch.Tensor if isinstance(given, torch.Tensor) else np.ndarray)
    i_and, i_or = np.asarray(found.i_and), np.asarray(found.i_or)
    np.testing.assert_allclose(i_and, [0, 0, 0, -1], atol=2e-3)
    np.testing.assert_allclose(i_or, [0, 0, 0, 1], atol=2e-3)
    assert float(found.objective) == pytest.approx(2.0, rel=1e-3) and bool(found.converged)


def test_lists_are_read_in_float64() -> None:
    """1 + 2^-40 is 1 in torch's default type."""
    tiny = 2.0**-40
    found = split([[1.0, 1.0 + tiny]], kappa=0.0, order_weight=0.0)
    assert found.objective == pytest.approx([tiny], rel=1e-3)


def test_a_strength_beyond_float64_is_not_converged() -> None:
    games = np.stack([PLANTED * 1.0, PLANTED * 1.7e308, PLANTED * 1e300])
    with pytest.warns(RuntimeWarning, match="1 of 3 games .* worst gap is inf"):
        found = split(games, kappa=0.0, order_weight=0.0)
    assert found.converged.tolist() == [True, False, True]
    assert np.isinf(found.objective[1]) and np.isinf(found.gap[1])
    assert np.isfinite(found.lower_bound).all()
    np.testing.assert_allclose(found.objective[[0, 2]], [2.0, 2e300], rtol=1e-3)


def test_a_difference_beyond_float64_is_refused_and_named() -> None:
    games = np.stack([PLANTED, np.array([-1e308, 0.0, 1.5e308, 0.0])])
    with pytest.raises(ValueError, match=r"v - v\(∅\) is inf at sample 1, mask 2"):
        split(games)


@pytest.mark.parametrize(
    ("games", "message"),
    [
        (np.zeros((2, 6)), "2\\^n values"),
        (np.zeros((2, 1)), "at least one player"),
        (np.float64(1.0), "2\\^n values"),
        (np.zeros((2, 4), dtype=complex), "real"),
    ],
)
def test_games_of_a_wrong_shape_are_refused(games: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split(games)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "sgd"}, "'certified', 'paper'"),
        ({"backend": "jax"}, "'auto', 'numba', 'torch'"),
        ({"kappa": -0.1}, "kappa"),
        ({"kappa": float("nan")}, "kappa"),
        ({"tol": 0.0}, "tol"),
        ({"order_weight": -1.0}, "order_weight"),
        ({"order_weight": float("nan")}, "order_weight"),
        ({"max_iterations": 0}, "max_iterations"),
        ({"paper": PaperSettings()}, "solver='paper'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        split(random_games(3, 1), **options)


def test_too_large_a_batch_is_refused_before_it_is_allocated() -> None:
    one = torch.zeros(1, 1 << 10).expand(1 << 40, 1 << 10)  # no memory behind it
    with pytest.raises(MemoryError, match="such games fit at once"):
        split(one)
    with pytest.raises(MemoryError, match="one game of up to n ="):
        split(torch.zeros(1, 1).expand(1, 1 << 40))
