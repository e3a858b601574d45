"""Tidy table → Figure. One style, one colour per meaning; each figure is saved with its CSV
twin."""

from .agreement import boxes, over_orders
from .attributions import attribution_maps
from .components import eigenvalues, group_curves, grouped_bars, mask_fit
from .identified import decision_grid
from .layers import layer_change, layer_courses, layer_similarity
from .noisy_labels import groups_and_shares
from .plots import (
    curves,
    mark,
    order_bars,
    order_curves,
    paired_bars,
    scatter_identity,
    strips,
    two_scales,
)
from .samples import on_sample
from .style import COLOURS, save, use_style, write_table

__all__ = [
    "COLOURS",
    "attribution_maps",
    "boxes",
    "curves",
    "decision_grid",
    "eigenvalues",
    "group_curves",
    "grouped_bars",
    "groups_and_shares",
    "layer_change",
    "layer_courses",
    "layer_similarity",
    "mark",
    "mask_fit",
    "on_sample",
    "order_bars",
    "order_curves",
    "over_orders",
    "paired_bars",
    "save",
    "scatter_identity",
    "strips",
    "two_scales",
    "use_style",
    "write_table",
]
