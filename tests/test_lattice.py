"""The lattice against brute force, shapiq and the axioms that define AND and OR interactions."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra import numpy as hnp

from utils import lattice

VALUES = st.floats(-100, 100, allow_nan=False, width=64)


@st.composite
def games(draw: st.DrawFn, low: int = 1, high: int = 8) -> np.ndarray:
    n = draw(st.integers(low, high))
    return draw(hnp.arrays(np.float64, 1 << n, elements=VALUES))


def subsets_of(mask: int) -> list[int]:
    return [t for t in range(mask + 1) if t & mask == t]


def brute_and(v: np.ndarray) -> np.ndarray:
    return np.array(
        [
            sum((-1) ** (s.bit_count() - t.bit_count()) * v[t] for t in subsets_of(s))
            for s in range(len(v))
        ]
    )


def brute_or(v: np.ndarray) -> np.ndarray:
    full = len(v) - 1
    out = [
        -sum((-1) ** (s.bit_count() - t.bit_count()) * v[full & ~t] for t in subsets_of(s))
        for s in range(len(v))
    ]
    out[0] = 0.0
    return np.array(out)


def brute_value(i_and: np.ndarray, i_or: np.ndarray) -> np.ndarray:
    masks = range(len(i_and))
    return np.array(
        [
            sum(i_and[s] for s in masks if s & t == s) + sum(i_or[s] for s in masks if s and s & t)
            for t in masks
        ]
    )


@given(games(high=6))
def test_transforms_equal_their_definitions(v: np.ndarray) -> None:
    assert np.allclose(lattice.and_interactions(v), brute_and(v), atol=1e-9)
    assert np.allclose(lattice.or_interactions(v), brute_or(v), atol=1e-9)


@given(games(high=6), st.integers(0, 2**32 - 1))
def test_reconstruct_equals_its_definition(i_and: np.ndarray, seed: int) -> None:
    i_or = np.random.default_rng(seed).normal(size=i_and.shape)
    i_or[0] = 0.0
    assert np.allclose(lattice.reconstruct(i_and, i_or), brute_value(i_and, i_or), atol=1e-8)


@given(games(high=10))
def test_either_kind_alone_rebuilds_the_game(v: np.ndarray) -> None:
    nothing = np.zeros_like(v)
    assert np.allclose(lattice.reconstruct(lattice.and_interactions(v), nothing), v, atol=1e-8)
    constant = nothing.copy()
    constant[0] = v[0]
    assert np.allclose(lattice.reconstruct(constant, lattice.or_interactions(v)), v, atol=1e-8)


@given(games(high=10))
def test_efficiency(v: np.ndarray) -> None:
    assert np.isclose(lattice.and_interactions(v).sum(), v[-1], atol=1e-8)
    assert np.isclose(v[0] + lattice.or_interactions(v).sum(), v[-1], atol=1e-8)


@given(games(low=3, high=8), st.floats(-5, 5), st.floats(-5, 5), st.integers(0, 2**32 - 1))
def test_linearity(v: np.ndarray, a: float, b: float, seed: int) -> None:
    w = np.random.default_rng(seed).normal(size=v.shape)
    for transform in (lattice.and_interactions, lattice.or_interactions):
        assert np.allclose(transform(a * v + b * w), a * transform(v) + b * transform(w), atol=1e-7)


@given(games(low=2, high=7), st.randoms(use_true_random=False))
def test_symmetry_under_renaming_the_players(v: np.ndarray, random) -> None:
    n = lattice.players_of(len(v))
    new = random.sample(range(n), n)
    renamed = np.array(
        [sum(1 << new[i] for i in range(n) if mask >> i & 1) for mask in range(len(v))]
    )
    w = np.empty_like(v)
    w[renamed] = v
    for transform in (lattice.and_interactions, lattice.or_interactions):
        assert np.allclose(transform(w)[renamed], transform(v), atol=1e-8)


@given(games(low=1, high=7), st.integers(0, 6))
def test_a_dummy_player_takes_part_in_no_interaction(v: np.ndarray, player: int) -> None:
    n = lattice.players_of(len(v))
    player %= n
    masks = np.arange(len(v))
    game = v[masks & ~(1 << player)]  # the player changes nothing
    member = masks >> player & 1 == 1
    assert np.allclose(lattice.and_interactions(game)[member], 0, atol=1e-8)
    assert np.allclose(lattice.or_interactions(game)[member], 0, atol=1e-8)


@given(games(high=9))
def test_or_is_minus_and_of_the_complemented_game(v: np.ndarray) -> None:
    """Cheng et al. 2024, Lemma 3.4 and Appendix C."""
    dual = -lattice.and_interactions(v[::-1])
    assert np.allclose(lattice.or_interactions(v)[1:], dual[1:], atol=1e-9)


def test_a_pure_or_and_a_pure_and_are_one_interaction_each() -> None:
    masks = np.arange(16)
    team = 0b0110
    conj = lattice.and_interactions(((masks & team) == team).astype(float))
    disj = lattice.or_interactions(((masks & team) != 0).astype(float))
    only = (masks == team).astype(float)
    assert np.array_equal(conj, only)
    assert np.array_equal(disj, only)


@pytest.mark.parametrize("n", [3, 6])
def test_shapiq_agrees(n: int, shapiq_computer: Callable[[np.ndarray], object]) -> None:
    """shapiq's Möbius transform is I_and; -(-1)^|S| times its co-Möbius transform is I_or."""
    v = np.random.default_rng(n).normal(size=1 << n)
    computer = shapiq_computer(v)
    moebius, co_moebius = computer("Moebius"), computer("Co-Moebius")
    i_and, i_or = lattice.and_interactions(v), lattice.or_interactions(v)
    for size in range(1, n + 1):
        for team in itertools.combinations(range(n), size):
            mask = sum(1 << i for i in team)
            assert i_and[mask] == pytest.approx(moebius[team], abs=1e-12)
            assert i_or[mask] == pytest.approx(-((-1) ** size) * co_moebius[team], abs=1e-12)


