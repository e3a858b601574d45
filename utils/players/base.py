"""What every kind of player must offer."""

from __future__ import annotations

import abc

import torch

__all__ = ["Players"]


class Players(abc.ABC):
    """The n input variables of one sample. Masking a coalition's complement gives the network's
    input x_T."""

    n: int
    baseline: torch.Tensor

    @abc.abstractmethod
    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """Inputs (B, *input shape) for the coalitions ``subsets`` (B,) int64: bit i set keeps
        player i, unset masks it."""

    @abc.abstractmethod
    def describe(self, i: int) -> str:
        """Player i in words, for tables and figures."""

    @abc.abstractmethod
    def to(self, device: torch.device) -> Players:
        """The same players with their tensors on ``device``."""
