"""A contract that every system of the folder keeps."""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from utils import datasets, models, paths, systems
from utils.datasets import MissingData, Samples, Split, values
from utils.discovery import modules_of
from utils.jobs.scored import choose
from utils.models import InputSpec
from utils.players import Players
from utils.players.marked import MarkedDraw
from utils.systems import Floor, System, find
from utils.train import Training, Weights, log_spaced

FOLDER = paths.ROOT / "utils" / "systems"
TABLES = tuple(name for name in systems.names() if find(name).network is None)
"""Value tables: games that others played, without network, players and training."""
NETWORKS = tuple(name for name in systems.names() if name not in TABLES)
OTHER_FILES = {"base", "changing", "finding", "states", "trying"}
"""What lies in the folder and is no system."""
EXPLAINED, CHECKPOINTS = 40, 13
"""Samples and checkpoints of a run with default settings."""


# The contract -------------------------------------------------------------------------------------


@functools.cache
def loaded(name: str, split: Split) -> Samples:
    """A split; of the large sets only the first thousand training samples, which are kept."""
    large = split == "train" and datasets.find(name).download is not None
    return datasets.load(name, split, min(1000, told(name)) if large else None)


@functools.cache
def told(name: str) -> int:
    """How many training samples there are: the whole split is read and its checksum compared."""
    return len(datasets.load(name, "train"))


