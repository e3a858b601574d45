"""Parameters of 05_layerwise_change: L3, L4, L8, L11, L13, L15."""

from __future__ import annotations

from .common import Study

__all__ = ["Layerwise"]


class Layerwise(Study):
    """05_layerwise_change: L3, L4, L8, L11, L13, L15."""
