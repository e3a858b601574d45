"""Bayesian networks: the divergence, the fixed draws, a posterior that learns, the null of averaged
noise, and row F1."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from utils import bayesian, claims, jobs, params
from utils.claims.weighing import decide, p_values, weigh
from utils.evidence import bayesian as rows
from utils.jobs import bayesian as bayesian_jobs
from utils.jobs.plan import graph
from utils.studies import multi_order, networks
from utils.studies.base import CERTIFIED

NETWORKS, IMAGES = 5, 40


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))


def test_the_divergence_is_that_of_gaussians() -> None:
    posterior = bayesian.MeanField(network(), start_sd=0.03)
    expected = sum(
        torch.distributions.kl_divergence(
            torch.distributions.Normal(mean, log_sd.exp()), torch.distributions.Normal(0.0, 0.1)
        ).sum()
        for mean, log_sd in zip(posterior.mean, posterior.log_sd, strict=True)
    )
    assert posterior.divergence(0.1).item() == pytest.approx(expected.item(), rel=1e-5)


def test_draws_are_fixed_by_their_seed_and_as_wide_as_the_posterior() -> None:
    posterior = bayesian.MeanField(network(), start_sd=0.05)
    one, again, other = posterior.draw(200, 1), posterior.draw(200, 1), posterior.draw(200, 2)
    weights = torch.stack([model[0].weight for model in one])
    assert all(torch.equal(a[0].weight, b[0].weight) for a, b in zip(one, again, strict=True))
    assert not torch.equal(one[0][0].weight, other[0][0].weight)
    assert float(weights.std(0).mean()) == pytest.approx(0.05, rel=0.05)
    assert torch.allclose(weights.mean(0), posterior.mean[0], atol=0.02)


def test_a_posterior_learns_and_is_as_wide_as_the_prior_where_data_say_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 4, generator=generator)
    x[:, 3] = 0  # an input that is never there: its weights stay as the prior has them
    y = (x[:, 0] > 0).long()
    posterior = bayesian.fit_posterior(
        network(),
        x,
        y,
        lambda step: torch.arange(step % 8 * 50, step % 8 * 50 + 50),
        steps=700,
        lr=0.01,
        seed=0,
    )
    with torch.no_grad():
        probability = torch.stack([model(x).softmax(1) for model in posterior.draw(20, 0)]).mean(0)
    assert float((probability.argmax(1) == y).double().mean()) > 0.95
    sd = posterior.log_sd[0].detach().exp()
    assert float(sd[:, 3].mean()) == pytest.approx(0.1, rel=0.15)
    assert float(posterior.mean[0].detach()[:, 3].abs().max()) < 0.05
    with pytest.raises(ArithmeticError, match="lower the learning rate"):
        bayesian.fit_posterior(
            network(), x * math.nan, y, lambda step: torch.arange(50), steps=1, lr=0.01, seed=0
        )


def test_the_game_is_the_log_odds_of_the_mean_probability() -> None:
    v = torch.tensor([[-3.0, 0.0, 40.0, 800.0], [2.0, 1.0, 60.0, 900.0]], dtype=torch.float64)
    mean = torch.sigmoid(v[:, :2]).mean(0)
    found = bayesian_jobs.mean_log_odds(v)
    assert torch.allclose(found[:2], (mean / (1 - mean)).log())
    assert float(found[2]) == pytest.approx(40 + math.log(2), abs=1e-6) and math.isfinite(
        float(found[3])
    )
    still = bayesian_jobs.noise_averaged(v, torch.zeros_like(v), 20, 0)
    assert torch.allclose(still, v, atol=1e-9)
    noisy = bayesian_jobs.noise_averaged(v[:, :2], torch.ones(2, 2, dtype=torch.float64), 20000, 0)
    assert (noisy.abs() < v[:, :2].abs() + 0.02).all(), (
        "averaging over noise makes answers less sure"
    )


def shares(bayes: float, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    standard = 0.4 + 0.1 * rng.standard_normal((NETWORKS, IMAGES))
    return np.stack(
        [
            standard + shift + 0.02 * rng.standard_normal((NETWORKS, IMAGES))
            for shift in (bayes, 0.0, 0.5)
        ],
        1,
    )


@pytest.mark.parametrize(
    ("share", "outcome"),
    [
        (shares(-0.1), "REPRODUCED"),
        (shares(0.1), "NOT REPRODUCED"),
        (shares(0.0), "NOT REPRODUCED"),
    ],
)
def test_fewer_high_orders_are_found_where_they_are(share: np.ndarray, outcome: str) -> None:
    registry = claims.load()
    (part,), t = (
        rows.bayesian_parts(share),
        registry.row("F1").thresholds_for("lenet/mnist_part")["high_order_share"],
    )
    assert (
        decide(*p_values([[weigh(part, t, registry.protocol, NETWORKS)]]), registry.protocol.alpha)
        == outcome
    )


def test_from_parameters_to_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    p = params.validate(
        "09_multi_order",
        systems=["lenet/mnist_part"],
        bayesian=["lenet/mnist_part"],
        change={"training": {"steps": 60, "n_train": 300, "batch": 16, "first_checkpoint": 5}},
        seeds=[0, 1],
        images=4,
        n_players=4,
        checkpoints=4,
    )
    (study,) = multi_order.bayesian_studies(p)
    games, e = study.runs, study.main
    assert list(study.case(rows.complexity)["variants"]) == ["order weight -0.2", CERTIFIED]
    assert e.v.shape == (2, 3, 4, 16)
    assert not torch.equal(e.v[:, 0], e.v[:, 1])
    (system,) = networks.systems(p)
    run = jobs.ensure(system.jobs[0])
    planned = {node.digest for node in graph(multi_order.plan(p, system)) if node.finished}
    assert {x.digest for x in jobs.entries()} <= planned
    accuracies = run.losses.set_index("step")["test_accuracy"].loc[list(run.steps)]
    nearest = abs(accuracies - float(games[0].accuracy[0])).min()
    assert abs(float(games[0].accuracy[0] - games[0].accuracy[1])) == pytest.approx(nearest)
    assert float(games[0].sd) > 0
    share = rows.high_shares(e)
    parts = rows.bayesian_parts(share)
    standard = rows.bayesian_controls(games, share)["share of strength in orders above n/2"][
        "standard"
    ]
    assert standard == pytest.approx(share[:, 1].mean())
    assert all(part.values.shape == (2,) and part.without.shape == (2, 4) for part in parts)
    assert len(rows.bayesian_table(e)) == 3 * 4
    assert multi_order.bayesian_studies(params.validate("09_multi_order")) == []
