"""A three-layer unidirectional LSTM (Hochreiter and Schmidhuber 1997; Ren J. et al. 2025 and Li and
Zhang 2023 train one on SST-2, and print no sizes)."""

from __future__ import annotations

import torch
from torch import fx, nn

from .base import InputSpec, Network
from .word_vectors import WordVectors, after_padding, padded_as, require_words

__all__ = ["LSTM3", "StackedLSTM"]

# A traced network calls them as they are: their course depends on the data.
fx.wrap("after_padding")
fx.wrap("padded_as")


class LSTMLayer(nn.Module):
    """(N, length, size + 1) → (N, length, width + 1): the hidden states; the last component of both
    is 1 for a word and 0 for padding.

    The gates' biases are the weights of that component, so that a cell without input and state
    stays at zero: padding before the first word does nothing at all, and no mask has to go around
    the layer. Initialised as PyTorch's LSTM, uniform in +-1/sqrt(width), with one bias where that
    has two, which are added to each other anyway.
    """

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.cell = nn.LSTM(size + 1, width, batch_first=True, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        length = x.shape[1]
        x = after_padding(x)
        return padded_as(torch.cat([self.cell(x)[0], x[..., -1:]], -1), length)


class StackedLSTM(nn.Module):
    """Tokens (N, length), padded on the left → logits (N, classes), read off the last layer's last
    state.

    ``width``: of the words' vectors and of every layer's state. Layers to look at: ``embedding``,
    ``lstm1`` … ``lstm3``, each (N, length, width + 1), with the words' presence as last component.
    """

    layers = ("embedding", "lstm1", "lstm2", "lstm3")

    def __init__(self, spec: InputSpec, width: int) -> None:
        super().__init__()
        require_words(spec, "lstm")
        self.width = width
        self.embedding = WordVectors(spec.vocabulary, width, presence=True)
        self.lstm1 = LSTMLayer(width, width)
        self.lstm2 = LSTMLayer(width, width)
        self.lstm3 = LSTMLayer(width, width)
        self.output = nn.Linear(width, spec.outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.lstm3(self.lstm2(self.lstm1(self.embedding(x))))
        return self.output(x[:, -1, : self.width])


LSTM3 = Network(
    "lstm",
    "three-layer LSTM",
    StackedLSTM,
    ("text",),
    StackedLSTM.layers,
    128,
    "numbers of a word's vector and of each layer's state",
)
