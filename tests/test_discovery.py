"""What is found by looking: names, modules of a folder, and users' own files."""

from __future__ import annotations

import pickle
import subprocess
import sys
import types
from pathlib import Path

import pydantic
import pytest
import torch

from utils import datasets, jobs, models, paths
from utils.datasets import Source
from utils.discovery import UserFileError, defined_in, load_file, loaded_files, modules_of, nearest
from utils.jobs import code
from utils.jobs.trained import TrainJob
from utils.models import InputSpec, Network
from utils.train import TrainConfig, fit, load_run

USERS = '''
"""A data set of ten tokens, of which the first says the class, and a network that reads them."""

from pathlib import Path

import numpy as np
from torch import nn

from utils.datasets import About, Raw, Source
from utils.models import Network

WORDS = tuple(f"word{k}" for k in range(1000))


def read(folder, split):
    draw = np.random.default_rng({"train": 0, "test": 1}[split])
    x = draw.integers(2, 1000, (120, 10))
    labels = np.arange(120) % 2
    x[:, 0] = 300 + labels
    return Raw(x, labels, np.arange(120))


class Reader(nn.Module):
    def __init__(self, spec, width):
        super().__init__()
        self.words = nn.Embedding(spec.vocabulary, width)
        self.first = nn.Sequential(nn.Linear(10 * width, width), nn.ReLU())
        self.output = nn.Linear(width, spec.outputs)

    def forward(self, x):
        return self.output(self.first(self.words(x).flatten(1)))


SENTENCES = Source("sentences", ("no", "yes"), (10,), lambda: Path(__file__).parent, read,
                   kind="text", about=About(vocabulary=WORDS, mask=0, pad=1))
READER = Network("reader", "Reader", Reader, ("text",), ("words", "first"), 8, "units")
'''

SETTINGS = dict(
    dataset="sentences", model="reader", n_train=100, steps=20, checkpoints=3, batch=20, lr=0.5
)


@pytest.fixture
def users(tmp_path: Path) -> Path:
    path = tmp_path / "my.sentences.py"
    path.write_text(USERS, encoding="utf-8")
    return path


# Names and folders --------------------------------------------------------------------------------


def test_the_nearest_name_is_told_and_nothing_when_none_is_near() -> None:
    assert "'lenet'" in nearest("lennet", ["mlp7", "lenet", "vgg11"])
    assert nearest("transformer", ["mlp7", "lenet", "vgg11"]) == nearest("x", []) == ""


def test_the_modules_of_a_folder_come_by_name() -> None:
    found = [module.__name__ for module in modules_of("utils.datasets")]
    files = sorted(p.stem for p in (paths.ROOT / "utils" / "datasets").glob("[!_]*.py"))
    assert found == [f"utils.datasets.{name}" for name in files]


def test_what_a_module_defines_comes_once_and_in_the_order_of_writing() -> None:
    module = types.ModuleType("some")
    first, second = ([1], [2])
    vars(module).update(b=first, a=second, again=first, other=(3,))
    assert defined_in(module, list) == [first, second]


def test_a_new_file_in_the_folder_is_all_that_a_network_or_a_data_set_needs() -> None:
    """Nothing lists them: what the folder's modules define is what there is."""
    for package, kind, names in (
        ("utils.datasets", Source, datasets.names()),
        ("utils.models", Network, models.names()),
    ):
        defined = {one.name for m in modules_of(package) for one in defined_in(m, kind)}
        assert set(names) == defined and len(names) == len(defined) > 3


# Users' files -------------------------------------------------------------------------------------


def test_a_file_is_loaded_once_as_long_as_its_text_stands(users: Path, tmp_path: Path) -> None:
    module = load_file(users)
    assert load_file(str(users)) is module and load_file(users.parent / "." / users.name) is module
    assert module.__name__ in loaded_files() and sys.modules[module.__name__] is module
    assert "." not in module.__name__, "a dot in the file's name makes no package of it"
    users.write_text(USERS.replace('"reader"', '"writer"'), encoding="utf-8")
    changed = load_file(users)
    assert changed is not module and changed.READER.name == "writer"
    assert module.READER.name == "reader"
    users.write_text(USERS, encoding="utf-8")
    assert load_file(users) is module


