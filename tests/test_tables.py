"""The embedded table: its split, its columns as players, and the same jobs on it as on images."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from utils import datasets, extract, jobs, systems
from utils.datasets import base, breast_cancer, loading
from utils.jobs.scored import GamesJob, choose
from utils.jobs.trained import TrainJob
from utils.players import ColumnDraw, PatchDraw, TableColumns
from utils.train import TrainConfig


def config() -> TrainConfig:
    return TrainConfig(
        dataset="breast_cancer",
        model="mlp7",
        width=16,
        steps=30,
        batch=16,
        n_train=100,
        checkpoints=3,
    )


def test_the_two_parts_are_the_whole_table_with_its_shares_of_classes() -> None:
    train, test = (datasets.load("breast_cancer", split) for split in ("train", "test"))
    assert len(train) + len(test) == 569
    assert not set(train.ids.tolist()) & set(test.ids.tolist())
    for part in (train, test):
        assert float(part.labels.double().mean()) == pytest.approx(357 / 569, abs=0.01)
        assert part.shape == (10,) and part.kind == "table" and part.source.noun == "rows"
        assert part.classes == ("malignant", "benign")
    whole = load_breast_cancer()
    assert train.about.columns == tuple(whole.feature_names[:10])
    row = int(test.ids[7])
    np.testing.assert_array_equal(test.x[7].numpy(), whole.data[row, :10].astype(np.float32))
    assert int(test.labels[7]) == whole.target[row]


def test_the_checksum_is_that_of_the_content() -> None:
    raw = breast_cancer.BREAST_CANCER.read(breast_cancer.BREAST_CANCER.find(), "train")
    again = base.Samples.from_raw(raw, breast_cancer.BREAST_CANCER, "train")
    assert again.sha256 == datasets.load("breast_cancer", "train").sha256
    changed = base.Raw(raw.x.copy(), raw.labels, raw.ids)
    changed.x[3, 2] += 1
    assert (
        base.Samples.from_raw(changed, breast_cancer.BREAST_CANCER, "train").sha256 != again.sha256
    )
    with pytest.raises(TypeError, match="float64"):
        base.Samples.from_raw(
            raw._replace(x=raw.x.astype(np.float64)), breast_cancer.BREAST_CANCER, "train"
        )


def test_without_its_package_the_one_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = dataclasses.replace(breast_cancer.BREAST_CANCER, find=lambda: None)
    monkeypatch.setitem(loading._sources(), "breast_cancer", missing)
    with pytest.raises(datasets.MissingData, match="pip install scikit-learn"):
        datasets.load("breast_cancer", "train")


def test_a_damaged_file_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets" / "data").mkdir(parents=True)
    (tmp_path / "datasets" / "data" / "breast_cancer.csv").write_text("1,2,3\n", encoding="utf-8")
    with pytest.raises(datasets.DamagedData, match="scikit-learn"):
        breast_cancer.BREAST_CANCER.read(tmp_path, "train")


def test_masked_columns_hold_the_training_mean_and_the_others_stay() -> None:
    data = datasets.load("breast_cancer", "train")
    players = ColumnDraw().players(data, 0, 4, data)
    assert players.n == 4
    assert players.chosen == sorted(players.chosen)
    none, first, whole = players.masked(torch.tensor([0, 1, 15]))
    assert torch.equal(whole, data.x[0])
    left = [k for k in range(10) if k not in players.chosen]
    assert torch.equal(none[left], data.x[0][left])
    assert torch.equal(none[players.chosen], data.mean[players.chosen])
    assert torch.equal(first[players.chosen[0]], data.x[0][players.chosen[0]])
    assert torch.equal(first[players.chosen[1:]], data.mean[players.chosen[1:]])
    assert data.about.columns[players.chosen[2]] in players.describe(2)


def test_rows_share_their_players_draws_differ_and_all_columns_have_one_draw() -> None:
    data = datasets.load("breast_cancer", "train")
    draws = [ColumnDraw(repeat=k).columns("breast_cancer", 10, 4) for k in range(4)]
    assert len({tuple(d) for d in draws}) > 1
    assert all(
        ColumnDraw(repeat=k).players(data, i, 4, data).chosen == draws[k]
        for i in (0, 7)
        for k in (0, 1)
    )
    assert [ColumnDraw(repeat=k).columns("breast_cancer", 10, 10) for k in (0, 1)] == [
        list(range(10))
    ] * 2


def test_bad_players_are_refused() -> None:
    data = datasets.load("breast_cancer", "train")
    with pytest.raises(ValueError, match="10 columns, fewer than the 11"):
        ColumnDraw().players(data, 0, 11, data)
    names = data.about.columns
    for row, mean, some in (
        (data.x[0], data.mean, ("a",)),
        (data.x[0], data.mean[:4], names),
        (data.x[:1], data.mean, names),
    ):
        with pytest.raises(ValueError, match="a name for each"):
            TableColumns(row, [1], mean, some)
    for chosen in ([1, 1], [10], [-1]):
        with pytest.raises(ValueError, match=r"different columns out of 0\.\.9"):
            TableColumns(data.x[0], chosen, data.mean, names)


def test_a_network_learns_the_table_and_its_games_are_those_of_the_columns() -> None:
    data = datasets.load("breast_cancer", "train")
    assert data.labels[choose(data, 6, 10, ColumnDraw())].tolist() == [0, 1, 0, 1, 0, 1]
    job = GamesJob(train=TrainJob.of(config()), images=2, n=5, how=ColumnDraw())
    games, run = jobs.ensure(job), jobs.ensure(job.train)
    assert games.v.shape == (3, 2, 32)
    assert run.test_accuracy > 0.6
    players, labels, ids = job.players()
    direct = extract.scores(run.model(30), players, labels)
    torch.testing.assert_close(games.v[-1], direct, rtol=1e-5, atol=1e-5)  # summed by players
    row = torch.from_numpy(load_breast_cancer().data[int(ids[0]), :10].astype(np.float32))[None]
    logits = run.model(30)(row).double()[0]
    sign = 1 if labels[0] == 1 else -1
    assert float(games.v[-1, 0, -1]) == pytest.approx(
        float(sign * (logits[1] - logits[0])), abs=1e-5
    )
    assert job.model_copy(update={"how": ColumnDraw(repeat=1)}).digest() != job.digest()


def test_the_system_of_the_table_draws_columns_and_a_network_takes_them() -> None:
    system = systems.find("mlp7_w256/breast_cancer")
    assert (system.data.name, system.kind) == ("breast_cancer", "table")
    assert system.players == ColumnDraw() and system.players.masked_by == "training mean"
    assert system.kind in system.players.takes and system.kind in system.network.takes
    assert system.kind not in PatchDraw.takes
