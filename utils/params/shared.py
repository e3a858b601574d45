"""Parameters of 06_iou_stability: L5, L6, L9, L10, L14, D12."""

from __future__ import annotations

from .common import Study

__all__ = ["Agreement"]


class Agreement(Study):
    """06_iou_stability: L5, L6, L9, L10, L14, D12."""
