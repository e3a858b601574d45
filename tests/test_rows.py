"""Rows on planted games: what is there is found, its opposite is rejected, and noise is not called
a finding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch

from utils import claims, params, systems
from utils.claims import weighing
from utils.evidence import growth, likeness, matching, sparsity
from utils.evidence.likeness import Kappas
from utils.interactions import Interactions
from utils.jobs.games import CertifiedGames
from utils.jobs.layered import Layered
from utils.studies import networks
from utils.studies import sparsity as studies

N = 5
STEPS = np.array(
    [0, 3, 5, 8, 11, 16, 32, 64, 128, 256, 512, 1024]
)  # the losses are known from step 1 on
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"


def extracted(found: Interactions, steps: np.ndarray = STEPS, kappa: float = 0.0) -> CertifiedGames:
    shape = found.and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=kappa,
        gap=nothing,
        error=nothing.clone(),
        l1=nothing,
        converged=torch.ones(shape, dtype=torch.bool),
        steps=steps,
        saturated=torch.zeros(shape[:2]),
        noise_floor=torch.full(shape[:2], 1e-9),
    )


def parts_of(found: list[claims.Part]) -> dict[str, claims.Part]:
    return {part.name: part for part in found}


def decided(row: str, found: list[claims.Part]) -> dict[str, str]:
    """Each inequality's decision alone, by the registered bounds."""
    registry = claims.load()
    thresholds = registry.row(row).thresholds_for(SYSTEM)
    return {
        p.name: weighing.weigh(p, thresholds[p.name], registry.protocol, len(SEEDS)).decision
        for p in found
    }


