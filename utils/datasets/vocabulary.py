"""Words of a text set: which token each is, read from the set's own files when they are first asked
for.

A vocabulary that is made from a set's training sentences stands in no file of the repository. Its
length is known before, so that a network can be built and a run planned without the set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from .base import DamagedData, Samples

__all__ = [
    "MASK",
    "PAD",
    "RESERVED",
    "UNKNOWN",
    "Vocabulary",
    "encoded",
    "unknown_share",
    "word_vocabulary",
]

RESERVED = ("<pad>", "<unk>", "<mask>")
"""The first tokens of every vocabulary of whole words: no word, a word that is not in it, an absent
word."""
PAD, UNKNOWN, MASK = range(3)


class Vocabulary(Sequence[str]):
    """Token → word, of a known length; ``read`` is called once, when a word is first asked for.

    DamagedData when what is read has another length.
    """

    def __init__(self, length: int, read: Callable[[], Sequence[str]]) -> None:
        self._length, self._read = length, read
        self._words: Sequence[str] = ()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, token: int | slice) -> str | Sequence[str]:
        if not self._words:
            words = self._read()
            if len(words) != self._length:
                raise DamagedData(
                    f"a vocabulary of {self._length} words is known, read was one of {len(words)}"
                )
            self._words = words
        return self._words[token]


def word_vocabulary(sentences: Iterable[str]) -> tuple[str, ...]:
    """The reserved tokens, then every word of the sentences, the frequent ones first and words of
    one frequency in the order of their code points: one vocabulary whatever the sentences' order.

    Words are what blanks part; a reserved token that occurs as a word is the reserved one.
    """
    counts = Counter(word for sentence in sentences for word in sentence.split())
    for reserved in RESERVED:
        counts.pop(reserved, None)
    return (*RESERVED, *sorted(counts, key=lambda word: (-counts[word], word)))


def encoded(sentences: Sequence[str], words: Sequence[str], length: int) -> np.ndarray:
    """Tokens int64 (N, length): unknown words as such, padding on the left.

    On the left, so that the last position is the last word of every sentence, whatever its length.
    ValueError naming the sentence for one that is empty or has more than ``length`` words: nothing
    is cut off in silence.
    """
    known = {word: token for token, word in enumerate(words)}
    found = np.full((len(sentences), length), PAD, dtype=np.int64)
    for row, sentence in enumerate(sentences):
        tokens = [known.get(word, UNKNOWN) for word in sentence.split()]
        if not 1 <= len(tokens) <= length:
            raise ValueError(
                f"sentence {row} has {len(tokens)} words; accepted are 1 to {length}, and none is "
                "cut off"
            )
        found[row, length - len(tokens) :] = tokens
    return found


def unknown_share(data: Samples, unknown: int = UNKNOWN) -> float:
    """Share of the words of ``data``, padding and other special tokens left out, that the
    vocabulary does not know."""
    special = [token for token in data.about.special if token != unknown]
    words = data.x[~sum((data.x == token for token in special), data.x < 0)]
    return float((words == unknown).double().mean())
