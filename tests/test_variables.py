"""Variables of a table as players: columns of one variable come and go together."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
import torch
from hypothesis import strategies

from utils import datasets
from utils.datasets import About, Raw, Samples, Source
from utils.players import ColumnDraw
from utils.players.groups import GroupDraw, TableVariables, variables

NAMES = ("age", "sex = F", "sex = M", "hours", "job = a", "job = b", "job = c")
ABOUT = About(columns=NAMES, groups=((4, 5, 6), (1, 2)))


def table(about: About = ABOUT, rows: int = 9) -> Samples:
    x = np.random.default_rng(0).integers(0, 2, (rows, len(about.columns))).astype(np.float32)
    source = Source(
        "small", ("a", "b"), (x.shape[1],), lambda: None, lambda *_: None, kind="table", about=about
    )
    return Samples.from_raw(Raw(x, np.arange(rows) % 2, np.arange(rows)), source, "train")


def test_a_variable_is_a_group_or_a_column_of_no_group() -> None:
    assert variables(ABOUT) == ((0,), (1, 2), (3,), (4, 5, 6))
    assert variables(About(columns=("a", "b"))) == ((0,), (1,))
    data = table()
    assert GroupDraw().possible(data, 0) == 4 and GroupDraw().unit == "variables"


@pytest.mark.parametrize("groups", [((0, 1), (1, 2)), ((7,),), ((-1, 0),)])
def test_columns_that_are_absent_or_in_two_groups_are_refused(
    groups: tuple[tuple[int, ...], ...],
) -> None:
    with pytest.raises(ValueError, match=r"each of 0\.\.6 at most once"):
        variables(About(columns=NAMES, groups=groups))


def test_an_empty_group_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        variables(About(columns=NAMES, groups=((),)))


@hypothesis.given(mask=strategies.integers(0, 15), row=strategies.integers(0, 8))
def test_a_masked_input_is_the_row_with_absent_variables_at_their_means(
    mask: int, row: int
) -> None:
    """Against a loop over columns, written from the definition."""
    data = table()
    mean = data.x.double().mean(0).float()
    expected = data.x[row].clone()
    for player, columns in enumerate([(0,), (1, 2), (3,), (4, 5, 6)]):
        for column in columns:
            if not mask >> player & 1:
                expected[column] = mean[column]
    found = GroupDraw().players(data, row, 4, data).masked(torch.tensor([mask]))
    assert torch.equal(found[0], expected)


def test_an_absent_category_is_the_shares_of_its_levels() -> None:
    """The mean code: it sums to the share of rows that have a level with a column."""
    train = datasets.load("adult", "train")
    players = GroupDraw().players(train, 0, 12, train)
    none = players.masked(torch.tensor([0]))[0].double()
    sex = [train.about.columns.index(f"sex = {level}") for level in ("Male", "Female")]
    # counted in adult.data with grep: 21,790 men and 10,771 women
    assert none[sex].tolist() == pytest.approx([21790 / 32561, 10771 / 32561], abs=1e-6)
    for group in train.about.groups:
        share = float(train.x[:, list(group)].double().sum(1).mean())
        assert share <= 1 and float(none[list(group)].sum()) == pytest.approx(share, abs=1e-6)


def test_variables_that_were_not_drawn_stay_in_every_coalition() -> None:
    data = table()
    players = GroupDraw().players(data, 3, 2, data)
    drawn = {k for columns in players.chosen for k in columns}
    left = [k for k in range(7) if k not in drawn]
    assert left and len(players.chosen) == 2
    masked = players.masked(torch.arange(4))
    assert torch.equal(masked[:, left], data.x[3, left].expand(4, -1))
    assert torch.equal(masked[3], data.x[3])


def test_rows_share_their_players_and_draws_differ() -> None:
    data = datasets.load("adult", "test", 20)
    train = datasets.load("adult", "train", 20)
    draws = [GroupDraw(repeat=k).players(data, 0, 10, train).chosen for k in range(4)]
    assert len({tuple(draw) for draw in draws}) > 1
    assert GroupDraw(repeat=1).players(data, 7, 10, train).chosen == draws[1]
    whole = GroupDraw(repeat=3).players(data, 0, 12, train).chosen
    assert whole == list(variables(data.about)), "all variables: one draw only"
    assert GroupDraw().again(1, data.source, 12) is None
    assert GroupDraw().again(1, data.source, 10) == GroupDraw(repeat=1)


def test_without_groups_it_draws_what_the_columns_draw() -> None:
    data = datasets.load("breast_cancer", "train")
    for n, repeat in ((4, 0), (4, 2), (10, 0)):
        ours = GroupDraw(repeat=repeat).players(data, 5, n, data)
        theirs = ColumnDraw(repeat=repeat).players(data, 5, n, data)
        every = torch.arange(1 << n)
        assert torch.equal(ours.masked(every), theirs.masked(every))
        assert [ours.describe(i) for i in range(n)] == [theirs.describe(i) for i in range(n)]


def test_a_player_is_described_by_its_variable_and_level() -> None:
    row = torch.tensor([39.0, 0, 1, 40, 0, 0, 0])
    players = TableVariables(row, variables(ABOUT), torch.full((7,), 0.25), NAMES)
    assert [players.describe(i) for i in range(4)] == [
        "player 0: age = 39 (masked: 0.25)",
        "player 1: sex = M (masked: shares of 2 levels)",
        "player 2: hours = 40 (masked: 0.25)",
        "player 3: job = another (masked: shares of 3 levels)",
    ]
    assert "sex = a mixture" in players.around(row + 0.1).describe(1)
    for i in (-1, 4):
        with pytest.raises(ValueError, match=r"the players are 0\.\.3"):
            players.describe(i)
    moved = players.to(torch.device("cpu"))
    assert torch.equal(moved.masked(torch.arange(16)), players.masked(torch.arange(16)))


def test_bad_players_are_refused() -> None:
    data = table()
    with pytest.raises(ValueError, match="4 variables, fewer than the 5"):
        GroupDraw().players(data, 0, 5, data)
    for chosen in ([(0,), (0, 1)], [(7,)], [(-1,)], [()]):
        with pytest.raises(ValueError, match=r"different columns out of 0\.\.6"):
            TableVariables(data.x[0], chosen, data.mean, NAMES)
    for row, mean, names in (
        (data.x[0], data.mean[:3], NAMES),
        (data.x[:1], data.mean, NAMES),
        (data.x[0], data.mean, NAMES[:2]),
    ):
        with pytest.raises(ValueError, match="a name for each column"):
            TableVariables(row, [(0,)], mean, names)
