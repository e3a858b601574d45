"""Multi-order interactions against their definition and against Harsanyi dividends; planted U shapes; an attack."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from utils import claims, lattice
from utils.jobs.attacked import Attacked, pgd
from utils.metrics import multi_order
from utils.rows import multi_order as rows

SEEDS = list(range(5))


def games(*shape: int, n: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, 1 << n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_it_is_the_definition() -> None:
    n, v = 4, games(n=4)
    found = multi_order.multi_order(v)
    for column, (i, j) in enumerate(itertools.combinations(range(n), 2)):
        others = [k for k in range(n) if k not in (i, j)]
        for m in range(n - 1):
            terms = []
            for chosen in itertools.combinations(others, m):
                s = sum(1 << k for k in chosen)
                terms.append(v[s | 1 << i | 1 << j] - v[s | 1 << i] - v[s | 1 << j] + v[s])
            assert float(found[m, column]) == pytest.approx(float(sum(terms)) / len(terms))


@pytest.mark.parametrize("n", [2, 3, 6])
def test_it_is_a_weighted_sum_of_harsanyi_dividends(n: int) -> None:
    """I^(m)(i, j) = Σ_l C(n-2-l, m-l) / C(n-2, m) Σ_{|L| = l} I(L ∪ ij)."""
    v = games(2, n=n)
    dividends, order = lattice.and_interactions(v), lattice.order(n)
    found = multi_order.multi_order(v)
    masks = torch.arange(1 << n)
    for column, (i, j) in enumerate(itertools.combinations(range(n), 2)):
        both = (masks >> i & 1 & masks >> j).bool()
        for m in range(n - 1):
            expected = sum(math.comb(n - 2 - x, m - x) / math.comb(n - 2, m) * dividends[:, both & (order == x + 2)].sum(-1)
                           for x in range(m + 1))
            assert torch.allclose(found[:, m, column], expected)


def test_strength_is_relative_to_its_mean_over_orders() -> None:
    interactions = torch.tensor([[[1.0, -3.0], [4.0, 0.0]], [[0.0, 0.0], [-2.0, 2.0]]], dtype=torch.float64)  # (X, m, pairs)
    assert multi_order.order_strength(interactions).tolist() == pytest.approx([2 / 3, 4 / 3])
    assert torch.isnan(multi_order.order_strength(torch.zeros(1, 3, 4))).all()


def test_the_fifths() -> None:
    low, middle, high = multi_order.order_fifths(torch.arange(9.0))  # n = 10
    assert (float(low), float(middle), float(high)) == (0.5, 4.0, 7.5)
    low, middle, high = multi_order.order_fifths(torch.arange(4.0))  # an even number of orders has two in the middle
    assert (float(low), float(middle), float(high)) == (0.0, 1.5, 3.0)
    with pytest.raises(ValueError, match="at least 4 players"):
        multi_order.order_fifths(torch.arange(2.0))


def game_with(strength: list[float], n: int = 10, images: int = 3, seed: int = 0) -> torch.Tensor:
    """Games whose I^(m) have random signs and about the given size at each m, up to leakage: second differences by size."""
    sizes = lattice.order(n)
    generator = torch.Generator().manual_seed(seed)
    steps = torch.zeros(images, n + 1, dtype=torch.float64)
    second = torch.tensor(strength, dtype=torch.float64) * (1 + 0.1 * torch.randn(images, n - 1, generator=generator,
                                                                                  dtype=torch.float64))
    steps[:, 2:] = second.cumsum(-1).cumsum(-1)  # a game of sizes has the second differences of its path over sizes
    return steps[:, sizes]


def attacked(clean: list[float], attack: list[float], noise: list[float]) -> Attacked:
    v = torch.stack([torch.stack([game_with(x, seed=seed) for x in (clean, attack, noise)]) for seed in SEEDS])
    return Attacked(v, torch.tensor([[0.9, 0.1]] * len(SEEDS), dtype=torch.float64))


FLAT, U, HILL = [1.0] * 9, [4.0, 3, 2, 1, 1, 1, 2, 3, 4], [1.0, 1, 2, 4, 5, 4, 2, 1, 1]


def judged(row: str, parts: list[claims.Part]) -> str:
    return claims.judge(row, "lenet/mnist_part", parts, seeds=SEEDS, scope="planted", accuracy=[1.0] * 5).verdict


@pytest.mark.parametrize(("trained", "untrained", "verdict"), [
    (U, FLAT, "REPRODUCED"), (HILL, FLAT, "NOT REPRODUCED"), (U, U, "INCONCLUSIVE"), (FLAT, U, "NOT REPRODUCED")])
def test_a_bottleneck_is_found_where_it_is_and_only_above_its_null(trained: list, untrained: list, verdict: str) -> None:
    one, other = (attacked(x, x, x) for x in (trained, untrained))
    assert judged("F3", rows.bottleneck_parts(one, other)) == verdict


def test_sensitivity_must_grow_with_the_order_and_faster_than_under_noise() -> None:
    rising = [x * (1 + 0.2 * m) for m, x in enumerate(FLAT)]
    mild = [x * (1 + 0.02 * m) for m, x in enumerate(FLAT)]
    assert judged("F2", rows.attack_parts(attacked(FLAT, rising, mild))) == "REPRODUCED"
    assert judged("F2", rows.attack_parts(attacked(FLAT, mild, rising))) == "NOT REPRODUCED"
    assert judged("F2", rows.attack_parts(attacked(FLAT, rising[::-1], mild))) == "NOT REPRODUCED"


def test_the_attack_stays_in_its_cube_and_raises_the_loss() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    images, labels = torch.rand(8, 1, 6, 6), torch.arange(8) % 4
    moved = pgd(model, images, labels, 0.1, 10)
    assert float((moved - images).abs().max()) <= 0.1 + 1e-6 and float(moved.min()) >= 0 and float(moved.max()) <= 1
    with torch.no_grad():
        before, after = (float(nn.functional.cross_entropy(model(x), labels)) for x in (images, moved))
    assert after > before + 0.1
    assert not moved.requires_grad


def test_an_attack_that_fools_nobody_decides_nothing() -> None:
    found = attacked(FLAT, U, FLAT)
    assert rows.fooled(found).ok
    weak = Attacked(found.v, torch.zeros(5, 2))
    assert not rows.fooled(weak).ok and "raise attack_size" in rows.fooled(weak).reason


def test_tables_have_an_interval_per_order() -> None:
    table = rows.attack_table(attacked(FLAT, U, FLAT))
    assert set(table.games) == {"attack", "random noise"} and len(table) == 18
    assert np.all(table.low <= table.high)
