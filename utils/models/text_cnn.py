"""The sentence CNN of Kim 2014 ("CNN-rand"): vectors of words, one convolution with three widths of
window, the maximum over the sentence, a linear classifier."""

from __future__ import annotations

import math

import torch
from torch import fx, nn
from torch.nn import functional as F

from .base import InputSpec, Network
from .word_vectors import WordVectors, after_padding, padded_as, require_words

__all__ = ["TEXT_CNN", "TextCNN"]

# A traced network calls them as they are: their course depends on the data.
fx.wrap("after_padding")
fx.wrap("padded_as")

_VECTOR = 300
_WINDOWS = (3, 4, 5)


class Windows(nn.Module):
    """Vectors (N, length, size), padding zero → (N, positions, windows x maps): what each filter
    answers to each window of words, before its bias.

    Zeros stand before and behind the sentence, so that the first window lies in the padding
    altogether, as some do in Kim's own code for all but the longest sentence: more padding brings
    nothing but further zeros.
    """

    def __init__(self, size: int, maps: int) -> None:
        super().__init__()
        self.filters = nn.ModuleList(nn.Conv1d(size, maps, h, bias=False) for h in _WINDOWS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        words, before = after_padding(x).transpose(1, 2), max(_WINDOWS)
        answers = [
            conv(F.pad(words, (before, h))) for h, conv in zip(_WINDOWS, self.filters, strict=True)
        ]
        return padded_as(torch.cat(answers, 1).transpose(1, 2), x.shape[1] + before + 1)


class MaxOverSentence(nn.Module):
    """(N, positions, windows x maps) → (N, windows x maps): each filter's largest answer plus its
    bias, after ReLU; the maximum commutes with both. Initialised as the bias of PyTorch's
    convolution is."""

    def __init__(self, size: int, maps: int) -> None:
        super().__init__()
        bounds = [1 / math.sqrt(size * h) for h in _WINDOWS]
        self.bias = nn.Parameter(torch.cat([torch.empty(maps).uniform_(-b, b) for b in bounds]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x.amax(1) + self.bias).relu()


class TextCNN(nn.Module):
    """Tokens (N, length) → logits (N, classes); ``width`` feature maps of each of the windows 3, 4
    and 5 (100 in the paper), vectors of 300 numbers.

    Without the paper's dropout and bound on the weights' norm: nothing stands in the way of
    over-fitting here. Layers to look at: ``embedding`` (N, length, 300), ``conv`` (N, length + 6,
    3 width), ``pooled`` (N, 3 width), after the maximum over the sentence and ReLU. Initialised as
    PyTorch does by default, vectors uniform in +-0.25.
    """

    layers = ("embedding", "conv", "pooled")

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        require_words(spec, "text_cnn")
        self.embedding = WordVectors(spec.vocabulary, _VECTOR)
        self.conv = Windows(_VECTOR, width)
        self.pooled = MaxOverSentence(_VECTOR, width)
        self.output = nn.Linear(len(_WINDOWS) * width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.pooled(self.conv(self.embedding(x))))


TEXT_CNN = Network(
    "text_cnn", "text CNN", TextCNN, ("text",), TextCNN.layers, 100, "feature maps of each window"
)
