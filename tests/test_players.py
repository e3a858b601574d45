"""Image patches: which cells are drawn, and what masking does to which pixels."""

from __future__ import annotations

import pytest
import torch

from utils.players import ImagePatches, PatchDraw, draw_patches, patch_players


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
    assert not torch.equal(one, draw_patches(x, "mnist/train/7", 10, PatchDraw(draw=1)))


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
    owner = draw_patches(image(shape=(3, 32, 32)), "c", 12, PatchDraw.default((3, 32, 32)))
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
