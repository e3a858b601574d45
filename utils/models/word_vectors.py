"""Words to vectors, for the networks that learn their own: what padding and an absent word are."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from ..datasets.vocabulary import MASK, PAD, RESERVED
from .base import InputSpec

__all__ = ["WordVectors", "after_padding", "first_word", "padded_as", "require_words"]

_SPREAD = 0.25  # initial vectors are uniform in +-0.25 (Kim 2014)


def require_words(spec: InputSpec, network: str) -> None:
    """ValueError unless the samples are sentences of tokens (length,) with words beside the
    reserved ones."""
    if len(spec.shape) != 1 or spec.vocabulary <= len(RESERVED):
        raise ValueError(
            f"{network} takes sentences (length,) of a vocabulary of more than the "
            f"{len(RESERVED)} reserved tokens, got samples {tuple(spec.shape)} of "
            f"{spec.vocabulary} tokens"
        )


class WordVectors(nn.Module):
    """Tokens (N, length) → vectors (N, length, size).

    Padding is the zero vector. The mask token is the mean of all words' vectors: networks that were
    not trained with a mask have no other word that says nothing, and it is to them what the mean
    image is to the others. ``presence`` adds a last component, 1 for a word and 0 for padding.
    """

    def __init__(self, vocabulary: int, size: int, presence: bool = False) -> None:
        super().__init__()
        self.presence = presence
        self.table = nn.Embedding(vocabulary, size)
        nn.init.uniform_(self.table.weight, -_SPREAD, _SPREAD)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = self.table.weight[len(RESERVED) :].mean(0)
        found = torch.where((x == MASK)[..., None], mean, self.table(x))
        there = (x != PAD)[..., None].to(found.dtype)
        return torch.cat([found * there, there], -1) if self.presence else found * there


def first_word(x: torch.Tensor) -> int:
    """The first position of (N, length, size) at which some sample is not zero; the last one where
    all are."""
    used = (x != 0).any(-1).any(0)
    return min(int(used.int().argmax()) if bool(used.any()) else len(used), len(used) - 1)


def after_padding(x: torch.Tensor) -> torch.Tensor:
    """(N, length, size) without the padding that all samples begin with: what is left out is zero
    and would cost time only."""
    return x[:, first_word(x) :]


def padded_as(x: torch.Tensor, length: int) -> torch.Tensor:
    """(N, shorter, size) → (N, length, size), zeros first."""
    return F.pad(x, (0, 0, length - x.shape[1], 0))
