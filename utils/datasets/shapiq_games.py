"""Four value tables of real pretrained networks, played by the authors of shapiq (Muschalik et al.
2024, MIT licence): v on all coalitions, from the data cache.

Each game is one decision, evaluated on every coalition: 20 of the origin's 30 games a table, as the
cache holds them; ids are the origin's numbers. Stored is the probability of the class that the
network gives the whole sample; the score is its log-odds.

- ResNet-18 (torchvision's weights) on ImageNet pictures, whose superpixels are replaced by gray
  (127). The origin calls it a game of 14 players; but its code clips the superpixels' labels to
  13, so that the fourteenth owns no pixel and changes nothing, in any game. Here it is left out:
  13 players, 2^13 coalitions. (In games 2, 5, 12 and 14 one or two others change nothing either;
  they stay, for they are players of the other games.)
- ViT (google/vit-base-patch32-384) on ImageNet pictures, in 9 or 16 squares of patches, whose
  embeddings are replaced by zeros, the mask token.
- DistilBERT (lvwerra/distilbert-imdb), fine-tuned on IMDb, on sentences of 14 tokens, replaced by
  [MASK].

The accuracies are published ones of the network, not measured here: torchvision's, Dosovitskiy et
al. 2021 (Table 5), Sanh et al. 2019 (Table 2, of a DistilBERT fine-tuned in the same way).
"""

from __future__ import annotations

import functools
import io
from pathlib import Path

import numpy as np

from .. import paths
from .base import DamagedData, checked_bytes
from .values import Values

__all__ = ["DISTILBERT_IMDB", "RESNET18_IMAGENET", "VIT_IMAGENET_N9", "VIT_IMAGENET_N16"]

ORIGIN = (
    "https://github.com/mmschlk/shapiq/tree/799cfd0f2c32f17446130247a7ac3519e68cce82/data/"
    "precomputed_games"
)
_FOLDER = "games"
_SHA256 = {
    "distilbert_imdb_n14.npz": "1815cc8b888e692fc50c8495808c1ca48410284de3b136b96df7c84b5ca5b4e1",
    "resnet18_imagenet_n14.npz": "0fa432670573d13f5faaef7d2ea27a9839ab8bd3d40f19a4eacd8f5bb7dbb489",
    "vit_imagenet_n16.npz": "00b95d7cbaec913e50375ec49adf81a319c6aeed0650b3a95db6817b42c014b1",
    "vit_imagenet_n9.npz": "a03b1c781f9fa7f93a641533a4bcf896bb550c6b7ab14567b2c551be312575a0",
}


def _find(file: str) -> Path | None:
    folder = paths.data_cache() / _FOLDER
    return folder if (folder / file).is_file() else None


def _read(folder: Path, file: str) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (20, 2^n) as stored, and the origin's numbers (20,)."""
    mend = f"Take the file as data/README.md describes it; the games are from {ORIGIN}."
    content = checked_bytes(folder / file, _SHA256[file], mend)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return stored["probability"], stored["game"]


def _without_the_empty_player(folder: Path, file: str) -> tuple[np.ndarray, np.ndarray]:
    """The same without the last player, after it was found to change nothing."""
    p, games = _read(folder, file)
    absent, present = np.split(p, 2, axis=1)  # its bit is the highest
    if not np.array_equal(absent, present):
        raise DamagedData(f"{folder / file}: the last player was known to own no pixel, and does")
    return absent, games


def _source(weights: str) -> str:
    return f"{weights}; games played by the authors of shapiq (2024), {ORIGIN}"


RESNET18_IMAGENET = Values(
    name="imagenet_n13",
    network="resnet18",
    title="ResNet-18",
    n=13,
    unit="superpixels",
    masked_by="gray",
    accuracy=0.69758,
    source=_source("torchvision's weights"),
    sha256="bfae0cd0851aff31819fe9c5c8fc7acc4ba3df49dea572d5445f1d801e663d57",
    find=functools.partial(_find, "resnet18_imagenet_n14.npz"),
    read=functools.partial(_without_the_empty_player, file="resnet18_imagenet_n14.npz"),
    probabilities=True,
)

VIT_IMAGENET_N9 = Values(
    name="imagenet_n9",
    network="vit",
    title="ViT-B/32",
    n=9,
    unit="squares of patches",
    masked_by="mask token",
    accuracy=0.8128,
    source=_source("google/vit-base-patch32-384"),
    sha256="f203831e47f65ad73b80c582ec5ffdd5782ab14eb719cd155be4f45206dde707",
    find=functools.partial(_find, "vit_imagenet_n9.npz"),
    read=functools.partial(_read, file="vit_imagenet_n9.npz"),
    probabilities=True,
)

VIT_IMAGENET_N16 = Values(
    name="imagenet_n16",
    network="vit",
    title="ViT-B/32",
    n=16,
    unit="squares of patches",
    masked_by="mask token",
    accuracy=0.8128,
    source=_source("google/vit-base-patch32-384"),
    sha256="0693762771797ee4be1bdbb28f7b1fb92bedaa666582b2af39ff18c21c361598",
    find=functools.partial(_find, "vit_imagenet_n16.npz"),
    read=functools.partial(_read, file="vit_imagenet_n16.npz"),
    probabilities=True,
)

DISTILBERT_IMDB = Values(
    name="imdb_n14",
    network="distilbert",
    title="DistilBERT",
    n=14,
    unit="tokens",
    masked_by="[MASK]",
    accuracy=0.928,
    source=_source("lvwerra/distilbert-imdb"),
    sha256="d35915f4c71f028ac2ab00272604b620166c25e5b3af8a76cb47cd4bce1e13c4",
    find=functools.partial(_find, "distilbert_imdb_n14.npz"),
    read=functools.partial(_read, file="distilbert_imdb_n14.npz"),
    probabilities=True,
)
