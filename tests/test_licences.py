"""Every set says under which terms it may be used; pictures of the others are never shown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from utils import __main__, datasets, paths
from utils.datasets import licences, states, values


def test_every_set_and_table_has_a_licence() -> None:
    assert {*datasets.names(), *values.tables()} <= set(licences.LICENCES)
    for name, licence in licences.LICENCES.items():
        assert licence.words and licence.cite and licence.samples, name
    unknown = licences.of("a set of a user's own")
    assert unknown.words == "not stated here" and not unknown.publishable


def test_nothing_without_a_licence_or_for_non_commercial_use_is_publishable() -> None:
    for name, licence in licences.LICENCES.items():
        free = licence.words.startswith(("CC BY 4.0", "MIT", "made here"))
        assert licences.publishable(name) == free, name
    assert licences.publishable("adult") and not licences.publishable("mnist")
    assert not licences.publishable("a set of a user's own")


def test_embedded_sets_are_published_under_their_terms_or_are_mnist() -> None:
    """What git holds of data: free sets, and the part of MNIST that everybody ships."""
    answer = subprocess.run(
        ["git", "ls-files", "data"], cwd=paths.ROOT, capture_output=True, text=True, check=True
    )
    folders = {Path(line).parts[1] for line in answer.stdout.splitlines() if line.count("/") > 1}
    assert folders <= set(licences.LICENCES)
    assert {name for name in folders if not licences.publishable(name)} == {"mnist_part"}


def test_samples_are_as_many_as_are_said() -> None:
    for name in ("adult", "bike_sharing", "breast_cancer", "mnist_part"):
        counts = [len(datasets.load(name, split)) for split in ("train", "test")]
        said, _, _noun = licences.of(name).samples.rpartition(" ")
        assert said == " + ".join(f"{count:,}" for count in counts)


def test_the_list_says_size_licence_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    found = {one.name: one for one in states.states()}
    assert set(found) == {*datasets.names(), *values.tables()}
    adult, scikit = found["adult"], found["breast_cancer"]
    assert adult.state == "embedded" and adult.where == str(paths.EMBEDDED / "adult")
    assert adult.bytes == sum(p.stat().st_size for p in (paths.EMBEDDED / "adult").iterdir())
    assert scikit.state == "with scikit-learn" and scikit.bytes is None
    for name in ("mnist", "cifar10", "tv_commercials"):
        assert found[name].state == "missing" and f"`reproduce data {name}`" in found[name].where
    given = found["vit/imagenet_n9"]
    assert given.state == "missing" and "https://github.com/mmschlk/shapiq" in given.where
    assert __main__.main(["data"]) == 0
    text = capsys.readouterr().out
    for one in found.values():
        assert one.where in text and one.licence in text and one.samples in text
    assert "adult                  32,561 + 16,281 rows, 433 KiB; licence: CC BY 4.0" in text


def test_what_is_in_the_cache_says_so(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    found = {one.name: one for one in states.states()}
    for name in ("cifar10", "tv_commercials", "resnet18/imagenet_n13"):
        assert found[name].state == "cached" and found[name].bytes > 1_000_000
