"""L5, L6, L9, L10, L14, D12 on planted interactions: what is there is found, its opposite and mere noise are not."""

from __future__ import annotations

import types

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from utils import claims, datasets, lattice, params
from utils.interactions import Interactions
from utils.jobs.agreement import Noisy
from utils.jobs.class_means import ClassMeans
from utils.jobs.noisy_inputs import noisy_players, output_noise
from utils.jobs.runs import choose_images
from utils.jobs.study import Extracted
from utils.metrics import agreement as metrics
from utils.params.shared import Agreement
from utils.players import PatchDraw, patch_players
from utils.rows import agreement, class_similarity, input_noise, stability

N, SEEDS, IMAGES = 6, (0, 1, 2, 3, 4), 12
ORDER = lattice.order(N)
PAIR, SYSTEM = "mlp7_w256+lenet/mnist_part", "lenet/mnist_part"


def extracted(conj: torch.Tensor, disj: torch.Tensor | None = None) -> Extracted:
    """Games (R, C, X, 2^n) whose split is what was planted."""
    found = Interactions(conj, torch.zeros_like(conj) if disj is None else disj)
    shape = conj.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return Extracted(v=found.reconstruct(), found=found, kappa=0.0, gap=nothing, error=nothing, l1=nothing,
                     converged=torch.ones(shape, dtype=torch.bool), steps=np.arange(shape[1]),
                     saturated=torch.zeros(shape[:2]), noise_floor=torch.full(shape[:2], 1e-9))


