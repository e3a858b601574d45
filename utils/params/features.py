"""Parameters of 04_five_groups: M1 to M12."""

from __future__ import annotations

from .common import Study

__all__ = ["FiveGroups"]


class FiveGroups(Study):
    """04_five_groups: M1 to M12."""
