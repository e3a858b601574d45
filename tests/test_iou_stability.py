"""L5, L6, L9, L10, L14, D12, D16 on planted interactions: what is there is found, its opposite and
mere noise are not."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from utils import claims, datasets, lattice, params, power, sparsify, systems
from utils.claims.weighing import decide, p_values, weigh
from utils.evidence import class_similarity, input_noise, overlap, stability
from utils.evidence.class_similarity import ClassCourse, Classes
from utils.evidence.overlap import Kind, Pair
from utils.evidence.stability import Noisy
from utils.interactions import Interactions
from utils.jobs import entries
from utils.jobs.class_means import ClassMeans
from utils.jobs.games import CertifiedGames
from utils.jobs.noisy_inputs import noisy_players
from utils.jobs.scored import choose
from utils.metrics import agreement as metrics
from utils.players import PatchDraw
from utils.studies import Analysis, iou_stability, layer_pairs, networks
from utils.studies.base import CERTIFIED
from utils.studies.planning import plan_of

N, SEEDS, IMAGES = 6, (0, 1, 2, 3, 4), 12
ORDER = lattice.order(N)
PAIR, SYSTEM = "mlp7_w256+lenet/mnist_part", "lenet/mnist_part"


def extracted(conj: torch.Tensor, disj: torch.Tensor | None = None) -> CertifiedGames:
    """Games (R, C, X, 2^n) whose split is what was planted."""
    found = Interactions(conj, torch.zeros_like(conj) if disj is None else disj)
    shape = conj.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=0.0,
        gap=nothing,
        error=nothing,
        l1=nothing,
        converged=torch.ones(shape, dtype=torch.bool),
        steps=np.arange(shape[1]),
        saturated=torch.zeros(shape[:2]),
        noise_floor=torch.full(shape[:2], 1e-9),
    )


def uniform(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair_of(one: CertifiedGames, other: CertifiedGames, kind: Kind = "AND") -> Pair:
    return Pair(one, other, kind, "max_per_sample")


def planted_pair(shared: torch.Tensor, seed: int = 0, kind: Kind = "AND") -> Pair:
    """Two networks' salient sets: of order k the same in both with probability shared[k],
    independent otherwise."""
    shape = (len(SEEDS), 1, IMAGES, 1 << N)
    common, *own = (uniform(*shape, seed=3 * seed + i) < 0.35 for i in range(3))
    same = uniform(*shape, seed=1000 + seed) < shared[ORDER]
    found = []
    for mine in own:
        sets = torch.where(same, common, mine).double()
        sets[..., 0] = 0
        sets[..., -1] = 1  # one salient set at least
        disj = torch.where(ORDER == 1, 0.0, sets)
        found.append(
            extracted(sets, None) if kind == "AND" else extracted(torch.zeros_like(sets), disj)
        )
    return pair_of(*found, kind)


def decided(row: str, parts: list[claims.Part]) -> dict[str, str]:
    """Each reading's outcome of one system alone, by the repository's claims: here only the numbers
    decide."""
    registry = claims.load()
    thresholds, found = registry.row(row).thresholds_for(SYSTEM), {}
    for part in parts:
        t = thresholds[part.name]
        found.setdefault(t.reading, []).append(weigh(part, t, registry.protocol, len(SEEDS)))
    return {
        reading: decide(*p_values([every]), registry.protocol.alpha)
        for reading, every in found.items()
    }


BOTH = dict.fromkeys(("as_stated", "specific"), "REPRODUCED")
LOW = torch.tensor([0, 0.95, 0.9, 0.6, 0.3, 0.1, 0.0], dtype=torch.float64)


@pytest.mark.parametrize("row, kind", [("L5", "AND"), ("L9", "OR")])
def test_shared_low_orders_are_found_and_shared_high_orders_refute(row: str, kind: Kind) -> None:
    low, high = (
        overlap.low_minus_high(planted_pair(shared, kind=kind))
        for shared in (LOW, torch.cat([LOW[:1], LOW[1:].flip(0)]))
    )
    assert decided(row, low) == BOTH
    assert decided(row, high) == dict.fromkeys(BOTH, "NOT REPRODUCED")


@pytest.mark.parametrize("row, kind", [("L5", "AND"), ("L9", "OR")])
def test_dense_low_orders_are_as_stated_and_not_specific(row: str, kind: Kind) -> None:
    """Independent supports: the raw IoU is larger where more sets are salient; what is left of it
    is nothing."""
    density = torch.tensor([0, 0.95, 0.7, 0.4, 0.2, 0.2, 1.0], dtype=torch.float64)[ORDER]
    outcomes = []
    for seed in range(20):
        one, other = (
            (uniform(len(SEEDS), 1, IMAGES, 1 << N, seed=2 * seed + i) < density).double()
            for i in range(2)
        )
        pair = [
            extracted(x, None)
            if kind == "AND"
            else extracted(torch.zeros_like(x), torch.where(ORDER == 1, 0.0, x))
            for x in (one, other)
        ]
        for e in pair:
            (e.found.and_ if kind == "AND" else e.found.or_)[..., 0] = 0
            (e.found.and_ if kind == "AND" else e.found.or_)[..., -1] = 0
        outcomes.append(decided(row, overlap.low_minus_high(pair_of(*pair, kind))))
    assert sum(o["as_stated"] == "REPRODUCED" for o in outcomes) >= 18
    assert sum(o["specific"] == "REPRODUCED" for o in outcomes) <= 2


def test_parts_against_sets_counted_one_by_one() -> None:
    pair = planted_pair(LOW)
    one, other = (e.found.and_[1, 0, 2] != 0 for e in (pair.one, pair.other))
    found = overlap.overlap(pair).sizes
    values = []
    for wanted in ((1, 2), (4, 5, 6)):
        a, b = (
            {s for s in range(1, 1 << N) if x[s] and bin(s).count("1") in wanted}
            for x in (one, other)
        )
        values.append(len(a & b) / len(a | b))
    raw = overlap._low_minus_high(found, "AND")[0]
    assert raw[1, 2] == pytest.approx(values[0] - values[1])
    assert overlap.parts("AND", found)[0].values[1] == pytest.approx(raw[1].mean())


def test_images_with_an_empty_union_are_left_out_and_counted() -> None:
    pair = planted_pair(LOW)
    for e in (pair.one, pair.other):
        e.found.and_[2, :, :3][..., ORDER > 3] = 0
    assert overlap.enough_images(pair).ok is False  # 9 of 12 images
    controls = overlap.controls(pair)
    assert controls["images left out, per seed"] == [0, 0, 3, 0, 0]
    part = overlap.low_minus_high(pair)[0]
    assert np.isfinite(part.values).all() and np.isfinite(part.without).all()
    assert overlap.enough_images(planted_pair(LOW)).ok


def test_first_order_or_terms_count_as_and() -> None:
    """AND {1} in one network, OR {1} in the other: the same function, hence shared; and order 1 of
    OR is empty."""
    conj = torch.zeros(5, 1, 3, 1 << N, dtype=torch.float64)
    conj[..., 1] = 1
    pair = pair_of(extracted(conj), extracted(torch.zeros_like(conj), conj))
    assert overlap.overlap(pair).raw[..., 0].min() == 1
    assert np.isnan(overlap.overlap(dataclasses.replace(pair, kind="OR")).raw).all()


def test_uncertified_images_are_left_out_of_both_networks() -> None:
    pair = planted_pair(torch.ones(N + 1, dtype=torch.float64))
    pair.one.converged[:, :, 0] = False
    only = overlap.overlap(pair.certified())
    assert np.isnan(only.raw[:, 0]).all() and np.nanmin(only.raw[:, 1:]) == 1


def test_pairs_are_named_in_the_order_of_the_networks() -> None:
    p = params.validate("06_iou_stability", seeds=2)
    accuracy = {
        "mlp7_w256/mnist_part": [0.9, 0.99],
        "lenet/mnist_part": [0.95, 0.8],
        "lenet/cifar10": [0.7, 0.7],
        "vgg11/mnist_part": [1.0, 1.0],
    }
    games = {Analysis(0.2): extracted(torch.ones(2, 1, 3, 1 << N, dtype=torch.float64))}
    found = layer_pairs.pairs(
        p,
        [
            layer_pairs.AtLayers(
                networks.Trained(systems.find(name), (0, 1), ()), values, ["output"], games
            )
            for name, values in accuracy.items()
        ],
    )
    assert [(pair["AND"].id, pair["OR"].id) for pair in found] == [
        (name, name) for name in (PAIR, "mlp7_w256+vgg11/mnist_part", "lenet+vgg11/mnist_part")
    ]
    assert found[0]["AND"].accuracy == [0.9, 0.8]
    one, other = (
        layer_pairs.AtLayers(
            networks.Trained(systems.find(name), seeds, ()), [0.9] * len(seeds), ["output"], games
        )
        for name, seeds in (("lenet/mnist_part", (0,)), ("vgg11/mnist_part", (0, 1)))
    )
    assert layer_pairs.pairs(p, [one]) == []
    assert layer_pairs.pairs(p, [one, other]) == [], "a given network has no partner per seed"


# Stability ----------------------------------------------------------------------------------------

PLANTED = [k for k in range(1, 64) if k % 3 == 0]
"""Sets of the planted games, 21 of 63, some of every order but the last."""


def noisy(growth: float, seed: int, images: int = 5, draws: int = 8) -> Noisy:
    """Games of planted AND interactions with relative noise .05 e^(growth |S|) in each draw,
    through the real split."""
    rng = torch.Generator().manual_seed(seed)
    shape = (len(SEEDS), images, 1 << N)
    mask = torch.zeros(1 << N, dtype=torch.float64)
    mask[PLANTED] = 1
    size = (1 + torch.rand(shape, generator=rng, dtype=torch.float64)) * mask
    sign = torch.where(torch.rand(shape, generator=rng, dtype=torch.float64) < 0.5, -1.0, 1.0)
    noise = (
        0.05
        * torch.exp(growth * (ORDER - 1))
        * torch.randn(len(SEEDS), draws, *shape[1:], generator=rng, dtype=torch.float64)
    )
    every = (size * sign)[:, None] * torch.cat([torch.ones_like(noise[:, :1]), 1 + noise], 1)
    v = Interactions(every, torch.zeros_like(every)).reconstruct()
    got = sparsify.split(v, kappa=0.0, order_weight=0.2, tol=1e-3)
    nothing = torch.zeros(v.shape[:-1], dtype=torch.float64)
    split = CertifiedGames(
        v=v,
        found=Interactions(got.sparse_and, got.sparse_or),
        kappa=0.0,
        gap=got.gap,
        converged=got.converged,
        l1=every.abs().sum(-1),
        error=nothing,
        steps=np.arange(v.shape[1]),
        saturated=nothing[..., 0],
        noise_floor=torch.full(v.shape[:2], 1e-9, dtype=torch.float64),
    )
    return Noisy(split, 1e-4, "AND", "max_per_sample", 5)


@pytest.mark.parametrize("growth, least, most", [(0.35, 8, 10), (0.0, 0, 1)])
def test_relative_noise_that_grows_with_the_order_is_found_through_the_split(
    growth: float, least: int, most: int
) -> None:
    """The audit's case: .35 per order REPRODUCED in at least 80 %, equal relative noise hardly
    ever. 10 studies each."""
    outcomes = []
    for seed in range(10):
        found = noisy(growth, seed)
        assert stability.enough_orders(found).ok
        outcomes.append(decided("L6", stability.slope(found))["as_stated"])
    assert least <= outcomes.count("REPRODUCED") <= most, outcomes
    if not growth:
        assert outcomes.count("NOT REPRODUCED") >= 5


def test_stability_counts_draws_of_the_clean_support_only() -> None:
    one = noisy(0.35, 0, images=3, draws=4)
    (first, *_) = stability.resplit(one)
    clean = one.split.merged[0, 0]
    marked = clean.salient(
        0.05 * torch.maximum(clean.and_[:, 1:].abs().amax(-1), clean.or_[:, 1:].abs().amax(-1))
    )[0]
    assert len(first.value) == int(marked[:, 1:].sum())
    s = int(marked[1].nonzero()[-1])
    values = one.split.merged.and_[0, 1:, 1, s]
    wanted = float(
        values.mean().abs() / max(float(values.std()), 1e-4 * float(one.split.l1[0, 0, 1]))
    )
    assert np.exp(first.value[(first.image == 1)][-1]) == pytest.approx(wanted) or wanted in np.exp(
        first.value
    )
    one.split.converged[0, 0, 1] = False
    (dropped, *_) = stability.resplit(one.certified())
    assert set(dropped.image) == {0, 2}
    assert not stability.enough_orders(dataclasses.replace(one, least=100)).ok


def test_the_bootstrap_over_images_has_the_variance_of_new_images() -> None:
    """One network without noise of its own: the slopes of new samples of images vary as the
    bootstrap says."""

    def draw(rng: np.random.Generator) -> list[stability.Sets]:
        image, order = (x.ravel() for x in np.indices((20, 6)))
        steep, level = 0.2 * rng.standard_normal(20), rng.standard_normal(20)
        image, order = np.repeat(image, 5), np.repeat(order + 1, 5)
        value = level[image] + steep[image] * order + 0.5 * rng.standard_normal(len(order))
        return [stability.Sets(value, order, image)]

    rng = np.random.default_rng(0)
    found = [stability.parts(draw(rng), 6, 5, 20)[0] for _ in range(150)]
    truth = np.var([part.values[0] for part in found], ddof=1)
    ratio = np.mean([part.unit_variance for part in found]) / truth
    assert (
        0.7 < ratio < 1.8
    )  # of a median of few images a bootstrap finds somewhat too much, which is safe
    assert found[0].n_units == 20


# Class means --------------------------------------------------------------------------------------


def class_means(
    likeness: torch.Tensor, seed: int, noise: float = 0.02, classes: int = 10
) -> ClassMeans:
    """Class means of two train halves around one truth per class, and of test images around a truth
    of that likeness."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    truth = torch.randn(
        classes, 2, 1 << N, generator=torch.Generator().manual_seed(99), dtype=torch.float64
    )
    means = torch.stack([truth, truth, likeness[ORDER] * truth]) + noise * 2 ** (
        ORDER / 2
    ) * normal(3, classes, 2, 1 << N)
    means[..., 0] = 0
    done = torch.ones(3, 30, dtype=torch.bool)
    zero = torch.zeros((), dtype=torch.float64)
    return ClassMeans(
        means,
        means,
        torch.full((3, classes), 2.0),
        torch.zeros(3, 30),
        done,
        torch.zeros(3, 30),
        zero,
        zero,
    )


