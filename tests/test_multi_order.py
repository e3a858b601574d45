"""Multi-order interactions against their definition and against Harsanyi dividends; planted U
shapes; an attack."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from utils import claims, lattice, params
from utils.claims.weighing import decide, p_values, weigh
from utils.evidence import multi_order as rows
from utils.jobs.attacked import Attacked, pgd
from utils.metrics import multi_order

SEEDS = list(range(5))
IMAGES = 20


def games(*shape: int, n: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(
        *shape, 1 << n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )


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
            expected = sum(
                math.comb(n - 2 - x, m - x)
                / math.comb(n - 2, m)
                * dividends[:, both & (order == x + 2)].sum(-1)
                for x in range(m + 1)
            )
            assert torch.allclose(found[:, m, column], expected)


def test_strength_is_relative_to_its_mean_over_orders() -> None:
    interactions = torch.tensor(
        [[[1.0, -3.0], [4.0, 0.0]], [[0.0, 0.0], [-2.0, 2.0]]], dtype=torch.float64
    )  # (X, m, pairs)
    assert multi_order.order_strength(interactions).tolist() == [[1, 1], [0, 2]]
    assert torch.isnan(multi_order.order_strength(torch.zeros(1, 3, 4))).all()


def test_the_fifths() -> None:
    low, middle, high = multi_order.order_fifths(torch.arange(9.0))  # n = 10
    assert (float(low), float(middle), float(high)) == (0.5, 4.0, 7.5)
    low, middle, high = multi_order.order_fifths(
        torch.arange(4.0)
    )  # an even number of orders has two in the middle
    assert (float(low), float(middle), float(high)) == (0.0, 1.5, 3.0)
    with pytest.raises(ValueError, match="at least 4 players"):
        multi_order.order_fifths(torch.arange(2.0))


def game_with(strength: list[float], n: int = 10, images: int = 3, seed: int = 0) -> torch.Tensor:
    """Games whose I^(m) have random signs and about the given size at each m, up to leakage: second
    differences by size."""
    sizes = lattice.order(n)
    generator = torch.Generator().manual_seed(seed)
    steps = torch.zeros(images, n + 1, dtype=torch.float64)
    second = torch.tensor(strength, dtype=torch.float64) * (
        1 + 0.1 * torch.randn(images, n - 1, generator=generator, dtype=torch.float64)
    )
    steps[:, 2:] = second.cumsum(-1).cumsum(
        -1
    )  # a game of sizes has the second differences of its path over sizes
    return steps[:, sizes]


def stacked(*shapes: list[float]) -> torch.Tensor:
    return torch.stack(
        [torch.stack([game_with(x, seed=seed, images=IMAGES) for x in shapes]) for seed in SEEDS]
    )


def attacked(
    clean: list[float], attack: list[float], noise: list[float], share: float = 1.0
) -> Attacked:
    """Two sizes: the first changes nothing; the second is what is asked for, and fools this share
    of the images."""
    v = stacked(
        clean, clean, attack, clean, noise
    )  # the same random signs in each: what differs is what is planted
    fooled = torch.zeros(len(SEEDS), 2, 2, IMAGES, dtype=torch.bool)
    fooled[:, 0, 1, torch.arange(IMAGES) % 10 < round(10 * share)] = True
    return Attacked(v[:, 0], v[:, 1:].view(len(SEEDS), 2, 2, IMAGES, -1), fooled)


FLAT, U, HILL = [1.0] * 9, [4.0, 3, 2, 1, 1, 1, 2, 3, 4], [1.0, 1, 2, 4, 5, 4, 2, 1, 1]


def decided(row: str, parts: list[claims.Part]) -> tuple[str, str]:
    """Both readings of a row from its registered thresholds alone."""
    registry = claims.load()
    thresholds, weighed = (
        registry.row(row).thresholds_for("lenet/mnist_part"),
        {"as_stated": [], "specific": []},
    )
    for part in parts:
        t = thresholds[part.name]
        weighed[t.reading].append(weigh(part, t, registry.protocol, len(SEEDS)))
    return tuple(decide(*p_values([parts]), registry.protocol.alpha) for parts in weighed.values())


YES, NO = "REPRODUCED", "NOT REPRODUCED"


@pytest.mark.parametrize(
    ("trained", "untrained", "readings"),
    [
        (U, FLAT, (YES, YES)),
        (HILL, FLAT, (NO, NO)),
        (U, U, (YES, NO)),
        (FLAT, U, ("INCONCLUSIVE", NO)),
    ],
)
def test_a_bottleneck_is_found_and_only_above_its_null(
    trained: list, untrained: list, readings: tuple
) -> None:
    v = stacked(trained, untrained)
    parts = rows.bottleneck_parts(rows.strengths(v[:, 0]), rows.strengths(v[:, 1]))
    assert decided("F3", parts) == readings
    (summed,) = rows.bottleneck_reported(v[:, 0], v[:, 1]).values()
    assert {p.name: p.values.mean() for p in summed} == pytest.approx(
        {p.name: p.values.mean() for p in parts}, abs=0.1
    )


def attack_readings(found: Attacked) -> tuple[str, str]:
    return decided(
        "F2", rows.attack_parts(rows.changes(found), found.fooled[:, 0].double().numpy())
    )


def test_sensitivity_must_grow_with_the_order_and_faster_than_under_noise() -> None:
    rising = [x * (1 + 0.2 * m) for m, x in enumerate(FLAT)]
    mild = [x * (1 + 0.02 * m) for m, x in enumerate(FLAT)]
    assert attack_readings(attacked(FLAT, rising, mild)) == (YES, YES)
    assert attack_readings(attacked(FLAT, rising, rising)) == (YES, NO)
    assert attack_readings(attacked(FLAT, rising[::-1], mild)) == (NO, NO)


def test_the_relative_change_is_the_ratio_of_each_image() -> None:
    found = attacked(FLAT, [3.0] * 9, [1.5] * 9)
    change = rows.changes(found)
    assert change.shape == (len(SEEDS), 2, 2, IMAGES, 9)
    clean, moved = (
        multi_order.multi_order(found.clean[3, 5]),
        multi_order.multi_order(found.moved[3, 0, 1, 5]),
    )
    assert change[3, 0, 1, 5] == pytest.approx(
        ((moved - clean).abs().mean(-1) / clean.abs().mean(-1)).numpy()
    )
    assert (change[:, :, 0] == 0).all()


def test_the_size_of_the_attack_is_chosen_on_other_networks_and_other_images() -> None:
    fooled = np.zeros((5, 3, 8))
    fooled[:, 1:] = 1
    assert (rows.strength_chosen(fooled) == 1).all()
    fooled[:2, 0] = (
        1  # two of five networks are fooled by the smallest size; each hears of the other four
    )
    assert rows.strength_chosen(fooled).tolist() == [[1, 1], [1, 1], [0, 0], [0, 0], [0, 0]]
    fooled = np.zeros((5, 3, 8))
    fooled[:, 0, :4], fooled[:, 2] = (
        1,
        1,
    )  # the first half alone is fooled by the smallest: the second half is judged there
    assert (rows.strength_chosen(fooled) == [2, 0]).all()
    assert (rows.strength_chosen(np.zeros((5, 3, 8))) == 2).all()


def test_the_attack_stays_in_its_cube_and_raises_the_loss() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    images, labels = torch.rand(8, 1, 6, 6), torch.arange(8) % 4
    moved = pgd(model, images, labels, 0.1, 10)
    assert (
        float((moved - images).abs().max()) <= 0.1 + 1e-6
        and float(moved.min()) >= 0
        and float(moved.max()) <= 1
    )
    with torch.no_grad():
        before, after = (
            float(nn.functional.cross_entropy(model(x), labels)) for x in (images, moved)
        )
    assert after > before + 0.1
    assert not moved.requires_grad


def test_an_attack_that_fools_nobody_decides_nothing() -> None:
    sizes = (0.1, 0.2)
    assert rows.fooled(attacked(FLAT, U, FLAT), sizes).ok
    weak = rows.fooled(attacked(FLAT, U, FLAT, share=0.3), sizes)
    assert not weak.ok and "size 0.2 changes the class of 30% of the images" in weak.reason


def test_tables_have_an_interval_per_order() -> None:
    found = attacked(FLAT, U, FLAT)
    change, wrong = rows.changes(found), found.fooled[:, 0].double().numpy()
    table = rows.attack_table(change, wrong)
    assert set(table.games) == {"attack", "random noise"} and len(table) == 18
    assert np.all(table.low <= table.high)
    controls = rows.attack_controls(found, change, (0.1, 0.2))
    assert controls["images fooled by the attack"] == 1.0 and controls[
        "images fooled by the attack, per size"
    ] == [0, 1]
    assert set(rows.attack_reported(change, (0.1, 0.2))) == {
        "attack of size 0.1",
        "attack of size 0.2",
    }


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"attack_sizes": [0.2, 0.1]}, "must ascend"),
        ({"attack_sizes": []}, "at least 1"),
        ({"bayesian": ["lenet", "lenet"]}, "twice"),
        ({"bayesian": ["bnn"]}, "lenet"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(params.ParameterError, match=message):
        params.validate("09_multi_order", **given)
