"""Parameters of 07_noisy_labels: D13, M13."""

from __future__ import annotations

from .common import Study

__all__ = ["NoisyLabels"]


class NoisyLabels(Study):
    """07_noisy_labels: D13, M13."""