FALLING = torch.tensor([0, 0.98, 0.95, 0.85, 0.7, 0.5, 0.4], dtype=torch.float64)


def test_products_against_their_definition() -> None:
    one = class_means(FALLING, 0)
    p, q = class_similarity.products(Classes([one]))
    third = ORDER == 3
    m1, m2, t = (x[4, :, third].flatten() for x in one.means)
    assert p[0, 4, 2] == pytest.approx(float(m1 @ t + m2 @ t) / 2)
    assert q[0, 4, 2] == pytest.approx(float(m1 @ m2))


def test_falling_likeness_is_recovered_and_refuted_where_it_is_flat() -> None:
    every = class_similarity.products(Classes([class_means(FALLING, seed) for seed in SEEDS]))
    assert class_similarity.established(every[1]).all()
    found = class_similarity.ratios(every, class_similarity.established(every[1])).mean(0)
    assert found == pytest.approx(FALLING[1:].numpy(), abs=0.02)
    assert decided("D12", class_similarity.parts(every)) == {"as_stated": "REPRODUCED"}
    flat = class_similarity.products(
        Classes([class_means(torch.full((N + 1,), 0.9, dtype=torch.float64), s) for s in SEEDS])
    )
    assert decided("D12", class_similarity.parts(flat)) == {"as_stated": "NOT REPRODUCED"}


