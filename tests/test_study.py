"""From parameters to arrays: the images, the three jobs in a chain, and the stack over seeds."""

from __future__ import annotations

import pytest
import torch

from utils import datasets, extract, jobs, params, sparsify
from utils.jobs import GamesJob, SplitJob, TrainJob
from utils.jobs.scored import choose
from utils.players import PatchDraw
from utils.studies import networks
from utils.train import TrainConfig


def config(seed: int = 0) -> TrainConfig:
    return TrainConfig(
        model="mlp7",
        width=16,
        n_train=200,
        n_test=100,
        steps=20,
        batch=20,
        checkpoints=3,
        seed=seed,
    )


def test_images_come_one_of_each_class_in_turn_and_have_enough_players() -> None:
    data, how = datasets.load("mnist_part", "train"), PatchDraw()
    chosen = choose(data, 25, 10, how)
    assert data.labels[chosen].tolist() == [*range(10), *range(10), *range(5)]
    assert all(how.possible(data, i) >= 10 for i in chosen)
    assert chosen[:20] == choose(data, 20, 10, how)  # asking for more changes no earlier choice
    with pytest.raises(ValueError, match=r"has 0 images that can have 101 players \(patches\)"):
        choose(data, 1, 101, how)


def games_of(seed: int = 0, images: int = 3, how: PatchDraw | None = None) -> GamesJob:
    return GamesJob(train=TrainJob.of(config(seed)), images=images, n=5, how=how or PatchDraw())


def test_the_chain_of_jobs_is_what_the_functions_say() -> None:
    games_job = games_of()
    games = jobs.ensure(games_job)
    run = jobs.ensure(games_job.train)
    assert games.v.shape == (3, 3, 32)
    assert games.steps.tolist() == list(run.steps)
    players, labels, _ = games_job.players()
    direct = extract.scores(run.model(run.steps[2]), players, labels, path="auto")
    torch.testing.assert_close(games.v[2], direct, rtol=0, atol=1e-5)  # of other threads
    whole = jobs.ensure(SplitJob(games=games_job, kappa=0.04, order_weight=0.2, tol=1e-3))
    direct = sparsify.split(games.v, kappa=0.04, order_weight=0.2, tol=1e-3)
    assert torch.equal(whole.found.and_, direct.sparse_and)
    assert torch.equal(whole.gap, direct.gap)
    assert float((whole.error - 0.04 * (games.v[..., -1] - games.v[..., 0]).abs()).max()) < 1e-9
    last = jobs.ensure(
        SplitJob(games=games_job, checkpoints=(2,), kappa=0.04, order_weight=0.2, tol=1e-3)
    )
    assert torch.equal(last.found.and_[0], whole.found.and_[2])


def test_null_games_are_split_in_place_of_the_networks() -> None:
    games_job = games_of()
    null = jobs.ensure(
        SplitJob(games=games_job, null="iid", null_seed=1, kappa=0.04, order_weight=0.2, tol=1e-3)
    )
    assert not torch.allclose(null.v, jobs.ensure(games_job).v)
    other = SplitJob(
        games=games_job, null="iid", null_seed=2, kappa=0.04, order_weight=0.2, tol=1e-3
    )
    assert not torch.equal(null.v, jobs.ensure(other).v)


def test_another_parameter_is_another_job() -> None:
    base = games_of()
    assert base.digest() == games_of().digest()
    others = [
        games_of(seed=1),
        games_of(images=4),
        games_of(how=PatchDraw(repeat=1)),
        games_of(how=PatchDraw(baseline="zero")),
    ]
    assert len({job.digest() for job in (base, *others)}) == 5


NARROW = {
    "width": 16,
    "training": {"steps": 30, "n_train": 200, "first_checkpoint": 5},
    "floor": {"value": 0.2, "source": "a test"},
}


def test_arrays_are_stacked_over_seeds_and_second_draws_have_other_players() -> None:
    p = params.validate(
        "01_sparsity",
        systems=["mlp7_w256/mnist_part"],
        seeds=[0, 3],
        images=2,
        n_players=4,
        checkpoints=3,
        change=NARROW,
    )
    (system,) = networks.systems(p)
    assert system.id == "mlp7_w16/mnist_part"
    e = networks.planned(p, system).load()
    assert e.v.shape == (2, 3, 2, 16)
    assert not torch.equal(e.v[0], e.v[1])
    assert e.certificates()["games"].tolist() == [4, 4, 4]
    ends = networks.planned(p, system, checkpoints=(0, 2)).load()
    assert torch.equal(ends.v, e.v[:, [0, 2]])
    assert ends.steps.tolist() == [e.steps[0], e.steps[2]]
    assert torch.equal(networks.planned(p, system, order_weight=-0.2).load().v, e.v)
    assert not torch.equal(networks.planned(p, system, draw=1).load().v, e.v)
    assert "seeds 0, 3" in networks.scope(p, system)
    runs = networks.trained([system])[system]
    assert (
        networks.accuracies(system, runs) == [run.test_accuracy for run in runs] and len(runs) == 2
    )


def test_masked_inputs_of_a_pass_are_the_settings() -> None:
    change = {"training": NARROW["training"]}
    settings = {"images": 2, "n_players": 4, "checkpoints": 3, "change": change}
    every = [params.validate("01_sparsity", micro_batch=rows, **settings) for rows in (None, 4, 16)]
    found = [networks.games_jobs(p, networks.systems(p)[0])[0] for p in every]
    assert [job.rows for job in found] == [None, 4, 16]
    assert all(job.how == PatchDraw() and job.score == "logodds" for job in found)
