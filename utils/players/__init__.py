"""Players: the input variables whose interactions are explained, and the baseline that masks
them."""

from .base import Draw, Players
from .columns import ColumnDraw, TableColumns
from .grid import GridDraw, grid_owner, grid_players
from .images import BASELINES, ImagePatches, PatchDraw, draw_patches, patch_players

__all__ = [
    "BASELINES",
    "ColumnDraw",
    "Draw",
    "GridDraw",
    "ImagePatches",
    "PatchDraw",
    "Players",
    "TableColumns",
    "draw_patches",
    "grid_owner",
    "grid_players",
    "patch_players",
]