@pytest.mark.parametrize("scenario, least, most", [("paper", 80, 100), ("none", 0, 5)])
def test_the_audits_case_with_200_images_a_class(scenario: str, least: int, most: int) -> None:
    """Similarity .98 .95 .85 .7 .5 over the orders, or flat: 5 networks, 10 classes of 200 images a
    half."""
    one = power.simulations()["D12"]
    sizes = next(
        s for s in one.sizes.values() if s.networks == 5 and s.unit == "classes of 200 images"
    )
    counts = power.simulate(one, scenario, sizes, 100)["as_stated"]["alone"]
    assert least <= counts["REPRODUCED"] <= most, counts


def test_too_few_established_orders_give_no_value_and_say_how_many_images_would_do() -> None:
    every = np.random.default_rng(0).standard_normal((2, len(SEEDS), 10, N)) + np.array(
        [50, 50, 0, 0, 0, 0]
    )
    use = class_similarity.established(every[1])
    assert use[:, :2].all() and not use[:, 2:].any()
    assert np.isnan(class_similarity.parts(every)[0].values).all()
    premise = class_similarity.enough_orders(every, 30)
    assert not premise.ok and "images per class and half would do" in premise.reason
    assert class_similarity.enough_orders(
        class_similarity.products(Classes([class_means(FALLING, s) for s in SEEDS])), 30
    ).ok
    q = every[1].copy()
    q[0] *= 1e6  # a network's own luck must not decide whether it enters its own ratio
    assert np.array_equal(class_similarity.established(q)[0], use[0])


