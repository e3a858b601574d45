"""Probes find what is linearly readable and nothing else; the games they play are those of a
network cut at their layer."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from utils import extract, jobs, models, params
from utils.jobs import GamesJob, LayerGamesJob, ProbesJob, TrainJob
from utils.models import InputSpec
from utils.players import PatchDraw
from utils.probes import LinearProbe, ProbeConfig, features, fit_probe
from utils.studies import layerwise, networks
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


QUICK = ProbeConfig(steps=40)


def blobs(count: int = 300, spread: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count) % 3
    centres = torch.tensor([[0.0, 5.0], [5.0, 0.0], [-5.0, -5.0]])
    return centres[labels] + spread * torch.randn(count, 2, generator=generator), labels


def test_separable_classes_are_read_out_and_the_fit_converges() -> None:
    x, y = blobs()
    probe, report = fit_probe(x.view(-1, 2, 1, 1), y, 3, ProbeConfig(steps=400))
    assert report.accuracy > 0.99
    assert report.converged
    assert torch.equal(probe(x.view(-1, 2, 1, 1)).argmax(1) == y, probe(x).argmax(1) == y)
    assert float(nn.functional.cross_entropy(probe(x).double(), y)) == pytest.approx(
        report.loss, rel=1e-5
    )


def test_the_step_is_that_of_autograd_and_torchs_sgd() -> None:
    x, y = blobs(64)
    settings = ProbeConfig(steps=12, lr=0.05, momentum=0.9, batch=64)
    probe, _ = fit_probe(x, y, 3, settings)
    twin = LinearProbe(2, 3)
    twin.standardise(x)
    optimizer = torch.optim.SGD(twin.linear.parameters(), lr=0.05, momentum=0.9)
    for _ in range(12):  # a batch is everything: the order of the samples does not matter
        optimizer.zero_grad()
        nn.functional.cross_entropy(twin(x), y).backward()
        optimizer.step()
    torch.testing.assert_close(probe.linear.weight, twin.linear.weight, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(probe.linear.bias, twin.linear.bias, atol=1e-5, rtol=1e-4)


def test_equal_classes_are_left_at_chance_and_the_optimum_is_found_in_overlapping_ones() -> None:
    x, y = blobs(spread=8.0)
    report = fit_probe(x, y, 3, ProbeConfig(steps=1000, lr=0.05))[1]
    longer = fit_probe(x, y, 3, ProbeConfig(steps=4000, lr=0.05))[1]
    assert report.converged
    assert report.loss == pytest.approx(
        longer.loss, abs=1e-3
    )  # a convex problem with a finite optimum
    nothing = fit_probe(torch.ones(30, 4), torch.arange(30) % 3, 3, QUICK)[1]
    assert nothing.loss == pytest.approx(math.log(3), abs=1e-3)


def test_a_probe_that_still_learns_says_so() -> None:
    x, y = blobs()
    report = fit_probe(x, y, 3, ProbeConfig(steps=8, lr=0.001))[1]
    assert not report.converged
    assert report.decrease > 0.01


def test_the_same_bits_again_and_the_global_generator_untouched() -> None:
    x, y = blobs()
    state = torch.get_rng_state()
    one, two = (fit_probe(x, y, 3, QUICK)[0] for _ in range(2))
    assert torch.equal(one.linear.weight, two.linear.weight)
    assert torch.equal(torch.get_rng_state(), state)
    other = fit_probe(x, y, 3, ProbeConfig(steps=40, seed=1))[0]
    assert not torch.equal(one.linear.weight, other.linear.weight)


def test_features_are_standardised_inside_and_rare_ones_do_not_shout() -> None:
    probe = LinearProbe(3, 2)
    x = torch.stack(
        [torch.linspace(-2, 2, 100), 5 + 10 * torch.linspace(-1, 1, 100), torch.zeros(100)], 1
    )
    x[0, 2] = 1e-3  # silent but once
    probe.standardise(x)
    seen = (x - probe.mean) * probe.scale
    assert seen[:, :2].std(0, correction=0).tolist() == pytest.approx([1.0, 1.0], abs=1e-4)
    assert float(seen[:, 2].abs().max()) < 0.01


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (torch.tensor([0, 1, 3]), 3, "0 … 2"),
        (torch.tensor([0, 1]), 2, "3 and 2"),
        (torch.tensor([-1, 0, 1]), 2, "-1"),
    ],
)
def test_bad_labels_are_refused(labels: torch.Tensor, classes: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit_probe(torch.zeros(3, 2), labels, classes, QUICK)


def test_features_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="NaN or infinities"):
        fit_probe(torch.tensor([[float("nan")], [1.0]]), torch.tensor([0, 1]), 2, QUICK)


@pytest.mark.parametrize("name", ["mlp7", "lenet", "vgg11", "resnet20"])
def test_features_of_every_network_are_what_its_layers_put_out(name: str) -> None:
    model = models.build(name, InputSpec((1, 28, 28)), width=4).eval()
    images = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    names = models.find(name).layers
    found = features(model, images, names)
    assert tuple(found) == names
    caught: dict[str, torch.Tensor] = {}
    model.get_submodule(names[-2]).register_forward_hook(
        lambda _m, _i, out: caught.setdefault("x", out.clone())
    )
    model(images)
    torch.testing.assert_close(found[names[-2]], caught["x"].detach())


def test_an_unknown_layer_is_refused_with_those_there_are() -> None:
    model = models.build("lenet", InputSpec((1, 28, 28)))
    with pytest.raises(ValueError, match=r"no layer 'hidden9'; there are: conv1, conv2, fc1, fc2"):
        features(model, torch.zeros(1, 1, 28, 28), ["hidden9"])
    with pytest.raises(ValueError, match="conv1"):
        jobs.ensure(
            ProbesJob.of(
                TrainJob.of(
                    TrainConfig(
                        model="lenet", n_train=100, n_test=50, steps=2, batch=20, checkpoints=2
                    )
                ),
                layers=("nowhere",),
                config=QUICK,
            )
        )


class Cut(nn.Module):
    """A network of which only the probe on one layer is seen."""

    def __init__(self, trunk: nn.Module, layer: str, probe: nn.Module) -> None:
        super().__init__()
        self.trunk, self.probe = trunk, probe
        trunk.get_submodule(layer).register_forward_hook(self._catch)

    def _catch(self, _module: nn.Module, _inputs: object, out: torch.Tensor) -> None:
        self.seen = out.clone()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.trunk(x)
        return self.probe(self.seen)


def test_games_of_layers_are_those_of_the_network_cut_there_and_last_of_the_network() -> None:
    train_job = TrainJob.of(config())
    probes_job = ProbesJob.of(train_job, config=QUICK)
    assert probes_job.layers == tuple(f"hidden{k}" for k in range(1, 7))
    sample = GamesJob(train=train_job, images=2, n=4, how=PatchDraw())
    games_job = LayerGamesJob(probes=probes_job, sample=sample)
    games, probes = jobs.ensure(games_job), jobs.ensure(probes_job)
    assert games.v.shape == (7, 2, 16)
    assert games.steps.tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert len(games.noise_floor) == len(games.saturated) == 7
    assert probes.report["layer"].tolist() == list(probes_job.layers)
    players, labels, _ = games_job.sample.players()
    run = jobs.ensure(train_job)
    cut = Cut(run.model(run.steps[-1]), "hidden3", probes.modules["hidden3"])
    # The job's first layer answers by sums over players: another rounding of float32.
    torch.testing.assert_close(
        games.v[2], extract.scores(cut, players, labels), atol=1e-5, rtol=1e-5
    )
    alone = extract.noise_floor(cut, players[0], int(labels[0]))
    assert float(games.noise_floor[2]) == pytest.approx(alone, rel=1e-9)
    plain = jobs.ensure(sample)
    torch.testing.assert_close(games.v[-1], plain.v[-1], atol=1e-6, rtol=1e-6)
    assert torch.equal(games.ids, plain.ids)


def test_shuffled_labels_and_untrained_networks_are_other_probes() -> None:
    train_job = TrainJob.of(config())
    plain, shuffled, start = (
        ProbesJob.of(train_job, ("hidden2",), config=QUICK, **how)
        for how in ({}, {"shuffled": True}, {"step": 0})
    )
    assert len({job.digest() for job in (plain, shuffled, start)}) == 3
    good, null = (jobs.ensure(job).report["accuracy"][0] for job in (plain, shuffled))
    assert good > null + 0.2
    weights = [jobs.ensure(job).modules["hidden2"].linear.weight for job in (plain, start)]
    assert not torch.equal(*weights)


def test_layers_are_stacked_over_seeds_the_output_last() -> None:
    p = params.validate(
        "05_layerwise_change",
        systems=["lenet/mnist_part"],
        change={
            "width": 2,
            "floor": {"value": 0.0, "source": "a test"},
            "training": {"steps": 10, "n_train": 100, "first_checkpoint": 5},
        },
        seeds=[0, 1],
        images=2,
        n_players=4,
        checkpoints=3,
        probe_steps=20,
    )
    (system,) = networks.systems(p)
    main, shuffled, untrained = (
        layerwise.layer_splits(p, system, **how).load()
        for how in ({}, {"shuffled": True}, {"untrained": True})
    )
    assert main.layers == ("conv1", "conv2", "fc1", "fc2", "output")
    assert main.probed == main.layers[:-1]
    assert main.e.v.shape == (2, 5, 2, 16)
    torch.testing.assert_close(
        shuffled.e.v[:, -1], main.e.v[:, -1]
    )  # the output layer knows of no probe
    assert not torch.allclose(shuffled.e.v[:, 0], main.e.v[:, 0])
    assert not torch.allclose(untrained.e.v[:, -1], main.e.v[:, -1])
    assert main.reports["seed"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("second_draw", "system", "n", "names"),
    [
        (True, "mlp7_w256/mnist_part", 10, {"order weight -0.2", "second draw of players"}),
        (False, "mlp7_w256/mnist_part", 10, {"order weight -0.2"}),
        (
            True,
            "mlp7_w256/breast_cancer",
            10,
            {"order weight -0.2"},
        ),  # all its columns are players: there is one draw
        (True, "mlp7_w256/breast_cancer", 6, {"order weight -0.2", "second draw of players"}),
    ],
)
def test_which_analyses_a_system_gets(
    second_draw: bool, system: str, n: int, names: set[str]
) -> None:
    p = params.validate(
        "05_layerwise_change",
        second_draw=second_draw,
        systems=[system],
        n_players=n,
    )
    (found,) = networks.systems(p)
    planned = layerwise.planned(p, found)
    main, *others = planned
    assert (main.order_weight, main.draw) == (p.order_weights[0], 0)
    assert {a.label for a in others} == names
    every = []
    for a, three in planned.items():
        how = [(one.probes[0].shuffled, one.probes[0].step) for one in three]
        assert how == [(False, None), (True, None), (False, 0)], "every analysis has its nulls"
        splits = [job for one in three for job in one.splits.jobs]
        assert {job.order_weight for job in splits} == {a.order_weight}
        every += [job.digest() for job in splits]
    assert len(set(every)) == len(every) == len(planned) * 3 * len(p.seeds)
