"""Players: which are drawn, what masking does to which numbers, and what every kind of them
keeps."""

from __future__ import annotations

import numpy as np
import pydantic
import pytest
import torch

from utils import datasets
from utils.datasets import Raw, Samples, Source
from utils.players import (
    ColumnDraw,
    Draw,
    GridDraw,
    ImagePatches,
    PatchDraw,
    Players,
    TableColumns,
    draw_patches,
    patch_players,
)
from utils.players.components import FeatureComponents, principal_components

CENTRAL = PatchDraw(cell=4, region="center")  # as in Cheng et al. 2024, Appendix M.1, of CIFAR-10


def image(seed: int = 0, shape: tuple[int, ...] = (1, 28, 28)) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def test_masking_replaces_exactly_the_pixels_of_the_missing_players() -> None:
    x, base = image(), torch.full((1, 28, 28), -1.0)
    players = patch_players(x, "mnist/train/0", 10, baseline=base)
    subsets = torch.tensor([0, 1, 0b1000000001, 1023])
    inputs = players.masked(subsets)
    assert inputs.shape == (4, 1, 28, 28)
    for row, subset in zip(inputs, subsets.tolist(), strict=True):
        for player in range(10):
            inside = players.owner == player
            wanted = x if subset >> player & 1 else base
            assert torch.equal(row[0, inside], wanted[0, inside])
        outside = players.owner == 10
        assert torch.equal(
            row[0, outside], x[0, outside]
        )  # cells that were not drawn are never masked
    assert torch.equal(inputs[3, 0], x[0])


def test_the_draw_is_fixed_by_the_image_id_and_the_draw_number() -> None:
    x = image()
    one = draw_patches(x, "mnist/train/7", 10, PatchDraw())
    assert torch.equal(one, draw_patches(x, "mnist/train/7", 10, PatchDraw()))
    assert not torch.equal(one, draw_patches(x, "mnist/train/8", 10, PatchDraw()))
    assert not torch.equal(one, draw_patches(x, "mnist/train/7", 10, PatchDraw(repeat=1)))


def test_cells_are_three_by_three_on_the_padded_grid() -> None:
    """28 pixels are padded by one on each side: the corner cell shows 2x2 pixels of the image, an
    inner one 3x3."""
    owner = draw_patches(torch.ones(1, 28, 28), "all bright", 100, PatchDraw(threshold=0.2))
    assert int((owner == 0).sum()) == 4
    assert int((owner == 11).sum()) == 9
    assert (owner[2:5, 2:5] == 11).all()
    assert int(owner.max()) == 99


def test_foreground_cells_only() -> None:
    x = torch.zeros(1, 28, 28)
    x[0, 2:14, 2:14] = 0.8  # 4x4 cells
    owner = draw_patches(x, "square", 16, PatchDraw())
    assert torch.equal(owner < 16, x[0] > 0)
    with pytest.raises(
        ValueError, match=r"image square has 16 foreground cells.*fewer than the 17 players"
    ):
        draw_patches(x, "square", 17, PatchDraw())


def test_colour_images_draw_from_the_central_cells() -> None:
    owner = draw_patches(image(shape=(3, 32, 32)), "c", 12, CENTRAL)
    rows, columns = (owner < 12).nonzero(as_tuple=True)
    assert (
        (int(rows.min()) >= 4)
        and (int(rows.max()) < 28)
        and (int(columns.min()) >= 4)
        and (int(columns.max()) < 28)
    )
    assert sorted(torch.bincount(owner[owner < 12]).tolist()) == [16] * 12


def test_baselines() -> None:
    x, mean = image(), torch.full((1, 28, 28), 0.25)
    none = torch.zeros(1, dtype=torch.int64)
    inside = patch_players(x, "a", 10, mean=mean).owner < 10
    assert (patch_players(x, "a", 10, mean=mean).masked(none)[0, 0, inside] == 0.25).all()
    assert (patch_players(x, "a", 10, baseline="zero").masked(none)[0, 0, inside] == 0).all()
    with pytest.raises(ValueError, match="needs mean="):
        patch_players(x, "a", 10)
    with pytest.raises(ValueError, match=r"one of \('mean', 'zero'\)"):
        patch_players(x, "a", 10, baseline="black")


