"""A transformer of the library ``transformers`` as a network of this package: mean of the words'
last states, then a linear classifier."""

from __future__ import annotations

import importlib
from types import ModuleType

import torch
from torch import nn

from ..datasets import MissingData

__all__ = ["SentenceEncoder", "blocks", "library"]

_BUCKET = 8


def library() -> ModuleType:
    """``transformers``, imported when it is needed; MissingData with the command that installs
    it."""
    try:
        return importlib.import_module("transformers")
    except ModuleNotFoundError as error:
        raise MissingData(
            "transformers is not installed: `pip install -e '.[pretrained]'`"
        ) from error


def blocks(depth: int) -> tuple[str, ...]:
    """Names of the layers: ``embedding``, ``block1`` … ``block{depth}``."""
    return ("embedding", *(f"block{k}" for k in range(1, depth + 1)))


class SentenceEncoder(nn.Module):
    """Tokens (N, length) → logits (N, outputs).

    encoder: a ``transformers`` model that answers ``hidden_states``, built without dropout; pad:
    the token of padding, on whichever side. Layers to look at: ``embedding``, ``block1`` …, each
    the mean (N, size) of the states of the tokens that are no padding, as the classifier reads the
    last one. Padding is never attended to and is cut off: sentences of about one length go through
    the encoder together.
    """

    def __init__(self, encoder: nn.Module, depth: int, size: int, outputs: int, pad: int) -> None:
        super().__init__()
        self.encoder, self.pad, self.layers = encoder, pad, blocks(depth)
        for name in self.layers:
            self.add_module(name, nn.Identity())
        self.output = nn.Linear(size, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        bucket = ((x != self.pad).sum(1) + _BUCKET - 1) // _BUCKET
        groups = [(bucket == length).nonzero()[:, 0] for length in bucket.unique()]
        found = [self._states(x[rows]) for rows in groups]
        back = torch.cat(groups).argsort()
        for k, name in enumerate(self.layers):
            mean = torch.cat([states[k] for states in found])[back]
            mean = self.get_submodule(name)(mean)
        return self.output(mean)

    def _states(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Mean states (N, size) after the embedding and every block."""
        there = x != self.pad
        used = there.any(0).nonzero()[:, 0].tolist() or [0]
        x, there = x[:, used[0] : used[-1] + 1], there[:, used[0] : used[-1] + 1]
        states = self.encoder(
            input_ids=x, attention_mask=there.long(), output_hidden_states=True, return_dict=True
        ).hidden_states
        share = there / there.sum(1, keepdim=True).clamp(min=1)
        return [torch.einsum("nls,nl->ns", state, share.to(state.dtype)) for state in states]
