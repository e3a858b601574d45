"""Agreement of interactions: formulas by hand, identities against brute force, jobs against the
functions they call."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from utils import datasets, extract, figures, jobs, lattice, params, sparsify
from utils.evidence import stability
from utils.interactions import Interactions
from utils.jobs.class_means import GROUPS, ClassGamesJob, ClassMeansJob
from utils.jobs.noisy_inputs import NoisyInputsJob, OutputNoiseJob, noisy_players, output_noise
from utils.jobs.probed import LayerGamesJob, ProbesJob
from utils.jobs.scored import GamesJob
from utils.jobs.trained import TrainJob
from utils.metrics import agreement, orders
from utils.players import GridDraw, PatchDraw, grid_owner, grid_players
from utils.studies import Analysis, layer_pairs, networks
from utils.train import TrainConfig

NAN = float("nan")


def support(n: int, *sets: int) -> torch.Tensor:
    found = torch.zeros(1 << n, dtype=torch.bool)
    found[list(sets)] = True
    return found


def same(values: torch.Tensor, wanted: list[float]) -> bool:
    return torch.allclose(
        values.double(), torch.tensor(wanted, dtype=torch.float64), equal_nan=True, atol=1e-12
    )


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# IoU ----------------------------------------------------------------------------------------------


def test_iou_by_hand() -> None:
    a, b = support(3, 1, 2, 3, 7), support(3, 1, 4, 3, 5)
    assert same(agreement.iou(a, b), [1 / 3, 1 / 2, 0.0])
    assert same(agreement.iou(a, a), [1.0, 1.0, 1.0])
    assert same(
        agreement.iou(support(3, 1), support(3, 1)), [1.0, NAN, NAN]
    )  # empty unions have no IoU
    assert same(
        agreement.iou(support(3, 0), support(3, 0)), [NAN, NAN, NAN]
    )  # the empty set is no interaction


def test_chance_against_all_placements_and_at_its_ends() -> None:
    """n = 4, orders 2 and 3 pooled: every pair of supports with 2 and 3, and 1 and 2, sets; second
    order is within .01."""
    two, three = ([s for s in range(16) if bin(s).count("1") == k] for k in (2, 3))
    one, other = (
        [
            set(a) | set(b)
            for a in itertools.combinations(two, i)
            for b in itertools.combinations(three, j)
        ]
        for i, j in ((2, 1), (3, 2))
    )
    every = [len(a & b) / len(a | b) for a in one for b in other]
    sizes = agreement.counts(support(4, *two[:2], three[0]), support(4, *two[3:], *three[2:]))
    assert agreement.expected_iou(sizes, np.array([False, True, True, False])) == pytest.approx(
        np.mean(every), abs=0.01
    )
    full = support(3, *range(1, 8))
    assert agreement.expected_iou(agreement.counts(full, full), np.ones(3, dtype=bool)) == 1
    sizes = agreement.counts(full, support(3, 1))
    assert agreement.expected_iou(sizes, np.array([True, False, False])) == pytest.approx(1 / 3)
    assert np.isnan(agreement.expected_iou(0 * sizes, np.ones(3, dtype=bool)))


def test_pooled_iou_and_its_correction_by_hand() -> None:
    sizes = agreement.counts(support(3, 1, 2, 3, 7), support(3, 1, 4, 3, 5))
    assert agreement.pooled_iou(sizes, np.array([True, True, False])) == pytest.approx(2 / 5)
    assert np.isnan(
        agreement.pooled_iou(
            agreement.counts(support(3, 1), support(3, 1)), np.array([False, True, True])
        )
    )
    found = agreement.corrected_iou(np.array([0.5, 1.0, np.nan]), np.array([0.2, 1.0, np.nan]))
    assert found == pytest.approx([0.375, np.nan, np.nan], nan_ok=True)


def test_shuffling_keeps_sizes_within_orders_and_agrees_with_chance() -> None:
    a = torch.rand(4000, 1 << 5, generator=torch.Generator().manual_seed(3)) < 0.3
    a[:] = a[:1]
    b = agreement.shuffled(a, 0)
    assert torch.equal(orders.by_order(a), orders.by_order(b))
    assert torch.equal(b, agreement.shuffled(a, 0))
    assert not torch.equal(b, agreement.shuffled(a, 1))
    every = np.ones(5, dtype=bool)
    found = agreement.pooled_iou(agreement.counts(a, b), every).mean()
    expected = agreement.expected_iou(agreement.counts(a[:1], b[:1]), every)[0]
    assert found == pytest.approx(expected, abs=0.01)


# Stability ----------------------------------------------------------------------------------------


def test_stability_by_hand() -> None:
    draws = torch.tensor(
        [[[1.0, 4.0, 2.0]], [[3.0, -4.0, 2.0]], [[9.0, 9.0, 9.0]]], dtype=torch.float64
    )
    floor, std = torch.tensor([1e-3], dtype=torch.float64), math.sqrt(2)
    assert same(
        agreement.stability(draws[:2], floor)[0], [2 / std, 0.0, 2 / 1e-3]
    )  # no spread: the floor stands in
    keep = torch.tensor([[True], [True], [False]])
    assert same(
        agreement.stability(draws, floor, keep)[0], [2 / std, 0.0, 2 / 1e-3]
    )  # an uncertified draw is left out
    keep[0] = False
    assert bool(agreement.stability(draws, floor, keep).isnan().all())
    with pytest.raises(ValueError, match="at least 2"):
        agreement.stability(draws[:1], floor)
    with pytest.raises(ValueError, match="positive"):
        agreement.stability(draws, 0 * floor)


def test_medians_over_the_support() -> None:
    values = torch.arange(16, dtype=torch.float64).view(2, 8)
    chosen = torch.stack([support(3, 1, 2, 3), support(3, 4, 7)])
    medians, count = agreement.median_by_order(values, chosen)
    assert same(medians, [2.0, 3.0, 15.0])  # order 1: 1, 2 and 8 + 4
    assert count.tolist() == [3, 1, 1]
    assert same(agreement.median_by_order(values, chosen, least=2)[0], [2.0, NAN, NAN])


def test_slopes_by_hand() -> None:
    found = agreement.slopes(np.array([[NAN, 2.0, NAN, 6.0, 8.0], [1.0, NAN, 3.0, NAN, NAN]]))
    assert found == pytest.approx([2.0, NAN], nan_ok=True)


def test_frozen_draws_are_the_split_with_gamma_and_delta_kept() -> None:
    """Against the definition: v_and = (v' - δ)/2 + γ, v_or = (v' - δ)/2 - γ for a noisy game v',
    through the lattice."""
    n = 4
    clean, noisy = rand(3, 1 << n), rand(2, 3, 1 << n, seed=1)
    got = sparsify.split(clean, kappa=0.1, order_weight=0.2, tol=1e-3)
    found = stability._frozen_draws(
        Interactions(got.i_and, got.i_or), torch.cat([clean[None], noisy])
    )
    half = (noisy - got.delta) / 2
    direct = Interactions(
        lattice.and_interactions(half + got.gamma), lattice.or_interactions(half - got.gamma)
    )
    direct = direct.merge_first_order()
    assert torch.allclose(found.and_[..., 1:], direct.and_[..., 1:], atol=1e-9)
    assert torch.allclose(found.or_, direct.or_, atol=1e-9)


def test_output_noise_gives_interactions_the_variance_of_the_closed_form() -> None:
    """Frozen split: Var I = 2^m σ²/4; merged order 1 is the sum of an AND and an OR term of four
    independent scores: σ²."""
    n, sigma = 4, 0.3
    clean = rand(1, 1, 1 << n).expand(1, 200, -1)
    noisy = torch.cat([clean, clean + sigma * rand(40, 200, 1 << n, seed=1)])
    null = output_noise(noisy, "independent", seed=2)
    assert torch.equal(null[0], noisy[0])
    assert float((null[1:] - null[:1]).std()) == pytest.approx(sigma, rel=0.02)
    assert not torch.equal(null, output_noise(noisy, "independent", seed=3))
    found = stability._frozen_draws(
        Interactions(lattice.and_interactions(clean[0]), torch.zeros_like(clean[0])), null
    )
    order = lattice.order(n)
    for m, variance in ((1, 1.0), (2, 1.0), (3, 2.0), (4, 4.0)):
        assert float(found.and_[..., order == m].var(0).mean()) == pytest.approx(
            variance * sigma**2, rel=0.1
        )
    with pytest.raises(ValueError, match="at least 2 noisy copies"):
        output_noise(noisy[:2], "independent", seed=0)


def test_permuted_noise_has_the_same_interactions_on_other_sets_of_the_same_order() -> None:
    noisy = torch.cat([rand(1, 2, 16), rand(3, 2, 16, seed=1)])
    null = output_noise(noisy, "permuted", seed=0)
    assert torch.equal(null[0], noisy[0])
    one, other = (lattice.and_interactions(x[1:] - x[:1]) for x in (noisy, null))
    for k in range(5):
        a, b = (x[..., lattice.order(4) == k].sort(-1).values for x in (one, other))
        assert torch.allclose(a, b, atol=1e-12)
    assert not torch.allclose(one, other)


# Jaccard and noise ratio --------------------------------------------------------------------------


def test_weighted_jaccard_by_hand() -> None:
    a = torch.tensor([[[0.0, 1.0, -2.0, 3.0], [0.0, 0.0, 0.0, 1.0]]], dtype=torch.float64)
    b = torch.tensor([[[9.0, 2.0, -1.0, -3.0], [0.0, 0.0, 0.0, 2.0]]], dtype=torch.float64)
    # order 1: (1 + 1) / (2 + 2); order 2: opposite signs share nothing: (0 + 1) / (3 + 3 + 2)
    assert same(agreement.weighted_jaccard(a, b)[0], [0.5, 1 / 8])
    assert same(agreement.weighted_jaccard(a, a)[0], [1.0, 1.0])
    assert same(agreement.weighted_jaccard(0 * a, 0 * b)[0], [NAN, NAN])


def test_noise_ratio_against_pixels() -> None:
    cells, noise = rand(4, 9), 0.1 * rand(4, 9, seed=1)
    found = agreement.noise_ratio(cells.square().sum(1), noise.square().sum(1))
    for s in range(1, 16):
        kept = [i for i in range(4) if s >> i & 1]
        assert float(found[s]) == pytest.approx(float(noise[kept].norm() / cells[kept].norm()))
    assert math.isnan(float(found[0]))


def test_boxes_show_every_panel_whole() -> None:
    import pandas as pd

    table = pd.DataFrame(
        [("a", 1, 0.1, 0.2, 0.3, 0.4, 0.5), ("b", 1, 1.1, 1.2, 1.3, 1.4, 1.5)],
        columns=["panel", "order", "low", "q1", "median", "q3", "high"],
    )
    figure = figures.boxes(table, x="order", panel="panel", xlabel="order", ylabel="ratio")
    assert [axis.get_title() for axis in figure.axes] == ["a", "b"]
    assert all(axis.get_ylim()[0] == 0 and axis.get_ylim()[1] > 1.5 for axis in figure.axes)


# Players and jobs ---------------------------------------------------------------------------------


def test_grid_players_are_the_same_cells_in_every_image() -> None:
    owner = grid_owner((1, 28, 28), 10, GridDraw())
    assert [int((owner == i).sum()) for i in range(11)] == [16] * 10 + [28 * 28 - 160]
    rows, columns = (owner < 10).nonzero(as_tuple=True)
    assert (
        min(int(rows.min()), int(columns.min())) >= 4
        and max(int(rows.max()), int(columns.max())) < 24
    )
    assert not torch.equal(owner, grid_owner((1, 28, 28), 10, GridDraw(repeat=1)))
    assert len(grid_owner((3, 32, 32), 36, GridDraw()).unique()) == 37  # the whole central 6x6
    images = torch.rand(2, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    one, other = grid_players(images, 10, GridDraw(), torch.zeros(1, 28, 28))
    assert torch.equal(one.owner, other.owner)
    assert torch.equal(one.masked(torch.tensor([1023]))[0], images[0])
    with pytest.raises(ValueError, match="25 central cells"):
        grid_owner((1, 28, 28), 26, GridDraw())
    with pytest.raises(ValueError, match="do not fill"):
        grid_owner((1, 28, 28), 4, GridDraw(cell=5))


def train_job(seed: int = 0) -> TrainJob:
    return TrainJob.of(
        TrainConfig(
            model="mlp7",
            width=16,
            n_train=200,
            n_test=100,
            steps=20,
            batch=20,
            checkpoints=3,
            seed=seed,
        )
    )


def test_noisy_games_start_with_the_clean_ones_at_every_layer() -> None:
    probes = ProbesJob(train=train_job(), layers=("hidden4",))
    games = GamesJob(train=train_job(), images=3, n=5, how=PatchDraw())
    job = NoisyInputsJob(games=games, probes=probes, noise=0.05, draws=4, seed=1)
    found = jobs.ensure(job)
    assert found.v.shape == (2 * 5, 3, 32)
    layers = jobs.ensure(LayerGamesJob(probes=probes, sample=games))
    assert torch.allclose(found.v[[0, 5]], layers.v, atol=1e-5)
    assert torch.allclose(found.v[5], jobs.ensure(games).v[-1], atol=1e-5)
    changes = (found.v[1:5] - found.v[0]).std(0).mean()
    calmer = jobs.ensure(job.model_copy(update={"noise": 0.005}))
    assert (
        0.05 < float((calmer.v[1:5] - calmer.v[0]).std(0).mean() / changes) < 0.2
    )  # a tenth of the noise
    null = jobs.ensure(OutputNoiseJob(games=job, how="permuted", draws=3, seed=1))
    assert torch.equal(null.v, output_noise(found.v[:5], "permuted", 1)[:4])
    run, (players, labels, _) = jobs.ensure(train_job()), games.players()
    first = noisy_players(players, 0.05, torch.Generator().manual_seed(1))
    direct = extract.scores(run.model(run.steps[-1]), first, labels)
    assert torch.allclose(found.v[6], direct, atol=1e-5)
    assert torch.equal(first[0].baseline, players[0].baseline)
    assert not torch.equal(
        first[0].image[0, 0], players[0].image[0, 0]
    )  # cells of no player carry noise as well


def test_the_layer_judged_comes_first_and_the_output_last() -> None:
    name = "mlp7_w256/mnist_part"
    small = {
        "width": 16,
        "floor": {"value": 0.5, "source": "a test"},
        "training": {"steps": 20, "n_train": 200, "first_checkpoint": 5},
    }
    settings = {"seeds": [0], "pair_images": 2, "n_players": 5, "checkpoints": 3}

    def read_at(**layer: str) -> tuple[params.Agreement, list[networks.Trained]]:
        p = params.validate("06_iou_stability", **settings, change={name: {**small, **layer}})
        return p, networks.systems(p)

    p, (mlp, lenet) = read_at()
    assert layer_pairs.layer_names(mlp) == ["hidden4", "output"]
    assert layer_pairs.layer_names(lenet) == ["fc1", "output"]
    main = Analysis(0.2)
    e = layer_pairs.at_layers(p, mlp)[main].load()
    assert e.v.shape == (1, 2, 2, 32)
    at_output, (mlp, _) = read_at(read_at="output")
    assert layer_pairs.layer_names(mlp) == ["output"]
    output = layer_pairs.at_layers(at_output, mlp)[main].load()
    assert torch.allclose(output.v[:, 0], e.v[:, 1], atol=1e-5)
    wrong = (
        r"read_at names the layer 'conv1', which mlp7_w16/mnist_part lacks; it has hidden1, .*put"
    )
    with pytest.raises(params.ParameterError, match=wrong):
        read_at(read_at="conv1")


def test_class_games_are_disjoint_seen_halves_and_unseen_images() -> None:
    job = ClassGamesJob(train=train_job(), per_class=4, n=5, seed=2)
    groups, labels, ids = job.images()
    assert len(groups) == len(GROUPS) and labels.tolist() == [
        k for k in range(10) for _ in range(4)
    ]
    seen = datasets.load("mnist_part", "train", 200)
    assert set(ids[:2].flatten().tolist()) <= set(seen.ids.tolist())
    assert len(set(ids[:2].flatten().tolist())) == 80  # no image stands in both halves
    truth = {int(i): int(y) for i, y in zip(seen.ids, seen.labels, strict=True)}
    assert [truth[int(i)] for i in ids[0]] == labels.tolist()
    other = ClassGamesJob(train=train_job(), per_class=4, n=5, seed=3)
    assert not torch.equal(ids, other.images()[2])
    with pytest.raises(ValueError, match=r"22 train images of class '0' are needed.*has 20"):
        ClassGamesJob(train=train_job(), per_class=11, n=5).images()


def test_class_means_are_the_means_of_the_split_games() -> None:
    games_job = ClassGamesJob(train=train_job(), per_class=3, n=5)
    games = jobs.ensure(games_job)
    means = jobs.ensure(ClassMeansJob(games=games_job, kappa=0.04, order_weight=0.2, tol=0.01))
    split = sparsify.split(games.v, kappa=0.04, order_weight=0.2, tol=0.01)
    merged = Interactions(split.sparse_and, split.sparse_or).merge_first_order()
    assert means.means.shape == (3, 10, 2, 32)
    assert torch.allclose(means.means[2, 4, 1], merged.or_[2, 12:15].mean(0), atol=1e-12)
    assert torch.allclose(means.means[0, 0, 0, 1:], merged.and_[0, :3, 1:].mean(0), atol=1e-12)
    assert bool(means.converged.all()) and torch.equal(means.means, means.certified)
    assert float(means.duality) < 1e-9 and float(means.excess) < 1e-9
    weighted, strength = orders.order_moments(merged)
    assert float(means.order[2, 4]) == pytest.approx(float((weighted / strength)[2, 12:15].mean()))
    early = jobs.ensure(games_job.model_copy(update={"checkpoint": 0}))
    assert not torch.allclose(early.v, games.v) and torch.equal(early.labels, games.labels)