def test_descriptions_and_bad_shapes() -> None:
    players = patch_players(torch.ones(1, 28, 28), "all bright", 100, baseline="zero")
    assert players.describe(11) == "player 11: 9 pixels, rows 2-4, columns 2-4"
    with pytest.raises(ValueError, match=r"no player 100; the players are 0\.\.99"):
        players.describe(100)
    with pytest.raises(ValueError, match="owner must hold"):
        ImagePatches(torch.zeros(1, 4, 4), torch.full((4, 4), -1), torch.zeros(1, 4, 4))
    with pytest.raises(ValueError, match=r"must be \(C, H, W\)"):
        ImagePatches(torch.zeros(4, 4), torch.zeros(4, 4, dtype=torch.int64), torch.zeros(4, 4))


def test_masking_leaves_the_image_itself_alone() -> None:
    image = torch.rand(1, 28, 28)
    players, before = patch_players(image, "a", 5, baseline="zero"), image.clone()
    players.masked(torch.zeros(1, dtype=torch.int64))
    assert torch.equal(image, before)


# The contract that every kind of players keeps ----------------------------------------------------


def colour_images(count: int = 4) -> Samples:
    """Random colour images, where nothing depends on which they are."""
    x = np.random.default_rng(0).integers(1, 256, (count, 3, 32, 32), dtype=np.uint8)
    source = Source("colours", ("a", "b"), (3, 32, 32), lambda: None, lambda _folder, _split: None)
    return Samples.from_raw(Raw(x, np.arange(count) % 2, np.arange(count)), source, "train")


def table() -> Samples:
    return datasets.load("breast_cancer", "train")


def drawn(how: Draw, data: Samples, n: int) -> Players:
    return how.players(data, 0, n, data)


def components() -> FeatureComponents:
    features = torch.randn(40, 2, 3, generator=torch.Generator().manual_seed(1))
    basis = principal_components(features.flatten(1), 4)
    return FeatureComponents(features[0], features[1:].mean(0), basis)


