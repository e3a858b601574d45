"""Players on a fixed grid: the same cells in every image, so that a set of players means the same
place everywhere.

What is averaged over images, subset by subset (a class's mean interactions), needs players that are
aligned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from pydantic import Field

from ..datasets import Kind, Samples, Source
from .base import Draw
from .images import ImagePatches

__all__ = ["GridDraw", "grid_owner", "grid_players"]


class GridDraw(Draw):
    """Which cells of the central grid are players, for all images alike.

    cell: side of a cell in pixels. The outermost ring of cells takes no part: 5x5 cells of 4x4
    pixels remain of a 28x28 image, which is the box that MNIST's digits were fitted into, and 6x6
    of a 32x32 image, the central cells that Cheng et al. 2024 (App. M.1) draw from.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("image",)
    cell: int = Field(4, ge=1)

    @property
    def unit(self) -> str:
        return "cells of the central grid"

    @property
    def masked_by(self) -> str:
        return "mean image"

    def possible(self, data: Samples, i: int) -> int:
        return self._central(data.shape)

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        return None if n == self._central(source.shape) else super().again(repeat, source, n)

    def _central(self, shape: Sequence[int]) -> int:
        height, width = shape[-2:]
        return max(0, height // self.cell - 2) * max(0, width // self.cell - 2)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> ImagePatches:
        return grid_players(data.x[i : i + 1], n, self, train.mean)[0]


def grid_owner(image_shape: Sequence[int], n: int, how: GridDraw) -> torch.Tensor:
    """Player of every pixel of an image (C, H, W): int64 (H, W) with values 0..n-1, and n where
    there is no player.

    The n central cells with the smallest sha256 of "grid / draw / cell" are drawn and numbered in
    reading order. ValueError for an image that is no whole number of cells or has fewer than n
    central ones.
    """
    height, width = image_shape[-2:]
    if height % how.cell or width % how.cell:
        raise ValueError(
            f"cells of {how.cell}x{how.cell} pixels do not fill an image of {height}x{width}"
        )
    rows, columns = height // how.cell, width // how.cell
    inner = [
        row * columns + column for row in range(1, rows - 1) for column in range(1, columns - 1)
    ]
    if n > len(inner):
        raise ValueError(
            f"{n} players were asked for, but a {height}x{width} image has {len(inner)} central "
            "cells of "
            f"{how.cell}x{how.cell} pixels: take fewer players"
        )
    ranked = sorted(
        inner, key=lambda cell: hashlib.sha256(f"grid/{how.repeat}/{cell}".encode()).digest()
    )
    owner = torch.full((rows * columns,), n)
    owner[sorted(ranked[:n])] = torch.arange(n)
    return owner.view(rows, columns).repeat_interleave(how.cell, 0).repeat_interleave(how.cell, 1)


def grid_players(
    images: torch.Tensor, n: int, how: GridDraw, mean: torch.Tensor
) -> list[ImagePatches]:
    """The same n cells of every image (B, C, H, W), masked by ``mean`` (C, H, W)."""
    owner = grid_owner(images.shape[1:], n, how)
    return [ImagePatches(image, owner, mean, n) for image in images]