def uniform(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def planted_pair(shared: torch.Tensor, seed: int = 0, kind: str = "AND") -> tuple[Extracted, Extracted]:
    """Two networks' salient sets: of order k the same in both with probability shared[k], independent otherwise."""
    shape = (len(SEEDS), 1, IMAGES, 1 << N)
    common, *own = (uniform(*shape, seed=3 * seed + i) < 0.35 for i in range(3))
    same = uniform(*shape, seed=1000 + seed) < shared[ORDER]
    found = []
    for mine in own:
        sets = torch.where(same, common, mine).double()
        sets[..., 0] = 0
        sets[..., -1] = 1  # one salient set at least
        disj = torch.where(ORDER == 1, 0.0, sets)
        found.append(extracted(sets, None) if kind == "AND" else extracted(torch.zeros_like(sets), disj))
    return found[0], found[1]


def judged(row: str, parts: list[claims.Part]) -> str:
    """The verdict on a system whose accuracy is registered: here only the numbers decide."""
    variants = {} if row == "L14" else {"order weight -0.2": parts}
    return claims.judge(row, SYSTEM, parts, seeds=SEEDS, scope="a test", accuracy=[0.99] * 5, uncertified=0.0,
                        variants=variants).verdict


LOW = torch.tensor([0, 0.95, 0.9, 0.6, 0.3, 0.1, 0.0], dtype=torch.float64)


@pytest.mark.parametrize("row, kind", [("L5", "AND"), ("L9", "OR")])
def test_shared_low_orders_are_found_and_shared_high_orders_refute(row: str, kind: agreement.Kind) -> None:
    low, high = (agreement.overlap(planted_pair(shared, kind=kind), kind, "max_per_sample")
                 for shared in (LOW, torch.cat([LOW[:1], LOW[1:].flip(0)])))
    assert judged(row, agreement.parts(kind, low.corrected)) == "REPRODUCED"
    assert judged(row, agreement.parts(kind, high.corrected)) == "NOT REPRODUCED"


@pytest.mark.parametrize("row, kind", [("L5", "AND"), ("L9", "OR")])
def test_equal_sharing_at_all_orders_is_not_the_claim(row: str, kind: agreement.Kind) -> None:
    flat = torch.full((N + 1,), 0.5, dtype=torch.float64)
    verdicts = [judged(row, agreement.parts(kind, agreement.overlap(planted_pair(flat, seed=s, kind=kind), kind,
                                                                    "max_per_sample").corrected)) for s in range(30)]
    assert verdicts.count("REPRODUCED") <= 1


@pytest.mark.parametrize("row, kind", [("L5", "AND"), ("L9", "OR")])
def test_shuffled_supports_are_not_a_finding(row: str, kind: agreement.Kind) -> None:
    """The raw IoU of dense low orders falls with the order; what is left of it after the correction is nothing."""
    density = torch.tensor([0, 0.95, 0.7, 0.4, 0.2, 0.1, 1.0], dtype=torch.float64)[ORDER]
    verdicts, raw_trends = [], []
    for seed in range(40):
        one, other = ((uniform(len(SEEDS), 1, IMAGES, 1 << N, seed=seed) < density).double() for _ in range(2))
        pair = tuple(extracted(x, None) if kind == "AND" else extracted(torch.zeros_like(x), torch.where(ORDER == 1, 0.0, x))
                     for x in (one, other))
        for e in pair:
            (e.found.and_ if kind == "AND" else e.found.or_)[..., 0] = 0
        found = agreement.overlap(pair, kind, "max_per_sample", null_seed=seed)
        raw_trends.append(metrics.trend(found.raw.nanmean((0, 1))[:-1], 2))
        verdicts.append(judged(row, agreement.parts(kind, found.corrected)))
    assert np.mean(raw_trends) < -0.8
    assert verdicts.count("REPRODUCED") <= 2


def test_empty_unions_are_counted_and_a_seed_without_any_gives_no_value() -> None:
    one, other = planted_pair(LOW)
    for e in (one, other):
        e.found.and_[2][..., ORDER == N - 1] = 0
    found = agreement.overlap((one, other), "AND", "max_per_sample")
    assert found.empty[2, N - 2] == IMAGES
    values = agreement.parts("AND", found.corrected)[0].values
    assert np.isnan(values[2]) and np.isfinite(np.delete(values, 2)).all()
    shown = agreement.analyses((one, other), {}, "AND", "max_per_sample")["reported"]
    filled = shown["an order without any salient set counted as chance (0)"][0].values
    assert filled[2] == pytest.approx(float(found.corrected[2, 0]))
    controls = agreement.controls((one, other), "AND", "max_per_sample")
    assert controls["images with an empty union, summed over seeds"][N - 2] >= IMAGES


def test_first_order_or_terms_count_as_and() -> None:
    """AND {1} in one network, OR {1} in the other: the same function, hence shared; and order 1 of OR is empty."""
    conj = torch.zeros(5, 1, 3, 1 << N, dtype=torch.float64)
    conj[..., 1] = 1
    pair = (extracted(conj), extracted(torch.zeros_like(conj), conj))
    assert float(agreement.overlap(pair, "AND", "max_per_sample").raw[..., 0].min()) == 1
    assert bool(agreement.overlap(pair, "OR", "max_per_sample").raw.isnan().all())
    before = agreement.overlap(pair, "AND", "max_per_sample", merged=False)
    assert float(before.raw[..., 0].max()) == 0


def test_uncertified_images_are_left_out_of_both_networks() -> None:
    one, other = planted_pair(torch.ones(N + 1, dtype=torch.float64))
    other.found.and_[:, :, 0] = one.found.and_[:, :, 0].roll(1, -1)
    other.found.and_[:, :, 0, 0] = 0
    assert float(agreement.overlap((one, other), "AND", "max_per_sample").corrected[:, 2].max()) < 1
    one.converged[:, :, 0] = False
    only = agreement.overlap((one, other), "AND", "max_per_sample", certified_only=True)
    assert bool(only.raw[:, 0].isnan().all())
    assert float(only.corrected[:, 2].min()) == pytest.approx(1)


def test_pairs_are_named_in_the_order_of_the_networks() -> None:
    a, b, c = (types.SimpleNamespace(id=f"{x}/mnist_part") for x in ("mlp7_w256", "lenet", "vgg11"))
    assert [agreement.pair_id(*pair) for pair in agreement.pairs([a, b, c])] == [
        PAIR, "mlp7_w256+vgg11/mnist_part", "lenet+vgg11/mnist_part"]
    runs = [[types.SimpleNamespace(test_accuracy=x) for x in y] for y in ([0.9, 0.99], [0.95, 0.8])]
    assert agreement.pair_accuracies(*runs) == [0.9, 0.8]


# Stability ---------------------------------------------------------------------------------------------------------

def noisy(parity: float, additive: float, independent: float, seed: int = 0, draws: int = 20) -> Noisy:
    """Interactions of size 1, AND and OR, under three kinds of noise on v.

    parity: z (-1)^|T|, which interactions of order m collect 2^m times; additive: Σ z_i over the players in T, of order 1
    only; independent: on every mask by itself.
    """
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(len(SEEDS), draws, 4, *shape, generator=generator, dtype=torch.float64)

    conj, disj = (torch.ones(len(SEEDS), 1, 4, 1 << N, dtype=torch.float64) for _ in range(2))
    conj[..., 0], disj[..., ORDER <= 1] = 0, 0
    clean = extracted(conj, disj)
    members = (torch.arange(1 << N) >> torch.arange(N)[:, None] & 1).double()
    change = (parity * normal(1) * (-1.0) ** ORDER + additive * normal(N) @ members + independent * normal(1 << N))
    v = torch.cat([clean.v, clean.v + change], 1)
    null = torch.stack([output_noise(one, 100 * seed + i) for i, one in enumerate(v)])
    return Noisy(clean, v, null, torch.full((len(SEEDS),), 1e-9, dtype=torch.float64))


def test_stability_that_falls_faster_than_under_output_noise_is_found() -> None:
    found = stability.frozen("AND", noisy(0.1, 0.0, 0.02), "max_per_sample", 5)
    assert judged("L6", stability.parts(found)) == "REPRODUCED"
    assert judged("L10", stability.parts(stability.frozen("OR", noisy(0.1, 0.0, 0.02), "max_per_sample", 1))) == "REPRODUCED"
    smooth = stability.frozen("AND", noisy(0.0, 0.2, 0.02), "max_per_sample", 1)
    assert judged("L6", stability.parts(smooth)) == "NOT REPRODUCED"
    assert stability.enough_orders(found, 5).ok
    assert not stability.enough_orders(stability.frozen("AND", noisy(0.1, 0.0, 0.02), "max_per_sample", 100), 5).ok


@pytest.mark.parametrize("row, kind", [("L6", "AND"), ("L10", "OR")])
def test_output_noise_falls_with_the_order_and_is_not_a_finding(row: str, kind: agreement.Kind) -> None:
    """Independent noise on the scores themselves: the paper's curve falls as 2^(-m/2), the row must not be fooled."""
    plain, verdicts = [], []
    for seed in range(25):
        found = stability.frozen(kind, noisy(0.0, 0.0, 0.1, seed), "max_per_sample", 1)
        plain.append(np.mean(stability.parts(found, null=False)[0].values))
        verdicts.append(judged(row, stability.parts(found)))
    assert max(plain) < -0.2
    assert verdicts.count("REPRODUCED") <= 2


def test_or_stability_starts_at_order_two() -> None:
    found = stability.frozen("OR", noisy(0.0, 0.0, 0.1), "max_per_sample", 1)
    assert found.first == 2
    assert bool(found.network[:, 0].isnan().all())
    assert bool(found.network[:, 1:].isfinite().all())


def test_splits_made_again_are_compared_on_the_clean_support() -> None:
    one = noisy(0.0, 0.0, 0.1, draws=6)
    change = one.v - one.v[:, :1]
    copies = one.clean.found.and_ + lattice.and_interactions(change)  # a split that puts all noise into AND
    copies[..., 0] = 0
    again = extracted(copies, one.clean.found.or_.expand_as(copies).clone())
    found = stability.resplit("AND", one, (again, again), "max_per_sample", 1)
    assert torch.allclose(found.network, found.null, equal_nan=True)
    assert torch.equal(found.sets[0], torch.tensor([4 * int((k == ORDER).sum()) for k in range(1, N + 1)]))
    frozen = stability.frozen("AND", one, "max_per_sample", 1)
    gain = (frozen.network - found.network)[:, 1:].mean()
    assert float(gain) == pytest.approx(np.log(2), abs=0.05)  # frozen, AND gets half of the noise


# Class means -------------------------------------------------------------------------------------------------------

def class_means(noise: torch.Tensor, test_noise: torch.Tensor, seed: int, classes: int = 10) -> ClassMeans:
    """Class means around one truth per class: sampling noise per order in every group, and the test group's own."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    truth = normal(classes, 2, 1 << N)
    means = torch.stack([truth + noise[ORDER] * normal(classes, 2, 1 << N) for _ in range(3)])
    means[2] += test_noise[ORDER] * normal(classes, 2, 1 << N)
    means[..., 0] = 0
    done = torch.ones(3, 30, dtype=torch.bool)
    zero = torch.zeros((), dtype=torch.float64)
    return ClassMeans(means, means, torch.full((3, classes, N), 50.0), torch.zeros(3, 30), done, torch.zeros(3, 30), zero,
                      zero)


SAMPLING = 0.2 * 2 ** (torch.arange(N + 1, dtype=torch.float64) / 2)


def test_test_images_that_differ_at_high_orders_are_found() -> None:
    apart = torch.linspace(0, 5, N + 1, dtype=torch.float64)
    curves = class_similarity.curves([class_means(SAMPLING, apart, seed) for seed in SEEDS], least=5)
    assert judged("D12", class_similarity.parts(curves)) == "REPRODUCED"
    low = class_similarity.curves([class_means(SAMPLING, apart.flip(0), seed) for seed in SEEDS], least=5)
    assert judged("D12", class_similarity.parts(low)) == "NOT REPRODUCED"


def test_sampling_error_that_grows_with_the_order_is_not_a_finding() -> None:
    """Training and test images of one distribution: the slides' raw curve falls, the ratio does not."""
    verdicts, raw = [], []
    for trial in range(30):
        found = [class_means(SAMPLING, 0 * SAMPLING, 100 * trial + seed) for seed in SEEDS]
        curves = class_similarity.curves(found, least=5)
        raw.append(metrics.trend(curves.test.mean(0)))
        verdicts.append(judged("D12", class_similarity.parts(curves)))
    assert max(raw) < -0.9
    assert verdicts.count("REPRODUCED") <= 2


def test_orders_with_too_few_salient_interactions_are_left_out() -> None:
    found = [class_means(SAMPLING, 0 * SAMPLING, seed) for seed in SEEDS]
    for one in found:
        one.salient[2, :, 3:] = 1
    curves = class_similarity.curves(found, least=5)
    assert bool(curves.ratio[:, 3:].isnan().all()) and bool(curves.ratio[:, :3].isfinite().all())
    assert np.isnan(class_similarity.parts(curves)[0].values).all()
    premise = class_similarity.enough_orders(curves, 5)
    assert not premise.ok and "4 orders with at least 5" in premise.reason
    assert class_similarity.enough_images(30).ok and not class_similarity.enough_images(29).ok


def test_the_half_with_half_curve_is_the_similarity_of_the_halves() -> None:
    (one,) = [class_means(SAMPLING, SAMPLING, 0)]
    curves = class_similarity.curves([one], least=5)
    within = metrics.weighted_jaccard(one.means[0], one.means[1]).mean(0)
    across = sum(metrics.weighted_jaccard(half, one.means[2]) for half in one.means[:2]) / 2
    assert torch.allclose(curves.train[0], within)
    assert torch.allclose(curves.ratio[0], across.mean(0) / within)


# Input noise -------------------------------------------------------------------------------------------------------

def ratios(energy: torch.Tensor, images: int = 20) -> torch.Tensor:
    noise = torch.stack([uniform(images, N, seed=seed) + 0.5 for seed in SEEDS])
    return torch.stack([metrics.noise_ratio(energy.expand(images, N), one) for one in noise])


def test_equal_cells_have_equal_noise_and_unequal_ones_do_not() -> None:
    assert judged("L14", input_noise.parts(ratios(torch.ones(N, dtype=torch.float64)))) == "REPRODUCED"
    uneven = torch.tensor([100.0, 1, 1, 1, 1, 1], dtype=torch.float64)
    assert judged("L14", input_noise.parts(ratios(uneven))) == "NOT REPRODUCED"


def test_ratios_of_images_against_the_masked_images_themselves() -> None:
    p = params.validate("06_iou_stability", n_players=5, images=3, seeds=[0, 7])
    found = input_noise.ratios(p)
    assert found.cells.shape == found.whole.shape == (2, 3, 32)
    data = datasets.load("mnist_part", "train")
    how = PatchDraw.default(data.shape)
    players = [patch_players(data.images[i], f"mnist_part/train/{int(data.ids[i])}", 5, mean=data.mean, how=how)
               for i in choose_images(data, 6, 5, how)[3:]]  # the second seed sees the next images
    noised = noisy_players(players, 0.02, torch.Generator().manual_seed(7))
    mask = torch.tensor([0b01101])
    clean, dirty = players[1].masked(mask)[0].double(), noised[1].masked(mask)[0].double()
    assert float(found.whole[1, 1, 0b01101]) == pytest.approx(float((dirty - clean).norm() / clean.norm()), rel=1e-6)
    inside = (players[1].owner == 0) | (players[1].owner == 2) | (players[1].owner == 3)
    assert float(found.cells[1, 1, 0b01101]) == pytest.approx(
        float((dirty - clean)[:, inside].norm() / clean[:, inside].norm()), rel=1e-6)


def test_parameters_say_what_is_accepted() -> None:
    assert Agreement(layers={"lenet": "conv2"}).layers == {"mlp7": "hidden4", "lenet": "conv2", "vgg11": "conv4_2",
                                                           "resnet20": "block6"}
    with pytest.raises(ValidationError, match="at least 2"):
        Agreement(networks=["mlp7"])
    with pytest.raises(params.ParameterError, match="n_players"):
        params.validate("06_iou_stability", n_players=4)
    with pytest.raises(params.ParameterError, match="cifar10"):
        params.validate("06_iou_stability", dataset="breast_cancer")
