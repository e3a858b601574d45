"""Value tables of real pretrained networks: their probabilities become log-odds, and are split."""

from __future__ import annotations

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models import ResNet18_Weights

from utils import datasets, lattice, sparsify, systems
from utils.datasets import shapiq_games, values
from utils.datasets.values import Values

TABLES = {  # id → players, players of the stored file
    "resnet18/imagenet_n13": (13, 14),
    "vit/imagenet_n9": (9, 9),
    "vit/imagenet_n16": (16, 16),
    "distilbert/imdb_n14": (14, 14),
}


@pytest.fixture
def games(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    return shared_data / "games"


def stored(games: Path, table: str) -> np.ndarray:
    network, name = table.split("/")
    name = name.replace("n13", "n14")
    with np.load(games / f"{network}_{name}.npz", allow_pickle=False) as file:
        return file["probability"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_the_log_odds_of_the_stored_probabilities(games: Path, name: str) -> None:
    system = systems.find(name)
    assert system.id == name and system.given and system.kind == "values"
    table, p = values.load(system.data), stored(games, name)
    n, _ = TABLES[name]
    assert table.v.shape == (20, 1 << n) and system.data.n == n
    assert len(set(table.ids.tolist())) == 20 and set(table.ids.tolist()) <= set(range(1, 31))
    for game, mask in ((0, 0), (3, 5), (19, (1 << n) - 1)):
        exact = math.log(p[game, mask] / (1 - p[game, mask]))
        assert table.v[game, mask] == pytest.approx(exact, rel=1e-12, abs=1e-12)
    assert system.floor.value < system.data.accuracy < 1


def test_the_whole_picture_is_recognised_and_the_gray_one_is_not(games: Path) -> None:
    """Index 0: all absent; the last: all present. So the bits stand for presence."""
    for name in list(TABLES)[:3]:
        v = values.load(systems.find(name).data).v
        assert (v[:, 0] < -5).all() and (v[:, -1] > v[:, 0] + 5).all()


def test_the_fourteenth_superpixel_of_the_resnet_games_owns_no_pixel(games: Path) -> None:
    """Its Shapley value, interactions of every order with it, all are exactly zero; no other player
    of a table is so in every game."""
    p = stored(games, "resnet18/imagenet_n13")
    idle = np.array([idle_players(row) for row in p])
    assert idle[:, 13].all() and not idle[:, :13].all(0).any()
    assert {game for game in range(20) if idle[game, :13].any()} == {1, 2, 6, 8}
    interactions = lattice.and_interactions(torch.from_numpy(np.log(p[:4]) - np.log1p(-p[:4])))
    # rounding only: one Möbius step per player
    assert float(interactions[:, 1 << 13 :].abs().max()) < 1e-9
    for name in ("vit/imagenet_n9", "distilbert/imdb_n14"):
        assert not any(idle_players(row).any() for row in stored(games, name))


def idle_players(v: np.ndarray) -> np.ndarray:
    """bool (n,): players whose presence changes v on no mask."""
    n = v.size.bit_length() - 1
    cube = v.reshape((2,) * n)  # the first axis is the highest bit
    return np.array([(np.diff(cube, axis=n - 1 - i) == 0).all() for i in range(n)])


def test_the_table_of_thirteen_players_is_that_of_fourteen(games: Path) -> None:
    p = stored(games, "resnet18/imagenet_n13")
    found = values.load(shapiq_games.RESNET18_IMAGENET).v
    v = np.log(p) - np.log1p(-p)
    assert np.array_equal(found, v[:, : 1 << 13]) and np.array_equal(found, v[:, 1 << 13 :])


@pytest.mark.parametrize(("name", "count"), [("vit/imagenet_n9", 20), ("distilbert/imdb_n14", 2)])
def test_the_split_of_a_few_games_is_certified(games: Path, name: str, count: int) -> None:
    """Of the other tables three games of 13 players and one of 16 were by hand (2026)."""
    v = torch.from_numpy(values.load(systems.find(name).data).v[:count])
    split = sparsify.split(v, kappa=0.04, tol=1e-2)
    assert bool(split.converged.all()) and float(split.gap.max()) <= 1e-2
    rebuilt = lattice.reconstruct(split.i_and, split.i_or)
    bound = 0.04 * (v[:, -1] - v[:, 0]).abs()
    assert bool(((rebuilt - v).abs().amax(1) <= bound * (1 + 1e-9)).all())


def test_torchvisions_accuracy_is_the_one_said() -> None:
    said = ResNet18_Weights.IMAGENET1K_V1.meta["_metrics"]["ImageNet-1K"]["acc@1"]
    assert shapiq_games.RESNET18_IMAGENET.accuracy == pytest.approx(said / 100)


# Bad input ----------------------------------------------------------------------------------------


def planted(p: np.ndarray, probabilities: bool = True) -> Values:
    kind = b"log-odds of" if probabilities else b""
    return Values(
        name="toy_n2",
        network="other",
        title="Other",
        n=2,
        unit="segments",
        masked_by="gray",
        accuracy=0.9,
        source="played elsewhere",
        sha256=hashlib.sha256(kind + repr(p.shape).encode() + p.tobytes()).hexdigest(),
        find=lambda: Path(),
        read=lambda _folder: (p, np.arange(len(p))),
        probabilities=probabilities,
    )


def test_log_odds_are_exact_where_a_quotient_of_probabilities_is_not() -> None:
    p = np.array([[0.5, 1e-18, 1 - 2.0**-50, 0.25]])
    found = values.load(planted(p)).v[0]
    expected = [0.0, math.log(1e-18), 50 * math.log(2), -math.log(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-14)
    assert np.array_equal(values.load(planted(p, probabilities=False)).v, p)


@pytest.mark.parametrize("wrong", [0.0, 1.0, 1.5, -0.1])
def test_a_probability_that_has_no_log_odds_is_refused(wrong: float) -> None:
    p = np.array([[0.5, 0.5, 0.5, 0.5], [0.5, 0.5, wrong, 0.5]])
    with pytest.raises(datasets.DamagedData, match=r"game 1 on mask 2 .* between 0 and 1"):
        values.load(planted(p))


def test_the_checksum_tells_probabilities_from_values() -> None:
    p = np.full((1, 4), 0.5)
    assert planted(p).sha256 != planted(p, probabilities=False).sha256


def test_a_damaged_file_is_refused_and_names_the_origin(
    games: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    (tmp_path / "games").mkdir()
    content = (games / "vit_imagenet_n9.npz").read_bytes()
    (tmp_path / "games" / "vit_imagenet_n9.npz").write_bytes(content[:-1])
    with pytest.raises(datasets.DamagedData, match=r"mmschlk/shapiq"):
        values.load(shapiq_games.VIT_IMAGENET_N9)
    with pytest.raises(datasets.MissingData, match=r"799cfd0f2c32f17446130247a7ac3519e68cce82"):
        values.load(shapiq_games.RESNET18_IMAGENET)


def test_a_table_whose_last_player_matters_is_not_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "resnet18_imagenet_n14.npz"
    np.savez(tmp_path / name, probability=np.linspace(0.1, 0.9, 8)[None], game=np.arange(1))
    sha256 = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
    monkeypatch.setitem(shapiq_games._SHA256, name, sha256)
    with pytest.raises(datasets.DamagedData, match="was known to own no pixel"):
        shapiq_games.RESNET18_IMAGENET.read(tmp_path)
