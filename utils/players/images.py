"""Image patches as players: square cells of the image, drawn by a hash of the image's id.

The draw depends on nothing but the image and its id, so that every checkpoint, seed, network and
layer explains the same players. Cells that were not drawn stay as they are in the image, in every
coalition.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal, Self, get_args

import torch
import torch.nn.functional as F
from pydantic import Field

from ..datasets import Kind, Samples, Source
from .base import Draw, Players

__all__ = ["BASELINES", "ImagePatches", "PatchDraw", "draw_patches", "patch_players"]

Baseline = Literal["mean", "zero"]
BASELINES: tuple[str, ...] = get_args(Baseline)

_CENTRAL = 6  # cells a side of the region ``center``


class PatchDraw(Draw):
    """Square cells of an image.

    cell: side of a cell in pixels. The image is padded evenly to a whole number of cells (a 28x28
        MNIST image of 3x3 cells to 30x30, as 10x10 cells); padding is never shown to the network.
    region: ``foreground`` admits the cells whose mean exceeds ``threshold`` of the image's maximum
        (MNIST in Cheng et al. 2024, Appendix M.1; the threshold is ours), ``center`` the central
        6x6 cells (CIFAR-10, same place).
    baseline: what an absent cell shows, the training images' mean per pixel (same place) or black
        (Li and Zhang 2023).
    """

    takes: ClassVar[tuple[Kind, ...]] = ("image",)
    cell: int = Field(3, ge=1)
    region: Literal["foreground", "center"] = "foreground"
    threshold: float = 0.2
    baseline: Baseline = "mean"

    @property
    def unit(self) -> str:
        return "patches"

    @property
    def masked_by(self) -> str:
        return "mean image" if self.baseline == "mean" else "black"

    def possible(self, data: Samples, i: int) -> int:
        return int(self.candidates(data.x[i]).sum())

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        every = self.region == "center" and n == _CENTRAL**2
        return None if every else super().again(repeat, source, n)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> ImagePatches:
        return patch_players(
            data.x[i], data.key(i), n, baseline=self.baseline, mean=train.mean, how=self
        )

    def candidates(self, image: torch.Tensor) -> torch.Tensor:
        """Bool (rows, columns): the cells that may be drawn from ``image`` (C, H, W)."""
        cells = F.avg_pool2d(_pad(image, self.cell).mean(0, keepdim=True)[None], self.cell)[0, 0]
        if self.region == "foreground":
            return cells > self.threshold * image.max()
        inner = torch.zeros_like(cells, dtype=torch.bool)
        top, left = ((side - _CENTRAL) // 2 for side in cells.shape)
        if min(top, left) < 0:
            raise ValueError(
                f"the central 6x6 cells need at least {_CENTRAL * self.cell} pixels a side, got "
                f"{image.shape}"
            )
        inner[top : top + _CENTRAL, left : left + _CENTRAL] = True
        return inner


def _margins(size: int, cell: int) -> tuple[int, int]:
    extra = -size % cell
    return extra // 2, extra - extra // 2


def _pad(image: torch.Tensor, cell: int) -> torch.Tensor:
    top, bottom = _margins(image.shape[-2], cell)
    left, right = _margins(image.shape[-1], cell)
    return F.pad(image, (left, right, top, bottom))


def draw_patches(image: torch.Tensor, image_id: str, n: int, how: PatchDraw) -> torch.Tensor:
    """Player of every pixel: int64 (H, W) with values 0..n-1, and n where a pixel belongs to no
    player.

    The n candidate cells with the smallest sha256 of "image id / draw / cell" are drawn and
    numbered in reading order. ValueError when the image has fewer than n candidates, naming the
    image.
    """
    allowed = how.candidates(image)
    cells = allowed.flatten().nonzero().flatten().tolist()
    if len(cells) < n:
        raise ValueError(
            f"image {image_id} has {len(cells)} {how.region} cells of {how.cell}x{how.cell} "
            "pixels, fewer "
            f"than the {n} players asked for: take another image, smaller cells or fewer players"
        )
    ranked = sorted(
        cells, key=lambda cell: hashlib.sha256(f"{image_id}/{how.repeat}/{cell}".encode()).digest()
    )
    owner = torch.full((allowed.numel(),), n)
    owner[sorted(ranked[:n])] = torch.arange(n)
    grid = owner.view(allowed.shape).repeat_interleave(how.cell, 0).repeat_interleave(how.cell, 1)
    top, left = _margins(image.shape[-2], how.cell)[0], _margins(image.shape[-1], how.cell)[0]
    return grid[top : top + image.shape[-2], left : left + image.shape[-1]].contiguous()


class ImagePatches(Players):
    """n groups of pixels of one image.

    image: (C, H, W); owner: int64 (H, W), the player of each pixel, n for pixels outside every
    player (kept always); baseline: (C, H, W), what a masked player's pixels are replaced by. Raises
    ValueError for shapes that do not fit.
    """

    def __init__(
        self, image: torch.Tensor, owner: torch.Tensor, baseline: torch.Tensor, n: int | None = None
    ) -> None:
        if image.ndim != 3 or owner.shape != image.shape[1:] or baseline.shape != image.shape:
            raise ValueError(
                f"image must be (C, H, W), owner (H, W) and baseline like the image; got "
                f"{tuple(image.shape)}, {tuple(owner.shape)}, {tuple(baseline.shape)}"
            )
        self.n = int(owner.max()) if n is None else n
        if int(owner.min()) < 0 or int(owner.max()) > self.n:
            raise ValueError(
                f"owner must hold 0..{self.n - 1} for players and {self.n} elsewhere, "
                f"got {int(owner.min())}..{int(owner.max())}"
            )
        self.image, self.owner, self.baseline = image, owner, baseline
        # Only the players' own pixels differ between coalitions; the others are copied with the
        # image.
        self._pixels = (owner.flatten() < self.n).nonzero()[:, 0]
        self._player = owner.flatten()[self._pixels]
        self._kept, self._masked = (x.flatten(1)[:, self._pixels] for x in (image, baseline))

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """(B,) → (B, C, H, W)."""
        bits = torch.arange(self.n, device=subsets.device)
        kept = (subsets[:, None] >> bits & 1).bool()[:, self._player]
        inputs = self.image.flatten(1).repeat(len(subsets), 1, 1)
        inputs.index_copy_(2, self._pixels, torch.where(kept[:, None], self._kept, self._masked))
        return inputs.view(-1, *self.image.shape)

    @property
    def whole(self) -> torch.Tensor:
        return self.image

    def around(self, x: torch.Tensor) -> ImagePatches:
        return ImagePatches(x, self.owner, self.baseline, self.n)

    def describe(self, i: int) -> str:
        """``player 3: 9 pixels, rows 12-14, columns 6-8``."""
        rows, columns = (self.owner == i).nonzero(as_tuple=True)
        if not len(rows):
            raise ValueError(f"there is no player {i}; the players are 0..{self.n - 1}")
        return (
            f"player {i}: {len(rows)} pixels, rows {int(rows.min())}-{int(rows.max())}, "
            f"columns {int(columns.min())}-{int(columns.max())}"
        )

    def to(self, device: torch.device) -> ImagePatches:
        return ImagePatches(
            self.image.to(device), self.owner.to(device), self.baseline.to(device), self.n
        )


def patch_players(
    image: torch.Tensor,
    image_id: str,
    n: int,
    *,
    baseline: Baseline | torch.Tensor = "mean",
    mean: torch.Tensor | None = None,
    how: PatchDraw | None = None,
) -> ImagePatches:
    """The default players of an image (C, H, W): n drawn cells masked by a baseline.

    baseline: ``mean``, the training images' mean per pixel (pass ``mean`` (C, H, W); Cheng et al.
    2024, Appendix M.1), ``zero`` (black; Li and Zhang 2023), or a tensor like the image. ``how``:
    see :class:`PatchDraw`.
    """
    if isinstance(baseline, torch.Tensor):
        masked_by = baseline
    elif baseline == "zero":
        masked_by = torch.zeros_like(image)
    elif baseline == "mean":
        if mean is None:
            raise ValueError(
                "baseline='mean' needs mean=, the training images' mean per pixel (Samples.mean)"
            )
        masked_by = mean
    else:
        raise ValueError(
            f"baseline must be one of {BASELINES} or a tensor like the image, got {baseline!r}"
        )
    owner = draw_patches(image, image_id, n, how or PatchDraw())
    return ImagePatches(image, owner, masked_by.to(image), n)
