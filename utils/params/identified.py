"""Parameters of 08_what_the_split_identifies: what the objective leaves open."""

from __future__ import annotations

from .common import Study

__all__ = ["Identified"]


class Identified(Study):
    """08_what_the_split_identifies: what the objective leaves open."""
