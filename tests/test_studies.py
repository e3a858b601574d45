"""A study applies a statistic to every analysis, and tells the judge which of them decide."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from utils import claims, params, systems
from utils.__main__ import main
from utils.claims import Part
from utils.evidence import mean_order, spindle
from utils.interactions import Interactions
from utils.jobs import entries
from utils.jobs.games import CertifiedGames
from utils.jobs.plan import graph
from utils.studies import Analysis, Study, analyses, planning, two_phase
from utils.studies import networks as games_of
from utils.studies.base import CERTIFIED

SEEDS = (0, 1, 2)
LENET = systems.find("lenet/mnist_part")
STEPS = np.array([0, 1, 2, 4, 8, 16])


def games(seed: int, n: int = 4, images: int = 6, done: float = 1.0) -> CertifiedGames:
    """Random interactions (3 seeds, 6 checkpoints), of which a share ``done`` is certified."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(SEEDS), len(STEPS), images)
    conj = torch.randn(*shape, 1 << n, generator=generator, dtype=torch.float64)
    found = Interactions(conj, torch.zeros_like(conj))
    nothing = torch.zeros(shape, dtype=torch.float64)
    return CertifiedGames(
        v=found.reconstruct(),
        found=found,
        kappa=0.0,
        gap=nothing,
        converged=torch.rand(shape, generator=generator) < done,
        l1=nothing,
        error=nothing,
        steps=STEPS,
        saturated=nothing[..., 0],
        noise_floor=nothing[..., 0],
    )


MAIN, OTHER, SECOND = Analysis(0.2), Analysis(-0.2), Analysis(0.2, draw=1)
ELSEWHERE = Analysis(0.2, split="train")


def study(changed: str | None = None, **by: CertifiedGames) -> Study[CertifiedGames]:
    every = {MAIN: games(0), OTHER: games(1), SECOND: games(2), ELSEWHERE: games(3)}
    every |= {{"main": MAIN, "other": OTHER}[name]: e for name, e in by.items()}
    accuracy = [0.99, 0.98, 0.99]
    return Study((LENET,), SEEDS, "a test", accuracy, every, changed)


def total(e: CertifiedGames) -> list[Part]:
    kept = torch.where(e.converged, 1.0, torch.nan) if e.certified_only else 1.0
    return [Part.of("sum", (e.v.sum(-1) * kept)[:, 0].numpy())]


def value(parts: list[Part]) -> float:
    return float(np.mean(parts[0].values))


def test_the_ends_of_the_face_decide_and_other_draws_and_images_are_shown() -> None:
    s = study()
    case = s.case(total)
    assert value(case["parts"]) == value(total(s.games[MAIN]))
    assert list(case["variants"]) == ["order weight -0.2", CERTIFIED]
    assert list(case["reported"]) == ["second draw of players", "training images"]
    assert value(case["variants"]["order weight -0.2"]) == value(total(s.games[OTHER]))
    assert value(case["reported"]["training images"]) == value(total(s.games[ELSEWHERE]))
    assert (case["seeds"], case["scope"], case["accuracy"]) == (SEEDS, "a test", s.accuracy)


def test_a_row_without_orders_is_not_decided_by_the_other_end() -> None:
    shown, left = (study().case(total, orders=how) for how in ("shown", "left out"))
    assert list(shown["variants"]) == list(left["variants"]) == [CERTIFIED]
    assert "order weight -0.2" in shown["reported"] and "order weight -0.2" not in left["reported"]


def test_certified_games_only_is_the_main_analysis_without_the_others() -> None:
    s = study(main=games(4, done=0.7))
    e = s.main
    expected = torch.where(e.converged, e.v.sum(-1), torch.nan)[:, 0].nanmean(1).mean()
    assert value(s.case(total)["variants"][CERTIFIED]) == pytest.approx(float(expected))
    assert value(s.case(total)["parts"]) != pytest.approx(float(expected))


