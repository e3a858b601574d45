"""What every kind of player must offer, and every way of drawing players."""

from __future__ import annotations

import abc
from typing import ClassVar, Self

import torch
from pydantic import Field

from ..datasets import Kind, Samples, Source
from ..strict import Strict

__all__ = ["Draw", "Players"]


class Players(abc.ABC):
    """The n input variables of one sample. Masking a coalition's complement gives the network's
    input x_T."""

    n: int
    baseline: torch.Tensor

    @abc.abstractmethod
    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """Inputs (B, *input shape) for the coalitions ``subsets`` (B,) int64: bit i set keeps
        player i, unset masks it."""

    @property
    @abc.abstractmethod
    def whole(self) -> torch.Tensor:
        """x_N (*input shape): the sample with nobody masked."""

    @abc.abstractmethod
    def around(self, x: torch.Tensor) -> Self:
        """The same players in another input (*input shape), a sample with noise say."""

    @abc.abstractmethod
    def describe(self, i: int) -> str:
        """Player i in words, for tables and figures."""

    @abc.abstractmethod
    def to(self, device: torch.device) -> Self:
        """The same players with their tensors on ``device``."""


class Draw(Strict, abc.ABC):
    """How a sample's players are chosen, of one kind: frozen, for it is part of a job's key.

    A draw depends on the sample and its id alone, so that every checkpoint, seed, network and layer
    explains the same players. takes: kinds of data it can draw from. repeat: which of the possible
    random draws; 0 is the default, 1, 2, ... are repetitions with other players.
    """

    takes: ClassVar[tuple[Kind, ...]]
    repeat: int = Field(0, ge=0)

    @property
    @abc.abstractmethod
    def unit(self) -> str:
        """What players are, in the plural: "patches"."""

    @property
    @abc.abstractmethod
    def masked_by(self) -> str:
        """What stands for an absent player: "mean image"."""

    @abc.abstractmethod
    def possible(self, data: Samples, i: int) -> int:
        """How many players sample ``i`` can have."""

    @abc.abstractmethod
    def players(self, data: Samples, i: int, n: int, train: Samples) -> Players:
        """The n players of sample ``i``; ``train``: the training samples, whose mean is a baseline.

        ValueError that names the sample when it cannot have n.
        """

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        """The draw with that number; None where every sample of ``source`` has one draw of n
        players only."""
        return self.model_copy(update={"repeat": repeat})
