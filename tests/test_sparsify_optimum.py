"""The split against an independent linear programme, and its certificate recomputed from nothing
but its outputs."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from scipy.optimize import linprog
from scipy.sparse import csr_array

from utils import lattice
from utils.sparsify import certificate, certified, split

TOL = 1e-3


@functools.cache
def model_matrix(n: int) -> np.ndarray:
    """D from its definition: AND columns 1(S ⊆ T), OR columns 1(S ∩ T ≠ ∅); rows T ≠ ∅, columns S ≠
    ∅."""
    subsets = np.arange(1, 1 << n)
    inside = (subsets[None, :] & ~subsets[:, None]) == 0
    meets = (subsets[None, :] & subsets[:, None]) != 0
    return np.hstack([inside, meets]).astype(float)


def subset_weights(n: int, order_weight: float) -> np.ndarray:
    return np.array([1 + order_weight * (bin(s).count("1") - 1) / n for s in range(1, 1 << n)])


def lp_optimum(v: np.ndarray, kappa: float, order_weight: float) -> float:
    """min Σ w|x| subject to |Dx - (v - v(∅))| ≤ kappa·|v(N) - v(∅)|, by HiGHS on x = x⁺ - x⁻."""
    n = int(np.log2(len(v)))
    d, target, bound = model_matrix(n), (v - v[0])[1:], kappa * abs(v[-1] - v[0])
    cost = np.tile(subset_weights(n, order_weight), 4)
    signed = csr_array(np.hstack([d, -d]))
    if bound == 0:
        answer = linprog(cost, A_eq=signed, b_eq=target, method="highs")
    else:
        both = csr_array(np.vstack([signed.toarray(), -signed.toarray()]))
        answer = linprog(
            cost, A_ub=both, b_ub=np.concatenate([bound + target, bound - target]), method="highs"
        )
    assert answer.status == 0, answer.message
    return answer.fun


def smooth_games(n: int, count: int, seed: int) -> np.ndarray:
    """Saturating scores of a random two-layer network of the players: like a classifier's, and not
    sparse exactly."""
    rng = np.random.default_rng(seed)
    kept = (np.arange(1 << n)[:, None] >> np.arange(n)) & 1
    hidden = np.maximum(kept @ rng.normal(size=(count, n, 8)) + rng.normal(size=(count, 1, 8)), 0)
    return (hidden @ rng.normal(size=(count, 8, 1)))[..., 0] + rng.normal(size=(count, 1))


@pytest.mark.parametrize("kappa", [0.0, 0.02, 0.04, 0.2])
@pytest.mark.parametrize("order_weight", [-0.2, 0.0, 0.2])
@pytest.mark.parametrize("n", [3, 5])
def test_the_bounds_enclose_the_linear_programme(n: int, kappa: float, order_weight: float) -> None:
    games = np.concatenate(
        [smooth_games(n, 2, seed=n), np.random.default_rng(n).normal(size=(1, 1 << n))]
    )
    found = split(games, kappa, order_weight, TOL)
    for game, objective, lower in zip(games, found.objective, found.lower_bound, strict=True):
        optimum = lp_optimum(game, kappa, order_weight)
        assert lower <= optimum * (1 + 1e-8)
        assert optimum * (1 - 1e-8) <= objective <= optimum * (1 + TOL) + 1e-12
    assert found.converged.all()


@pytest.mark.parametrize(("n", "kappa"), [(6, 0.0), (6, 0.04), (7, 0.04)])
def test_larger_games_meet_the_linear_programme_too(n: int, kappa: float) -> None:
    game = smooth_games(n, 1, seed=40 + n)[0]
    found, optimum = split(game, kappa, 0.2, TOL), lp_optimum(game, kappa, 0.2)
    assert found.lower_bound <= optimum * (1 + 1e-8)
    assert optimum * (1 - 1e-8) <= found.objective <= optimum * (1 + TOL)


@pytest.mark.parametrize("backend", ["numba", "torch"])
def test_a_null_game_meets_the_linear_programme_on_both_backends(backend: str) -> None:
    """Its optimum is strong, so the slack's scale is far from that of a network's games."""
    game = np.random.default_rng(6).normal(size=1 << 6)
    found, optimum = split(game, 0.04, 0.2, TOL, backend=backend), lp_optimum(game, 0.04, 0.2)
    assert found.converged and found.lower_bound <= optimum * (1 + 1e-8)
    assert optimum * (1 - 1e-8) <= found.objective <= optimum * (1 + TOL)


@pytest.mark.parametrize("kappa", [0.0, 0.04])
def test_everything_reported_can_be_recomputed_from_the_interactions(kappa: float) -> None:
    n = 6
    games = smooth_games(n, 5, seed=3)
    found = split(games, kappa, 0.2, TOL)
    x = np.concatenate([found.i_and[:, 1:], found.i_or[:, 1:]], axis=1)
    model = np.concatenate([games[:, :1], games[:, :1] + x @ model_matrix(n).T], axis=1)
    scale = np.abs(games).max()
    assert np.abs(games - found.delta - model).max() < 1e-10 * scale
    limit = kappa * np.abs(games[:, -1] - games[:, 0])
    assert (np.abs(found.delta) <= limit[:, None] + 1e-12 * scale).all()
    assert (found.delta[:, 0] == 0).all()
    weights = np.tile(subset_weights(n, 0.2), 2)
    np.testing.assert_allclose(found.objective, np.abs(x) @ weights, rtol=1e-12)
    np.testing.assert_allclose(found.l1, np.abs(x).sum(1), rtol=1e-12)
    np.testing.assert_allclose(
        found.gap, (found.objective - found.lower_bound) / found.objective, atol=1e-12
    )
    assert (found.gap <= TOL).all()


@pytest.mark.parametrize("backend", ["numba", "torch"])
@pytest.mark.parametrize("kappa", [0.0, 0.04])
def test_the_lower_bound_follows_from_the_dual_alone(backend: str, kappa: float) -> None:
    """λ is scaled until |Dᵀλ| ≤ w, with D as a dense matrix; then vᵀλ - κ'‖λ‖₁ must be the bound
    that is reported."""
    n = 5
    v = torch.as_tensor(smooth_games(n, 4, seed=9))
    v = v - v[:, :1]
    v /= v.abs().amax(1, keepdim=True)
    bound, weights = kappa * v[:, -1].abs(), certificate.subset_weights(n, 0.2)
    problem = certified.Problem(v, bound, weights, TOL, 6000)
    found = certified._choose(backend, v)(problem, kappa == 0, lambda count: None)
    dual, d = found.dual.numpy()[:, 1:], model_matrix(n)
    scale = (np.abs(dual @ d) / np.tile(subset_weights(n, 0.2), 2)).max(1)
    lower = ((v.numpy()[:, 1:] * dual).sum(1) - bound.numpy() * np.abs(dual).sum(1)) / scale
    np.testing.assert_allclose(
        certificate.lower_bound(v, found.dual, bound, weights).numpy(), lower, rtol=1e-10
    )
    upper = certificate.weighted_l1(found.i_and, found.i_or, weights).numpy()
    assert (lower <= upper * (1 + 1e-12)).all()
    assert (upper - lower <= TOL * upper).all()


def planted(seed: int, n: int = 6, terms: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A game made of a few AND and OR terms of order 2 and more, and a v(∅) that must not
    matter."""
    rng = np.random.default_rng(seed)
    i_and, i_or = np.zeros(1 << n), np.zeros(1 << n)
    order = lattice.order(n).numpy()
    for target in (i_and, i_or):
        target[rng.choice(np.flatnonzero((order >= 2) & (order <= 4)), terms, replace=False)] = (
            rng.choice([-1.0, 1.0], terms) * rng.uniform(0.5, 2.0, terms)
        )
    i_and[0] = 1.5
    return lattice.reconstruct(i_and, i_or), i_and, i_or


