"""The embedded table: its split, its columns as players, and the same jobs on it as on images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_breast_cancer

from utils import datasets, extract, jobs, params
from utils.datasets import base, breast_cancer
from utils.jobs import study
from utils.jobs.runs import GamesJob, TrainJob, choose_images
from utils.players import ColumnDraw, TableColumns, column_players
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
        assert part.shape == (10, 1, 1)
        assert part.classes == ("malignant", "benign")
    whole = load_breast_cancer()
    assert train.columns == tuple(whole.feature_names[:10])
    row = int(test.ids[7])
    np.testing.assert_array_equal(
        test.images[7].flatten().numpy(), whole.data[row, :10].astype(np.float32)
    )
    assert int(test.labels[7]) == whole.target[row]


def test_the_checksum_is_that_of_the_content() -> None:
    raw = breast_cancer.BREAST_CANCER.read(breast_cancer.BREAST_CANCER.find(), "train")
    again = base.Images.from_raw(raw, breast_cancer.BREAST_CANCER, "train")
    assert again.sha256 == datasets.load("breast_cancer", "train").sha256
    changed = base.Raw(raw.images.copy(), raw.labels, raw.ids)
    changed.images[3, 2] += 1
    assert (
        base.Images.from_raw(changed, breast_cancer.BREAST_CANCER, "train").sha256 != again.sha256
    )
    with pytest.raises(TypeError, match="float64"):
        base.Images.from_raw(
            raw._replace(images=raw.images.astype(np.float64)), breast_cancer.BREAST_CANCER, "train"
        )


def test_without_its_package_the_one_command_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing = breast_cancer.BREAST_CANCER.__class__(
        **{**breast_cancer.BREAST_CANCER.__dict__, "find": lambda: None}
    )
    monkeypatch.setitem(datasets.DATASETS, "breast_cancer", missing)
    with pytest.raises(datasets.MissingData, match="pip install scikit-learn"):
        datasets.load("breast_cancer", "train")


def test_a_damaged_file_is_refused(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "datasets" / "data").mkdir(parents=True)
    (tmp_path / "datasets" / "data" / "breast_cancer.csv").write_text("1,2,3\n", encoding="utf-8")
    with pytest.raises(datasets.DamagedData, match="scikit-learn"):
        breast_cancer.BREAST_CANCER.read(tmp_path, "train")


def test_masked_columns_hold_the_training_mean_and_the_others_stay() -> None:
    data = datasets.load("breast_cancer", "train")
    players = column_players(data.images[0], "breast_cancer", 4, data.columns, mean=data.mean)
    assert players.n == 4
    assert players.chosen == sorted(players.chosen)
    none, first, whole = players.masked(torch.tensor([0, 1, 15]))
    assert torch.equal(whole, data.images[0])
    left = [k for k in range(10) if k not in players.chosen]
    assert torch.equal(none[left], data.images[0][left])
    assert torch.equal(none[players.chosen], data.mean[players.chosen])
    assert torch.equal(first[players.chosen[0]], data.images[0][players.chosen[0]])
    assert torch.equal(first[players.chosen[1:]], data.mean[players.chosen[1:]])
    assert data.columns[players.chosen[2]] in players.describe(2)


def test_rows_share_their_players_draws_differ_and_all_columns_have_one_draw() -> None:
    draws = [ColumnDraw(k).columns("breast_cancer", 10, 4) for k in range(4)]
    assert len({tuple(d) for d in draws}) > 1
    assert [ColumnDraw(k).columns("breast_cancer", 10, 10) for k in (0, 1)] == [list(range(10))] * 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n": 11}, "10 columns, fewer than the 11"),
        ({"baseline": "zero"}, "training mean"),
        ({"names": ("a",)}, "a name for each"),
    ],
)
def test_bad_players_are_refused(change: dict, message: str) -> None:
    data = datasets.load("breast_cancer", "train")
    given = {"n": 4, "names": data.columns, "mean": data.mean, **change}
    with pytest.raises(ValueError, match=message):
        column_players(data.images[0], "breast_cancer", given.pop("n"), given.pop("names"), **given)
    with pytest.raises(ValueError, match="different columns"):
        TableColumns(data.images[0], [1, 1], data.mean, data.columns)


def test_a_network_learns_the_table_and_its_games_are_those_of_the_columns() -> None:
    data = datasets.load("breast_cancer", "train")
    assert data.labels[choose_images(data, 6, 10, ColumnDraw())].tolist() == [0, 1, 0, 1, 0, 1]
    job = GamesJob.of(TrainJob.of(config()), images=2, n=5)
    games, run = jobs.ensure(job), jobs.ensure(job.train)
    assert games.v.shape == (3, 2, 32)
    assert run.test_accuracy > 0.6
    players, labels, ids = job.players()
    assert torch.equal(games.v[-1], extract.scores(run.model(30), players, labels))
    row = torch.from_numpy(load_breast_cancer().data[int(ids[0]), :10].astype(np.float32)).view(
        1, 10, 1, 1
    )
    logits = run.model(30)(row).double()[0]
    sign = 1 if labels[0] == 1 else -1
    assert float(games.v[-1, 0, -1]) == pytest.approx(
        float(sign * (logits[1] - logits[0])), abs=1e-5
    )
    assert GamesJob.of(TrainJob.of(config()), images=2, n=5, draw=1).digest() != job.digest()


def test_a_study_of_the_table_has_the_registered_system() -> None:
    p = params.validate("05_layerwise_change", dataset="breast_cancer", networks=["mlp7"])
    (system,) = study.systems(p)
    assert system.id == "mlp7_w256/breast_cancer"
    partial = params.validate("05_layerwise_change", tabular_training={"width": 32})
    assert partial.tabular_training.width == 32
    assert partial.tabular_training.lr == p.tabular_training.lr
