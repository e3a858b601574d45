"""Rows on planted games: what is there is found, its opposite is rejected, and noise is not called a finding."""

from __future__ import annotations

import types

import numpy as np
import pandas as pd
import pytest
import torch

from utils import claims, lattice, params
from utils.interactions import Interactions
from utils.jobs.study import Extracted
from utils.metrics import nulls
from utils.rows import sparsity, two_phase

N = 5
STEPS = np.array([0, 3, 5, 8, 11, 16, 32, 64, 128, 256, 512, 1024])  # the losses are known from step 1 on
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"


def extracted(found: Interactions, steps: np.ndarray = STEPS, kappa: float = 0.0) -> Extracted:
    shape = found.and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return Extracted(v=found.reconstruct(), found=found, kappa=kappa, gap=nothing, error=nothing.clone(), l1=nothing,
                     converged=torch.ones(shape, dtype=torch.bool), steps=steps, saturated=torch.zeros(shape[:2]),
                     noise_floor=torch.full(shape[:2], 1e-9))


def with_mean_orders(mu: list[float], noise: float = 0.1, seed: int = 0, images: int = 8) -> Extracted:
    """Games whose strength sits in orders floor(mu) and ceil(mu), so that the mean order of checkpoint c is mu[c]."""
    generator = torch.Generator().manual_seed(seed)
    order = lattice.order(N)
    first = torch.tensor([int((order == k).nonzero()[0]) for k in range(N + 1)])
    wanted = torch.tensor(mu, dtype=torch.float64)[None, :, None].expand(len(SEEDS), -1, images)
    wanted = (wanted + noise * torch.randn(wanted.shape, generator=generator, dtype=torch.float64)).clamp(1, N - 1e-6)
    low = wanted.floor()
    conj = torch.zeros(*wanted.shape, 1 << N, dtype=torch.float64)
    conj.scatter_(-1, first[low.long()][..., None], (1 - (wanted - low))[..., None])
    conj.scatter_(-1, first[low.long() + 1][..., None], (wanted - low)[..., None])
    return extracted(Interactions(conj, torch.zeros_like(conj)))


def runs(turn: float = 32.0) -> list[types.SimpleNamespace]:
    """Losses whose gap starts to rise at step ``turn``; what rows need of a training run."""
    steps = np.unique(np.geomspace(1, STEPS[-1], 60).round().astype(int))
    train_loss = 2.3 / (1 + steps / 20)
    gap = np.where(steps > turn, 0.3 * np.log(np.maximum(steps / turn, 1)), 0.0)
    table = pd.DataFrame({"step": steps, "train_loss": train_loss, "test_loss": train_loss + gap})
    return [types.SimpleNamespace(losses=table, config=types.SimpleNamespace(seed=s, steps=int(STEPS[-1]))) for s in SEEDS]


def judged(row: str, parts: list[claims.Part]) -> str:
    variants = {"order weight -0.2": parts} if row in ("D3", "D4", "D11") else None
    return claims.judge(row, SYSTEM, parts, seeds=SEEDS, scope="a test", accuracy=[0.99] * 5, uncertified=0.0,
                        variants=variants).verdict


V_SHAPE = [4.0, 3.9, 3.5, 3.0, 2.2, 1.5, 1.8, 2.0, 2.4, 2.6, 2.8, 3.0]


def test_two_phases_are_found_where_they_are() -> None:
    parts = two_phase.phase_parts(with_mean_orders(V_SHAPE))
    assert {part.name: round(float(np.mean(part.values)), 1) for part in parts} == {
        "phase1": 2.5, "phase2": 1.5, "interior": 1.0}
    assert judged("D3", parts) == "REPRODUCED"


@pytest.mark.parametrize("mu", [V_SHAPE[::-1][6:] + V_SHAPE[:6], sorted(V_SHAPE), sorted(V_SHAPE, reverse=True)],
                         ids=["phases swapped", "only rising", "only falling"])
def test_other_courses_are_not_two_phases(mu: list[float]) -> None:
    assert judged("D3", two_phase.phase_parts(with_mean_orders(mu))) == "NOT REPRODUCED"


def test_noise_is_not_two_phases() -> None:
    """Flat mean orders with noise: the minimum is judged where it was not chosen."""
    verdicts = [judged("D3", two_phase.phase_parts(with_mean_orders([2.5] * 12, noise=0.5, seed=s))) for s in range(60)]
    assert verdicts.count("REPRODUCED") <= 3


def test_certified_only_leaves_out_images_with_an_uncertified_checkpoint() -> None:
    e = with_mean_orders(V_SHAPE, noise=0.0)
    e.converged[0, 3, 2] = False
    e.found.and_[0, :, 2] = 0
    e.found.and_[0, :, 2, -1] = 1e6  # would drown the others if it counted
    parts = {part.name: part.values for part in two_phase.phase_parts(e, certified_only=True)}
    assert parts["phase1"][0] == pytest.approx(parts["phase1"][1])
    loud = {part.name: part.values for part in two_phase.phase_parts(e)}
    assert abs(loud["phase1"][0] - loud["phase1"][1]) > 0.1


def test_the_gap_starts_at_the_turning_point_or_it_does_not() -> None:
    e = with_mean_orders(V_SHAPE, noise=0.02)
    assert (two_phase.turning_steps(e) == 16).all()
    near = {part.name: part for part in two_phase.gap_parts(e, runs(turn=14.0))}
    assert float(np.max(near["distance"].values)) < 1
    assert near["circular_shift"].pvalue < 0.1
    far = two_phase.gap_parts(e, runs(turn=300.0))
    assert judged("D4", far) == "NOT REPRODUCED"


