"""SST-2 (Socher et al. 2013, in the form of GLUE, Wang et al. 2019): phrases and sentences of film
reviews, negative or positive, as whole words.

Read from ``SST-2/train.tsv`` and ``SST-2/dev.tsv`` of the data cache by Hugging Face ``datasets``
(its csv builder, on this machine alone); ``reproduce data sst2`` writes these files from the hub's
``stanfordnlp/sst2``. GLUE's test sentences have no labels: ``test`` here is its dev set. The words
are those of the training split, parted by blanks as GLUE has them; a word that is not among them is
the unknown token. Copies in circulation hold the dev set whole or in part, so that ids of its
sentences are their rows in the file that is there.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import tempfile
from pathlib import Path

import numpy as np

from .. import paths
from .base import About, DamagedData, MissingData, Raw, Source, Split
from .vocabulary import MASK, PAD, UNKNOWN, Vocabulary, encoded, word_vocabulary

__all__ = ["CLASSES", "SST2", "download", "find", "sentences", "table"]

CLASSES = ("negative", "positive")
LENGTH = 56
"""Tokens of a sample: the longest of the training phrases has 52 words."""
_WORDS = 14819
_FILES = {"train": "train.tsv", "test": "dev.tsv"}
_HUB = {"train": "train", "test": "validation"}
_HUB_NAME = "stanfordnlp/sst2"
# GLUE's own training file; the dev set is in circulation whole (872 sentences) and in part.
_TRAIN = "48eac26399f8456935f81dd9e3a745c1430adb6c62e233ccfe22db4a0d15d1d1"
_DEV_PART = "07edf7b39ff8122ffc5ecf54af3e253f2ca9b37f2a1dad0120a79f4d74d95fb3"
_DEV_WHOLE = {0: 428, 1: 444}
_MEND = "Delete it, then `reproduce data sst2` downloads it again."


def find() -> Path | None:
    """The folder with both files."""
    folder = paths.data_cache() / "SST-2"
    return folder if all((folder / name).is_file() for name in _FILES.values()) else None


def sentences(folder: Path, split: Split) -> tuple[tuple[str, ...], np.ndarray]:
    """Sentences and labels int64 (N,) of one split, its file checked; DamagedData for another."""
    path = folder / _FILES[split]
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    texts, labels = _kept(path, found)
    if split == "train":
        right = found == _TRAIN
    else:
        counts = {label: int((labels == label).sum()) for label in (0, 1)}
        right = found == _DEV_PART or counts == _DEV_WHOLE
    if not right:
        raise DamagedData(f"{path} is not GLUE's file (sha256 {found[:16]}…). {_MEND}")
    return texts, labels


@functools.lru_cache(maxsize=4)
def _kept(path: Path, _sha256: str) -> tuple[tuple[str, ...], np.ndarray]:
    """The same file is parsed once."""
    return table(path)


def table(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    """Sentences and labels int64 (N,) of a tab-separated file with the header ``sentence label``,
    read by Hugging Face ``datasets``; what that keeps lies in a folder of its own and goes
    again. DamagedData for other columns or labels."""
    import datasets  # takes seconds to import

    bars = datasets.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        with tempfile.TemporaryDirectory(prefix="interactions-sst2-") as scratch:
            found = datasets.load_dataset(
                "csv",
                data_files=str(path),
                split="train",
                delimiter="\t",
                quoting=csv.QUOTE_NONE,
                keep_default_na=False,  # "null" and "nan" are words
                cache_dir=scratch,
                keep_in_memory=True,
            )
            columns, kept = found.column_names, found.to_dict()
    except datasets.exceptions.DatasetGenerationError as error:
        raise DamagedData(f"{path} is no table of sentence and label: {error}. {_MEND}") from error
    finally:
        if bars:
            datasets.enable_progress_bars()
    if columns != ["sentence", "label"] or not set(kept["label"]) <= {0, 1}:
        raise DamagedData(f"{path} must have the columns sentence and label, 0 or 1. {_MEND}")
    return tuple(kept["sentence"]), np.array(kept["label"], dtype=np.int64)


def download(cache: Path) -> None:
    """Writes both files from the hub, as GLUE's are."""
    import datasets

    folder = cache / "SST-2"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=".hub-") as scratch:
        for split, name in _FILES.items():
            rows = datasets.load_dataset(_HUB_NAME, split=_HUB[split], cache_dir=scratch)
            text = "".join(f"{row['sentence']}\t{row['label']}\n" for row in rows)
            part = folder / f"{name}.part"
            part.write_text(f"sentence\tlabel\n{text}", encoding="utf-8", newline="\n")
            part.replace(folder / name)


def _words() -> tuple[str, ...]:
    folder = find()
    if folder is None:
        raise MissingData(
            f"the words of sst2 are those of its training phrases, which are not in "
            f"{paths.data_cache()}: `reproduce data sst2` downloads them"
        )
    return _made(sentences(folder, "train")[0])


@functools.lru_cache(maxsize=2)
def _made(texts: tuple[str, ...]) -> tuple[str, ...]:
    return word_vocabulary(texts)


def _read(folder: Path, split: Split) -> Raw:
    texts, labels = sentences(folder, split)
    words = _made(sentences(folder, "train")[0])
    return Raw(encoded(texts, words, LENGTH), labels, np.arange(len(labels)))


SST2 = Source(
    "sst2",
    CLASSES,
    (LENGTH,),
    find,
    _read,
    download,
    kind="text",
    about=About(
        vocabulary=Vocabulary(_WORDS, _words),
        mask=MASK,
        pad=PAD,
        special=(PAD, UNKNOWN, MASK),
    ),
    # The dev set is in circulation whole and in part: its file is checked instead.
    sha256={"train": ("1e6e46cab1eed64309de20346667cdda1b152518dce8b7c9f5bf79f390a30f0f",)},
)
