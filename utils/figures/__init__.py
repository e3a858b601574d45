"""Tidy table → Figure. One style, one colour per meaning; each figure is saved with its CSV twin."""

from .plots import curves, mark, order_bars, order_curves, paired_bars, scatter_identity, strips, two_scales
from .style import COLOURS, save, use_style

__all__ = ["COLOURS", "curves", "mark", "order_bars", "order_curves", "paired_bars", "save", "scatter_identity", "strips",
           "two_scales", "use_style"]
