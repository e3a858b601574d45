"""SST-2 in the pieces of XLNet (Yang et al. 2019): the tokens of a SentencePiece model of its own.

The sentences are those of ``sst2``. The tokeniser is the file ``tokenizer.json`` that comes with
XLNet's weights from the hub (``reproduce data xlnet``), read by Hugging Face ``tokenizers``. It
marks a piece that begins a word by ``▁``; here, as in the other sets, those that continue one are
marked, by ``##``, and are one player with it.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np

from .. import paths
from . import sst2
from .base import About, DamagedData, MissingData, Raw, Source, Split
from .vocabulary import Vocabulary

__all__ = ["SST2_XLNET", "pieces", "words_of_pieces"]

LENGTH = 96
"""Tokens of a sample: the longest phrase has 66 WordPieces, and room is left, for its pieces here
could not be counted when this was written."""
UNKNOWN, START, END, SEPARATOR, CLASS, PAD, MASK = 0, 1, 2, 4, 3, 5, 6
_PIECES = 32000
_BEGINS = "▁"
_INSTALL = "pip install -e '.[pretrained]'"


def _tokenizer() -> Path:
    return paths.data_cache() / "transformers" / "xlnet" / "tokenizer.json"


def _find() -> Path | None:
    return sst2.find() if _tokenizer().is_file() else None


def _download(cache: Path) -> None:
    """The sentences; the tokeniser comes with XLNet's weights. MissingData until it is there."""
    if sst2.find() is None:
        sst2.download(cache)
    _there(_tokenizer())


@functools.lru_cache(maxsize=2)
def words_of_pieces(tokenizer: Path) -> tuple[str, ...]:
    """The pieces of a tokeniser's file by token: special ones as they are, those that begin a word
    without their mark, the others after ``##``. MissingData without the file, DamagedData for that
    of another kind of tokeniser."""
    told = json.loads(_there(tokenizer).read_text("utf-8"))
    try:
        special = {one["content"] for one in told["added_tokens"]}
        found = [piece for piece, _ in told["model"]["vocab"]]
    except (KeyError, TypeError, ValueError) as error:
        raise DamagedData(f"{tokenizer} is not the tokeniser of a SentencePiece model") from error
    return tuple(piece if piece in special else _marked(piece) for piece in found)


def _there(tokenizer: Path) -> Path:
    if not tokenizer.is_file():
        raise MissingData(f"{tokenizer} is not there: `reproduce data xlnet` gets it from the hub")
    return tokenizer


def _marked(piece: str) -> str:
    return piece.removeprefix(_BEGINS) if piece.startswith(_BEGINS) else f"##{piece}"


def pieces(texts: tuple[str, ...], tokenizer: Path, length: int) -> np.ndarray:
    """Tokens int64 (N, length), ``<sep> <cls>`` last and padding on the left, as XLNet was trained.

    ValueError naming the sentence that has more tokens: nothing is cut off in silence. MissingData
    without the package ``tokenizers`` or without the file.
    """
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingData(f"tokenizers is not installed: `{_INSTALL}`") from error
    read = Tokenizer.from_file(str(_there(tokenizer)))
    read.no_padding(), read.no_truncation()
    tokens = np.full((len(texts), length), PAD, dtype=np.int64)
    found = read.encode_batch(list(texts), add_special_tokens=False)
    for row, one in enumerate(found):
        ids = [*one.ids, SEPARATOR, CLASS]
        if not 3 <= len(ids) <= length:
            raise ValueError(
                f"sentence {row} has {len(ids)} tokens with its end; accepted are 3 to {length}, "
                "and none is cut off"
            )
        tokens[row, length - len(ids) :] = ids
    return tokens


def _read(folder: Path, split: Split) -> Raw:
    texts, labels = sst2.sentences(folder, split)
    return Raw(pieces(texts, _tokenizer(), LENGTH), labels, np.arange(len(labels)))


SST2_XLNET = Source(
    "sst2_xlnet",
    sst2.CLASSES,
    (LENGTH,),
    _find,
    _read,
    _download,
    kind="text",
    about=About(
        vocabulary=Vocabulary(_PIECES, lambda: words_of_pieces(_tokenizer())),
        mask=MASK,
        pad=PAD,
        special=(UNKNOWN, START, END, CLASS, SEPARATOR, PAD, MASK),
    ),
)
