"""Systems by name, users' own files, and settings of a system that a run changes."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from utils import claims, io, params, systems
from utils.discovery import UserFileError
from utils.players import ColumnDraw, GridDraw, PatchDraw
from utils.probes import ProbeConfig
from utils.systems import Floor, changed, find, finding
from utils.train import Training

TABLE, LENET = find("mlp7_w256/breast_cancer"), find("lenet/mnist_part")


# Finding ------------------------------------------------------------------------------------------


def test_an_unknown_system_is_told_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"no system 'lennet/mnist' \(did you mean 'lenet/mnist'"):
        find("lennet/mnist")
    with pytest.raises(ValueError, match=r"there are: .*lenet/cifar10, .*or a path to a file"):
        find("transformer/sst2")


@pytest.mark.parametrize(
    "name",
    ["lenet", "lenet_mnist/part", "lenet/mnist/part", "base", "", "/", "../lenet/mnist", "os/path"],
)
def test_what_only_looks_like_a_system_is_none(name: str) -> None:
    """A file is found by the id that it says, however the underscores fall."""
    with pytest.raises(ValueError, match="there is no system"):
        find(name)


USERS = '''
"""Rows of six columns whose first says the class, and a network for them."""

from pathlib import Path

import numpy as np
from torch import nn

from utils.datasets import About, Raw, Source
from utils.models import Network
from utils.players import ColumnDraw, PatchDraw
from utils.probes import ProbeConfig
from utils.systems import Floor, System
from utils.train import Training


def read(folder, split):
    draw = np.random.default_rng({"train": 0, "test": 1}[split])
    x = draw.normal(size=(80, 6)).astype(np.float32)
    return Raw(x, (x[:, 0] > 0).astype(np.int64), np.arange(80))


class Small(nn.Module):
    def __init__(self, spec, width):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(spec.shape[0], width), nn.ReLU())
        self.second = nn.Sequential(nn.Linear(width, width), nn.ReLU())
        self.output = nn.Linear(width, spec.outputs)

    def forward(self, x):
        return self.output(self.second(self.first(x)))


ROWS = Source("rows", ("no", "yes"), (6,), lambda: Path(__file__).parent, read, kind="table",
              about=About(columns=tuple("abcdef")))
SMALL = Network("small", "A small network", Small, ("table",), ("first", "second"), 8, "units")
SYSTEM = System(
    data=ROWS,
    network=SMALL,
    players=ColumnDraw(),
    training=Training(lr=0.5, batch=8, steps=60, n_train=64),
    floor=Floor(value=0.8, source="a test, fixed before"),
    read_at="second",
    probes=ProbeConfig(),
)
'''


def users_file(tmp_path: Path, *edits: tuple[str, str], name: str = "my.system.py") -> Path:
    text = USERS
    for old, new in edits:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_users_file_is_a_system_like_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = users_file(tmp_path)
    system = find(str(path))
    assert (system.id, system.name, system.kind) == ("small/rows", "A small network", "table")
    assert system.file == str(path) and system.id not in systems.names()
    assert find(str(path)) == system, "found again it is the same"
    monkeypatch.chdir(tmp_path)
    assert find("my.system.py").file == str(path), "a path from here is a whole one"
    assert systems.sha256(system) == io.sha256_file(path)
    assert systems.sha256_of("small/rows", [LENET, system]) == io.sha256_file(path)
    assert systems.floor_of("small/rows") is None, "which the package does not know"
    assert claims.rows_of("05_layerwise_change", system) == ["L11", "L13"]
    assert (
        claims.why_not("M2", system) == "small/rows does not name a layer at half depth (half_de"
        "pth)"
    )


def test_a_users_system_enters_a_notebooks_settings(tmp_path: Path) -> None:
    path = str(users_file(tmp_path))
    settings = {"systems": [path, "lenet/mnist_part"], "change": {path: {"width": 4}}}
    with pytest.raises(params.ParameterError, match=r"small_w4/rows is another network"):
        params.validate("01_sparsity", **settings)
    settings["change"][path]["floor"] = {"value": 0.7, "source": "a test"}
    own, other = params.validate("01_sparsity", **settings).chosen
    assert (own.id, own.floor.value, own.width, own.file) == ("small_w4/rows", 0.7, 4, path)
    assert other == LENET
    assert systems.sha256(own) == io.sha256_file(path), "changed, it comes from the same file"


FAULTS = {
    "raises": ([("SYSTEM = System(", "1 / 0\nSYSTEM = System(")], r"ZeroDivisionError: .*\(line "),
    "missing": ([("SYSTEM = System(", "MINE = System(")], r"must define SYSTEM = .*has none"),
    "another type": ([("SYSTEM = System(", "SYSTEM = dict(")], r"SYSTEM = System.*it has dict"),
    "unknown field": (
        [('read_at="second"', 'read="second"')],
        r"unexpected keyword argument 'read' \(line",
    ),
    "no data": ([("data=ROWS", 'data="rows"')], r"SYSTEM\.data must be Source, got str"),
    "no network": ([("network=SMALL", "network=Small")], r"SYSTEM\.network must be Network, got "),
    "class of players": (
        [("s=ColumnDraw()", "s=ColumnDraw")],
        r"SYSTEM\.players must be Draw, got ",
    ),
    "training": (
        [("training=Training(", "training=dict(")],
        r"SYSTEM\.training must be Training or Weights, got dict",
    ),
    "number for a floor": (
        [('Floor(value=0.8, source="a test, fixed before")', "0.8")],
        r"SYSTEM\.floor must be Floor, got float",
    ),
    "no floor": (
        [('Floor(value=0.8, source="a test, fixed before")', "None")],
        r"SYSTEM\.floor must be Floor, got NoneType",
    ),
    "floor without a source": (
        [(', source="a test, fixed before"', "")],
        r"source\n.*(?s:.)*requir",
    ),
    "probes": (
        [("ProbeConfig(),", "0.01,")],
        r"SYSTEM\.probes must be ProbeConfig or None, got fl",
    ),
    "width": (
        [("read_at=", "width=8.0,\n    read_at=")],
        r"SYSTEM\.width must be int or None, got",
    ),
    "width of nothing": (
        [("read_at=", "width=0,\n    read_at=")],
        r"SYSTEM\.network.*width must be",
    ),
    "unknown score": (
        [("read_at=", 'score="odds",\n    read_at=')],
        r"SYSTEM\.score.* one of .*'logodds'.*got 'odds'",
    ),
    "layer that is not there": (
        [('read_at="second"', 'read_at="third"')],
        r"SYSTEM\.read_at names the layer 'third', which small lacks; it has first, second, output",
    ),
    "layer at half depth": (
        [("read_at=", 'half_depth="conv1",\n    read_at=')],
        r"SYSTEM\.half_depth names the layer 'conv1', which small lacks",
    ),
    "named layer without a module": (
        [('("first", "second")', '("first", "second", "last")')],
        r"SYSTEM\.network \(small\) names the layer 'last', and has no module of that name",
    ),
    "layer that is never called": (
        [("self.output(self.second(self.first(x)))", "self.output(self.first(x))")],
        r"SYSTEM\.network \(small\): the layer 'second' is never called",
    ),
    "layer that answers two": (
        [
            (
                "self.second = nn.Sequential(nn.Linear(width, width), nn.ReLU())",
                "self.second = Two()",
            ),
            ("self.second(self.first(x)))", "self.second(self.first(x))[0])"),
            (
                "class Small",
                "class Two(nn.Module):\n    def forward(self, x): return x, x\n\n\nclass Small",
            ),
        ],
        r"the layer 'second' must answer one tensor \(N, \.\.\.\), got a tuple",
    ),
    "network that answers a tuple": (
        [
            (
                "return self.output(self.second(self.first(x)))",
                "return self.output(self.second(self.first(x))), x",
            )
        ],
        r"SYSTEM\.network \(small\) must answer one tensor \(N, 2\), got a tuple",
    ),
    "network of other classes": (
        [("nn.Linear(width, spec.outputs)", "nn.Linear(width, 3)")],
        r"SYSTEM\.network \(small\) must answer one tensor \(N, 2\), got \(N, 3\)",
    ),
    "network of other shapes": (
        [("nn.Linear(spec.shape[0], width)", "nn.Linear(5, width)")],
        r"SYSTEM\.network \(small\) fails on samples \(6,\) of rows: RuntimeError",
    ),
    "network that cannot be built": (
        [("spec.shape[0], width", "spec.shape[1], width")],
        r"SYSTEM\.network \(small\) cannot be built for rows: IndexError",
    ),
    "network of another kind": (
        [('Small, ("table",)', 'Small, ("text", "image")')],
        r"SYSTEM\.network takes text, image, the data set is of kind table",
    ),
    "players of another kind": (
        [("s=ColumnDraw()", "s=PatchDraw()")],
        r"SYSTEM\.players draws from image, the data set is of kind table",
    ),
    "name that makes no folder": (
        [('"small", "A', '"Small Net", "A')],
        r"SYSTEM\.network\.name .*'Sm",
    ),
    "name of a pair": (
        [('"small", "A', '"small+big", "A')],
        r"SYSTEM\.network\.name .*id.*'small\+",
    ),
    "name of data": (
        [('Source("rows"', 'Source("my/rows"')],
        r"SYSTEM\.data\.name .*id.*'my/rows'",
    ),
    "regression scored by classes": (
        [('("no", "yes"), (6,)', "(), (6,)")],
        r"SYSTEM\.score: .*one-unit output.*score='raw'",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_users_file_is_named_with_the_file(tmp_path: Path, fault: str) -> None:
    edits, message = FAULTS[fault]
    path = users_file(tmp_path, *edits)
    with pytest.raises(UserFileError, match=message) as raised:
        find(str(path))
    assert str(path) in str(raised.value)
    with pytest.raises(params.ParameterError, match=re.escape(str(path))):
        params.validate("01_sparsity", systems=[str(path)])


def test_a_mended_file_is_read_again_and_an_absent_one_is_named(tmp_path: Path) -> None:
    path = users_file(tmp_path, ("s=ColumnDraw()", "s=PatchDraw()"))
    with pytest.raises(UserFileError):
        find(str(path))
    users_file(tmp_path)
    assert find(str(path)).players == ColumnDraw()
    with pytest.raises(UserFileError, match=f"there is no file {tmp_path}/none.py"):
        find(f"{tmp_path}/none.py")


# Changes ------------------------------------------------------------------------------------------


def test_a_partial_change_keeps_the_rest() -> None:
    assert changed(LENET, {}) == LENET
    found = changed(LENET, {"training": {"steps": 100}, "probes": {"steps": 8}})
    assert found.training == LENET.training.model_copy(update={"steps": 100})
    assert found.probes == LENET.probes.model_copy(update={"steps": 8})
    kept = {"training": LENET.training, "probes": LENET.probes}
    assert dataclasses.replace(found, **kept) == LENET
    assert changed(LENET, {"players": {"cell": 4}}).players == PatchDraw(cell=4)
    lower = changed(LENET, {"floor": {"value": 0.5, "source": "another"}})
    assert lower.floor == Floor(value=0.5, source="another") and lower.id == LENET.id
    assert changed(LENET, {"floor": {"value": 0.5}}).floor.source == LENET.floor.source
    whole = ProbeConfig(lr=0.5)
    assert changed(LENET, {"probes": whole}).probes is whole


def test_another_width_is_another_system_without_a_floor() -> None:
    found = changed(LENET, {"width": 3})
    assert (found.id, found.width, found.floor) == ("lenet_w3/mnist_part", 3, None)
    assert "of width 3" in found.name
    own = {"value": 0.4, "source": "a test"}
    assert changed(LENET, {"width": 3, "floor": own}).floor == Floor(**own)
    wide = find("mlp7_w256/mnist_part")
    assert changed(wide, {"width": 256}).floor == wide.floor, "the same width changes nothing"
    papers = changed(wide, {"width": None})
    assert (papers.id, papers.floor) == ("mlp7/mnist_part", None), "the paper's is another one too"
    assert systems.sha256(found) == systems.sha256(LENET), "it comes from the same file"


def test_a_layer_may_be_taken_away_and_named_anew() -> None:
    found = changed(LENET, {"half_depth": None, "read_at": None})
    assert (found.half_depth, found.read_at) == (None, None)
    assert changed(LENET, {"read_at": "conv1"}).read_at == "conv1"
    assert changed(LENET, {"read_at": "output"}).read_at == "output"


def test_a_training_that_a_system_lacks_is_given_whole() -> None:
    assert TABLE.memorising is None
    whole = {"lr": 0.1, "batch": 8, "steps": 50, "n_train": 100}
    assert changed(TABLE, {"memorising": whole}).memorising == Training(**whole)
    with pytest.raises(ValueError, match=r"change: memorising\.lr: field required"):
        changed(TABLE, {"memorising": {"steps": 50}})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"traning": {}},
            r"no setting 'traning' \(did you mean 'training'\?\); there are: width, ",
        ),
        ({"network": "mlp7"}, r"no setting 'network'"),
        ({"data": "mnist"}, r"no setting 'data'"),
        ({"score": "raw"}, r"no setting 'score'"),
        (
            {"training": {"step": 5}},
            r"training has no 'step' \(did you mean 'steps'\?\); it has: opt",
        ),
        ({"players": {"cells": 4}}, r"players has no 'cells' \(did you mean 'cell'\?\)"),
        ({"floor": {"valve": 0.5}}, r"floor has no 'valve' \(did you mean 'value'\?\)"),
        ({"training": 100}, r"training is a table of optimizer, lr, .*got 100"),
        ({"training": None}, r"training is a table of .*got None"),
        ({"floor": 0.9}, r"floor is a table of value, source, got 0\.9"),
        ({"floor": None}, r"floor is a table of value, source, got None"),
        ({"players": GridDraw()}, r"players is a table of repeat, cell, region"),
        ({"training": {"steps": "many"}}, r"change: training\.steps: .*integer, got 'many'"),
        ({"training": {"steps": 10.0}}, r"change: training\.steps: .*integer, got 10\.0"),
        ({"training": {"lr": -1.0}}, r"change: training\.lr: .*greater than 0, got -1\.0"),
        (
            {"training": {"batch": 5000}},
            r"change: training: batch \(5000\) is more than n_train \(35",
        ),
        ({"floor": {"value": 95.0}}, r"change: floor\.value: .*less than or equal to 1, got 95"),
        ({"players": {"region": "edge"}}, r"change: players\.region: .*'foreground' or 'center'"),
        ({"width": "wide"}, r"width must be a whole number or None, got 'wide'"),
        ({"width": 8.0}, r"width must be a whole number or None, got 8\.0"),
        ({"width": True}, r"width must be a whole number or None, got True"),
        ({"width": 0}, r"width must be 1 to 65536, got 0"),
        ({"half_depth": 3}, r"half_depth must be the name of a layer or None, got 3"),
        (
            {"read_at": "hidden4"},
            r"read_at names the layer 'hidden4', which lenet/mnist_part lacks",
        ),
    ],
)
def test_a_change_that_cannot_be_is_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(LENET, change)


# Found by a held-out trial of docs/add_a_system.md ------------------------------------------------


@pytest.mark.parametrize("field", ["read_at", "probes"])
def test_a_regression_leaves_out_what_only_classifiers_have(field: str) -> None:
    value = {"read_at": "hidden2", "probes": {"lr": 0.01}}[field]
    with pytest.raises(ValueError, match=f"change: {field} must be left out of a regression"):
        changed(find("mlp7_w256/bike_sharing"), {field: value})


def test_a_system_of_the_package_is_by_name_what_jobs_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that lies beside a system of the package would not be found by its jobs."""
    module = finding._module("lenet/mnist_part")
    own = dataclasses.replace(LENET, data=dataclasses.replace(LENET.data, classes=tuple("ab")))
    monkeypatch.setattr(module, "SYSTEM", own)
    with pytest.raises(ValueError, match=r"SYSTEM\.data \('mnist_part'\) must be the one of that"):
        find("lenet/mnist_part")


def test_a_misplaced_file_of_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = finding._module("lenet/mnist_part")
    monkeypatch.setattr(module, "SYSTEM", dataclasses.replace(LENET, width=3))
    with pytest.raises(ValueError, match=r"lenet_w3/mnist_part is in .*lenet_w3_mnist_part\.py"):
        find("lenet_w3/mnist_part")
