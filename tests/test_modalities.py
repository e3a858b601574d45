"""10: what is drawn on a sample is what the interactions say, of every kind of data."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb

from utils import figures, lattice, params, systems
from utils.datasets import About, Source
from utils.evidence import matching, pictures
from utils.figures import COLOURS
from utils.interactions import Interactions
from utils.params import ParameterError
from utils.players.columns import TableColumns
from utils.players.images import ImagePatches
from utils.players.points import PointGroups
from utils.players.words import SentenceWords
from utils.studies import feasible, modalities

SMALL = {
    "systems": ["lenet/mnist_part", "mlp7_w256/adult"],
    "n_players": 5,
    "change": {"training": {"steps": 20, "n_train": 200, "first_checkpoint": 1}},
}


def settings(**given: Any) -> Any:
    return params.validate("10_modalities", **{**SMALL, **given})


def source(kind: str, **about: Any) -> Source:
    return Source(
        "made", ("a", "b"), (4,), lambda: None, lambda *_: None, kind=kind, about=About(**about)
    )


def planted(n: int, **values: float) -> Interactions:
    """One game; ``a3=-2.0``: the AND interaction of mask 3, ``o5``: the OR one of mask 5."""
    and_, or_ = torch.zeros(2, 1 << n, dtype=torch.float64)
    and_[0] = 99.0  # v(∅) is no interaction
    for name, value in values.items():
        (and_ if name[0] == "a" else or_)[int(name[1:])] = value
    return Interactions(and_, or_)


ROW = TableColumns(torch.tensor([1.0, 2.0, 3.0]), [0, 2], torch.zeros(3), ["x", "y", "z"])
IMAGE = ImagePatches(torch.ones(1, 2, 2), torch.tensor([[0, 0], [1, 2]]), torch.zeros(1, 2, 2), 2)


def test_the_strongest_come_first_with_their_players_and_v_of_nothing_is_none() -> None:
    found = planted(2, a1=0.5, a3=-2.0, o3=1.0)
    drawn = pictures.picture(source("table"), ROW, found, 2)
    assert drawn.interactions == (("AND", (0, 1), -2.0), ("OR", (0, 1), 1.0))
    assert drawn.words == ("x = 1", "z = 3")
    assert drawn.owner.tolist() == [0, -1, 1], "y is no player"
    with pytest.raises(ValueError, match="one game"):
        pictures.picture(source("table"), ROW, Interactions(found.and_[None], found.or_[None]), 2)


def test_every_number_belongs_to_the_player_that_masks_it() -> None:
    assert pictures.owner(IMAGE).tolist() == [[[0, 0], [1, -1]]]
    words = SentenceWords(torch.tensor([5, 6, 7, 8]), [("ab", (1, 2)), ("c", (3,))], mask=0)
    of = source("text", vocabulary=tuple("_______xyz"), special=(5,))
    drawn = pictures.picture(of, words, planted(2, a1=1.0), 1)
    assert drawn.owner.tolist() == [-1, 0, 0, 1] and drawn.tokens[0] == ""
    assert drawn.words == ("'ab'", "'c'")


def test_the_players_of_an_interaction_are_drawn_in_its_colour() -> None:
    found = planted(2, a1=1.5, o2=-1.0)
    drawn = pictures.picture(source("table"), ROW, found, 2)
    figure = figures.on_sample(*drawn, title="a row")
    first, second = figure.axes
    for axis, word, colour in ((first, "x = 1", "positive"), (second, "z = 3", "negative")):
        shown = {text.get_text(): to_rgb(text.get_color()) for text in axis.texts}
        assert [w for w, c in shown.items() if c == to_rgb(COLOURS[colour])] == [word]
    assert first.get_title(loc="left") == "AND, order 1: +1.50"
    plt.close(figure)


@pytest.mark.parametrize("kind", ["image", "text", "points"])
def test_each_kind_of_sample_is_drawn(kind: str) -> None:
    cloud = torch.rand(12, 3)
    players = {
        "image": IMAGE,
        "text": SentenceWords(torch.tensor([1, 2, 3]), [("b", (1,)), ("c", (2,))], mask=0),
        "points": PointGroups.of(cloud, torch.arange(12) // 6, "group", ("left", "right")),
    }[kind]
    about = {"vocabulary": tuple("abcd")} if kind == "text" else {}
    drawn = pictures.picture(source(kind, **about), players, planted(2, a3=1.0, a1=0.5), 2)
    figure = figures.on_sample(*drawn)
    assert len(figure.axes) == 2
    plt.close(figure)


def test_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="a sample is drawn of kind image, table, text, points"):
        figures.on_sample("values", np.zeros(3), np.zeros(3), [], [], [("AND", (0,), 1.0)])


def test_a_picture_and_a_row_from_data_to_both_ends_of_the_face() -> None:
    p = settings()
    feasible.require("10_modalities", p)
    picture, row = modalities.studies(p)
    assert (picture.system.kind, row.system.kind) == ("image", "table")
    for shown in (picture, row):
        assert list(shown.ends) == ["order weight +0.2", "order weight -0.2"]
        assert torch.equal(shown.players.whole, shown.sample)
        errors = matching.identity_errors(shown.exact, shown.main)
        assert (
            float(errors["matching"].max()) < 1e-8
            and float(errors["within_kappa"].max()) <= 1 + 1e-9
        )
        strengths = shown.main.merged[0, 0, 0].to_frame(3)["value"].tolist()
        assert [value for _, _, value in shown.picture(3).interactions] == pytest.approx(strengths)
        table = pictures.face_table(shown.ends, shown.name)
        found = shown.ends["order weight -0.2"].merged[0, 0, 0]
        of = table[table["end"] == "order weight -0.2"].set_index("order")["strength"]
        pairs = lattice.order(found.n) == 2
        assert of[2] == pytest.approx(float((found.and_.abs() + found.or_.abs())[pairs].sum()))
    planned = [job for s in modalities.systems(p) for job in modalities.plan(p, s)]
    assert planned and all(job.folder().is_dir() for job in planned), (
        "the plan is what was computed"
    )


def test_what_is_not_here_is_named_and_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    p = settings(systems=["mlp7_w256/adult", "lenet/cifar10", "resnet20_given/cifar10"], change={})
    feasible.require("10_modalities", p)
    assert modalities.absent(p) == {
        "lenet/cifar10": "needs data: reproduce data cifar10",
        "resnet20_given/cifar10": "needs data: reproduce data cifar10",
    }
    assert [s.of.id for s in modalities.systems(p)] == ["mlp7_w256/adult"]


def test_what_cannot_be_shown_is_refused() -> None:
    table = next(name for name in systems.names() if systems.find(name).kind == "values")
    with pytest.raises(ParameterError, match="samples of a value table are not there"):
        feasible.require("10_modalities", settings(systems=[table], change={}))
    with pytest.raises(ParameterError, match=r"sample \(2\) must be below images \(2\)"):
        settings(sample=2)
    with pytest.raises(ParameterError, match="seeds"):
        settings(seeds=[0, 1])