KINDS = {
    "patches": lambda: drawn(PatchDraw(), datasets.load("mnist_part", "train", 20), 6),
    "central patches": lambda: drawn(CENTRAL, colour_images(), 6),
    "grid": lambda: drawn(GridDraw(), colour_images(), 6),
    "columns": lambda: drawn(ColumnDraw(), table(), 6),
    "components": components,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_is_what_nobody_masked_leaves(kind: str) -> None:
    players = KINDS[kind]()
    everybody = torch.tensor([(1 << players.n) - 1])
    torch.testing.assert_close(players.masked(everybody)[0], players.whole)
    assert players.whole.shape == players.baseline.shape


@pytest.mark.parametrize("kind", KINDS)
def test_around_another_input_the_same_players_stand(kind: str) -> None:
    """Where the first players' masks put the baseline, the moved players' do too; elsewhere stands
    the other input."""
    players = KINDS[kind]()
    generator = torch.Generator().manual_seed(2)
    noise = torch.randn(players.whole.shape, generator=generator).to(players.whole)
    before, subsets = players.whole.clone(), torch.arange(1 << players.n)
    moved = players.around(players.whole + noise)
    assert type(moved) is type(players) and moved.n == players.n
    assert torch.equal(players.whole, before), "the players themselves stay where they are"
    assert torch.equal(moved.baseline, players.baseline)
    again = moved.around(players.whole)
    torch.testing.assert_close(again.masked(subsets), players.masked(subsets))
    shift = moved.masked(subsets) - players.masked(subsets)
    torch.testing.assert_close(shift[-1], moved.whole - players.whole)
    for i in range(players.n):
        own = shift[1 << i] - shift[0]  # what a player brings of the noise, alone ...
        torch.testing.assert_close(own, shift[-1] - shift[-1 - (1 << i)])  # ... and as the last
        assert float(own.abs().max()) > 0


def test_around_an_image_only_the_pixels_of_present_players_move() -> None:
    players = KINDS["patches"]()
    moved = players.around(players.whole + 1)
    none, both = moved.masked(torch.tensor([0, 0b100001]))
    masked = players.owner < players.n
    assert torch.equal(none[0, masked], players.baseline[0, masked])
    assert torch.equal(none[0, ~masked], players.whole[0, ~masked] + 1)
    present = (players.owner == 0) | (players.owner == 5)
    assert torch.equal(both[0, present], players.whole[0, present] + 1)
    with pytest.raises(ValueError, match=r"must be \(C, H, W\)"):
        players.around(torch.zeros(1, 30, 30))


def test_around_a_row_columns_keep_their_names_and_units() -> None:
    players = KINDS["columns"]()
    moved = players.around(2 * players.whole)
    assert isinstance(moved, TableColumns) and moved.chosen == players.chosen
    column = moved.chosen[1]
    assert f"{moved.names[column]} = {2 * float(players.whole[column]):.4g}" in moved.describe(1)


def test_around_a_feature_what_no_component_holds_is_left_out() -> None:
    players = components()
    basis = players.components
    outside = torch.randn(6, dtype=torch.float64)
    outside -= basis.directions.T @ (basis.directions @ outside)
    moved = players.around(players.whole + outside.view(2, 3))
    torch.testing.assert_close(moved.whole, players.whole)


# Draws --------------------------------------------------------------------------------------------

DRAWS = [PatchDraw(), PatchDraw(baseline="zero"), CENTRAL, GridDraw(), GridDraw(cell=7)]
DRAWS += [ColumnDraw()]


@pytest.mark.parametrize("how", DRAWS)
def test_a_draw_is_frozen_hashable_and_says_what_it_draws(how: Draw) -> None:
    assert hash(how) == hash(how.model_copy()) and {how: 1}[type(how)(**how.model_dump())] == 1
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        how.repeat = 3
    with pytest.raises(pydantic.ValidationError, match="Extra inputs are not permitted"):
        type(how)(draw=1)
    with pytest.raises(pydantic.ValidationError, match="greater than or equal to 0"):
        type(how)(repeat=-1)
    with pytest.raises(pydantic.ValidationError, match="valid integer"):
        type(how)(repeat=True)
    with pytest.raises(TypeError):
        type(how)(1)  # a number alone says nothing
    assert how.unit and how.masked_by and how.takes


def test_draws_of_different_kinds_or_numbers_are_different_keys() -> None:
    assert len({*DRAWS, *(how.model_copy(update={"repeat": 1}) for how in DRAWS)}) == 2 * len(DRAWS)


@pytest.mark.parametrize(
    ("how", "data", "n"),
    [
        (PatchDraw(), lambda: datasets.load("mnist_part", "train", 20), 10),
        (CENTRAL, colour_images, 12),
        (GridDraw(), colour_images, 12),
        (ColumnDraw(), table, 5),
    ],
)
def test_another_draw_has_other_players_of_the_same_sample(how: Draw, data, n: int) -> None:
    samples = data()
    assert how.takes == (samples.kind,)
    other = how.again(1, samples.source, n)
    assert other == type(how)(**how.model_dump() | {"repeat": 1}) and other != how
    assert how.again(0, samples.source, n) == how
    subsets = torch.arange(1 << n)[:: 1 << (n - 4)]
    for i in range(3):
        assert how.possible(samples, i) == other.possible(samples, i) >= n
        first, again, second = (
            one.players(samples, i, n, samples).masked(subsets) for one in (how, how, other)
        )
        assert torch.equal(first, again) and not torch.equal(first, second)


@pytest.mark.parametrize(
    ("how", "data", "n"),
    [
        (ColumnDraw(), table, 10),
        (CENTRAL, colour_images, 36),
        (GridDraw(), colour_images, 36),
        (GridDraw(cell=8), colour_images, 4),
    ],
)
def test_where_all_that_can_play_plays_there_is_no_other_draw(how: Draw, data, n: int) -> None:
    samples = data()
    assert how.possible(samples, 0) == n
    assert how.again(1, samples.source, n) is None
    first, second = (
        one.players(samples, 0, n, samples) for one in (how, how.model_copy(update={"repeat": 1}))
    )
    everyone_alone = torch.tensor([1 << i for i in range(n)])
    assert torch.equal(first.masked(everyone_alone), second.masked(everyone_alone)), "indeed"
    assert how.again(1, samples.source, n - 1) is not None


def test_a_sample_that_cannot_have_so_many_players_is_named() -> None:
    data = datasets.load("mnist_part", "train", 20)
    most = PatchDraw().possible(data, 3)
    assert PatchDraw().players(data, 3, most, data).n == most
    with pytest.raises(ValueError, match=rf"mnist_part/train/{int(data.ids[3])} has {most} fore"):
        PatchDraw().players(data, 3, most + 1, data)


def test_the_baseline_comes_from_the_training_samples_alone() -> None:
    test, train = datasets.load("mnist_part", "test", 10), datasets.load("mnist_part", "train", 50)
    players = PatchDraw().players(test, 2, 5, train)
    assert torch.equal(players.whole, test.x[2]) and torch.equal(players.baseline, train.mean)
    with pytest.raises(ValueError, match="mean is that of the training images"):
        PatchDraw().players(test, 2, 5, test)
