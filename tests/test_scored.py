"""Which samples are scored and against what: classes in turn, one output of a regression, tables
and tokens."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from utils import datasets, extract
from utils.jobs import AttackedJob, GamesJob, NoisyInputsJob, PerturbedJob, TrainJob, ensure
from utils.jobs.noisy_inputs import noisy_players
from utils.jobs.scored import choose
from utils.players import ColumnDraw, PatchDraw, TableColumns
from utils.train import TrainConfig

LINE = '''"""A regression: y is the sum of the first two of five columns."""

from pathlib import Path

import numpy as np

from utils.datasets import About, Raw, Source


def read(folder, split):
    rng = np.random.default_rng(0 if split == "train" else 1)
    x = rng.normal(size=(200, 5)).astype(np.float32)
    return Raw(x, 100 + x[:, 0] + x[:, 1], np.arange(200))


LINE = Source(
    "line", (), (5,), lambda: Path("."), read, kind="table", about=About(columns=tuple("abcde"))
)
'''


def trained(**change: object) -> TrainJob:
    settings = {"model": "mlp7", "width": 8, "steps": 20, "checkpoints": 3, "n_train": 100}
    return TrainJob.of(TrainConfig(**(settings | {"n_test": 50, "batch": 20} | change)))


def table() -> TrainJob:
    return trained(dataset="breast_cancer", n_train=None, n_test=None)


def test_samples_are_chosen_one_of_each_class_in_turn() -> None:
    data = datasets.load("mnist_part", "test")
    chosen = choose(data, 20, 10, PatchDraw())
    assert data.labels[chosen].tolist() == [*range(10)] * 2
    assert chosen == choose(data, 40, 10, PatchDraw())[:20], "fewer are the first of more"
    assert chosen == choose(data, 20, 10, PatchDraw(repeat=1)), "independent of the draw"
    later = choose(data, 20, 10, PatchDraw(), skip=20)
    assert later == choose(data, 40, 10, PatchDraw())[20:], "what follows those passed over"
    assert all(PatchDraw().possible(data, i) >= 10 for i in chosen)


def test_too_few_samples_are_told_with_what_their_players_are() -> None:
    data = datasets.load("mnist_part", "test", 100)
    with pytest.raises(ValueError, match=r"_part/test has \d+ images that can have 10 players"):
        choose(data, 101, 10, PatchDraw())
    with pytest.raises(ValueError, match="fewer than the 90 passed over and the 11 asked for"):
        choose(data, 11, 10, PatchDraw(), skip=90)
    rows = datasets.load("breast_cancer", "test")
    with pytest.raises(ValueError, match=r"has 0 rows .* 11 players \(columns\), fewer than the 2"):
        choose(rows, 2, 11, ColumnDraw())


def test_of_a_regression_the_one_output_is_explained(tmp_path: Path) -> None:
    file = tmp_path / "line.py"
    file.write_text(LINE)
    job = trained(dataset="line", file=str(file), n_train=None, n_test=None, lr=0.001)
    games = ensure(GamesJob(train=job, images=3, n=5, how=ColumnDraw(), score="raw"))
    data = job.config.data("train")
    assert games.ids.tolist() == data.ids[:3].tolist() and games.labels.tolist() == [0, 0, 0]
    model = ensure(job).last()
    assert games.v[-1, :, -1].tolist() == pytest.approx(model(data.x[:3])[:, 0].tolist(), rel=1e-5)
    at_mean = model(data.mean[None])[0, 0].item()
    assert games.v[-1, :, 0].tolist() == pytest.approx([at_mean] * 3, rel=1e-5)


def test_a_table_is_scored_with_noise_on_columns_and_on_weights() -> None:
    games = GamesJob(train=table(), images=2, n=6, how=ColumnDraw())
    clean = ensure(games).v[-1]
    noisy = ensure(NoisyInputsJob(games=games, noise=0.1, draws=2)).v
    assert torch.equal(noisy[0], clean) and not torch.allclose(noisy[1], noisy[2])
    assert ensure(PerturbedJob(games=games, noise=0.1, copies=2)).v.shape == (2, 2, 64)


def test_what_is_no_image_is_scored_clean_and_not_attacked() -> None:
    games = GamesJob(train=table(), images=2, n=6, how=ColumnDraw())
    found = ensure(AttackedJob(games=games, checkpoint=0))
    assert torch.equal(found.clean, ensure(games).v[0])
    assert found.moved.shape == (2, 0, 2, 64) and found.fooled.shape == (2, 0, 2)
    with pytest.raises(ValueError, match="breast_cancer is a set of rows, not of images"):
        ensure(AttackedJob(games=games, sizes=(0.1,)))


def test_tokens_carry_no_noise() -> None:
    tokens = TableColumns(torch.tensor([4, 7]), [0, 1], torch.tensor([1, 1]), ("a", "b"))
    with pytest.raises(ValueError, match="integers"):
        noisy_players([tokens], 0.1, torch.Generator())


def test_too_large_a_batch_is_an_error_that_names_the_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A job does not become another one while it runs."""

    def refuse(self: object, x: torch.Tensor) -> torch.Tensor:
        raise torch.OutOfMemoryError("no")

    job = GamesJob(train=trained(), images=2, n=6, how=PatchDraw(), rows=64)
    ensure(job.train)
    monkeypatch.setattr("utils.models.mlp.MLP.forward", refuse)
    with pytest.raises(extract.OutOfMemory, match=r"64 masked inputs .* pass rows=32"):
        ensure(job)
