"""The published loop: its formula against automatic differentiation on dense matrices, and its
place above bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from utils import lattice
from utils.sparsify import PaperSettings, split


def mobius_matrix(n: int) -> torch.Tensor:
    subsets = torch.arange(1 << n)
    size = lattice.order(n)
    inside = (subsets[None, :] & ~subsets[:, None]) == 0
    return inside * (-1.0) ** (size[:, None] - size[None, :]).double()


def published_loop(
    v: torch.Tensor, bound: float, settings: PaperSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """As the public code runs it: dense matrices, torch's SGD and autograd, q clipped first, order
    0 in the loss."""
    n = lattice.players_of(len(v))
    to_and = mobius_matrix(n)
    to_or = -to_and.flip(1)
    to_or[0] = 0.0
    to_or[0, 0] = 1.0  # the code keeps v_or(∅) as the OR interaction of the empty set
    p, q = (torch.zeros_like(v, requires_grad=True) for _ in range(2))
    optimiser = torch.optim.SGD([p, q], lr=settings.learning_rate, momentum=settings.momentum)
    for rate in settings.rates():
        optimiser.param_groups[0]["lr"] = rate
        with torch.no_grad():
            q.clamp_(-bound, bound)
        u = v + q
        loss = (to_and @ (0.5 * u + p)).abs().sum() + (to_or @ (0.5 * u - p)).abs().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return p.detach(), q.detach()


@pytest.mark.parametrize("kappa", [0.0, 0.04])
def test_the_loop_is_the_published_one(kappa: float) -> None:
    settings = PaperSettings(learning_rate=2e-3, iterations=200)
    v = torch.as_tensor(np.random.default_rng(1).normal(size=16)) + 5.0
    found = split(v, kappa, order_weight=0.0, solver="paper", paper=settings)
    bound = kappa * float((v[-1] - v[0]).abs())
    p, q = published_loop(v - v[0], bound, settings)
    q = q.clamp(-bound, bound)
    q[0] = 0.0
    u = v - v[0] + q
    i_and, i_or = lattice.and_interactions(0.5 * u + p), lattice.or_interactions(0.5 * u - p)
    torch.testing.assert_close(found.delta, -q, atol=1e-9, rtol=0)
    torch.testing.assert_close(found.i_and[1:], i_and[1:], atol=1e-9, rtol=0)
    torch.testing.assert_close(found.i_or[1:], i_or[1:], atol=1e-9, rtol=0)


def test_it_improves_on_its_start_but_never_passes_the_certified_bound() -> None:
    games = np.random.default_rng(2).normal(size=(5, 64))
    certified = split(games, tol=1e-3)
    paper = split(games, solver="paper", paper=PaperSettings(learning_rate=2e-3, iterations=1500))
    start = split(games, solver="paper", paper=PaperSettings(learning_rate=1e-12, iterations=1))
    assert (paper.objective >= certified.lower_bound).all()
    assert (paper.objective >= certified.objective * (1 - 1e-3)).all()
    assert (paper.objective < 0.95 * start.objective).all()


def test_the_bound_holds_after_the_projection_though_not_in_the_raw_iterate() -> None:
    games = np.random.default_rng(3).normal(size=(4, 32))
    found = split(games, solver="paper", paper=PaperSettings(learning_rate=1e-2, iterations=100))
    limit = 0.04 * np.abs(games[:, -1] - games[:, 0])
    assert (np.abs(found.delta) <= limit[:, None] * (1 + 1e-12)).all() and not found.delta[
        :, 0
    ].any()
    assert (found.raw_objective != found.objective).any()


def test_it_certifies_nothing() -> None:
    found = split(
        np.random.default_rng(4).normal(size=(2, 8)),
        solver="paper",
        paper=PaperSettings(iterations=7),
    )
    assert (
        np.isnan(found.lower_bound).all()
        and np.isnan(found.gap).all()
        and not found.converged.any()
    )
    np.testing.assert_array_equal(found.iterations, 7)


def test_scaling_the_game_acts_as_dividing_the_learning_rate() -> None:
    games = np.random.default_rng(5).normal(size=(2, 16))
    slow = PaperSettings(learning_rate=1e-4, iterations=100)
    fast = PaperSettings(learning_rate=1e-3, iterations=100)
    large, plain = (
        split(g, solver="paper", paper=s) for g, s in ((games * 10, fast), (games, slow))
    )
    np.testing.assert_allclose(large.objective / 10, plain.objective, rtol=1e-9)


def test_presets_and_bad_settings() -> None:
    assert PaperSettings.preset("image") == PaperSettings(1e-5, 10_000, 0.9, 0.1)
    assert PaperSettings.preset("tabular").learning_rate == 1e-4
    rates = PaperSettings(iterations=5).rates()
    np.testing.assert_allclose(rates, np.geomspace(1e-5, 1e-6, 5))
    with pytest.raises(ValueError, match="image, tabular, language, patient"):
        PaperSettings.preset("readme")
    with pytest.raises(ValueError, match="learning_rate > 0"):
        PaperSettings(learning_rate=0.0)