@pytest.mark.parametrize("kind", ["numpy", "torch"])
def test_batches_types_and_inputs_left_alone(kind: str) -> None:
    rng = np.random.default_rng(0)
    v = rng.normal(size=(2, 3, 128))
    given_v = torch.from_numpy(v.copy()) if kind == "torch" else v.copy()
    for transform in (lattice.and_interactions, lattice.or_interactions):
        out = transform(given_v)
        assert type(out) is type(given_v)
        assert out.dtype in (torch.float64, np.float64)
        for i in range(2):
            for j in range(3):
                assert np.allclose(np.asarray(out[i, j]), transform(v[i, j]))
    lattice.reconstruct(given_v, given_v)
    assert np.array_equal(np.asarray(given_v), v)


def test_float32_games_are_answered_in_float64_unless_asked() -> None:
    v = torch.randn(256, generator=torch.Generator().manual_seed(0))
    exact = lattice.and_interactions(v)
    assert exact.dtype == torch.float64
    rough = lattice.and_interactions(v, float32=True)
    assert rough.dtype == torch.float32
    assert torch.allclose(rough.double(), exact, atol=1e-3)


def test_transposes() -> None:
    generator = torch.Generator().manual_seed(1)
    x, y = (torch.randn(4, 512, generator=generator, dtype=torch.float64) for _ in range(2))
    left = (lattice.zeta_(x.clone()) * y).sum()
    right = (x * lattice.superset_zeta_(y.clone())).sum()
    assert torch.isclose(left, right)
    assert torch.allclose(lattice.mobius_(lattice.zeta_(x.clone())), x)


@given(st.integers(0, 12))
def test_order_counts_players(n: int) -> None:
    assert lattice.order(n).tolist() == [mask.bit_count() for mask in range(1 << n)]


def test_twenty_players() -> None:
    """A game with three known interactions, at the size that must still fit."""
    masks = torch.arange(1 << 20)
    teams = {0b11: 2.0, 0b1010 << 10: -1.0, (1 << 20) - 1: 0.5}
    v = sum(value * ((masks & team) == team).double() for team, value in teams.items())
    i_and = lattice.and_interactions(v)
    assert {int(s): float(i_and[s]) for s in i_and.nonzero().flatten()} == teams


@pytest.mark.parametrize("length", [0, 3, 12, 1023])
def test_wrong_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"2\\^n values.*got {length}"):
        lattice.and_interactions(np.zeros(length))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_value_that_is_not_finite_is_named(value: float) -> None:
    v = np.zeros((3, 8))
    v[1, 5] = value
    with pytest.raises(ValueError, match=r"sample 1, mask 5 \(\{0,2\} kept\)"):
        lattice.or_interactions(v)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_cuda_agrees_with_the_cpu() -> None:
    v = torch.randn(5, 1 << 12, dtype=torch.float64)
    for transform in (lattice.and_interactions, lattice.or_interactions):
        assert torch.allclose(transform(v.cuda()).cpu(), transform(v), atol=1e-9)