@pytest.fixture
def samples(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``samples(system, split)``; skipped only where the set is not on this machine."""

    def get(system: System, split: Split) -> Samples:
        if system.data.download is not None:
            monkeypatch.setenv("INTERACTIONS_DATA", str(request.getfixturevalue("shared_data")))
        try:
            return loaded(system.data.name, split)
        except MissingData as error:
            pytest.skip(str(error))

    return get


def of_ten(system: System) -> int:
    """Players of a default run: ten, or as many as there are columns or annotated parts."""
    if isinstance(system.players, MarkedDraw):
        return 8
    limits = (system.data.about.columns, getattr(system.players, "names", ()))
    return min(10, *(len(limit) for limit in limits if limit), 10)


def test_a_file_of_the_folder_is_a_system_and_is_named_after_it() -> None:
    files = {path.stem for path in FOLDER.glob("[!_]*.py")} - OTHER_FILES
    assert files == {name.replace("/", "_") for name in systems.names()}
    for module in modules_of("utils.systems"):
        stem = module.__name__.rpartition(".")[2]
        assert (stem in files) == isinstance(getattr(module, "SYSTEM", None), System), stem
        if stem in files:
            assert module.SYSTEM.id.replace("/", "_") == stem
            assert find(module.SYSTEM.id) is module.SYSTEM
            assert module.__doc__ and len(module.__doc__) > 30, "where the setting comes from"


@pytest.mark.parametrize("name", NETWORKS)
def test_what_a_system_says_of_itself_fits(name: str) -> None:
    """Without data: kinds, layers and settings of the parts agree with one another."""
    system = find(name)
    assert system.id == name == f"{system.network.sized(system.width)}/{system.data.name}"
    assert system.network is models.find(system.network.name)
    assert system.data is datasets.find(system.data.name)
    assert system.kind in system.network.takes and system.kind in type(system.players).takes
    assert {system.half_depth, system.read_at} <= {None, *system.network.layers}
    assert system.players.repeat == 0, "other draws are asked for by a run"
    assert system.file is None and system.name.startswith(system.network.title)
    assert isinstance(system.floor, Floor) and len(system.floor.source) > 20
    assert re.search(r"\bours\b|\d{4}", system.floor.source), "ours, or a paper with its year"
    assert system.given == isinstance(system.training, Weights)
    for training in (system.training, system.memorising):
        if isinstance(training, Training):
            log_spaced(training.steps, CHECKPOINTS, training.first_checkpoint)


@pytest.mark.parametrize("name", TABLES)
def test_a_value_table_says_where_its_games_and_its_accuracy_are_from(name: str) -> None:
    system = find(name)
    table = system.data
    assert system.id == name == f"{table.network}/{table.name}" and system.given
    assert system.kind == "values" and values.find(name) is table
    assert table.unit and table.masked_by and re.search(r"https://", table.source)
    assert system.floor.value < table.accuracy < 1
    assert re.search(r"\bours\b|\d{4}", system.floor.source), "ours, or a paper with its year"


@pytest.mark.parametrize("name", TABLES)
def test_the_games_of_a_value_table_load(
    name: str, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    table = values.load(find(name).data)
    assert len(table) == len(set(table.ids.tolist())) > 1


@pytest.mark.parametrize("name", NETWORKS)
def test_the_data_of_a_system_load_and_can_be_explained(name: str, samples: Any) -> None:
    system = find(name)
    n, test, train = of_ten(system), samples(system, "test"), samples(system, "train")
    explained = min(EXPLAINED, len(test))
    assert len(choose(test, explained, n, system.players)) == explained
    for data in (test, train):
        assert data.source is system.data and data.shape == tuple(system.data.shape)
        assert system.players.possible(data, 0) >= 0
    for training in (system.training, system.memorising):
        assert not isinstance(training, Training) or training.n_train <= told(system.data.name)
    assert (test.labels.dtype == torch.int64) == bool(test.classes) == (system.measure != "test R²")


@pytest.mark.parametrize("name", NETWORKS)
def test_the_floor_of_a_system_is_above_chance_and_can_be_reached(name: str, samples: Any) -> None:
    system, floor = find(name), find(name).floor.value
    labels = samples(system, "test").labels
    # Always answering the largest class, of pictures of one class any; of a regression the mean.
    classes = len(system.data.classes)
    chance = labels.bincount().max() / len(labels) if classes else 0.0
    chance = 1 / classes if chance == 1 else chance
    assert chance < floor < 1


@pytest.mark.parametrize("name", NETWORKS)
def test_training_and_test_loss_are_of_the_same_mixture_of_classes(name: str, samples: Any) -> None:
    """A class-balanced first part is measured: it has the shares of the test set, or it is all."""
    system = find(name)
    if not system.data.classes or not isinstance(system.training, Training):
        return
    labels = samples(system, "test").labels
    shares = labels.bincount(minlength=len(system.data.classes)) / len(labels)
    equal = float((shares * len(shares) - 1).abs().max()) < 0.3
    everything = system.loss_samples >= system.training.n_train == told(system.data.name)
    assert equal or everything


@pytest.mark.parametrize("name", NETWORKS)
def test_players_mask_themselves_and_nothing_else(name: str, samples: Any) -> None:
    system = find(name)
    n, data, train = of_ten(system), samples(system, "test"), samples(system, "train")
    for i in choose(data, 3, n, system.players):
        players = system.players.players(data, i, n, train)
        assert players.n == n and torch.equal(players.whole, data.x[i])
        assert len({players.describe(k) for k in range(n)}) == n
        again = system.players.players(data, i, n, train)
        every = torch.arange(1 << n)
        assert torch.equal(again.masked(every[:50]), players.masked(every[:50])), "a fixed draw"
        own = owned(players)
        assert own.any(-1).all(), "no player is empty"
        assert int(own.sum(0).max()) == 1, "no number has two players"
        whole, baseline = players.whole.flatten(), players.baseline.expand_as(players.whole)
        masked = players.masked(every).flatten(1)
        assert torch.equal(masked[-1], whole), "all kept is the sample itself"
        covered = own.any(0)
        assert torch.equal(masked[0], torch.where(covered, baseline.flatten(), whole))
        for mask in (1, 1 << (n - 1), 0b1011 % (1 << n), (1 << n) - 2):
            absent = torch.tensor([not mask >> k & 1 for k in range(n)])
            gone = own[absent].any(0)
            assert torch.equal(masked[mask], torch.where(gone, baseline.flatten(), whole))


def owned(players: Players) -> torch.Tensor:
    """The numbers of each player, bool (n, numbers): those that its absence changes in a sample
    that differs from the baseline everywhere."""
    other = players.baseline.expand_as(players.whole) + torch.ones_like(players.whole)
    full = (1 << players.n) - 1
    without = torch.tensor([full ^ 1 << k for k in range(players.n)])
    return (players.around(other).masked(without) != other).flatten(1)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_named_layer_of_a_system_answers_one_tensor(name: str) -> None:
    """On samples of its own shape, at its own width."""
    system, seen = find(name), {}
    data, words = system.data, len(system.data.about.vocabulary)
    spec = InputSpec(tuple(data.shape), len(data.classes), words)
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(3, *data.shape, generator=generator)
    if data.kind == "text":
        x = (x * words).long()
    try:
        model = models.build(system.network, spec, system.width).eval()
    except MissingData as error:  # a package with pretrained weights: the message names the extra
        pytest.skip(str(error))
    assert set(system.network.layers) <= set(dict(model.named_modules()))
    for layer in system.network.layers:
        model.get_submodule(layer).register_forward_hook(
            lambda _module, _inputs, out, layer=layer: seen.setdefault(layer, []).append(out)
        )
    with torch.no_grad():
        answers = model(x)
    assert answers.shape == (3, spec.outputs) and bool(answers.isfinite().all())
    assert set(seen) == set(system.network.layers)
    for layer, (out, *more) in seen.items():
        assert isinstance(out, torch.Tensor) and out.ndim >= 2 and len(out) == 3, layer
        assert not more, f"{layer} answers once"
        assert not torch.equal(out[0], out[1]), f"{layer} tells samples apart"
