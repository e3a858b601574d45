"""The sentence CNN of Kim 2014 ("CNN-rand"): vectors of words, one convolution with three widths of
window, the maximum over the sentence, a linear classifier."""

from __future__ import annotations

import torch
from torch import fx, nn
from torch.nn import functional as F

from .base import InputSpec, Network
from .word_vectors import WordVectors, after_padding, require_words

__all__ = ["TEXT_CNN", "TextCNN"]

# A traced network calls it as it is: its course depends on the data.
fx.wrap("after_padding")

_VECTOR = 300
_WINDOWS = (3, 4, 5)


class MaxOverSentence(nn.Module):
    """Vectors (N, length, size), padding zero → (N, windows x maps): the largest answer of each
    filter anywhere in the sentence, plus its bias, after ReLU (max and ReLU commute).

    Zeros stand before and behind the sentence, as many as a window is wide, so that one window lies
    in the padding altogether, as it does in Kim's own code for all but the longest sentence: more
    padding changes nothing.
    """

    def __init__(self, size: int, maps: int) -> None:
        super().__init__()
        self.windows = nn.ModuleList(nn.Conv1d(size, maps, width) for width in _WINDOWS)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = after_padding(x).transpose(1, 2)
        found = [
            F.conv1d(x, conv.weight, padding=width).amax(-1) + conv.bias
            for conv, width in zip(self.windows, _WINDOWS, strict=True)
        ]
        return torch.cat(found, 1).relu()


class TextCNN(nn.Module):
    """Tokens (N, length) → logits (N, classes); ``width`` feature maps of each of the windows 3, 4
    and 5 (100 in the paper), vectors of 300 numbers.

    Without the paper's dropout and bound on the weights' norm: nothing stands in the way of
    over-fitting here. Layers to look at: ``embedding`` (N, length, 300), ``conv`` (N, 3 width),
    after ReLU and the maximum over the sentence. Initialised as PyTorch does by default, vectors
    uniform in +-0.25.
    """

    layers = ("embedding", "conv")

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        require_words(spec, "text_cnn")
        self.embedding = WordVectors(spec.vocabulary, _VECTOR)
        self.conv = MaxOverSentence(_VECTOR, width)
        self.output = nn.Linear(len(_WINDOWS) * width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.conv(self.embedding(x)))


TEXT_CNN = Network(
    "text_cnn", "text CNN", TextCNN, ("text",), TextCNN.layers, 100, "feature maps of each window"
)
