"""BERT-Medium, BERT-base, DistilBERT and XLNet from the Hugging Face hub, with a new classifier on
top (BERT-Medium: Ren Q. et al. 2024, Fig. 3; the others: Cheng et al. 2024, Fig. 3 and 4).

Nothing is fetched unless asked for: ``reproduce data bert_medium`` writes a model's configuration
and safetensors weights into ``transformers/<name>`` of the data cache, from where a network is
built. ``initialised`` builds the same network of a configuration alone, without pretrained weights.

XLNet reads the pieces of ``sst2_xlnet``, whose tokeniser comes with its weights; the other three
read the WordPieces of ``sst2_wordpiece``.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from torch import nn

from .. import io, paths
from ..datasets import DamagedData, MissingData
from .base import InputSpec, Network
from .sentence_encoder import SentenceEncoder, blocks, library

__all__ = [
    "BERT_BASE",
    "BERT_MEDIUM",
    "DISTILBERT",
    "HUB",
    "REVISIONS",
    "XLNET",
    "digest",
    "download",
    "downloaded",
    "get",
    "initialised",
    "missing",
]

HUB = {
    "bert_medium": "google/bert_uncased_L-8_H-512_A-8",
    "bert_base": "google-bert/bert-base-uncased",
    "distilbert": "distilbert/distilbert-base-uncased",
    "xlnet": "xlnet/xlnet-base-cased",
}
REVISIONS = {
    "bert_base": "86b5e0934494bd15c9632b12f734a8a67f723594",
    "distilbert": "12040accade4e8a0f71eabdb258fecc2e7e948be",
    "xlnet": "ceaa69c7bc5e512b5007106a7ccbb7daf24b2c79",
}
"""The revisions that are fetched, as public repositories that pin them name them; nobody could ask
the hub when this was written. None was found for BERT-Medium: its newest is fetched."""
_FILES = ("config.json", "model.safetensors")
_TOKENIZER = {"xlnet": ("tokenizer.json",)}
"""What is fetched beside: the others' pieces come with a package."""
_NO_DROPOUT = (
    *("hidden_dropout_prob", "attention_probs_dropout_prob"),  # BERT
    *("dropout", "attention_dropout", "summary_last_dropout"),  # XLNet, DistilBERT
)


def _files(name: str) -> tuple[str, ...]:
    return (*_FILES, *_TOKENIZER.get(name, ()))


def _folder(name: str) -> Path:
    return paths.data_cache() / "transformers" / name


def downloaded(name: str) -> Path | None:
    """The folder that a download of ``name`` filled; its files are checked when they are read."""
    folder = _folder(name)
    return folder if (folder / "source.json").is_file() else None


def missing(name: str) -> str:
    """What is said where the weights of ``name`` are not on this machine, with the command."""
    return (
        f"the weights of {name} are not in {_folder(name)}: `reproduce data {name}` gets "
        f"{HUB[name]} from the hub. Without a network: run it on a machine that has one and copy "
        "the folder"
    )


def get(name: str) -> Path:
    """The folder of ``name``, downloaded unless it is there, and checked."""
    if downloaded(name) is None:
        download(name)
    return _checked(name)


def download(name: str, revision: str | None = None) -> Path:
    """Fetches the model from the hub: the folder of its files and of ``source.json``, which names
    the revision and each file's sha256, against which the files are checked from then on.

    revision: default that of ``REVISIONS``, else the newest.

    MissingData without a network or ``transformers``; ValueError for another name.
    """
    if name not in HUB:
        raise ValueError(f"there is no {name!r} to download; there are: {', '.join(HUB)}")
    library()
    from huggingface_hub import HfApi, hf_hub_download

    folder, revision = _folder(name), revision or REVISIONS.get(name)
    try:
        revision = HfApi().model_info(HUB[name], revision=revision).sha
        for file in _files(name):
            hf_hub_download(HUB[name], file, revision=revision, local_dir=folder)
    except Exception as error:  # of the hub's client, of the network
        raise MissingData(f"{HUB[name]} could not be downloaded ({error})") from error
    found = {file: io.sha256_file(folder / file) for file in _files(name)}
    io.write_sealed(folder / "source.json", {"hub": HUB[name], "revision": revision, **found})
    return folder


def _checked(name: str) -> Path:
    """The folder of a downloaded model, its files as they came; MissingData or DamagedData."""
    folder = downloaded(name)
    if folder is None:
        raise MissingData(missing(name))
    said = io.read_sealed(folder / "source.json")
    for file in _files(name):
        if not (folder / file).is_file() or io.sha256_file(folder / file) != said.get(file):
            raise DamagedData(
                f"{folder / file} is not the file that was downloaded: delete "
                f"{folder}, then `reproduce data {name}` gets it again"
            )
    return folder


def digest(name: str) -> str:
    """Which weights of ``name`` are on this machine: the sha256 of their revision and of the files'
    checksums, as the download noted them. MissingData where there are none."""
    folder = downloaded(name)
    if folder is None:
        raise MissingData(missing(name))
    return io.sha256_bytes(io.canonical_json(io.read_sealed(folder / "source.json")).encode())


def _encoder_of(spec: InputSpec, encoder: nn.Module) -> nn.Module:
    config = encoder.config
    if len(spec.shape) != 1 or spec.vocabulary != config.vocab_size:
        raise ValueError(
            f"the network takes sentences (length,) of {config.vocab_size} tokens, got samples "
            f"{tuple(spec.shape)} of {spec.vocabulary}: take the data set of its own tokeniser"
        )
    return SentenceEncoder(
        encoder,
        config.num_hidden_layers,
        config.hidden_size,
        spec.outputs,
        config.pad_token_id,
    )


def _settings(config: Any) -> Any:
    """Without dropout, whose numbers would differ after a killed run; attention whose gradient is
    the same at every call."""
    for field in _NO_DROPOUT:
        if hasattr(config, field):
            setattr(config, field, 0.0)
    config._attn_implementation = "eager"
    return config


def initialised(spec: InputSpec, config: Any) -> nn.Module:
    """A network of a ``transformers`` configuration, with random weights."""
    return _encoder_of(spec, library().AutoModel.from_config(_settings(config)))


def pretrained(spec: InputSpec, width: int, *, name: str) -> nn.Module:
    """The downloaded network ``name``; the seed decides the classifier's weights alone."""
    transformers = library()
    folder = _checked(name)
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    if width != config.hidden_size:
        raise ValueError(f"{name} has width {config.hidden_size}, got {width}")
    encoder = transformers.AutoModel.from_pretrained(
        folder, config=_settings(config), local_files_only=True, use_safetensors=True
    )
    return _encoder_of(spec, encoder.train())


def _network(name: str, title: str, depth: int, size: int) -> Network:
    make, which = functools.partial(pretrained, name=name), functools.partial(digest, name)
    counted = "numbers of a token's state"
    return Network(name, title, make, ("text",), blocks(depth), size, counted, which)


BERT_MEDIUM = _network("bert_medium", "BERT-Medium", 8, 512)
BERT_BASE = _network("bert_base", "BERT-base", 12, 768)
DISTILBERT = _network("distilbert", "DistilBERT", 6, 768)
XLNET = _network("xlnet", "XLNet", 12, 768)
