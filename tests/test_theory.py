"""The closed form against dense solves, Monte Carlo and 60-digit arithmetic; the fits against
planted parameters."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import hypothesis.strategies as st
import mpmath
import numpy as np
import pytest
import torch
from hypothesis import given, settings

from utils import lattice, theory
from utils.theory import regression

LEVELS = [0.0, 1e-9, 1e-6, 1e-3, 0.1, 1.0, 10.0, 1e4]


def kron_power(one: list[list[float]], n: int) -> np.ndarray:
    return functools.reduce(np.kron, [np.array(one)] * n, np.ones((1, 1)))


def dense_operator(n: int, sigma2: float) -> np.ndarray:
    """M̂ by a dense solve of the normal equations, with J written down from its definition 1(T ⊆
    S)."""
    masks = np.arange(1 << n)
    triggers = ((masks[None, :] & ~masks[:, None]) == 0).astype(float)
    gram = triggers.T @ triggers
    penalty = 2.0 ** np.array([int(m).bit_count() for m in masks])
    return np.linalg.solve(gram + 2**n * sigma2 * np.diag(penalty), gram)


def exact_weights(w: list[int], sigma2: Fraction) -> list[Fraction]:
    """ŵ by Gauss-Jordan elimination in rational numbers."""
    size = len(w)
    n = size.bit_length() - 1
    gram = [
        [Fraction(2 ** (n - (s | t).bit_count())) for t in range(size)] for s in range(size)
    ]  # supersets of both
    rows = [[*row, sum(g * x for g, x in zip(row, w, strict=True))] for row in gram]
    for t in range(size):
        rows[t][t] += size * sigma2 * 2 ** t.bit_count()
    for i in range(size):
        rows[i] = [x / rows[i][i] for x in rows[i]]
        for j in range(size):
            if j != i:
                rows[j] = [x - rows[j][i] * y for x, y in zip(rows[j], rows[i], strict=True)]
    return [row[-1] for row in rows]


def weights(n: int, *batch: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        *batch, 1 << n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


# --- the closed form (D5, D9) ---------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 5, 6, 8])
def test_closed_form_is_the_dense_solve(n: int) -> None:
    truth = weights(n, 3)
    learnt = theory.noisy_weights(truth, LEVELS)
    assert learnt.shape == (len(LEVELS), 3, 1 << n)
    for level, found in zip(LEVELS, learnt, strict=True):
        wanted = truth.numpy() @ dense_operator(n, level).T
        assert (
            np.abs(found.numpy() - wanted).max() <= 1e-10 * np.abs(wanted).max()
        )  # the dense solve's own error


@pytest.mark.parametrize("level", ["1e-14", "1e-6", "1/7", "1e12"])
def test_closed_form_is_the_rational_solution_even_where_a_dense_solve_loses_digits(
    level: str,
) -> None:
    truth = [3, -1, 4, 1, -5, 9, 2, -6, 5, 3, -5, 8, 9, -7, 9, 3]
    wanted = np.array([float(x) for x in exact_weights(truth, Fraction(level))])
    found = theory.noisy_weights(np.array(truth, dtype=float), [float(Fraction(level))])[0]
    assert np.abs(found - wanted).max() <= 5e-15 * np.abs(wanted).max()


def test_no_noise_gives_the_ground_truth_to_the_bit() -> None:
    truth = weights(12, 2)
    assert torch.equal(theory.noisy_weights(truth, [0.0, 1.0])[0], truth)
    close = theory.noisy_weights(truth, [1e-300])[0]
    assert torch.equal(close, truth)


def test_solves_the_normal_equations_at_twenty_players() -> None:
    """(JᵀJ + 2^n σ² D) ŵ = JᵀJ w*, with JᵀJ applied as sums over subsets and supersets."""
    truth = weights(20)
    learnt = theory.noisy_weights(truth, [1e-5])[0]

    def gram(x: torch.Tensor) -> torch.Tensor:
        return lattice.superset_zeta_(lattice.zeta_(x.clone()))

    left = gram(learnt) + 2**20 * 1e-5 * 2.0 ** lattice.order(20) * learnt
    right = gram(truth)
    assert float((left - right).abs().max() / right.abs().max()) < 1e-10


def test_kronecker_identities_and_eigenvalues() -> None:
    low, high = theory.EIGENVALUES
    assert (
        low
        == pytest.approx((5 - math.sqrt(17)) / 4, rel=1e-14)
        == pytest.approx(0.2192235936, abs=1e-10)
    )
    assert (
        high
        == pytest.approx((5 + math.sqrt(17)) / 4, rel=1e-14)
        == pytest.approx(2.2807764064, abs=1e-10)
    )
    for n in (1, 3, 5):
        triggers = kron_power([[1, 0], [1, 1]], n)
        root = np.sqrt(kron_power([[1, 0], [0, 2]], n).diagonal())
        whitened = triggers.T @ triggers / np.outer(root, root)
        found = np.linalg.eigvalsh(whitened)
        wanted = np.sort(
            [low ** (n - j) * high**j for j in range(n + 1) for _ in range(math.comb(n, j))]
        )
        np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 7), st.floats(0, 100), st.floats(-3, 3), st.integers(0, 99))
def test_linear_in_the_ground_truth(n: int, sigma2: float, scale: float, seed: int) -> None:
    one, two = weights(n, seed=seed), weights(n, seed=seed + 1000)
    both = theory.noisy_weights(torch.stack([one, two, one + scale * two]), [sigma2])[0]
    torch.testing.assert_close(both[2], both[0] + scale * both[1], rtol=0, atol=1e-12)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 7).flatmap(lambda n: st.permutations(range(n))),
    st.floats(0, 100),
    st.integers(0, 99),
)
def test_renaming_players_renames_what_is_learnt(
    names: list[int], sigma2: float, seed: int
) -> None:
    truth = weights(len(names), seed=seed)
    renamed = torch.tensor(
        [sum(1 << names[i] for i in range(len(names)) if m >> i & 1) for m in range(len(truth))]
    )
    learnt = theory.noisy_weights(truth[renamed], [sigma2])[0]
    torch.testing.assert_close(
        learnt, theory.noisy_weights(truth, [sigma2])[0][renamed], rtol=0, atol=1e-12
    )


def test_arrays_for_arrays_and_the_input_is_left_alone() -> None:
    truth = weights(6, 2)
    before = truth.clone()
    learnt = theory.noisy_weights(truth, torch.tensor([0.0, 0.5]))
    assert torch.equal(truth, before)
    learnt[0] += 1
    assert torch.equal(truth, before)
    array = theory.noisy_weights(truth.numpy(), np.array([0.0, 0.5]))
    assert isinstance(array, np.ndarray) and array.dtype == np.float64
    np.testing.assert_array_equal(array[1], learnt[1].numpy())
    assert isinstance(theory.row_norms(3, np.array([0.5])), np.ndarray)
    assert theory.noisy_weights(truth.float(), [0.5]).dtype == torch.float64
    assert theory.noisy_weights(truth, []).shape == (0, 2, 64)


def test_a_batch_is_its_games_one_by_one() -> None:
    truth = weights(7, 2, 3)
    together = theory.noisy_weights(truth, [1e-3, 2.0])
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(
                together[:, i, j],
                theory.noisy_weights(truth[i, j], [1e-3, 2.0]),
                rtol=0,
                atol=1e-14,
            )


def test_bad_input_is_named() -> None:
    truth = weights(3, 2)
    with pytest.raises(ValueError, match=r"sigma2\[1\] is -0.5"):
        theory.noisy_weights(truth, [1.0, -0.5])
    with pytest.raises(ValueError, match=r"sigma2\[0\] is nan"):
        theory.noisy_weights(truth, [math.nan])
    with pytest.raises(ValueError, match=r"shape \(k,\)"):
        theory.noisy_weights(truth, torch.tensor(1.0))
    with pytest.raises(ValueError, match="2\\^n values"):
        theory.noisy_weights(torch.zeros(6), [1.0])
    truth[1, 5] = math.nan
    with pytest.raises(ValueError, match=r"w_star is nan at sample 1, mask 5 \(\{0,2\} kept\)"):
        theory.noisy_weights(truth, [1.0])
    with pytest.raises(MemoryError, match="fewer noise levels"):
        theory.noisy_weights(
            torch.zeros(1 << 20, dtype=torch.float64), torch.zeros(10**7, dtype=torch.float64)
        )


# --- the loss that it minimises (D5) --------------------------------------------------------------


def test_monte_carlo_of_the_loss_and_of_its_minimiser() -> None:
    truth, sigma2 = weights(3), 0.05
    triggers, targets = theory.noisy_rows(truth, sigma2, 400_000, seed=1)
    other = weights(3, seed=5)
    squares = (targets - triggers @ other).square()
    error = float(squares.std() / len(squares) ** 0.5)
    assert abs(float(squares.mean()) - float(theory.noisy_loss(other, truth, sigma2))) < 4 * error
    assert error < 0.01 * float(squares.mean())  # else agreement would mean nothing
    fitted = torch.linalg.lstsq(triggers, targets).solution
    learnt = theory.noisy_weights(truth, [sigma2])[0]
    assert float((fitted - learnt).abs().max()) < 0.01
    assert (
        float((learnt - truth).abs().max()) > 0.2
    )  # far more than the tolerance: the noise matters here


def test_perturbations_never_lower_the_loss() -> None:
    truth = weights(6)
    steps = weights(6, 1000, seed=2) * torch.logspace(-3, 1, 1000, dtype=torch.float64)[:, None]
    for sigma2 in (1e-4, 0.1, 3.0):
        learnt = theory.noisy_weights(truth, [sigma2])[0]
        at = theory.noisy_loss(learnt, truth, sigma2)
        assert bool((theory.noisy_loss(learnt + steps, truth.expand_as(steps), sigma2) > at).all())


def test_loss_by_hand() -> None:
    """n = 1, w* = (1, 2), w = (0, 1): residuals 1 and 3 - 1 = 2, penalty 2 · 1² σ²."""
    loss = theory.noisy_loss(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0]), 0.5)
    assert float(loss) == pytest.approx((1 + 4) / 2 + 0.5 * 2)


# --- row norms (D7, D8) ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4, 8])
def test_row_norms_are_those_of_the_dense_operator_and_equal_within_an_order(n: int) -> None:
    order = lattice.order(n).numpy()
    by_formula = theory.row_norms(n, LEVELS).numpy()
    for level, norms in zip(LEVELS, by_formula, strict=True):
        np.testing.assert_allclose(
            np.linalg.norm(dense_operator(n, level), axis=1), norms[order], rtol=1e-10
        )
        # and of the closed form applied to unit vectors, which is the operator's transpose in rows
        columns = theory.noisy_weights(torch.eye(1 << n, dtype=torch.float64), [level])[0]
        np.testing.assert_allclose(columns.norm(dim=0).numpy(), norms[order], rtol=1e-13)
    assert by_formula[0].tolist() == pytest.approx([1.0] * (n + 1), rel=1e-15)


@pytest.mark.parametrize(
    ("n", "k", "exponent", "ratio"),
    [
        (10, 0, "-6.5", 0.99996239),
        (12, 0, "-6", 0.99892695),
        (12, 1, "-7.25", 0.99974014),
        (13, 2, "-8", 0.99991458),
        (14, 3, "-9", 0.99996685),
    ],
)
def test_proposition_1_fails_at_weak_noise(n: int, k: int, exponent: str, ratio: float) -> None:
    sigma2 = mpmath.power(10, exponent)
    exact = theory.norm_ratios_mp(n, [sigma2])[0][k]
    assert exact < 1
    assert float(exact) == pytest.approx(ratio, abs=6e-9)
    assert float(theory.norm_ratios(n, [float(sigma2)])[0, k]) == pytest.approx(
        float(exact), rel=1e-13
    )


def test_proposition_1_holds_at_every_noise_level_up_to_nine_players() -> None:
    grid = np.logspace(-9, 2, 111)
    for n in range(1, 10):
        ratios = theory.norm_ratios(n, grid)
        assert ratios.min() > 1 and np.diff(ratios, axis=0).min() > 0


def test_proposition_1_by_an_independent_road_at_the_counterexample() -> None:
    """M̂ = (1 + c K)^-1 with the integer matrix K = [[1, -2], [-1, 4]]^⊗n: no eigenvectors, no
    eigenvalues, n = 10."""
    n, sigma2 = 10, 3.16e-7
    operator = np.linalg.inv(np.eye(1 << n) + 2**n * sigma2 * kron_power([[1, -2], [-1, 4]], n))
    assert np.linalg.norm(operator[0]) / np.linalg.norm(operator[1]) == pytest.approx(
        0.99996243, abs=2e-8
    )


def test_small_noise_expansion_explains_the_failure() -> None:
    """‖m_k‖² = 1 - 2c 4^k + c² (5^(n-k) 17^k + 2 · 3^(n-k) 18^k) + O(c³): the second term grows
    like 5^n for k = 0."""
    n, c = 10, mpmath.mpf("1e-16")
    with mpmath.workdps(80):

        def square(k: int) -> mpmath.mpf:
            return 1 - 2 * c * 4**k + c**2 * (5 ** (n - k) * 17**k + 2 * 3 ** (n - k) * 18**k)

        ratios = theory.norm_ratios_mp(n, [c / 2**n], digits=80)[0]
        for k, ratio in enumerate(ratios):
            assert abs(ratio - mpmath.sqrt(square(k) / square(k + 1))) < 1e-9 * abs(ratio - 1)


def test_proposition_1_holds_on_the_usual_grid() -> None:
    grid = np.logspace(-4, 2, 25)
    for n in (8, 10, 12, 14, 16):
        ratios = theory.norm_ratios(n, grid)
        assert ratios.min() > 1
        assert bool((np.diff(ratios, axis=0) > 0).all()) == (n < 16)
    assert theory.norm_ratios(10, [0.01])[0, 1:5].tolist() == pytest.approx(
        [1.32, 1.67, 1.98, 2.21], abs=5e-3
    )


def test_ratios_tend_to_the_root_of_ten_at_strong_noise_and_to_one_at_none() -> None:
    ratios = theory.norm_ratios(30, [0.0, 1e9, 1e290])
    np.testing.assert_allclose(ratios[0], 1.0, rtol=1e-14)
    np.testing.assert_allclose(ratios[1:], math.sqrt(10), rtol=1e-7)
    assert abs(theory.norm_ratios_mp(5, ["1e60"], digits=40)[0][2] ** 2 - 10) < 1e-35


def test_bad_sizes_of_row_norms() -> None:
    with pytest.raises(ValueError, match="between 0 and 30"):
        theory.row_norms(31, [0.1])
    with pytest.raises(ValueError, match="between 1 and 30"):
        theory.norm_ratios(0, [0.1])
    with pytest.raises(ValueError, match="at least 15"):
        theory.norm_ratios_mp(3, [0.1], digits=10)
    with pytest.raises(ValueError, match=r"sigma2\[0\] is -1"):
        theory.norm_ratios_mp(3, ["-1"])


# --- predictions, fits, rivals (D10) --------------------------------------------------------------


def final_interactions(
    n: int = 8, samples: int = 12, decay: float = 0.5
) -> tuple[torch.Tensor, torch.Tensor]:
    """AND and OR weights whose size falls with the order, a bias in entry 0 of AND, first order
    merged into AND."""
    order = lattice.order(n)
    size = torch.exp(-decay * order) / torch.tensor([math.comb(n, int(k)) for k in order]).sqrt()
    conj, disj = (weights(n, samples, seed=s) * size for s in (3, 4))
    conj[:, 0] = -2.0
    return conj, torch.where(order > 1, disj, 0.0)


def test_distribution_by_hand() -> None:
    """Two samples: AND {0}=2, {0,1}=-1, {0,1,2}=.5, OR {1,2}=1, and half of it; order 0 never
    counts."""
    conj, disj = torch.zeros(2, 8, dtype=torch.float64), torch.zeros(2, 8, dtype=torch.float64)
    conj[:, 0], conj[:, 1], conj[:, 3], conj[:, 7], disj[:, 6] = 10.0, 2.0, -1.0, 0.5, 1.0
    conj[1], disj[1] = conj[1] / 2, disj[1] / 2
    assert theory.order_distribution(conj, disj).tolist() == pytest.approx(
        [2 / 4.5, 2 / 4.5, 0.5 / 4.5]
    )
    # v(N) - v(∅) = 2.5 and 1.25, their mean 1.875: tau .5 keeps the {0} of both samples and both
    # pairs of the first
    assert theory.order_distribution(conj, disj, tau=0.5).tolist() == pytest.approx(
        [3 / 5, 2 / 5, 0]
    )
    assert theory.order_distribution(conj, disj, tau=100.0).isnan().all()
    with pytest.raises(ValueError, match="at least 0"):
        theory.order_distribution(conj, disj, tau=-0.1)


def test_threshold_by_hand() -> None:
    """v(N) - v(∅) is 2 and -6, 4 in size on average: tau .25 asks for 1; ties count; signs of
    samples do not cancel."""
    conj = torch.tensor([[0.0, 1, 0, 1], [9, -3, -2, -1]], dtype=torch.float64)
    found = theory.order_distribution(conj, torch.zeros_like(conj), tau=0.25)
    assert found.tolist() == pytest.approx([6 / 8, 2 / 8])
    above = theory.order_distribution(conj, torch.zeros_like(conj), tau=0.26)
    assert above.tolist() == pytest.approx([1, 0])


def test_prediction_is_the_distribution_of_what_is_learnt() -> None:
    conj, disj = final_interactions()
    levels = [0.0, 1e-3, 1.0]
    for tau in (0.0, 0.03):
        shares = theory.predicted_shares(conj, disj, levels, tau=tau)
        learnt = zip(
            theory.noisy_weights(conj, levels), theory.noisy_weights(disj, levels), strict=True
        )
        wanted = torch.stack([theory.order_distribution(*pair, tau=tau) for pair in learnt])
        torch.testing.assert_close(shares, wanted, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(shares.sum(-1), torch.ones(3, dtype=torch.float64))
    assert torch.equal(
        theory.predicted_shares(conj, disj, [0.0])[0], theory.order_distribution(conj, disj)
    )
    mean_order = theory.predicted_shares(conj, disj, [0.0, 0.01, 1.0]) @ torch.arange(
        1.0, 9.0, dtype=torch.float64
    )
    assert bool((mean_order.diff() < 0).all())  # noise suppresses high orders more, on this game


def test_prediction_keeps_leading_dimensions() -> None:
    conj, disj = final_interactions(n=5, samples=6)
    stacked = theory.predicted_shares(
        conj.view(2, 3, 32), disj.view(2, 3, 32), [0.1, 1.0], tau=0.03
    )
    assert stacked.shape == (2, 2, 5)
    torch.testing.assert_close(
        stacked[:, 1], theory.predicted_shares(conj[3:], disj[3:], [0.1, 1.0], tau=0.03)
    )


@pytest.mark.parametrize("tau", [0.0, 0.03])
def test_fit_recovers_planted_noise_levels_on_other_samples(tau: float) -> None:
    conj, disj = final_interactions(samples=24)
    planted = torch.tensor([0.5, 0.03, 1e-4], dtype=torch.float64)
    exact = theory.predicted_shares(conj, disj, planted, tau=tau)
    fit = theory.fit_sigma2(conj, disj, exact, tau=tau)
    assert float(fit.distance.max()) < 1e-3
    # with a threshold neighbouring levels can have the same salient set and nearly the same shares
    if not tau:
        torch.testing.assert_close(fit.value, planted, rtol=2e-3, atol=0)
    torch.testing.assert_close(fit.shares, theory.predicted_shares(conj, disj, fit.value, tau=tau))
    half = theory.fit_sigma2(conj[::2], disj[::2], exact, tau=tau)
    assert float((half.value / planted).log().abs().max()) < math.log(3)


def test_fit_finds_no_noise() -> None:
    conj, disj = final_interactions()
    fit = theory.fit_sigma2(conj, disj, theory.order_distribution(conj, disj))
    assert float(fit.value) == 0 and float(fit.distance) == 0 and fit.value.shape == ()


def test_fit_beats_every_point_of_a_fine_grid() -> None:
    """Against distributions that the theory cannot reach, the fit is still the nearest
    prediction."""
    conj, disj = final_interactions(samples=2)
    real = weights(3, 12, seed=7).exp()
    real = real / real.sum(-1, keepdim=True)
    fine = theory.predicted_shares(conj, disj, torch.logspace(-10, 3, 1500, dtype=torch.float64))
    best = (fine - real[:, None]).abs().sum(-1).amin(-1) / 2
    fit = theory.fit_sigma2(conj, disj, real)
    assert bool((fit.distance <= best + 1e-6).all())
    torch.testing.assert_close(fit.distance, (fit.shares - real).abs().sum(-1) / 2)


def test_noise_grid_covers_all_that_matters() -> None:
    conj, disj = final_interactions()
    grid = theory.sigma2_grid(8)
    assert float(grid[0]) == 0 and bool((grid.diff() > 0).all())
    learnt = theory.noisy_weights(conj, grid)
    assert float((learnt[1] - conj).abs().max()) < 0.2 * float(conj.abs().max())
    beyond = theory.predicted_shares(conj, disj, [float(grid[-1]), 1e9])
    assert float((beyond[0] - beyond[1]).abs().sum()) < 0.02


def test_rivals_by_hand() -> None:
    w = torch.tensor([5.0, 1, 2, 4], dtype=torch.float64)
    assert theory.exponential_shrink(w, [0.0, math.log(2)]).tolist() == [
        pytest.approx([5, 1, 2, 4]),
        pytest.approx([5, 0.5, 1, 1]),
    ]
    assert theory.hard_cut(w, [0, 1, 2]).tolist() == [[5, 0, 0, 0], [5, 1, 2, 0], [5, 1, 2, 4]]
    start = torch.tensor([1.0, 3, 0, 0], dtype=torch.float64)
    assert theory.convex_mix(w, start, [0.0, 0.25, 1.0]).tolist() == [
        [1, 3, 0, 0],
        [2, 2.5, 0.5, 1],
        [5, 1, 2, 4],
    ]
    with pytest.raises(ValueError, match=r"a\[1\] is 1.5: it must lie between 0 and 1"):
        theory.convex_mix(w, start, [0.5, 1.5])
    with pytest.raises(ValueError, match=r"lam\[0\] is -1"):
        theory.exponential_shrink(w, [-1.0])
    with pytest.raises(ValueError, match="between 0 and 2"):
        theory.hard_cut(w, [3])
    with pytest.raises(ValueError, match="one shape"):
        theory.convex_mix(w, start[:2], [0.5])


def test_each_rival_is_recovered_where_it_is_the_truth_and_the_theory_then_fits_worse() -> None:
    conj, disj = final_interactions()
    initial = tuple(weights(8, 12, seed=s) * 0.2 for s in (8, 9))
    planted = {"exponential": 0.37, "cut": 3.0, "mix": 0.62}
    for model, value in planted.items():
        start = initial if model == "mix" else None
        real = theory.predicted_shares(conj, disj, [value], model=model, initial=start)[0]
        fit = theory.fit_model(conj, disj, real, model=model, initial=start)
        assert float(fit.value) == pytest.approx(value, abs=1e-3)
        assert float(fit.distance) < 1e-4
        assert float(theory.fit_sigma2(conj, disj, real).distance) > 0.01
    shares = theory.order_distribution(conj, disj)
    shrunk = shares * torch.exp(
        -0.37 * torch.arange(1, 9)
    )  # the shares of the exponential rival need no weights
    torch.testing.assert_close(
        theory.predicted_shares(conj, disj, [0.37], model="exponential")[0], shrunk / shrunk.sum()
    )


def test_theory_beats_rivals_where_the_theory_is_the_truth() -> None:
    conj, disj = final_interactions()
    real = theory.predicted_shares(conj, disj, [0.05])[0]
    initial = tuple(weights(8, 12, seed=s) * 0.2 for s in (8, 9))
    distances = {
        model: float(
            theory.fit_model(
                conj, disj, real, model=model, initial=initial if model == "mix" else None
            ).distance
        )
        for model in theory.MODELS
    }
    assert min(distances, key=distances.__getitem__) == "noise" and distances["noise"] < 1e-4


def test_bad_input_of_fits() -> None:
    conj, disj = final_interactions(n=3)
    real = torch.tensor([0.5, 0.3, 0.2])
    with pytest.raises(ValueError, match="'noise', 'exponential', 'cut', 'mix'"):
        theory.fit_model(conj, disj, real, model="linear")
    with pytest.raises(ValueError, match="needs initial"):
        theory.fit_model(conj, disj, real, model="mix")
    with pytest.raises(ValueError, match="'mix' only"):
        theory.fit_model(conj, disj, real, initial=(conj, disj))
    with pytest.raises(ValueError, match=r"orders 1\.\.3"):
        theory.fit_sigma2(conj, disj, real[:2])
    with pytest.raises(ValueError, match=r"shape \(0, 3\)"):
        theory.fit_sigma2(conj, disj, real.new_zeros(0, 3))
    with pytest.raises(ValueError, match=r"real\[1\] is no distribution"):
        theory.fit_sigma2(conj, disj, torch.stack([real, 2 * real]))
    with pytest.raises(ValueError, match="is no distribution"):
        theory.fit_sigma2(conj, disj, real * math.nan)
    with pytest.raises(ValueError, match="at least one sample"):
        theory.fit_sigma2(conj[:0], disj[:0], real)
    with pytest.raises(ValueError, match="at least one sample"):
        theory.fit_sigma2(conj[0], disj[0], real)
    with pytest.raises(ValueError, match="one set of samples"):
        theory.fit_sigma2(conj[None], disj[None], real)
    with pytest.raises(ValueError, match="at least one parameter"):
        theory.predicted_shares(conj, disj, [])
    disj[2, 6] = math.inf
    with pytest.raises(ValueError, match="w_or is inf at sample 2, mask 6"):
        theory.fit_sigma2(conj, disj, real)


# --- Lemma 1 (D6) ---------------------------------------------------------------------------------


def test_variance_doubles_with_every_order_for_independent_outputs() -> None:
    noise = weights(10, 500, seed=11) * 0.3
    law = theory.variance_slope(noise + weights(10))
    assert 0.95 < float(law.slope) < 1.05
    wanted = 0.09 * 2.0 ** torch.arange(11)
    assert (
        float((law.by_order / wanted).log2().abs().max()) < 0.35
    )  # the ends are one subset each: sd .09 in log2
    assert float((law.by_order / wanted)[2:9].log2().abs().max()) < 0.1


def test_slope_by_hand_on_noise_in_one_mask() -> None:
    """Noise e on v(∅) alone enters every I_T as ±e: one variance at every order, slope 0."""
    games = torch.zeros(2, 3, 16, dtype=torch.float64)
    games[..., 0] = torch.tensor([1.0, 2.0, 3.0])
    law = theory.variance_slope(games)
    assert law.slope.tolist() == pytest.approx([0, 0]) and law.by_order.tolist() == [[1.0] * 5] * 2


def test_rounding_does_not_prove_the_lemma() -> None:
    """An additive game with noisy coefficients has order 1 only; its rounding errors double in
    variance as well."""
    bits = (torch.arange(256)[:, None] >> torch.arange(8) & 1).double()
    additive = weights(3, 50) @ bits.T
    conj = lattice.and_interactions(additive)
    assert float(conj[:, -1].var()) > 0  # rounding is there
    assert math.isnan(float(theory.variance_slope(additive).slope))


def test_slope_needs_copies_and_players() -> None:
    for games in (torch.zeros(16), torch.zeros(1, 16), torch.zeros(5, 2)):
        with pytest.raises(ValueError, match="R ≥ 2"):
            theory.variance_slope(games)


def test_path_of_solutions_is_lazy() -> None:
    """A long path needs the memory of one solution: nothing is computed before it is asked for."""
    path = regression.solutions(weights(4), torch.linspace(0, 1, 10**6, dtype=torch.float64))
    assert next(path).shape == (16,)


@pytest.mark.parametrize("model", theory.MODELS)
@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_strengths_of_samples_add_up_to_the_predicted_shares(
    model: theory.Model, tau: float
) -> None:
    draw = torch.Generator().manual_seed(3)
    w = [torch.randn(6, 1 << 5, generator=draw, dtype=torch.float64) for _ in range(4)]
    given: dict[str, object] = {"model": model, "tau": tau}
    if model == "mix":
        given["initial"] = (w[2], w[3])
    values = theory.parameter_grid(model, 5)
    each = theory.strengths_by_order(w[0], w[1], values, **given)
    assert each.shape == (len(values), 6, 5)
    whole = each.sum(1)
    torch.testing.assert_close(
        whole / whole.sum(-1, keepdim=True),
        theory.predicted_shares(w[0], w[1], values, **given),
        equal_nan=True,
    )