def test_what_a_file_defines_can_be_pickled(users: Path) -> None:
    reader = load_file(users).READER.make(InputSpec((10,), 2, 1000), 4)
    again = pickle.loads(pickle.dumps(reader))
    assert type(again) is type(reader)
    assert torch.equal(again.output.weight, reader.output.weight)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = (1,\n", r"mine\.py cannot be loaded: SyntaxError: .*never closed"),
        ("import nothing_of_the_sort\n", "cannot be loaded: ModuleNotFoundError: .*of_the_sort"),
        ("x = 1\n\n1 / 0\n", r"cannot be loaded: ZeroDivisionError: division by zero \(line 3\)"),
        ("import sys\nsys.exit('done')\n", r"cannot be loaded: SystemExit: done \(line 2\)"),
        ("raise ValueError('no good')\n", "cannot be loaded: ValueError: no good"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(text, encoding="utf-8")
    before = loaded_files()
    for _ in range(2):
        with pytest.raises(UserFileError, match=message):
            load_file(path)
    assert loaded_files() == before, "nothing of it is left behind"
    path.write_text("x = 1\n", encoding="utf-8")
    assert load_file(path).x == 1


def test_what_is_no_python_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x = 1\n", encoding="utf-8")
    with pytest.raises(UserFileError, match=r"notes\.txt is no Python file"):
        load_file(tmp_path / "notes.txt")
    for missing in (tmp_path / "none.py", tmp_path):
        with pytest.raises(UserFileError, match=f"there is no file {missing}"):
            load_file(missing)


# A network and a data set of a user's own ---------------------------------------------------------


def test_a_users_network_learns_a_users_data(users: Path, tmp_path: Path) -> None:
    config = TrainConfig(file=str(users), **SETTINGS)
    assert config.source is load_file(users).SENTENCES
    assert config.network is load_file(users).READER
    run = fit(config, tmp_path / "run")
    assert run.spec == InputSpec((10,), 2, 1000) and run.test_accuracy == 1.0
    data = config.data("test")
    assert data.x.dtype == torch.int64 and data.about.mask == 0
    answers = load_run(tmp_path / "run", config).last()(data.x).argmax(1)
    assert torch.equal(answers, data.labels)


def test_a_users_network_learns_the_packages_data_and_the_other_way_round(users: Path) -> None:
    table = USERS.replace('("text",), ("words", "first")', '("table",), ("first",)')
    users.write_text(table, encoding="utf-8")
    own_network = TrainConfig(**SETTINGS | dict(dataset="breast_cancer"), file=str(users))
    assert own_network.source is datasets.find("breast_cancer")
    assert own_network.network is load_file(users).READER
    with pytest.raises(pydantic.ValidationError, match="Reader takes table; sentences is of kind"):
        TrainConfig(**SETTINGS, file=str(users))
    with pytest.raises(pydantic.ValidationError, match="MLP-7 takes image, table; sentences is of"):
        TrainConfig(**SETTINGS | dict(model="mlp7"), file=str(users))


def test_a_name_that_is_nowhere_is_told_with_what_the_file_defines(users: Path) -> None:
    with pytest.raises(
        pydantic.ValidationError, match=r"unknown model 'raeder'.*my\.sentences\.py defines reader"
    ):
        TrainConfig(**SETTINGS | dict(model="raeder"), file=str(users))
    with pytest.raises(pydantic.ValidationError, match=r"unknown data set 'words'.* sentences"):
        TrainConfig(**SETTINGS | dict(dataset="words"), file=str(users))
    with pytest.raises(pydantic.ValidationError, match="unknown data set 'sentences'; there are"):
        TrainConfig(**SETTINGS)


def test_a_broken_file_is_told_when_the_settings_are_made(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import nothing_of_the_sort\n", encoding="utf-8")
    with pytest.raises(pydantic.ValidationError, match=r"mine\.py cannot be loaded: ModuleNotFo"):
        TrainConfig(**SETTINGS, file=str(path))
    with pytest.raises(pydantic.ValidationError, match="there is no file"):
        TrainConfig(**SETTINGS, file=str(tmp_path / "none.py"))


def test_the_code_of_a_training_is_that_of_its_network_and_its_data(users: Path) -> None:
    assert TrainConfig().modules() == {"utils.datasets.mnist", "utils.models.mlp"}
    table = TrainConfig(dataset="breast_cancer", batch=8)
    assert table.modules() == {"utils.datasets.breast_cancer", "utils.models.mlp"}
    own = TrainConfig(file=str(users), **SETTINGS)
    assert own.modules() == {load_file(users).__name__}
    both = TrainConfig(**SETTINGS | dict(dataset="mnist_part", model="lenet"), file=str(users))
    assert both.modules() == {"utils.datasets.mnist", "utils.models.lenet"}


def test_the_key_is_that_of_the_code_of_the_file_and_not_of_its_place(
    users: Path, tmp_path: Path
) -> None:
    def key(path: Path) -> str:
        return TrainJob.of(TrainConfig(file=str(path), **SETTINGS)).digest()

    before = key(users)
    elsewhere = tmp_path / "elsewhere" / users.name
    elsewhere.parent.mkdir()
    elsewhere.write_text(USERS.replace("import numpy", "# the usual\nimport numpy"), "utf-8")
    assert key(elsewhere) == before, "neither the folder nor a comment counts"
    assert load_file(elsewhere).__name__ != load_file(users).__name__
    elsewhere.write_text(USERS.replace("nn.ReLU()", "nn.Tanh()"), encoding="utf-8")
    assert key(elsewhere) != before
    assert load_file(users).__name__ in TrainJob.of(
        TrainConfig(file=str(users), **SETTINGS)
    ).code() and "utils.models.mlp" not in code.modules([load_file(users).__name__])


def test_another_process_finds_the_same_network_by_the_path(users: Path) -> None:
    config = TrainConfig(file=str(users), **SETTINGS)
    job = TrainJob.of(config)
    run = jobs.ensure(job)
    again = subprocess.run(
        [
            sys.executable,
            "-c",
            "import pickle, sys; job = pickle.load(sys.stdin.buffer); from utils import jobs;"
            "print(job.digest(), jobs.finished([job]), jobs.ensure(job).test_accuracy)",
        ],
        input=pickle.dumps(job),
        capture_output=True,
        check=True,
        cwd=paths.ROOT,
    ).stdout.decode()
    assert again.split() == [job.digest(), "[True]", str(run.test_accuracy)]
