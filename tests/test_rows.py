"""Rows on planted games: what is there is found, its opposite is rejected, and noise is not called a finding."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from utils import claims, params
from utils.interactions import Interactions
from utils.jobs.study import Extracted
from utils.rows import sparsity

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


def judged(row: str, parts: list[claims.Part]) -> str:
    return claims.judge(row, SYSTEM, parts, seeds=SEEDS, scope="a test", accuracy=[0.99] * 5, uncertified=0.0).verdict


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


def test_a_game_that_goes_nowhere_is_allowed_no_noise_term() -> None:
    still = extracted(sparse_study([0.0, 0.0]).found, STEPS[[0, -1]], kappa=0.04)
    still.v[:] = 2.0
    assert float(sparsity.identity_errors(still, still)["within_kappa"].max()) == 0
    still.error[1, 1, 1] = 0.1
    assert float(sparsity.identity_errors(still, still)["within_kappa"].max()) == np.inf
