"""Feature components of sentences: a sentence of mask tokens in the place of the mean input."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt

from utils import datasets, extract, figures, params
from utils.datasets import About, Raw, Samples, Source
from utils.datasets.vocabulary import MASK, PAD
from utils.evidence import maps
from utils.evidence.pictures import short
from utils.jobs import SplitJob, ensure
from utils.jobs.attributions import WordMapsJob
from utils.jobs.components import ComponentGamesJob, FeaturesJob, PCAJob
from utils.jobs.games import Splits
from utils.jobs.mislabelled import MemorisedJob, MislabelledJob
from utils.jobs.scored import GamesJob
from utils.jobs.token_components import TokenFeaturesJob, TokenMislabelledJob, masked_sentence
from utils.jobs.trained import TrainJob
from utils.models.tail import features, tail
from utils.players.components import FeatureComponents
from utils.players.words import WordDraw
from utils.studies import component_jobs, networks, noisy_labels
from utils.train import TrainConfig

WORDS, LENGTH = 40, 10
ABOUT = About(
    vocabulary=tuple(f"word{'abcdefghij'[k % 10]}{'klmn'[k // 10]}" for k in range(WORDS)),
    mask=MASK,
    pad=PAD,
    special=(0, 1, 2, 3),
)


def planted(_folder: Path, split: str) -> Raw:
    """Sentences of five to eight words with an end (3), padded on the left, whose class is whether
    the word 5 is in them."""
    rng = np.random.default_rng(("train", "test").index(split))
    x = rng.integers(6, WORDS, (60, LENGTH))
    x[:, -1] = 3
    labels = np.arange(60) % 2
    x[labels == 1, 7] = 5
    x[np.arange(LENGTH) < 1 + np.arange(60)[:, None] % 4] = PAD
    return Raw(x, labels, np.arange(60))


SOURCE = Source(
    "planted_sentences", ("no", "yes"), (LENGTH,), lambda: Path(), planted, kind="text", about=ABOUT
)


@pytest.fixture
def sentences(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Samples:
    monkeypatch.setenv("INTERACTIONS_CACHE", str(tmp_path / "jobs"))
    monkeypatch.setattr(TrainConfig, "source", SOURCE)
    monkeypatch.setattr(TrainConfig, "modules", lambda _self: {"utils.models.text_cnn"})
    return datasets.load(SOURCE, "train")


def trained(**change: object) -> TrainJob:
    how = {"optimizer": "adamw", "lr": 0.02, "batch": 10, "steps": 40, "checkpoints": 3, **change}
    return TrainJob.of(
        TrainConfig(dataset="planted_sentences", model="text_cnn", width=6, n_train=60, **how)
    )


def test_the_masked_sentence_has_the_mean_length_and_says_nothing(sentences: Samples) -> None:
    """Lengths 9, 8, 7, 6 in turn: 7.5 on average, of which the first sentence with 8 or 7."""
    found = masked_sentence(sentences)
    assert found.tolist() == [PAD, PAD, *[MASK] * 7, 3] and found.dtype == torch.int64
    assert not torch.equal(found, sentences.x[1]), "the data are left as they are"
    with pytest.raises(ValueError, match="from training sentences of a set that names its mask"):
        masked_sentence(datasets.load(SOURCE, "test"))
    nameless = dataclasses.replace(SOURCE, about=About(vocabulary=ABOUT.vocabulary, pad=PAD))
    with pytest.raises(ValueError, match=r"About\.mask"):
        masked_sentence(dataclasses.replace(sentences, source=nameless))


def test_masked_components_are_those_of_the_masked_sentence(sentences: Samples) -> None:
    """All 2^3 scores written out for one sentence, from the network alone."""
    train = trained()
    sample = GamesJob(train=train, split="train", images=2, n=3, how=WordDraw())
    pca = PCAJob(train=train, layer="conv", images=20, r=3)
    job = ComponentGamesJob(features=TokenFeaturesJob(sample=sample, layer="conv"), pca=pca)
    games, parts, run = ensure(job), ensure(pca), ensure(train)
    players, labels, _ = sample.players()
    model = run.model(run.steps[-1])
    with torch.inference_mode():
        both = torch.stack([players[0].whole, masked_sentence(sentences)])
        own, masked = features(model, "conv", both)[0].clone().flatten(1)
        for mask in range(8):
            kept = torch.tensor([bool(mask >> i & 1) for i in range(3)])
            q = torch.where(kept, parts.coordinates(own), parts.coordinates(masked))
            x = (parts.mean + q @ parts.directions).float().view(1, LENGTH + 6, 18)
            v = extract.score_of(tail(model, "conv")(x), labels[:1])
            torch.testing.assert_close(games.v[-1, 0, mask], v[0], rtol=0, atol=1e-4)
    assert games.v.shape == (3, 2, 8) and len(games.v[-1, 0].unique()) == 8


def test_mislabelled_sentences_are_taken_apart_alike(sentences: Samples) -> None:
    train = trained(label_noise=0.3, steps=150)
    sample = GamesJob(train=train, split="train", images=4, n=3, how=WordDraw())
    pca = PCAJob(train=train, layer="conv", images=20, r=3)
    job = TokenMislabelledJob(sample=sample, memorised=MemorisedJob(train=train), pca=pca)
    found, parts, run = ensure(job), ensure(pca), ensure(train)
    assert found.kept.all() and found.v.shape == (5, 4, 8)
    model = run.model(run.steps[-1])
    for row, positions in enumerate((found.one, found.other)):
        x = torch.stack([sentences.x[positions[0]], masked_sentence(sentences)])
        with torch.inference_mode():
            own, masked = features(model, "conv", x)[0].clone()
        players = [FeatureComponents(own, masked, parts)]
        v = extract.scores(tail(model, "conv"), players, found.label[:1])
        torch.testing.assert_close(found.v[row, 0], v[0], rtol=0, atol=1e-4)


def test_sentences_and_nothing_else_get_these_jobs(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    for name, of_tokens in (("text_cnn/sst2", True), ("lenet/mnist_part", False)):
        p = params.validate("04_five_groups", systems=[name], seeds=1)
        (job,) = component_jobs.component_jobs(p, *networks.systems(p)).games
        assert type(job.features) is (TokenFeaturesJob if of_tokens else FeaturesJob)
        p = params.validate("07_noisy_labels", systems=[name], seeds=1)
        splits = noisy_labels.plan(p, *noisy_labels.systems(p))
        kinds = {type(job.games) for job in splits}
        assert kinds == {MislabelledJob, *([TokenMislabelledJob] if of_tokens else [])}


def test_maps_of_words_are_shapley_values_of_the_coordinate(sentences: Samples) -> None:
    """Against an average over all orders in which three words can come; they sum to the change
    from the sentence without its players, and a word that the network cannot see gets nothing."""
    train = trained()
    sample = GamesJob(train=train, split="train", images=2, n=3, how=WordDraw())
    pca = PCAJob(train=train, layer="conv", images=20, r=2)
    found = ensure(WordMapsJob(sample=sample, pca=pca, images=2))
    assert found.kind == "text" and found.maps.shape == (2, 2, 2, 3)
    torch.testing.assert_close(found.maps.sum(-1), found.change, rtol=0, atol=1e-9)
    players, parts, run = sample.players()[0], ensure(pca), ensure(train)
    model = run.model(run.steps[-1])
    with torch.inference_mode():
        f = features(model, "conv", players[1].masked(torch.arange(8)))[0].flatten(1)
    q = parts.coordinates(f)
    wanted = torch.zeros(2, 3, dtype=torch.float64)
    for order in itertools.permutations(range(3)):
        before = 0
        for i in order:
            wanted[:, i] += (q[before | 1 << i] - q[before]) / 6
            before |= 1 << i
    torch.testing.assert_close(found.maps[1, 1], wanted, rtol=0, atol=1e-5)
    assert [w.partition(": ")[0] for w in found.words[1]] == ["player 0", "player 1", "player 2"]


def test_maps_of_words_are_drawn_as_words(sentences: Samples) -> None:
    train = trained()
    sample = GamesJob(train=train, split="train", images=2, n=3, how=WordDraw())
    pca = PCAJob(train=train, layer="conv", images=20, r=3)
    found = ensure(WordMapsJob(sample=sample, pca=pca, images=2))
    job = ComponentGamesJob(features=TokenFeaturesJob(sample=sample, layer="conv"), pca=pca)
    games = Splits("a test", (SplitJob(games=job, kappa=0.04, order_weight=0.2, tol=1e-3),)).load()
    table = maps.table(games, found)
    assert set(table["kind"]) == {"words"} and set(table["row"].str[:2]) == {"1:", "2:"}
    named = table[(table["row"] == table["row"].iloc[0]) & (table["column"] == "component 1")]
    words = [short(word).strip("'") for word in found.words[0]]
    assert [word.strip("'") for word in named["word"]] == words
    assert named["value"].abs().max() == 1
    said = maps.described(games, found, "a test")
    assert "of the words" in said["statement"] and said["scope"].startswith("2 sentences of")
    assert said["control"]["part of the components' change that the maps miss, trained"] < 1e-6
    drawn = figures.attribution_maps(table)
    assert words[0] in {text.get_text().strip("'") for a in drawn.axes for text in a.texts}
    plt.close(drawn)