def test_over_fitting_is_a_premise() -> None:
    assert two_phase.overfits(runs(turn=32.0)).ok
    assert not two_phase.overfits(runs(turn=2000.0)).ok


def test_games_that_drown_in_rounding_are_told() -> None:
    e = with_mean_orders(V_SHAPE)
    assert two_phase.signal(e).ok
    e.noise_floor[2, 4] = 100.0
    assert "step(s) [11]" in two_phase.signal(e).reason
    assert not two_phase.signal(e).ok


def test_the_spindle_is_found_in_noise_and_not_in_controls() -> None:
    start = torch.zeros(len(SEEDS), 1, 64, 1 << N, dtype=torch.float64)
    start[..., 1:] = torch.randn(len(SEEDS), 1, 64, (1 << N) - 1, generator=torch.Generator().manual_seed(0))
    pure = [extracted(Interactions(lattice.and_interactions(v), torch.zeros_like(v)), STEPS[:1])
            for v in (start, nulls.iid_games(start, 1), nulls.additive_games(start, 1))]
    assert judged("D11", two_phase.spindle_parts(pure[0], pure[1])) == "REPRODUCED"
    assert judged("D11", two_phase.spindle_parts(pure[2], pure[1])) == "NOT REPRODUCED"
    assert two_phase.spindle_controls(pure[0])["linear games from the spindle"] > 0.5


def sparse_study(strengths: list[float], images: int = 6) -> Extracted:
    """Checkpoint 0: every interaction of one size; checkpoint 1: a few, with the given strengths."""
    conj = torch.ones(len(SEEDS), 2, images, 1 << N, dtype=torch.float64)
    conj[:, 1] = 0
    conj[:, 1, :, 1:1 + len(strengths)] = torch.tensor(strengths, dtype=torch.float64)
    return extracted(Interactions(conj, torch.zeros_like(conj)), STEPS[[0, -1]])


def test_sparsity_is_found_where_it_is_and_only_above_its_nulls() -> None:
    p = params.validate("01_sparsity", n_players=N)
    sparse, dense = sparse_study([8.0, 4.0, 2.0, 0.1]), sparse_study([1.0] * 20)
    values = {part.name: part.values for part in sparsity.sparsity_parts(p, sparse, dense)}
    assert values["mass90"] == pytest.approx([3 / 64] * 5)
    assert judged("D2", sparsity.sparsity_parts(p, sparse, dense)) == "REPRODUCED"
    assert judged("D2", sparsity.sparsity_parts(p, sparse, sparse_study([9.0, 0.1]))) == "NOT REPRODUCED"  # smooth wins
    assert judged("D2", sparsity.sparsity_parts(p, dense, dense)) == "NOT REPRODUCED"


def test_counts_of_salient_interactions() -> None:
    p = params.validate("01_sparsity", n_players=N)
    e = sparse_study([8.0, 4.0, 2.0, 0.3])
    values = {part.name: part.values for part in sparsity.count_parts(p, e, e)}
    assert values["count_not_fewer"] == pytest.approx([3.0] * 5)
    assert judged("L2", sparsity.count_parts(p, e, e)) == "NOT REPRODUCED"  # 3 is fewer than half of 21.8


def test_kappa_rows_compare_interactions_by_value_rank_and_top() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(len(SEEDS), 2, 3, 1 << N, generator=generator, dtype=torch.float64)
    main = extracted(Interactions(one, torch.zeros_like(one)), STEPS[[0, -1]], 0.04)
    near = extracted(Interactions(one * 1.01, torch.zeros_like(one)), STEPS[[0, -1]], 0.03)
    other = extracted(Interactions(one.flip(-1), torch.zeros_like(one)), STEPS[[0, -1]], 0.05)
    assert judged("L12", sparsity.kappa_parts(main, {0.03: near})) == "REPRODUCED"
    assert judged("L12", sparsity.kappa_parts(main, {0.03: near, 0.05: other})) == "NOT REPRODUCED"


def test_identity_errors_see_a_term_outside_of_kappa() -> None:
    e = sparse_study([8.0, 4.0, 2.0, 0.3])
    bounded = extracted(e.found, e.steps, kappa=0.04)
    assert float(sparsity.identity_errors(e, bounded)["within_kappa"].max()) == 0
    bounded.error[0, 1, 0] = 0.05 * float((bounded.v[0, 1, 0, -1] - bounded.v[0, 1, 0, 0]).abs())
    assert float(sparsity.identity_errors(e, bounded)["within_kappa"].max()) == pytest.approx(1.25)
    e.error[2, 0, 1] = 1e-3 * float(e.v[2, 0, 1].abs().max())
    assert float(sparsity.identity_errors(e, bounded)["matching"].max()) == pytest.approx(1e-3)


def test_bars_show_first_last_and_turning_point() -> None:
    table = two_phase.bar_table(with_mean_orders(V_SHAPE), "net", 6, None)
    times = list(dict.fromkeys(table["time"]))
    assert len(times) == 6
    assert times[0] == "step 0"
    assert times[-1] == "step 1024"
    assert "step 16" in times
    assert (table["positive"] >= 0).all() and (table["negative"] <= 0).all()


def test_a_game_that_goes_nowhere_is_allowed_no_noise_term() -> None:
    still = extracted(sparse_study([0.0, 0.0]).found, STEPS[[0, -1]], kappa=0.04)
    still.v[:] = 2.0
    assert float(sparsity.identity_errors(still, still)["within_kappa"].max()) == 0
    still.error[1, 1, 1] = 0.1
    assert float(sparsity.identity_errors(still, still)["within_kappa"].max()) == np.inf