def test_the_share_of_uncertified_games_is_the_largest_that_decides_nulls_included() -> None:
    half, most, none = games(5, done=0.5), games(6, done=0.1), games(7, done=0.0)
    with_null = dataclasses.replace(games(8), nulls={"iid": most})
    share = {e: float((~e.converged).double().mean()) for e in (half, most)}

    def told(s: Study[CertifiedGames], **how: str) -> float:
        return s.case(total, **how)["uncertified"]

    assert told(study()) == 0
    assert told(study(other=half)) == pytest.approx(share[half])
    assert told(study(other=half), orders="shown") == 0
    assert told(study(main=with_null, other=half)) == pytest.approx(share[most])
    assert with_null.certified().nulls["iid"].certified_only
    shown = dataclasses.replace(study(), games=study().games | {SECOND: none, ELSEWHERE: none})
    assert told(shown) == 0


def test_some_checkpoints_are_the_same_games() -> None:
    e = dataclasses.replace(games(8, done=0.5), nulls={"iid": games(9)})
    some = e.at(0, 5)
    assert torch.equal(some.v, e.v[:, [0, 5]]) and torch.equal(
        some.found.and_, e.found.and_[:, [0, 5]]
    )
    assert torch.equal(some.converged, e.converged[:, [0, 5]]) and some.steps.tolist() == [0, 16]
    assert not some.nulls and some.certified().certified_only


def test_analyses_follow_the_settings() -> None:
    p = params.validate("02_two_phase_dynamics")
    assert analyses(p) == (MAIN, OTHER, SECOND)
    alone = params.validate("02_two_phase_dynamics", order_weights=[-0.2, 0.2], second_draw=False)
    assert [a.label for a in analyses(alone)] == ["order weight -0.2", "order weight +0.2"]
    assert [a.decides for a in (MAIN, OTHER, SECOND, ELSEWHERE)] == [True, True, False, False]


@pytest.mark.parametrize("statistic", [mean_order.fall, mean_order.rise])
def test_a_changed_statistic_is_a_sensitivity_and_no_verdict(statistic: object) -> None:
    row = "D3a" if statistic is mean_order.fall else "D3b"
    s = study(changed="training instead of test images")
    found = claims.judge(row, s.id, **s.case(statistic))
    assert found.verdict is None and "criterion: changed" in found.status
    assert claims.judge(row, s.id, **study().case(statistic)).verdict is not None


def test_the_law_of_noise_is_held_against_the_null_of_the_same_analysis() -> None:
    e, noise, other = games(10), games(11), games(12)
    start = {
        MAIN: dataclasses.replace(e.at(0), nulls={"iid": noise.at(0)}),
        OTHER: dataclasses.replace(e.at(0), nulls={"iid": other.at(0)}),
    }
    case = dataclasses.replace(study(), games=start).case(spindle.law)
    wanted = spindle.law_parts(
        spindle.pure_shares(e.v[:, 0]), spindle.split_shares(e), spindle.split_shares(other)
    )
    found = case["variants"]["order weight -0.2"]
    for a, b in zip(found, wanted, strict=True):
        assert np.array_equal(a.values, b.values)


# --- plans


def test_a_plan_names_every_job_once_and_what_it_needs_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    p = params.validate("02_two_phase_dynamics", seeds=2, systems=["lenet/mnist_part"])
    (system,) = games_of.systems(p)
    nodes = graph(two_phase.plan(p, system))
    place = {node.digest: k for k, node in enumerate(nodes)}
    assert len(place) == len(nodes)
    assert all(place[need] < place[node.digest] for node in nodes for need in node.needs)
    kinds = Counter(node.job.kind for node in nodes)
    # Test images, a second draw of their players, training images; splits of these and of the other
    # end of the face, two more starts, three of noise.
    assert kinds == {"train": 2, "games": 2 * 3, "split": 2 * (4 + 2 + 3)}
    assert not any(node.finished for node in nodes) and not list(tmp_path.iterdir())