def test_likeness_that_is_lost_after_the_least_mean_order_is_found() -> None:
    def at(likeness: float, seed: int, order: float) -> ClassMeans:
        one = class_means(torch.full((N + 1,), likeness, dtype=torch.float64), seed)
        return dataclasses.replace(one, order=one.order * 0 + order)

    lost, kept = (
        ClassCourse(
            [
                Classes([at(x, 10 * c + s, order) for s in SEEDS])
                for c, (x, order) in enumerate(zip(likeness, (2.5, 2.0, 2.6), strict=True))
            ],
            steps=(0, 1, 2),
        )
        for likeness in ((0.9, 0.9, 0.6), (0.9, 0.9, 0.9))
    )
    (part,) = class_similarity.drop(lost)
    assert part.values == pytest.approx(0.3, abs=0.02)
    assert decided("D16", [part]) == {"as_stated": "REPRODUCED"}
    assert decided("D16", class_similarity.drop(kept)) == {"as_stated": "NOT REPRODUCED"}


# Input noise --------------------------------------------------------------------------------------


def test_equal_cells_have_equal_noise_and_unequal_ones_do_not() -> None:
    def ratios(energy: torch.Tensor) -> torch.Tensor:
        noise = torch.stack([uniform(20, N, seed=seed) + 0.5 for seed in SEEDS])
        return torch.stack([metrics.noise_ratio(energy.expand(20, N), one) for one in noise])

    uneven = torch.tensor([100.0, 1, 1, 1, 1, 1], dtype=torch.float64)
    even, odd = ratios(torch.ones(N, dtype=torch.float64)), ratios(uneven)
    assert max(input_noise.spread(even)) < 0.1 < min(input_noise.spread(odd))
    assert f"{100 * np.mean(input_noise.spread(odd)):.1f} %" in input_noise.statement(
        input_noise.Ratios(even, odd)
    )