def sparse_study(strengths: list[float], images: int = 6, noise: float = 0.0) -> CertifiedGames:
    """Checkpoint 0: every interaction of one size; checkpoint 1: a few, with the given strengths
    (and noise per image)."""
    conj = torch.ones(len(SEEDS), 2, images, 1 << N, dtype=torch.float64)
    conj[:, 1] = 0
    conj[:, 1, :, 1 : 1 + len(strengths)] = torch.tensor(strengths, dtype=torch.float64)
    conj[:, 1] *= 1 + noise * torch.rand(
        conj[:, 1].shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    return extracted(Interactions(conj, torch.zeros_like(conj)), STEPS[[0, -1]])


def test_sparsity_is_found_where_it_is_and_only_above_its_nulls() -> None:
    sparse, dense = (
        sparse_study([8.0, 4.0, 2.0, 0.1], noise=0.2),
        sparse_study([1.0] * 20, noise=0.2),
    )
    alike = sparse_study([9.0, 0.1], noise=0.2)

    def beside(e: CertifiedGames, null: CertifiedGames) -> list[claims.Part]:
        return sparsity.concentration()(dataclasses.replace(e, nulls={"smooth": null}))

    assert parts_of(beside(sparse, dense))["mass90"].values == pytest.approx([3 / 64] * 5)
    assert decided("D2", beside(sparse, dense)) == {
        "mass90": "clears",
        "gini_above_null": "clears",
    }
    assert decided("D2", beside(sparse, alike)) == {
        "mass90": "clears",
        "gini_above_null": "fails",
    }, "as sparse as a smooth game: no fact about learning"
    assert decided("D2", beside(dense, dense))["mass90"] == "fails"


def test_the_stronger_null_is_chosen_by_other_networks_on_other_images() -> None:
    rng = np.random.default_rng(0)
    gini = np.full((5, 8), 0.8) + 0.01 * rng.normal(size=(5, 8))
    rivals = np.stack([np.full((5, 8), 0.5), np.full((5, 8), 0.7)], axis=1)
    rivals[0, 0, :4] = 0.95  # one network's own images cannot choose for themselves
    found = parts_of(sparsity.sparse_parts(np.full((5, 8), 0.05), gini, rivals))["gini_above_null"]
    assert found.values == pytest.approx(gini.mean(1) - 0.7)
    assert found.scale == pytest.approx(gini.std(axis=1, ddof=1).mean())


def test_another_share_or_rule_or_number_of_images_is_another_statistic() -> None:
    base = {"n_players": 10}
    assert studies.changed_mass(params.validate("01_sparsity", **base)) is None
    assert "mass 0.5 instead of 0.9" in studies.changed_mass(
        params.validate("01_sparsity", mass=0.5)
    )
    assert "5 players" in studies.changed_mass(params.validate("01_sparsity", n_players=5))
    lenet, on_cifar = (
        networks.Trained(systems.find(f"lenet/{data}"), (), ())
        for data in ("mnist_part", "cifar10")
    )
    assert studies.changed_count(params.validate("01_sparsity"), lenet) is None
    fewer = params.validate("01_sparsity", count_images=40)
    assert "40 images instead of 100" in studies.changed_count(fewer, lenet)
    assert "40 images instead of 30" in studies.changed_count(fewer, on_cifar)
    other = params.validate("01_sparsity", salience="mean_output")
    assert "salience" in studies.changed_count(other, lenet)
    assert studies.changed_kappas(params.validate("01_sparsity")) is None
    assert "0.02, 0.04" in studies.changed_kappas(
        params.validate("01_sparsity", kappas=[0.02, 0.04])
    )


def test_counts_of_salient_interactions_and_of_the_untrained_network() -> None:
    e = sparse_study([8.0, 4.0, 2.0, 0.3], images=8)
    found = parts_of(sparsity.count()(e))
    assert found["count"].values == pytest.approx([3.0] * 5), "0.3 is below a twentieth of 8"
    assert found["count_minus_null"].values == pytest.approx([3.0 - 31] * 5)
    rng = np.random.default_rng(0)
    for level, decision in ((21.8, "clears"), (3.0, "fails"), (60.0, "fails"), (11.0, "open")):
        count = level * (1 + 0.1 * rng.normal(size=(5, 100)))
        assert decided("L2", sparsity.number_parts(count, count))["count"] == decision, level
        assert decided("L2", sparsity.number_parts(count, count))["count_minus_null"] == "fails", (
            "as many before training"
        )
        assert (
            decided("L2", sparsity.number_parts(count, 2 * count))["count_minus_null"] == "clears"
        )


def test_the_count_rests_on_its_own_number_of_images_whatever_else_is_explained() -> None:
    """The threshold is a maximum over images, so the count falls with their number: `images` must
    not enter it."""
    settings = {
        "systems": ["mlp7_w256/mnist_part"],
        "seeds": [0, 1],
        "n_players": 4,
        "checkpoints": 3,
        "count_images": 12,
        "device": "cpu",
        "change": {
            "width": 16,
            "training": {"steps": 30, "n_train": 200, "first_checkpoint": 5},
            "floor": {"value": 0.2, "source": "a test"},
        },
    }
    counts = []
    for images in (4, 10, 20):
        p = params.validate("01_sparsity", images=images, **settings)
        (system,) = networks.systems(p)
        e = studies.counted_games(p, system).load()
        assert e.v.shape[:3] == (2, 2, 12) and e.steps.tolist() == [0, 30]
        counts.append(parts_of(sparsity.count(p.salience)(e))["count"].values)
    assert np.array_equal(counts[0], counts[1]) and np.array_equal(counts[0], counts[2])
    few = sparse_study([8.0, 4.0, 2.0, 0.3], images=4, noise=1.0)
    many = sparse_study([8.0, 4.0, 2.0, 0.5], images=200, noise=1.0)
    assert parts_of(sparsity.count()(many))["count"].values.mean() != pytest.approx(
        parts_of(sparsity.count()(few))["count"].values.mean()
    ), "the reason for a number of its own"


def layer_of(e: CertifiedGames) -> Layered:
    """One checkpoint's games as four layers and the output."""
    five = [0] * 4 + [1]
    games = extracted(e.found[:, five], np.arange(5), e.kappa)
    return Layered(games, ("a", "b", "c", "d", "output"), pd.DataFrame())


def test_kappa_rows_compare_at_the_output_and_at_inner_layers() -> None:
    generator = torch.Generator().manual_seed(0)
    one = torch.randn(len(SEEDS), 2, 6, 1 << N, generator=generator, dtype=torch.float64)
    wobble = 1 + 0.02 * torch.rand(one.shape, generator=generator, dtype=torch.float64)
    cases = {0.04: one, 0.03: one * wobble, 0.05: one.flip(-1)}
    games = {
        k: extracted(Interactions(x, torch.zeros_like(x)), STEPS[[0, -1]], k)
        for k, x in cases.items()
    }
    inner = {k: layer_of(e) for k, e in games.items()}
    near = decided("L12", likeness.kappa_likeness(Kappas(games[0.04], {0.03: games[0.03]}, inner)))
    assert near == {"cosine": "clears", "salient_overlap": "clears"}
    both = {0.03: games[0.03], 0.05: games[0.05]}
    other = likeness.kappa_likeness(Kappas(games[0.04], both, inner))
    assert decided("L12", other)["cosine"] == "fails"
    # The output agrees, one inner layer does not: the least similar place counts.
    spoiled = extracted(
        Interactions(
            torch.cat([one.flip(-1)[:, :1], (one * wobble)[:, 1:]], 1), torch.zeros_like(one)
        ),
        STEPS[[0, -1]],
        0.03,
    )
    found = likeness.kappa_likeness(
        Kappas(games[0.04], {0.03: games[0.03]}, {**inner, 0.03: layer_of(spoiled)})
    )
    assert decided("L12", found)["cosine"] == "fails"
    control = likeness.agreement_controls(
        Kappas(games[0.04], {0.03: games[0.03]}, inner), {"again": games[0.04]}
    )
    assert control["cosine and overlap of salient sets"]["equal kappa, again"] == pytest.approx(
        [1.0, 1.0]
    )


def test_the_exponent_of_a_planted_growth_is_found() -> None:
    table = pd.DataFrame(
        [
            {"players": n, "seed": s, "count": (2 + s) * n**1.5}
            for n in (6, 8, 10, 12)
            for s in (0, 1)
        ]
    )
    assert growth.exponents(table) == pytest.approx([1.5, 1.5])
    assert "1.50" in growth.growth_statement(table)
    with pytest.raises(params.ParameterError, match="at least 3"):
        params.validate("01_sparsity", size_players=[6, 8])


def test_identity_errors_see_a_term_outside_of_kappa() -> None:
    e = sparse_study([8.0, 4.0, 2.0, 0.3])
    bounded = extracted(e.found, e.steps, kappa=0.04)
    assert float(matching.identity_errors(e, bounded)["within_kappa"].max()) == 0
    bounded.error[0, 1, 0] = 0.05 * float((bounded.v[0, 1, 0, -1] - bounded.v[0, 1, 0, 0]).abs())
    assert float(matching.identity_errors(e, bounded)["within_kappa"].max()) == pytest.approx(1.25)
    e.error[2, 0, 1] = 1e-3 * float(e.v[2, 0, 1].abs().max())
    assert float(matching.identity_errors(e, bounded)["matching"].max()) == pytest.approx(1e-3)


def test_a_game_that_goes_nowhere_is_allowed_no_noise_term() -> None:
    still = extracted(sparse_study([0.0, 0.0]).found, STEPS[[0, -1]], kappa=0.04)
    still.v[:] = 2.0
    assert float(matching.identity_errors(still, still)["within_kappa"].max()) == 0
    still.error[1, 1, 1] = 0.1
    assert float(matching.identity_errors(still, still)["within_kappa"].max()) == np.inf
