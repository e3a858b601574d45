"""Networks of the hub, offline: loader, layers, padding and words with small random
configurations."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch.nn import functional as F

from utils import __main__, io, params, systems
from utils.datasets import About, DamagedData, MissingData, sst2_xlnet
from utils.datasets.sst2_wordpiece import pieces
from utils.extract import scores
from utils.jobs import trained
from utils.models import InputSpec, find, hub, hub_states
from utils.players.words import SentenceWords, words_of
from utils.studies import feasible
from utils.train import TrainConfig

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None,
    reason="needs the extra: pip install -e '.[pretrained]'",
)
VOCABULARY = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "kite", "##s", "soar", "##ing")
TEXTS = ("red kites soaring", "kite", "soar red kites soaring red red")


def config(kind: str) -> object:
    import transformers

    if kind == "distilbert":
        return transformers.DistilBertConfig(
            vocab_size=10, dim=16, n_layers=2, n_heads=2, hidden_dim=24, pad_token_id=0
        )
    if kind == "xlnet":
        return transformers.XLNetConfig(
            vocab_size=10, d_model=16, n_layer=2, n_head=2, d_inner=24, pad_token_id=0
        )
    return transformers.BertConfig(
        vocab_size=10, hidden_size=16, num_hidden_layers=2, num_attention_heads=2,
        intermediate_size=24, pad_token_id=0,
    )  # fmt: skip


def tokens(tmp_path: Path) -> torch.Tensor:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return torch.from_numpy(pieces(TEXTS, tmp_path / "vocab.txt", 12))


@pytest.mark.parametrize("kind", ["bert", "distilbert", "xlnet"])
def test_a_small_network_reads_words_and_padding_changes_no_score(
    kind: str, tmp_path: Path
) -> None:
    x, spec = tokens(tmp_path), InputSpec((12,), 2, 10)
    assert x[0].tolist() == [2, 5, 6, 7, 8, 9, 3, 0, 0, 0, 0, 0]
    torch.manual_seed(0)
    model = hub.initialised(spec, config(kind)).eval()
    assert model.layers == ("embedding", "block1", "block2")
    seen: dict[str, torch.Tensor] = {}
    for layer in model.layers:
        model.get_submodule(layer).register_forward_hook(
            lambda _m, _i, out, layer=layer: seen.update({layer: out})
        )
    with torch.no_grad():
        whole = model(x)
        assert {name: out.shape for name, out in seen.items()} == {
            name: (3, 16) for name in model.layers
        }
        torch.testing.assert_close(model(F.pad(x, (0, 7))), whole, rtol=0, atol=1e-5)
        each = torch.cat([model(row[row != 0][None]) for row in x])
        torch.testing.assert_close(each, whole, rtol=0, atol=1e-5)
        model.train()
        torch.testing.assert_close(model(x), whole, rtol=0, atol=1e-5)  # no dropout
    about = About(vocabulary=VOCABULARY, mask=4, pad=0, special=(0, 1, 2, 3, 4))
    words = words_of(x[0], about)
    assert [word for word, _ in words] == ["red", "kites", "soaring"]
    v = scores(model, [SentenceWords(x[0], words, 4)], 1)
    assert v.shape == (1, 8) and len(v[0].unique()) == 8
    with pytest.raises(ValueError, match="of 10 tokens, got samples"):
        hub.initialised(InputSpec((12,), 2, 11), config(kind))


SPECIAL = ("<unk>", "<s>", "</s>", "<cls>", "<sep>", "<pad>", "<mask>")


def sentence_pieces(folder: Path) -> Path:
    """The file of a small tokeniser of XLNet's kind."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ("▁red", "▁kite", "s", "▁soar", "ing", "▁")
    found = Tokenizer(models.Unigram([(word, -1.0) for word in (*SPECIAL, *words)], unk_id=0))
    found.pre_tokenizer = pre_tokenizers.Metaspace()
    found.add_special_tokens(list(SPECIAL))
    folder.mkdir(parents=True, exist_ok=True)
    found.save(str(folder / "tokenizer.json"))
    return folder / "tokenizer.json"