def test_a_plan_is_what_a_study_computes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    training = {"steps": 12, "n_train": 60, "batch": 10, "first_checkpoint": 1}
    p = params.validate(
        "02_two_phase_dynamics",
        seeds=1,
        systems=["lenet/mnist_part"],
        change={"training": training},
        images=2,
        n_players=4,
        checkpoints=6,
        time_points=6,
    )
    (system,) = games_of.systems(p)
    planned = {(node.job.kind, node.digest) for node in graph(two_phase.plan(p, system))}
    two_phase.studies(p)
    assert {(entry.kind, entry.digest) for entry in entries()} == planned
    assert all(node.finished for node in graph(two_phase.plan(p, system)))


def test_the_command_prints_a_plan_and_computes_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path))
    assert main(["plan", "02", "--profile", "smoke", "--json"]) == 0
    nodes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    seen: set[str] = set()
    for node in nodes:
        assert set(node["needs"]) <= seen and node["state"] == "to do"
        seen.add(node["digest"])
    assert {node["kind"] for node in nodes} == {"train", "games", "split"}
    assert not list(tmp_path.iterdir())
    assert main(["plan", "02", "--system", "lenet/mnist_part"]) == 0
    assert "0 of" in capsys.readouterr().out
    assert main(["plan", "02", "--system", "lenet/mnist"]) == 2
    assert "did you mean 'lenet/mnist_part'" in capsys.readouterr().err.replace("meant", "mean")
    assert main(["plan", "00"]) == 2
    assert "00_start_here has no plan" in capsys.readouterr().err


@pytest.mark.parametrize("notebook", list(planning.PLANNED))
def test_every_plan_is_a_graph_of_different_jobs_and_computes_nothing(
    notebook: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The default settings: nothing is trained, scored or split, and no file of the cache is
    touched."""

    def never(*_args: object, **_how: object) -> None:
        raise AssertionError("a plan computes nothing")

    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "jobs"))
    for place in ("train.fit", "extract.scores", "sparsify.split"):
        monkeypatch.setattr(f"utils.{place}", never)
    p = params.validate(notebook)
    module = importlib.import_module(f"utils.studies.{planning.PLANNED[notebook]}")
    chosen = getattr(module, "systems", games_of.systems)(p)
    parts = [graph(module.plan(p, system)) for system in chosen]
    nodes = planning.plan_of(notebook, p)
    place = {node.digest: k for k, node in enumerate(nodes)}
    assert len(place) == len(nodes) > 3 * len(p.seeds)
    assert all(place[need] < place[node.digest] for node in nodes for need in node.needs)
    assert {node.digest for part in parts for node in part} == set(place)
    assert not any(node.finished for node in nodes) and not (tmp_path / "jobs").exists()


def test_a_plan_of_one_system_is_its_part_of_the_whole() -> None:
    p = params.validate("01_sparsity", seeds=1)
    whole = {node.digest for node in planning.plan_of("01_sparsity", p)}
    parts = [{node.digest for node in planning.plan_of("01_sparsity", p, one)} for one in p.systems]
    assert set.union(*parts) == whole and not set.intersection(*parts)


def test_a_table_whose_columns_all_play_has_one_draw() -> None:
    table = systems.find("mlp7_w256/breast_cancer")
    p = params.validate("05_layerwise_change", systems=[table.id], second_draw=True, seeds=1)
    assert analyses(p, table) == (MAIN, OTHER)
    fewer = params.validate("05_layerwise_change", **{**p.model_dump(), "n_players": 6})
    assert analyses(fewer, table) == analyses(p) == (MAIN, OTHER, SECOND)
    (system,) = games_of.systems(p)
    with pytest.raises(ValueError, match="10 columns have no second draw"):
        games_of.planned(p, system, draw=1)

    def repeats(some: params.Layerwise) -> set[int]:
        nodes = planning.plan_of("05_layerwise_change", some)
        return {node.job.how.repeat for node in nodes if hasattr(node.job, "how")}

    assert (repeats(p), repeats(fewer)) == ({0}, {0, 1})
