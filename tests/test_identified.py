"""What the split identifies: identities against an oracle, planted faces found, agreement not
called a difference."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from utils import claims, figures, lattice, params, sparsify
from utils.evidence import exchange, face, published, statements
from utils.evidence.face import Face
from utils.evidence.published import Ways
from utils.interactions import Interactions
from utils.jobs.games import CertifiedGames
from utils.jobs.identified import Compared
from utils.jobs.plan import graph
from utils.metrics import identification, orders
from utils.studies import identified as studies
from utils.studies import networks

N = 4
SEEDS = (0, 1, 2, 3, 4)
SYSTEM = "lenet/mnist_part"
STEPS = np.array([0, 10, 100, 1000])


def weights(*shape: int) -> torch.Tensor:
    return 0.5 + torch.rand(
        *shape, N, generator=torch.Generator().manual_seed(3), dtype=torch.float64
    )


# The identity -------------------------------------------------------------------------------------


def test_an_additive_game_has_two_explanations_of_one_strength() -> None:
    one, other = identification.additive_pair(weights(6))
    bits = torch.arange(1 << N)[:, None] >> torch.arange(N) & 1
    assert torch.allclose(one.reconstruct(), weights(6) @ bits.double().T, atol=1e-14)
    assert torch.allclose(other.reconstruct(), one.reconstruct(), atol=1e-14)
    assert torch.allclose(identification.strength(other), weights(6).sum(-1), atol=1e-14)
    assert float(orders.mean_order(one)) == pytest.approx(1.0)
    assert 1.5 < float(orders.mean_order(other)) <= 2.0
    equal = identification.additive_pair(torch.ones(1, N, dtype=torch.float64))[1]
    assert float(orders.mean_order(equal)) == 2.0
    assert float(equal.and_[0, 0b0011]) == float(equal.or_[0, 0b1100]) == 1.0


def test_no_explanation_has_less_strength_than_an_additive_game_needs() -> None:
    """HiGHS finds nothing below v(N) - v(∅) either."""
    game = identification.additive_pair(weights(1))[0].reconstruct()[0].numpy()
    masks = np.arange(1 << N)
    conj = (masks[:, None] & masks == masks).astype(float)[:, 1:]
    disj = (masks[:, None] & masks > 0).astype(float)[:, 1:]
    both = np.hstack([conj, disj])
    best = linprog(
        np.ones(2 * both.shape[1]),
        A_eq=np.hstack([both, -both]),
        b_eq=game,
        bounds=(0, None),
        method="highs",
    )
    assert best.fun == pytest.approx(game[-1] - game[0])


def test_an_exchange_that_would_cost_strength_is_refused() -> None:
    with pytest.raises(ValueError, match="positive weights"):
        identification.additive_pair(torch.tensor([1.0, -1.0, 1.0, 1.0], dtype=torch.float64))


def test_row_o1_is_exact_and_the_split_reaches_both_explanations() -> None:
    p = params.validate("08_what_the_split_identifies", n_players=5)
    errors, control = exchange.exchange(p.n_players, p.order_weights, p.tol)
    verdict = claims.judge_identity(
        "O1", "synthetic/additive", errors, scope="a test", control=control
    )
    assert verdict.verdict == "EXACT"
    assert identification.exchange_error(5) == 0.0
    assert control["split at order weight +0.2: mean order"] == pytest.approx(1.0, abs=1e-3)
    assert control["split at order weight -0.2: mean order"] > 1.7
    dearer = {**errors, "both_optimal": 1e-3}
    assert (
        claims.judge_identity("O1", "synthetic/additive", dearer, scope="a test").verdict
        == "BROKEN"
    )
    assert set(exchange.exchange_table(p.n_players, p.order_weights, p.tol)["explanation"]) == {
        "single players",
        "exchanged pairs",
        "split, +0.2",
        "split, -0.2",
    }


# Measures -----------------------------------------------------------------------------------------


def test_jaccard_of_salient_sets_by_hand() -> None:
    def found(conj: list[float], disj: list[float]) -> Interactions:
        return Interactions(
            torch.tensor([conj], dtype=torch.float64), torch.tensor([disj], dtype=torch.float64)
        )

    one, other = found([9, 1, 0.5, 0], [0, 0, 0, 2]), found([9, 0, 0.5, 0], [0, 0, -3, 2])
    tau = torch.tensor([0.5], dtype=torch.float64)  # |I| = tau is salient, the empty set never is
    # {and 1, and 2, or 3} and {and 2, or 2, or 3}
    assert identification.salient_jaccard(one, other, tau, tau).tolist() == [2 / 4]
    assert identification.salient_jaccard(one, one, tau, tau).tolist() == [1.0]
    assert identification.salient_jaccard(one, other, tau, 10 * tau).tolist() == [0.0]
    assert identification.salient_jaccard(one, other, 10 * tau, 10 * tau).isnan().all()


def test_the_published_loop_starts_from_half_of_each_transform() -> None:
    assert identification.start_strength(torch.tensor([0.0, 1.0], dtype=torch.float64)) == 1.0
    v = torch.randn(3, 1 << N, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    by_hand = (
        lattice.and_interactions(v)[:, 1:].abs() + lattice.or_interactions(v)[:, 1:].abs()
    ).sum(-1) / 2
    assert torch.allclose(identification.start_strength(v), by_hand)
    nothing = sparsify.split(
        v,
        kappa=0.0,
        order_weight=0.0,
        solver="paper",
        paper=sparsify.PaperSettings(learning_rate=1e-12, iterations=1),
    )
    assert torch.allclose(nothing.objective, by_hand, rtol=1e-6)


# O2 -----------------------------------------------------------------------------------------------


def settings() -> params.Identified:
    return params.validate("08_what_the_split_identifies", n_players=N, images=3, checkpoints=4)


def way(
    strength: float | torch.Tensor, found: Interactions | None = None, loop: bool = True
) -> Compared:
    games = found or identification.additive_pair(weights(5, 4, 3))[0]
    values = torch.as_tensor(strength, dtype=torch.float64).expand(5, 4, 3).clone()
    return Compared(
        v=games.reconstruct(),
        found=games,
        strength=values,
        raw=values,
        start=torch.full_like(values, 3.0),
        bound=values,
        converged=torch.full_like(values, not loop, dtype=torch.bool),
        kappa=0.04,
        loop=loop,
    )


def of_settings(by: dict[str, Compared], p: params.Identified | None = None) -> Ways:
    p = p or settings()
    return Ways(by, p.loops, p.kappa, STEPS)


def ways(*excess: float | torch.Tensor) -> dict[str, Compared]:
    optimum = {"certified, order weight 0": way(1.0, loop=False)}
    return optimum | dict(
        zip(
            ("image code", "README text", "tabular code"), (way(1 + x) for x in excess), strict=True
        )
    )


def judged_o2(found: dict[str, Compared], p: params.Identified | None = None) -> claims.Verdict:
    p = p or settings()
    return claims.judge(
        "O2",
        SYSTEM,
        published.excess(of_settings(found, p)),
        seeds=SEEDS,
        scope="a test",
        uncertified=0.0,
        premises=[published.published(p.loops)],
    )


def test_an_optimiser_that_stops_early_is_told_from_one_that_does_not() -> None:
    assert judged_o2(ways(0.2, 0.05, 40.0)).verdict == "REPRODUCED"
    assert (
        judged_o2(ways(0.2, 0.001, 40.0)).verdict == "NOT REPRODUCED"
    )  # one good setting is enough
    noise = torch.rand(5, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (
        judged_o2(ways(0.02 * noise, 0.02 * (1 - noise), 40.0)).verdict == "NOT REPRODUCED"
    )  # the best of each game
    assert judged_o2(ways(0.1 * noise, 0.5, 40.0)).estimate == pytest.approx(
        float(0.1 * noise.mean()), rel=1e-9
    )


def test_fewer_iterations_than_published_settle_nothing() -> None:
    short = params.validate(
        "08_what_the_split_identifies",
        n_players=N,
        images=3,
        checkpoints=4,
        loops={
            "image code": {"learning_rate": 1e-5, "iterations": 10},
            "README text": {"learning_rate": 1e-6},
            "tabular code": {"learning_rate": 1e-4},
        },
    )
    verdict = judged_o2(ways(0.2, 0.05, 40.0), short)
    assert verdict.verdict == "INCONCLUSIVE" and "image code" in verdict.reason


def test_settings_are_labelled_by_where_they_stop() -> None:
    table = published.convergence(of_settings(ways(0.2, 0.005, 40.0)), "mean_output")
    assert table["it"].tolist() == ["stops early", "converges", "diverges"]
    assert table["excess"].tolist() == pytest.approx([0.2, 0.005, 40.0])
    assert table["Jaccard of salient sets, nearest certified"].tolist() == [1.0] * 3
    pair = [way(1.0, x, loop=False) for x in identification.additive_pair(weights(5, 4, 3))]
    two = {"certified, order weight 0": pair[0], "certified, order weight -0.2": pair[1]}
    every = {**two, **dict.fromkeys(settings().loops, way(1.2, pair[1].found))}
    near = published.convergence(of_settings(every), "mean_output")
    assert (
        near["total variation of order shares, nearest certified"].tolist() == [0.0] * 3
    )  # the end that it is like
    shares = published.share_table(of_settings(two)).set_index(["split", "step", "order"])["share"]
    assert shares["certified, order weight 0", "step 100", 1] == pytest.approx(1.0)
    assert set(published.excess_table(of_settings(ways(0.2, 0.005, 40.0)), "LeNet")["step"]) == set(
        STEPS.tolist()
    )


# O3, O4 -------------------------------------------------------------------------------------------


def extracted(found: Interactions) -> CertifiedGames:
    shape = found.and_.shape[:-1]
    nothing = torch.zeros(shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=0.04,
        gap=nothing,
        error=nothing.clone(),
        l1=identification.strength(found),
        converged=torch.ones(shape, dtype=torch.bool),
        steps=STEPS,
        saturated=torch.zeros(shape[:2]),
        noise_floor=torch.full(shape[:2], 1e-9),
    )


def judged(
    row: str, both: tuple[CertifiedGames, CertifiedGames], certified_only: bool = False
) -> str:
    pair = Face(*both, (0.2, -0.2), certified_only)
    parts = face.apart(pair) if row == "O3" else face.jaccard()(pair)
    return claims.judge(row, SYSTEM, parts, seeds=SEEDS, scope="a test", uncertified=0.0).verdict


def test_a_wide_face_is_found_and_a_point_is_none() -> None:
    low, high = (extracted(x) for x in identification.additive_pair(weights(5, 4, 3)))
    assert judged("O3", (low, high)) == "REPRODUCED"
    assert judged("O4", (low, high)) == "REPRODUCED"
    assert judged("O3", (low, low)) == "NOT REPRODUCED"
    assert judged("O4", (low, low)) == "NOT REPRODUCED"
    assert judged("O3", (high, low)) == "NOT REPRODUCED"  # the ends swapped
    dearer = dataclasses.replace(high, l1=high.l1 * 1.01)
    assert judged("O3", (low, dearer)) == "NOT REPRODUCED"  # no face: another strength


def test_initialisation_and_uncertified_games_do_not_count() -> None:
    one, other = identification.additive_pair(weights(5, 4, 40))
    conj, disj = one.and_.clone(), one.or_.clone()
    conj[:, 0], disj[:, 0] = other.and_[:, 0], other.or_[:, 0]
    low, only_start = extracted(one), extracted(Interactions(conj, disj))
    assert judged("O3", (low, only_start)) == judged("O4", (low, only_start)) == "NOT REPRODUCED"
    high = extracted(other)
    high.converged[..., 10:] = False
    high.l1[..., 10:] *= 5
    assert judged("O3", (low, high)) == "NOT REPRODUCED"
    assert judged("O3", (low, high), certified_only=True) == "REPRODUCED"


def test_tables_of_the_face() -> None:
    ends = (extracted(x) for x in identification.additive_pair(weights(5, 4, 3)))
    both = Face(*ends, (0.2, -0.2))
    table = face.face_table(both)
    assert table[table["curve"] == "order weight +0.2"]["value"].tolist() == pytest.approx(
        [1.0] * 4
    )
    assert set(face.jaccard_table(both)["curve"]) == {
        "mean_output",
        "max_per_sample",
        "max_over_samples",
    }
    assert face.face_controls(both)["step"] == STEPS.tolist()


# O5 -----------------------------------------------------------------------------------------------


def course(mu: list[float]) -> Interactions:
    """Games whose strength lies in orders floor(mu) and ceil(mu) of AND interactions, a checkpoint
    per entry."""
    first = torch.tensor([int((lattice.order(N) == k).nonzero()[0]) for k in range(N + 1)])
    wanted = torch.tensor(mu, dtype=torch.float64)[None, :, None] + 0.05 * torch.rand(
        5, len(mu), 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    conj = torch.zeros(5, len(mu), 3, 1 << N, dtype=torch.float64)
    conj.scatter_(-1, first[wanted.floor().long()][..., None], (1 - wanted % 1)[..., None])
    conj.scatter_(-1, first[wanted.floor().long() + 1][..., None], (wanted % 1)[..., None])
    return Interactions(conj, torch.zeros_like(conj))


def test_statements_survive_where_they_hold_and_differences_are_named() -> None:
    spindle, rising = course([2.9, 2.0, 1.1, 1.8]), course([1.1, 1.3, 1.6, 2.2])
    both = Face(extracted(spindle), extracted(rising), (0.2, -0.2))
    every = {
        f"certified, order weight {w}": way(1.0, spindle, loop=False) for w in ("+0.2", "-0.2", "0")
    }
    every |= {
        "image code": way(1.2, spindle),
        "README text": way(1.1, rising),
        "tabular code": way(1.1, spindle),
    }
    table = statements.statements(SYSTEM, of_settings(every), both)
    decision = table.set_index(["statement", "way"])["decision"]
    assert decision["D3: mean order falls", "all games, order weight +0.2"] == "holds"
    assert decision["D3: mean order falls", "all games, order weight -0.2"] == "fails"
    assert decision["D3: mean order rises again", "image code"] == "holds"
    assert (
        decision["L2: salient interactions", "image code"] == "fails"
    )  # 2 are fewer than half of the paper's 21.8
    sentence = statements.described(table, of_settings(every), both)
    assert "differently at the two ends: D3: mean order falls" in sentence
    assert "(image code): none" in sentence
    assert "(README text): D3: mean order falls" in sentence
    figures.decision_grid(
        table.assign(estimate=table["estimate"].where(table["way"] != "image code"))
    ).canvas.draw()


def test_one_network_leaves_the_two_phases_open() -> None:
    spindle = course([2.9, 2.0, 1.1, 1.8])[:1]
    alone = dataclasses.replace(
        way(1.0, course([2.9, 2.0, 1.1, 1.8])), v=spindle.reconstruct(), found=spindle
    )
    names = [*(f"certified, order weight {w}" for w in ("+0.2", "-0.2", "0")), *settings().loops]
    ends = Face(extracted(spindle), extracted(spindle), (0.2, -0.2))
    table = statements.statements(SYSTEM, of_settings(dict.fromkeys(names, alone)), ends)
    assert (table[table["statement"].str.startswith("D3")]["decision"] == "open").all()


# From parameters to splits ------------------------------------------------------------------------


def test_all_ways_split_the_same_games() -> None:
    p = params.validate(
        "08_what_the_split_identifies",
        systems=["mlp7_w256/mnist_part"],
        seeds=[0, 3],
        images=2,
        n_players=4,
        checkpoints=5,
        loop_images=1,
        change={
            "width": 16,
            "training": {"steps": 30, "n_train": 200, "first_checkpoint": 5},
            "floor": {"value": 0.2, "source": "a test"},
        },
        loops={
            "short": {"learning_rate": 1e-4, "iterations": 50},
            "tight": {"learning_rate": 1e-4, "iterations": 50, "kappa": 0.02},
        },
    )
    (one,) = studies.studies(p)
    every, (low, high) = one.ways.main.by, one.main.ends
    (system,) = networks.systems(p)
    assert all(node.finished for node in graph(studies.plan(p, system)))
    assert list(every) == [
        "certified, order weight +0.2",
        "certified, order weight -0.2",
        "certified, order weight 0",
        "certified, order weight 0, kappa 0.02",
        "short",
        "tight",
    ]
    cells = list(studies.loop_cells(p, system))
    assert cells == [0, 1, 3, 4]
    for name, e in (("certified, order weight +0.2", low), ("certified, order weight -0.2", high)):
        assert torch.equal(
            every[name].found.and_, e.found.and_[:, cells, :1]
        )  # a game's answer is its own
        assert torch.equal(every[name].v, e.v[:, cells, :1])
    direct = sparsify.split(
        every["short"].v,
        kappa=0.04,
        order_weight=0.0,
        solver="paper",
        paper=sparsify.PaperSettings(1e-4, 50),
    )
    assert torch.equal(every["short"].found.or_, direct.i_or)
    assert not torch.equal(every["short"].found.or_, every["tight"].found.or_)
    optimum = every["certified, order weight 0"]
    assert bool((optimum.bound <= optimum.strength).all()) and bool(
        (every["short"].strength >= optimum.bound).all()
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loop_images": 41}, "loop_images"),
        ({"loop_checkpoints": 20}, "loop_checkpoints"),
        ({"order_weights": [0.2, 0.1]}, "two ends of the face"),
        ({"order_weights": [0.2]}, "two ends of the face"),
        ({"loops": {"other": {"learning_rate": 1e-5, "kappa": 0.02}}}, "this notebook's kappa"),
        ({"loops": {"other": {"learning_rate": 0.0}}}, "greater than 0"),
        ({"loops": {"other": {"rate": 1.0}}}, "rate"),
        ({"loops": {}}, "loops"),
    ],
)
def test_wrong_parameters_are_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(params.ParameterError, match=message):
        params.validate("08_what_the_split_identifies", **given)
