"""Players: the input variables whose interactions are explained, and the baseline that masks them."""

from .base import Players
from .images import BASELINES, ImagePatches, PatchDraw, draw_patches, patch_players

__all__ = ["BASELINES", "ImagePatches", "PatchDraw", "Players", "draw_patches", "patch_players"]