def test_ratios_of_images_against_the_masked_images_themselves() -> None:
    p = params.validate("06_iou_stability", n_players=5, images=3, seeds=[0, 7])
    (of_images,) = iou_stability.input_noise(p)
    assert (of_images.id, of_images.n) == ("input/mnist_part", 6), (
        "both systems see the same images"
    )
    assert "baseline: mean image" in of_images.scope
    found = of_images.ratios
    assert found.cells.shape == found.whole.shape == (2, 3, 32)
    data = datasets.load("mnist_part", "train")
    how = PatchDraw()
    players = [how.players(data, i, 5, data) for i in choose(data, 6, 5, how)[3:]]
    # the second seed sees the next images
    noised = noisy_players(players, 0.02, torch.Generator().manual_seed(7))
    mask = torch.tensor([0b01101])
    clean, dirty = players[1].masked(mask)[0].double(), noised[1].masked(mask)[0].double()
    assert float(found.whole[1, 1, 0b01101]) == pytest.approx(
        float((dirty - clean).norm() / clean.norm()), rel=1e-6
    )
    inside = (players[1].owner == 0) | (players[1].owner == 2) | (players[1].owner == 3)
    assert float(found.cells[1, 1, 0b01101]) == pytest.approx(
        float((dirty - clean)[:, inside].norm() / clean[:, inside].norm()), rel=1e-6
    )