def test_the_pieces_of_xlnet_make_words_and_its_network_reads_them(tmp_path: Path) -> None:
    """A small random network of XLNet's kind on a small tokeniser of its own."""
    import transformers

    file = sentence_pieces(tmp_path)
    x = torch.from_numpy(sst2_xlnet.pieces(TEXTS, file, 12))
    assert x[0].tolist() == [5] * 5 + [7, 8, 9, 10, 11, 4, 3], "padding first, <sep> <cls> last"
    assert x[1].tolist() == [5] * 9 + [8, 4, 3]
    vocabulary = sst2_xlnet.words_of_pieces(file)
    assert vocabulary == (*SPECIAL, "red", "kite", "##s", "soar", "##ing", "")
    special = sst2_xlnet.SST2_XLNET.about.special
    about = About(vocabulary=vocabulary, mask=sst2_xlnet.MASK, pad=sst2_xlnet.PAD, special=special)
    words = words_of(x[0], about)
    assert words == [("red", [5]), ("kites", [6, 7]), ("soaring", [8, 9])]
    small = transformers.XLNetConfig(
        vocab_size=13, d_model=16, n_layer=2, n_head=2, d_inner=24, pad_token_id=sst2_xlnet.PAD
    )
    torch.manual_seed(0)
    model = hub.initialised(InputSpec((12,), 2, 13), small).eval()
    with torch.no_grad():
        whole = model(x)
        each = torch.cat([model(row[row != sst2_xlnet.PAD][None]) for row in x])
    torch.testing.assert_close(each, whole, rtol=0, atol=1e-5)
    v = scores(model, [SentenceWords(x[0], words, sst2_xlnet.MASK)], 1)
    assert v.shape == (1, 8) and len(v[0].unique()) == 8
    with pytest.raises(ValueError, match="sentence 0 has 7 tokens with its end; accepted are 3"):
        sst2_xlnet.pieces(TEXTS, file, 6)


def test_xlnet_waits_for_its_pieces_and_for_its_weights(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    system = systems.find("xlnet/sst2_xlnet")
    (tmp_path / "SST-2").symlink_to(shared_data / "SST-2")
    assert systems.state(system) == "needs data: reproduce data sst2_xlnet"
    with pytest.raises(MissingData, match="`reproduce data xlnet` gets it from the hub"):
        sst2_xlnet.words_of_pieces(tmp_path / "tokenizer.json")
    folder = tmp_path / "transformers" / "xlnet"
    sentence_pieces(folder)
    assert systems.state(system) == "needs weights: reproduce data xlnet"
    (folder / "source.json").touch()
    assert systems.state(system) == "works"
    (folder / "other.json").write_text('{"added_tokens": [], "model": {"vocab": {"a": 1}}}')
    with pytest.raises(DamagedData, match=r"other\.json is not the tokeniser of a Sentence"):
        sst2_xlnet.words_of_pieces(folder / "other.json")


def test_downloaded_weights_are_loaded_checked_and_named_when_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small network in the place of BERT-Medium, written as a download would be."""
    import transformers

    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    spec = InputSpec((12,), 2, 10)
    with pytest.raises(MissingData, match="`reproduce data bert_medium` gets google/"):
        find("bert_medium").make(spec, 512)
    folder = tmp_path / "transformers" / "bert_medium"
    own = transformers.BertModel(config("bert"))
    own.save_pretrained(folder)
    files = {file: io.sha256_file(folder / file) for file in ("config.json", "model.safetensors")}
    io.write_sealed(folder / "source.json", {"hub": "made up", "revision": "none", **files})
    made = hub.pretrained(spec, 16, name="bert_medium")
    for name, value in own.state_dict().items():
        assert torch.equal(made.encoder.state_dict()[name], value), name
    with pytest.raises(ValueError, match="bert_medium has width 16, got 512"):
        find("bert_medium").make(spec, 512)
    with (folder / "config.json").open("a") as file:
        file.write(" ")
    with pytest.raises(DamagedData, match=r"config\.json is not the file that was downloaded"):
        hub.pretrained(spec, 16, name="bert_medium")
    with pytest.raises(ValueError, match="there is no 'gpt' to download"):
        hub.download("gpt")


def test_other_weights_of_the_hub_are_another_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision, or a file of another content, changes the key of every job on the network."""
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    monkeypatch.setattr(trained.datasets, "digest", lambda *_of: "0" * 64)
    own = TrainConfig(model="bert_medium", dataset="sst2_wordpiece", n_train=100, steps=2,
                      batch=10, checkpoints=2)  # fmt: skip
    with pytest.raises(MissingData, match="`reproduce data bert_medium` gets google/"):
        trained.TrainJob.of(own)
    source = tmp_path / "transformers" / "bert_medium" / "source.json"
    source.parent.mkdir(parents=True)
    first = {"hub": "made up", "revision": "a" * 40, "model.safetensors": "1" * 64}
    digests = []
    for said in (first, first, first | {"revision": "b" * 40}, first | {"config.json": "2" * 64}):
        io.write_sealed(source, said)
        digests.append(trained.TrainJob.of(own).digest())
    assert digests[0] == digests[1] and len(set(digests)) == 3
    scratch = own.model_copy(update={"model": "text_cnn", "dataset": "sst2"})
    assert trained.TrainJob.of(scratch).pretrained is None


def test_the_pinned_revision_is_the_one_that_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    asked: list[str | None] = []

    class Api:
        def model_info(self, _name: str, revision: str | None) -> SimpleNamespace:
            asked.append(revision)
            return SimpleNamespace(sha=revision or "newest")

    def fetch(_name: str, file: str, revision: str, local_dir: Path) -> None:
        local_dir.mkdir(parents=True, exist_ok=True)
        (local_dir / file).write_text(revision, encoding="utf-8")

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fetch)
    for name in ("bert_base", "bert_medium"):
        folder = hub.download(name)
        assert (folder / "config.json").read_text("utf-8") == hub.REVISIONS.get(name, "newest")
    assert asked == [hub.REVISIONS["bert_base"], None]
    assert set(hub.REVISIONS) < set(hub.HUB)
    assert all(re.fullmatch(r"[0-9a-f]{40}", revision) for revision in hub.REVISIONS.values())


