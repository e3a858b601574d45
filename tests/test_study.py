"""From parameters to arrays: the images, the three jobs in a chain, and the stack over seeds."""

from __future__ import annotations

import pytest
import torch

from utils import datasets, extract, jobs, params, sparsify
from utils.jobs import study
from utils.jobs.runs import GamesJob, SplitJob, TrainJob, choose_images
from utils.players import PatchDraw
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
    chosen = choose_images(data, 25, 10, how)
    assert data.labels[chosen].tolist() == [*range(10), *range(10), *range(5)]
    assert all(int(how.candidates(data.images[i]).sum()) >= 10 for i in chosen)
    assert chosen[:20] == choose_images(
        data, 20, 10, how
    )  # asking for more changes no earlier choice
    with pytest.raises(ValueError, match="0 images with at least 101 foreground cells"):
        choose_images(data, 1, 101, how)


def test_the_chain_of_jobs_is_what_the_functions_say() -> None:
    train_job = TrainJob.of(config())
    games_job = GamesJob.of(train_job, images=3, n=5)
    games = jobs.ensure(games_job)
    run = jobs.ensure(train_job)
    assert games.v.shape == (3, 3, 32)
    assert games.steps.tolist() == list(run.steps)
    players, labels, _ = games_job.players()
    assert torch.equal(games.v[2], extract.scores(run.model(run.steps[2]), players, labels))
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
    games_job = GamesJob.of(TrainJob.of(config()), images=3, n=5)
    null = jobs.ensure(
        SplitJob(games=games_job, null="iid", null_seed=1, kappa=0.04, order_weight=0.2, tol=1e-3)
    )
    assert not torch.allclose(null.v, jobs.ensure(games_job).v)
    other = SplitJob(
        games=games_job, null="iid", null_seed=2, kappa=0.04, order_weight=0.2, tol=1e-3
    )
    assert not torch.equal(null.v, jobs.ensure(other).v)


def test_another_parameter_is_another_job() -> None:
    base = GamesJob.of(TrainJob.of(config()), images=3, n=5)
    assert base.digest() == GamesJob.of(TrainJob.of(config()), images=3, n=5).digest()
    others = [
        GamesJob.of(TrainJob.of(config(1)), images=3, n=5),
        GamesJob.of(TrainJob.of(config()), images=4, n=5),
        GamesJob.of(TrainJob.of(config()), images=3, n=5, draw=1),
        GamesJob.of(TrainJob.of(config()), images=3, n=5, baseline="zero"),
    ]
    assert len({job.digest() for job in (base, *others)}) == 5


def test_arrays_are_stacked_over_seeds_and_second_draws_have_other_players() -> None:
    p = params.validate(
        "01_sparsity",
        networks=["mlp7"],
        seeds=[0, 3],
        images=2,
        n_players=4,
        checkpoints=3,
        training={"mlp7": {"width": 16, "steps": 30, "n_train": 200, "first_checkpoint": 5}},
    )
    (system,) = study.systems(p)
    assert system.id == "mlp7_w16/mnist_part"
    e = study.planned(p, system).load()
    assert e.v.shape == (2, 3, 2, 16)
    assert not torch.equal(e.v[0], e.v[1])
    assert e.certificates()["games"].tolist() == [4, 4, 4]
    ends = study.planned(p, system, checkpoints=(0, 2)).load()
    assert torch.equal(ends.v, e.v[:, [0, 2]])
    assert ends.steps.tolist() == [e.steps[0], e.steps[2]]
    assert torch.equal(study.planned(p, system, order_weight=-0.2).load().v, e.v)
    assert not torch.equal(study.planned(p, system, draw=1).load().v, e.v)
    assert "seeds 0, 3" in study.scope(p, system)