def test_parameters_say_what_is_accepted() -> None:
    change = {"lenet/mnist_part": {"read_at": "conv2"}}
    mlp, lenet = params.validate("06_iou_stability", change=change).chosen
    assert (mlp.read_at, lenet.read_at) == ("hidden4", "conv2")
    with pytest.raises(params.ParameterError, match=r"layer 'conv9', which lenet/mnist_part lacks"):
        params.validate("06_iou_stability", change={"lenet/mnist_part": {"read_at": "conv9"}})
    with pytest.raises(params.ParameterError, match="n_players"):
        params.validate("06_iou_stability", n_players=4)
    with pytest.raises(params.ParameterError, match="unknown parameter 'dataset'"):
        params.validate("06_iou_stability", dataset="breast_cancer")


# Studies ------------------------------------------------------------------------------------------


def test_the_share_of_uncertified_games_is_the_largest_of_what_a_statistic_takes() -> None:
    pair = planted_pair(LOW)
    pair.other.converged[0, 0, :3] = False
    assert pair.uncertified == pytest.approx(3 / (len(SEEDS) * IMAGES))
    sure, unsure = (Classes([class_means(FALLING, s) for s in SEEDS]) for _ in range(2))
    unsure.networks[0].converged[:, :10] = False
    course = ClassCourse([sure, unsure, sure], steps=(0, 1, 2))
    assert course.uncertified == unsure.uncertified == pytest.approx(30 / (len(SEEDS) * 90))
    assert all(one.certified_only for one in course.certified().times)


def test_the_plan_names_what_the_studies_compute(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    small = {"steps": 12, "n_train": 60, "batch": 10, "first_checkpoint": 1}
    narrow = {"width": 8, "floor": {"value": 0.2, "source": "a test"}}
    few = {"pair_images": 2, "noise_images": 2, "noise_draws": 2, "class_images": 2, "images": 2}
    p = params.validate(
        "06_iou_stability",
        seeds=1,
        change={"training": small, "mlp7_w256/mnist_part": narrow},
        checkpoints=3,
        n_players=5,
        class_players=4,
        class_checkpoints=2,
        **few,
    )
    nodes = {node.digest: node.job.kind for node in plan_of("06_iou_stability", p)}
    one, other = iou_stability.studies(p)
    computed = {entry.digest: entry.kind for entry in entries()}
    assert computed.items() <= nodes.items()
    # A job that names other games' inputs needs their specification, not their scores.
    assert set(nodes[digest] for digest in set(nodes) - set(computed)) == {"games"}
    assert one.layers == ["hidden4", "output"] and one.main.v.shape == (1, 2, 2, 32)
    assert list(one.noisy["OR"].main.nulls) == ["independent", "permuted"]
    assert list(one.noisy["OR"].other_ends) == list(one.means.other_ends) == ["order weight -0.2"]
    assert one.course is not None and len(one.course.main.times) == 2
    (pair,) = iou_stability.pairs(p, [one, other])
    case = pair["OR"].case(overlap.low_minus_high, beside=overlap.beside(pair["OR"].main))
    assert list(case["variants"]) == ["order weight -0.2", CERTIFIED]
    reported = ["second draw of players", *overlap.beside(pair["OR"].main)]
    assert list(case["reported"]) == reported