PRETRAINED = ("bert_base", "bert_medium", "distilbert")


@pytest.mark.parametrize("name", PRETRAINED)
def test_a_system_without_its_weights_says_what_gets_them(
    name: str, shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused before anything is computed, by the list, by a run and by building the network."""
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    (tmp_path / "SST-2").symlink_to(shared_data / "SST-2")
    system, command = systems.find(f"{name}/sst2_wordpiece"), f"reproduce data {name}"
    if systems.missing_packages(system):
        assert systems.state(system).startswith("needs packages: pip install")
        pytest.skip("the extra is not installed")
    assert systems.state(system) == f"needs weights: {command}"
    beside = "bert_base" if name == "distilbert" else "distilbert"
    pair = [system.id, f"{beside}/sst2_wordpiece"]  # 06 compares two networks on one data set
    for notebook, ids in (
        ("02_two_phase_dynamics", [system.id]),
        ("05_layerwise_change", [system.id]),
        ("06_iou_stability", pair),
    ):
        p = params.validate(notebook, systems=ids)
        with pytest.raises(MissingData, match=f"are not in .*{name}: `{command}` gets"):
            feasible.require(notebook, p)
    folder = tmp_path / "transformers" / name
    folder.mkdir(parents=True)
    (folder / "source.json").touch()
    assert systems.state(system) == "works"


@pytest.mark.parametrize("name", PRETRAINED)
def test_its_words_are_those_that_it_was_pretrained_on(name: str) -> None:
    """The uncased BERT networks share 30,522 WordPieces; a network of others is refused."""
    system = systems.find(f"{name}/sst2_wordpiece")
    assert len(system.data.about.vocabulary) == 30522
    assert system.network.width in (512, 768) and system.read_at in system.network.layers


def test_weights_are_listed_and_got_like_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    found = {one.name: one for one in hub_states.states()}
    assert set(found) == set(hub.HUB) and {one.state for one in found.values()} == {"missing"}
    assert {name: one.licence for name, one in found.items()} == {
        **dict.fromkeys(PRETRAINED, "Apache-2.0"),
        "xlnet": "MIT",
    }
    asked = []

    def download(name: str) -> None:
        asked.append(name)
        folder = tmp_path / "transformers" / name
        folder.mkdir(parents=True)
        for file in ("config.json", "model.safetensors", "tokenizer.json"):
            (folder / file).write_text(file, encoding="utf-8")
        files = {file.name: io.sha256_file(file) for file in folder.iterdir()}
        io.write_sealed(folder / "source.json", {"hub": "made up", "revision": "none", **files})

    monkeypatch.setattr(hub, "download", download)
    for _ in range(2):
        assert __main__.main(["data", "xlnet"]) == 0
    assert asked == ["xlnet"], "what is there is not fetched again"
    folder = tmp_path / "transformers" / "xlnet"
    assert capsys.readouterr().out == f"xlnet is in {folder}\n" * 2
    assert hub_states.states()[-1].where == str(folder)
    assert __main__.main(["data"]) == 0
    text = capsys.readouterr().out
    assert "licence: Apache-2.0" in text and "missing: `reproduce data bert_base` gets" in text
    (folder / "model.safetensors").write_text("another", encoding="utf-8")
    assert __main__.main(["data", "xlnet"]) == 2
    assert "model.safetensors is not the file that was downloaded" in capsys.readouterr().err
    assert __main__.main(["data", "bert_bas"]) == 2
    assert "did you mean 'bert_base'" in capsys.readouterr().err