def proves_uniqueness(i_and: np.ndarray, i_or: np.ndarray, n: int) -> bool:
    """Is there λ with Dᵀλ = sign on the support and strictly inside ±1 off it, and full column rank
    on the support?"""
    d, x = model_matrix(n), np.concatenate([i_and[1:], i_or[1:]])
    on = x != 0
    if np.linalg.matrix_rank(d[:, on]) < on.sum():
        return False
    off = d[:, ~on].T
    ones = np.ones((len(off), 1))
    cost = np.zeros(d.shape[0] + 1)
    cost[-1] = 1.0  # minimise the largest |Dᵀλ| off the support
    answer = linprog(
        cost,
        A_ub=np.block([[off, -ones], [-off, -ones]]),
        b_ub=np.zeros(2 * len(off)),
        A_eq=np.hstack([d[:, on].T, np.zeros((on.sum(), 1))]),
        b_eq=np.sign(x[on]),
        bounds=[(None, None)] * d.shape[0] + [(0, None)],
        method="highs",
    )
    return answer.status == 0 and answer.fun < 0.99


def test_planted_games_are_recovered_where_a_dual_certificate_proves_them_unique() -> None:
    n, proven = 6, []
    for seed in range(12):
        v, i_and, i_or = planted(seed, n)
        if proves_uniqueness(i_and, i_or, n):
            proven.append(seed)
            found = split(v, kappa=0.0, order_weight=0.0, tol=1e-5)
            size = max(np.abs(i_and[1:]).max(), np.abs(i_or[1:]).max())
            assert np.abs(found.i_and - i_and).max() < 2e-3 * size
            assert np.abs(found.i_or - i_or).max() < 2e-3 * size
            np.testing.assert_array_equal(
                np.abs(found.sparse_and[1:]) > 0.02 * size, i_and[1:] != 0
            )
    assert len(proven) >= 3, f"only {proven} could be proved unique: the test says too little"


def test_the_order_weight_chooses_the_end_of_the_optimal_face() -> None:
    """v_i + v_j: two AND terms, or AND_12 + OR_12, at the same L1; the weight decides which."""
    v = np.array([0.0, 1.0, 1.0, 2.0])
    low, high = split(v, 0.0, order_weight=0.2), split(v, 0.0, order_weight=-0.2)
    for end in (low, high):
        np.testing.assert_allclose(end.l1, 2.0, rtol=3e-3)
    assert abs(low.i_and[3]) + abs(low.i_or[3]) < 0.02
    np.testing.assert_allclose([high.i_and[3], high.i_or[3]], [1.0, 1.0], atol=0.02)
