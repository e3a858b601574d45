"""Marked parts of an image as players: regions that somebody drew by hand, such as a bird's wing.

Ren J. et al. 2025 (ShapeNet's parts) and the images of sjtu-xai-lab/interaction-concept have such
players. Pixels of no part stay as they are in the image, in every coalition.
"""

from __future__ import annotations

import hashlib
from typing import ClassVar, Literal, Self

import torch

from ..datasets import Kind, Samples, Source
from .base import Draw
from .images import ImagePatches

__all__ = ["MarkedDraw"]


class MarkedDraw(Draw):
    """The marked parts of each image (``Samples.parts``, one part per pixel, -1 for none).

    baseline: what an absent part shows, the image's own mean colour (as in the published games of
    superpixels) or the training images' mean per pixel (Cheng et al. 2024, Appendix M.1). Where
    fewer players are asked for than there are parts, those with the smallest sha256 of "image id /
    draw / part" are taken, numbered in the order of the parts.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("image",)
    baseline: Literal["colour", "mean"] = "colour"

    @property
    def unit(self) -> str:
        return "marked parts"

    @property
    def masked_by(self) -> str:
        return "mean image" if self.baseline == "mean" else "mean colour of the image"

    def possible(self, data: Samples, i: int) -> int:
        """How many marked parts image ``i`` has."""
        return len(self._marked(data, i))

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        """None: how many parts a set's images have is not known without the images, and where all
        are players there is one draw only."""
        return None

    def players(self, data: Samples, i: int, n: int, train: Samples) -> ImagePatches:
        marked, image = self._marked(data, i), data.x[i]
        if len(marked) < n:
            raise ValueError(
                f"image {data.key(i)} has {len(marked)} marked parts, fewer than the {n} players "
                "asked for: take another image or fewer players"
            )
        name = f"{data.key(i)}/{self.repeat}"
        ranked = sorted(marked, key=lambda p: hashlib.sha256(f"{name}/{p}".encode()).digest())
        parts, owner = data.parts[i], torch.full_like(data.parts[i], n)
        for player, part in enumerate(sorted(ranked[:n])):
            owner[parts == part] = player
        colour = image.mean(dim=(1, 2), keepdim=True).expand_as(image)
        baseline = train.mean if self.baseline == "mean" else colour.clone()
        return ImagePatches(image, owner.view(image.shape[1:]), baseline, n)

    @staticmethod
    def _marked(data: Samples, i: int) -> list[int]:
        """The parts of image ``i``, ascending; ValueError where nobody marked any in the set."""
        height, width = data.shape[-2:]
        if data.parts is None or data.parts.shape[1] != height * width:
            raise ValueError(f"{data.name} has no marked parts, one per pixel of an image")
        return [part for part in data.parts[i].unique().tolist() if part >= 0]
