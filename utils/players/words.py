"""Words of a sentence as players: an absent word is the mask token.

A word of several tokens (sub-words) is one player. Special tokens, padding, unknown words, stop
words and punctuation are never masked: they stay as they are in the sentence, in every coalition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import ClassVar, Self

import torch
from pydantic import Field

from ..datasets import About, Kind, Samples, Source
from .base import Draw, Players
from .stop_words import has_meaning

__all__ = ["CONTINUES", "SentenceWords", "WordDraw", "words_of"]

CONTINUES = "##"
"""Begins a token that continues the word before it (WordPiece, Wu et al. 2016)."""


def words_of(tokens: torch.Tensor, about: About) -> list[tuple[str, list[int]]]:
    """The words of a sentence (length,), with the positions of their tokens, in reading order;
    special tokens are none. ValueError for a word that begins with a continuation."""
    found: list[tuple[str, list[int]]] = []
    open_word = False
    for position, token in enumerate(tokens.tolist()):
        if token in about.special:
            open_word = False
            continue
        text = about.vocabulary[token]
        if not text.startswith(CONTINUES) or text == CONTINUES:
            found.append((text, [position]))
        elif open_word:
            word, positions = found[-1]
            found[-1] = (word + text.removeprefix(CONTINUES), [*positions, position])
        else:
            raise ValueError(f"the token {text!r} at position {position} continues no word")
        open_word = True
    return found


class WordDraw(Draw):
    """n words of a sentence with a meaning of their own, each masked by the mask token.

    most: sentences with more usable words take no part; None: any may. The paper explains sentences
    of exactly 10 usable words, all of which are players (Cheng et al. 2024, App. M.1): n = most =
    10. With fewer players they are drawn by a hash of the sentence's id, as patches are.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("text",)
    most: int | None = Field(10, ge=1)

    @property
    def unit(self) -> str:
        return "words"

    @property
    def masked_by(self) -> str:
        return "mask token"

    def possible(self, data: Samples, i: int) -> int:
        """Its usable words; 0 where these are more than ``most``."""
        count = len(_usable(data, i))
        return 0 if self.most is not None and count > self.most else count

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        return None if n == self.most else super().again(repeat, source, n)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> SentenceWords:
        if data.about.mask is None:
            raise ValueError(f"{data.name} names no mask token (About.mask)")
        usable = _usable(data, i)
        if n > len(usable) or (self.most is not None and len(usable) > self.most):
            least = "" if self.most is None else f" and at most {self.most}"
            raise ValueError(
                f"sentence {data.key(i)} has {len(usable)} words that can be players; accepted "
                f"are at least n = {n}{least}: take another sentence or fewer players"
            )
        ranked = sorted(
            range(len(usable)),
            key=lambda k: hashlib.sha256(f"{data.key(i)}/{self.repeat}/{k}".encode()).digest(),
        )
        return SentenceWords(data.x[i], [usable[k] for k in sorted(ranked[:n])], data.about.mask)


def _usable(data: Samples, i: int) -> list[tuple[str, list[int]]]:
    return [one for one in words_of(data.x[i], data.about) if has_meaning(one[0])]


class SentenceWords(Players):
    """n words of one sentence.

    tokens: int64 (length,); words: each player's text and the positions of its tokens; mask: the
    token that stands for an absent one. ValueError where positions are shared or lie outside.
    """

    def __init__(
        self, tokens: torch.Tensor, words: Sequence[tuple[str, Sequence[int]]], mask: int
    ) -> None:
        positions = [p for _, own in words for p in own]
        if tokens.ndim != 1 or tokens.is_floating_point():
            raise ValueError(
                f"tokens must be integers (length,), got {tuple(tokens.shape)} {tokens.dtype}"
            )
        if (
            len(set(positions)) != len(positions)
            or not all(len(own) for _, own in words)
            or not all(0 <= p < len(tokens) for p in positions)
        ):
            raise ValueError(
                f"every word needs positions of its own in 0..{len(tokens) - 1}, got "
                f"{[list(own) for _, own in words]}"
            )
        self.n, self.tokens, self.mask = len(words), tokens, mask
        self.words = tuple((text, tuple(own)) for text, own in words)
        # a player outside 0..n-1 is kept always
        self._owner = torch.full((len(tokens),), self.n)
        for player, (_, own) in enumerate(self.words):
            self._owner[list(own)] = player
        self._owner = self._owner.to(tokens.device)
        self.baseline = torch.full_like(tokens, mask)

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """(B,) → (B, length), int64."""
        bits = torch.arange(self.n, device=subsets.device)
        kept = (subsets[:, None] >> bits & 1).bool()
        always = torch.ones(len(subsets), 1, dtype=torch.bool, device=subsets.device)
        return torch.where(torch.cat([kept, always], 1)[:, self._owner], self.tokens, self.baseline)

    @property
    def whole(self) -> torch.Tensor:
        return self.tokens

    def around(self, x: torch.Tensor) -> SentenceWords:
        return SentenceWords(x, self.words, self.mask)

    def describe(self, i: int) -> str:
        """``player 3: 'charming' (token 41)``, by its position in the padded sentence."""
        if not 0 <= i < self.n:
            raise ValueError(f"there is no player {i}; the players are 0..{self.n - 1}")
        text, own = self.words[i]
        where = f"token {own[0]}" if len(own) == 1 else f"tokens {own[0]}-{own[-1]}"
        return f"player {i}: {text!r} ({where})"

    def to(self, device: torch.device) -> SentenceWords:
        return SentenceWords(self.tokens.to(device), self.words, self.mask)
