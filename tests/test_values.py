"""Value tables: games that others played, judged by the rows that need nothing but v."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch

from utils import claims, datasets, jobs, systems
from utils.datasets import values
from utils.evidence import face, sparsity
from utils.jobs.given import GivenGamesJob
from utils.params import ParameterError, validate
from utils.studies import feasible, identified
from utils.studies import networks as games_of
from utils.studies import sparsity as study

N, GAMES = 4, 24
FILE = """
from pathlib import Path
import numpy as np
from utils.datasets.values import Values
from utils.systems import Floor, System

def find():
    path = Path({path!r})
    return path.parent if path.is_file() else None

def read(folder):
    with np.load(folder / "games.npz", allow_pickle=False) as file:
        return file["v"], file["ids"]

SYSTEM = System(
    data=Values(name="toy_n4", network="other", title="Other network", n=4, unit="segments",
                masked_by="gray", accuracy={accuracy}, source="played elsewhere", sha256={sha!r},
                find=find, read=read),
    floor=Floor(value=0.5, source="ours"),
)
"""


@pytest.fixture
def table(tmp_path: Path) -> tuple[str, np.ndarray]:
    """A user's file, and its games: a sparse AND game each, with a little noise."""
    rng = np.random.default_rng(0)
    masks = np.arange(2**N)
    v = 0.02 * rng.normal(size=(GAMES, 2**N)) + 3.0 * ((masks & 3) == 3) + (masks & 4) / 4
    path = tmp_path / "games.npz"
    np.savez(path, v=v, ids=np.arange(GAMES) + 100)
    sha = hashlib.sha256(repr(v.shape).encode() + v.tobytes()).hexdigest()
    file = tmp_path / "other.py"
    file.write_text(FILE.format(path=str(path), sha=sha, accuracy=0.9), encoding="utf-8")
    return str(file), v


def settings(notebook: str, file: str, **given: object) -> object:
    return validate(notebook, **{"systems": [file], "n_players": N, "images": 20, **given})


def test_the_games_are_those_of_the_file(table: tuple[str, np.ndarray]) -> None:
    file, v = table
    system = systems.find(file)
    assert (system.id, system.name, system.given) == ("other/toy_n4", "Other network", True)
    p = settings("01_sparsity", file)
    (trained,) = games_of.systems(p)
    (job,) = games_of.games_jobs(p, trained)
    assert isinstance(job, GivenGamesJob)
    games = jobs.ensure(job)
    assert torch.equal(games.v[0], torch.from_numpy(v[:20])) and games.steps.tolist() == [1]
    assert games.ids.tolist() == list(range(100, 120))


def test_rows_that_need_nothing_but_v_are_judged(table: tuple[str, np.ndarray]) -> None:
    file, _ = table
    system = systems.find(file)
    assert set(claims.rows_of("01_sparsity", system)) == {"D1", "D2", "L1", "L7", "F4"}
    assert {"O2", "O3", "O4"} <= set(claims.rows_of("08_what_the_split_identifies", system))
    for notebook in ("02_two_phase_dynamics", "05_layerwise_change", "07_noisy_labels"):
        with pytest.raises(ParameterError, match="nothing to say of other/toy_n4"):
            feasible.require(notebook, settings(notebook, file, n_players=5))


def test_d2_of_a_table_has_the_samples_as_its_unit_and_no_untrained_rival(
    table: tuple[str, np.ndarray],
) -> None:
    file, _ = table
    (s,) = study.studies(settings("01_sparsity", file, order_weights=[0.2, -0.2]))
    assert not sparsity.untrained_known(s.main) and s.slopes is None
    assert s.scope.startswith("1 network Other network, whose games were given: played elsewhere")
    assert "20 games, 4 segments each, baseline: gray" in s.scope
    case = s.case(sparsity.concentration(), orders="shown")
    assert case["given"] and case["accuracy"] == [0.9] and list(case["seeds"]) == [0]
    mass, gini = case["parts"]
    assert mass.values.shape == (1,) and mass.without.shape == (1, 20)
    assert float(gini.values[0]) > 0, "two interactions are sparser than smooth random games"
    verdict = claims.judge("D2", s.id, **case)
    assert verdict.status == "criterion: changed", "the bound of D2 is for ten players or more"


def test_both_ends_of_the_face_of_a_table(table: tuple[str, np.ndarray]) -> None:
    file, _ = table
    given = {"loops": {"image code": {"learning_rate": 1e-5, "iterations": 200}}}
    p = settings("08_what_the_split_identifies", file, loop_images=2, **given)
    (s,) = identified.studies(p)
    assert s.main.low.v.shape == (1, 1, 20, 2**N) and s.test_accuracy == [0.9]
    verdict = claims.judge("O3", s.id, **s.case(face.apart))
    assert verdict.system == "other/toy_n4" and (verdict.n, verdict.n_units) == (1, 20)
    assert all(job.checkpoints == (0,) for job in identified.plan(p, games_of.systems(p)[0])[-1:])


@pytest.mark.parametrize(
    ("given", "said"),
    [({"n_players": 5}, "n_players must be 4"), ({"images": 25}, "cannot exceed its 24 games")],
)
def test_more_players_or_games_than_there_are_are_refused(
    table: tuple[str, np.ndarray], given: dict[str, int], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        feasible.require("01_sparsity", settings("01_sparsity", table[0], **given))


def test_another_table_than_the_published_one_is_refused(table: tuple[str, np.ndarray]) -> None:
    file, v = table
    np.savez(Path(file).with_name("games.npz"), v=v + 1e-9, ids=np.arange(GAMES))
    with pytest.raises(datasets.DamagedData, match="has the sha256"):
        values.load(systems.find(file).data)
    Path(file).with_name("games.npz").unlink()
    with pytest.raises(datasets.MissingData, match="played elsewhere"):
        values.load(systems.find(file).data)
