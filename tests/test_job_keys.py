"""The key of a job: every field and the code that this very job runs, and nothing else.

What an edit of the package does to keys is tried on copies of it, each imported afresh by a process
forked from a server that has imported torch already.
"""

from __future__ import annotations

import ast
import enum
import importlib
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from pydantic import BaseModel, ValidationError

from tests.walks import Mean, Walk
from utils import paths
from utils.jobs import GamesJob, Job, TrainJob, code
from utils.players import ColumnDraw, GridDraw, PatchDraw
from utils.train import TrainConfig

# Fields -------------------------------------------------------------------------------------------


class Colour(enum.Enum):
    RED = "red"


class Inner(BaseModel, frozen=True):
    rate: float = 0.1


class Twin(Inner, frozen=True):
    """The same fields under another name."""


class Wide(Walk):
    """One field of every sort."""

    kind = "wide"
    numbers: tuple[float, ...] = (0.1, 1e-9)
    names: frozenset[str] = frozenset(
        {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota"}
    )
    table: dict[str, int] = {"b": 1, "a": 2}  # noqa: RUF012
    colour: Colour = Colour.RED
    inner: Inner | tuple[Inner, ...] = Inner()
    dep: Job = Walk(seed=3)
    mode: Literal["x", "y"] = "x"
    nothing: int | None = None
    rows: int | None = None
    device: str = "cpu"


BASE = Wide()


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"threads": 2},
        {"numbers": (0.1,)},
        {"numbers": (0.1, 1.0000000000000002e-9)},
        {"names": {"alpha"}},
        {"table": {"a": 2, "b": 3}},
        {"inner": Inner(rate=0.2)},
        {"inner": Twin()},
        {"inner": (Inner(),)},
        {"inner": (Twin(),)},
        {"dep": Walk(seed=4)},
        {"mode": "y"},
        {"nothing": 0},
        {"rows": 64},
        {"device": "cuda"},
        {"dep": Mean(walks=(Walk(seed=3),))},
    ],
)
def test_every_field_is_part_of_the_key(change: dict[str, object]) -> None:
    assert Wide(**change).digest() != BASE.digest()


def test_the_key_is_the_content_and_nothing_else() -> None:
    same = Wide(
        table={"a": 2, "b": 1}, names=sorted(BASE.names), pause=9.0, colour="red", dep=Walk(seed=3)
    )
    assert same.digest() == BASE.digest()
    assert Wide(numbers=(1,)).digest() == Wide(numbers=(1.0,)).digest()
    assert Walk().digest() != Wide().digest()


def test_a_nested_model_counts_with_its_type() -> None:
    kinds = {
        type(how).__name__: GamesJob(train=trained(), images=2, n=4, how=how)
        for how in (PatchDraw(), GridDraw(), ColumnDraw())
    }
    assert len({job.digest() for job in kinds.values()}) == 3
    for name, job in kinds.items():
        assert job.spec()["fields"]["how"]["type"] == name
    assert (
        kinds["PatchDraw"].digest()
        != GamesJob(train=trained(), images=2, n=4, how=PatchDraw(baseline="zero")).digest()
    )


def test_of_a_device_the_type_counts_also_in_a_nested_model() -> None:
    one, other = Wide(device="cuda"), Wide(device="cuda:1")
    assert one.digest() == other.digest() and other.device == "cuda:1"
    assert trained(device="cuda").digest() == trained(device="cuda:1").digest()
    assert trained(device="cuda").digest() != trained().digest()


def test_kind_and_version_are_part_of_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Walk().digest()
    monkeypatch.setattr(Walk, "version", 2)
    after = Walk().digest()
    assert after != before
    monkeypatch.setattr(Walk, "kind", "stroll")
    assert Walk().digest() not in (before, after)


def test_the_key_is_the_same_in_every_process() -> None:
    asked = "from tests import test_job_keys as t; print(t.BASE.digest(), t.trained().digest())"
    other = subprocess.run(
        [sys.executable, "-c", asked],
        env=os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(paths.ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    # pytest itself runs under a random seed
    assert other.stdout.split() == [BASE.digest(), trained().digest()]


def test_a_wrong_specification_is_refused() -> None:
    with pytest.raises(ValidationError, match="stepps"):
        Walk(stepps=3)
    with pytest.raises(ValidationError, match="steps"):
        Walk(steps="many")
    with pytest.raises(ValidationError, match="finite"):
        Walk(pause=float("nan"))
    with pytest.raises(ValidationError, match="frozen"):
        Walk().steps = 3
    with pytest.raises(TypeError, match="abstract"):
        Job()


def test_a_job_class_must_say_what_it_is() -> None:
    with pytest.raises(TypeError, match="Vague must declare version"):

        class Vague(Job):
            kind = "vague"

            def compute(self, folder: Path) -> None: ...

            def load(self, folder: Path) -> None: ...

    with pytest.raises(TypeError, match="kind names a folder"):

        class Stray(Walk):
            kind: ClassVar[str] = "../stray"


def test_a_path_is_no_identity() -> None:
    class Located(Walk):
        kind = "located"
        where: Path = Path("/data")

    with pytest.raises(TypeError, match=r"\$\.fields\.where is a PosixPath"):
        Located().digest()


# Which code it is ---------------------------------------------------------------------------------


def trained(**change: object) -> TrainJob:
    settings = {"model": "mlp7", "width": 8, "steps": 10, "checkpoints": 3} | change
    return TrainJob(config=TrainConfig(**settings), data_sha256=("one", "two"))


def forget() -> None:
    """As if the process had just started: sources are read again."""
    for function in vars(code).values():
        getattr(function, "cache_clear", lambda: None)()
    importlib.invalidate_caches()


@pytest.fixture
def fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def test_a_training_brings_its_network_and_data_set_and_no_other() -> None:
    plain = trained()
    assert plain.config.modules() == {"utils.models.mlp", "utils.datasets.mnist"}
    assert {"utils.models.mlp", "utils.models.parts", "utils.datasets.idx"} <= set(plain.code())
    table = trained(dataset="breast_cancer").code()
    assert "utils.datasets.breast_cancer" in table and "utils.datasets.mnist" not in table
    lenet = trained(model="lenet").code()
    assert "utils.models.lenet" in lenet and "utils.models.mlp" not in lenet


def test_what_says_where_and_when_is_no_part_of_the_code() -> None:
    for name in ("utils.io", "utils.runtime", "utils.jobs.base", "utils.jobs", "utils"):
        assert name not in trained().code()
    assert not any(name.startswith("utils.claims") for name in trained().code())


@pytest.mark.parametrize(
    ("text", "brings"),
    [
        ("from utils.players import PatchDraw", {"utils.players.images", "utils.players.base"}),
        ("from utils import players\nplayers.GridDraw()", {"utils.players.grid"}),
        ("import utils\nutils.players.GridDraw()", {"utils.players.grid"}),
        ("import utils.players\nutils.players.GridDraw()", {"utils.players.grid"}),
        ("import utils.players as p\np.GridDraw()", {"utils.players.grid"}),
        ("import utils.players.grid as g\ng.x", {"utils.players.grid"}),
        ("def f():\n    from utils.players import grid", {"utils.players.grid"}),
        ("from utils import players as p\nf(p)", {"utils.players.grid", "utils.players.columns"}),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import utils.lattice as x",
            set(),
        ),
        ("from utils import io, runtime\nfrom utils.strict import Strict", set()),
    ],
)
def test_imports_are_followed_name_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None, text: str, brings: set[str]
) -> None:
    (tmp_path / "somebodys.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    found = set(code.modules(["somebodys"])) - {"somebodys"}
    assert brings <= found
    if not brings:
        assert not found
    if "utils.players.columns" not in brings:
        assert "utils.players.columns" not in found


def test_a_module_is_parsed_once_however_many_jobs_use_it(
    monkeypatch: pytest.MonkeyPatch, fresh: None
) -> None:
    parsed: list[str] = []
    real = ast.parse
    monkeypatch.setattr(ast, "parse", lambda text, *more: parsed.append(text) or real(text, *more))
    jobs = [trained(seed=seed) for seed in range(3)]
    jobs += [GamesJob(train=job, images=2, n=n, how=PatchDraw()) for job in jobs for n in (4, 5)]
    first = [job.digest() for job in jobs]
    assert len(parsed) > 10 and len(parsed) == len(set(parsed))
    count = len(parsed)
    assert [job.digest() for job in jobs] == first and len(parsed) == count


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: None) -> Path:
    """A module outside of the package that a job's code names."""
    file = tmp_path / "measured_code.py"
    file.write_text("x = 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    return file


def key_of(source: Path) -> str:
    forget()
    return code.digest((source.stem,))


def test_an_edit_of_the_source_changes_the_key_of_the_next_process(source: Path) -> None:
    before = key_of(source)
    source.write_text("x = 2\n")
    assert code.digest((source.stem,)) == before, (
        "the hash is taken once a process: the code that runs is the code of its start"
    )
    assert key_of(source) != before
    source.write_bytes(b'"""Reworded."""\r\n\r\nx = 1  # why\r\n')
    assert key_of(source) == before, "words, layout and line endings are not code"


def test_code_without_source_is_refused() -> None:
    for missing in ("no_such_module", "utils.no_such_module", "no_such_package.module"):
        with pytest.raises(ImportError, match=missing):
            code.modules([missing])
    with pytest.raises(ImportError, match="'math', which has no Python source"):
        code.modules(["math"])


# A user's file ------------------------------------------------------------------------------------

USERS = '''"""Mine."""

from utils.models import Network
from utils.models.mlp import MLP
from utils.players import PatchDraw


class Mine(PatchDraw):
    """Patches of my own."""

    def candidates(self, image):
        return super().candidates(image) & True



def make(spec, width):
    return MLP(spec, width, depth=2)


TINY = Network("tiny", "Tiny", make, ("image",), ("hidden1",), 4, "units")
'''


def users(folder: Path, text: str = USERS) -> list[str]:
    """Keys of a training of a user's network and of games with a user's players."""
    from utils.discovery import load_file

    folder.mkdir()
    file = folder / "mine.py"
    file.write_text(text)
    module = load_file(file)
    train = trained(model="tiny", file=str(file))
    assert module.__name__ in train.config.modules()
    return [
        train.digest(),
        GamesJob(train=trained(), images=2, n=4, how=module.Mine()).digest(),
    ]


def test_a_users_file_counts_by_its_code_wherever_it_lies(tmp_path: Path) -> None:
    plain = users(tmp_path / "one")
    assert users(tmp_path / "two") == plain
    assert users(tmp_path / "three", USERS.replace("of my own", "reworded")) == plain
    edited = users(tmp_path / "four", USERS.replace("& True", "| True"))
    assert all(one != other for one, other in zip(plain, edited, strict=True))
    assert plain[1] != GamesJob(train=trained(), images=2, n=4, how=PatchDraw()).digest()


# Edits of the package -----------------------------------------------------------------------------


def keys_of_a_copy(root: Path, answer: Connection, package: str) -> None:
    """The keys of many jobs in a package at ``root``, in a process that imports that one."""
    for name in [name for name in sys.modules if name.split(".")[0] == "utils"]:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    imported = importlib.import_module(package)
    assert Path(str(imported.__file__)).is_relative_to(root)
    answer.send({name: job.digest() for name, job in many(package).items()})


def many(package: str = "utils") -> dict[str, Job]:
    """A job of every sort of a package, by what it is called in this file."""
    datasets, jobs, models, players, trains = (
        importlib.import_module(f"{package}.{name}")
        for name in ("datasets", "jobs", "models", "players", "train")
    )

    def train(model: str, dataset: str) -> Job:
        config = trains.TrainConfig(model=model, dataset=dataset, steps=10, checkpoints=3)
        return jobs.TrainJob(config=config, data_sha256=("one", "two"))

    settings = {"kappa": 0.04, "tol": 1e-3}
    mlp, lenet = train("mlp7", "mnist_part"), train("lenet", "mnist_part")
    table = train("mlp7", "breast_cancer")
    games = jobs.GamesJob(train=mlp, images=2, n=4, how=players.PatchDraw())
    rows = jobs.GamesJob(train=table, images=2, n=4, how=players.ColumnDraw())
    cells = jobs.ClassGamesJob(train=lenet, per_class=2, n=4)
    probes = jobs.ProbesJob.of(mlp)
    standard = jobs.BayesianTrainJob(standard=lenet)
    assert len(models.names()) >= 4 and len(datasets.names()) >= 4
    return {
        "mlp": mlp,
        "lenet": lenet,
        "table": table,
        "games": games,
        "rows": rows,
        "cells": cells,
        "split": jobs.SplitJob(games=games, order_weight=0.2, **settings),
        "split rows": jobs.SplitJob(games=rows, order_weight=0.2, **settings),
        "means": jobs.ClassMeansJob(games=cells, order_weight=0.2, **settings),
        "compared": jobs.ComparedJob(games=(rows,), checkpoints=(0,), images=1, **settings),
        "probes": probes,
        "layers": jobs.LayerGamesJob(probes=probes, sample=games),
        "noisy": jobs.NoisyInputsJob(games=games, probes=probes, noise=0.1, draws=2),
        "perturbed": jobs.PerturbedJob(games=rows, noise=0.1, copies=2),
        "attacked": jobs.AttackedJob(games=games),
        "bayes": standard,
        "toy": jobs.ToyJob(
            seed=0, steps=20, checkpoints=2, images=1, samples=100, width=4, lr=0.1, batch=10
        ),
    }


@pytest.fixture(scope="module")
def keys() -> Callable[..., dict[str, str]]:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pytest", "utils.jobs"])

    def ask(root: Path, package: str = "utils") -> dict[str, str]:
        here, there = context.Pipe(duplex=False)
        child = context.Process(target=keys_of_a_copy, args=(root, there, package))
        child.start()
        there.close()
        found = here.recv()
        child.join(60)
        return found

    return ask


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as it is now, so that all tests speak of one state of it."""
    root = tmp_path_factory.mktemp("package")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(paths.ROOT / "utils", root / "utils", ignore=ignored)
    return root


@pytest.fixture(scope="module")
def plain(package: Path, keys: Callable[..., dict[str, str]]) -> dict[str, str]:
    """The keys in the package as it is."""
    return keys(package)


@pytest.fixture
def copy(package: Path, tmp_path: Path) -> Path:
    return shutil.copytree(package, tmp_path / "elsewhere")


def test_keys_do_not_depend_on_where_the_package_lies(plain: dict[str, str]) -> None:
    assert {name: job.digest() for name, job in many().items()} == plain


def test_keys_do_not_depend_on_the_name_of_the_package(
    copy: Path, keys: Callable[..., dict[str, str]], plain: dict[str, str]
) -> None:
    (copy / "utils").rename(copy / "harsanyi")
    assert keys(copy, "harsanyi") == plain


NETWORK = '''"""A new network."""

from .base import Network
from .mlp import MLP


def make(spec, width):
    return MLP(spec, width, depth=3)


NEW = Network("new", "New", make, ("image",), (), 8, "units")
'''
DATA = '''"""A new data set."""

from .base import Source

NEW = Source("new", ("a", "b"), (3,), lambda: None, lambda folder, split: None, kind="table")
'''
PLAYERS = '''"""New players."""

from .columns import ColumnDraw


class NewDraw(ColumnDraw):
    """Columns again."""
'''
JOB = '''"""A new job."""

from .scored import GamesJob


class NewJob(GamesJob):
    """Games again."""

    kind = "new"
'''


def test_a_file_more_changes_no_key(
    copy: Path, keys: Callable[..., dict[str, str]], plain: dict[str, str]
) -> None:
    added = {"models": NETWORK, "datasets": DATA, "players": PLAYERS, "jobs": JOB}
    for folder, text in added.items():
        (copy / "utils" / folder / "new.py").write_text(text)
    exports = copy / "utils" / "players" / "__init__.py"
    exports.write_text(exports.read_text() + "\nfrom .new import NewDraw\n")
    asked = "from utils import datasets, models, players; players.NewDraw(); "
    asked += "print('new' in models.names(), 'new' in datasets.names())"
    seen = subprocess.run(
        [sys.executable, "-c", asked], cwd=copy, capture_output=True, text=True, check=True
    )
    assert seen.stdout.split() == ["True", "True"], "the package has taken them up"
    assert keys(copy) == plain


def reworded(text: str) -> str:
    """The same code with a comment more, and other words and lines in every docstring."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and node.body:
            first = node.body[0]
            if ast.get_docstring(node) is not None:
                row = first.lineno - 1
                assert lines[row][first.col_offset :].startswith('"""')
                lines[row] = lines[row].replace('"""', '"""In other words: ', 1)
    return "# A comment.\n\n" + "\n".join(lines) + "\n"


def test_other_words_change_no_key(
    copy: Path, keys: Callable[..., dict[str, str]], plain: dict[str, str]
) -> None:
    files = list((copy / "utils").rglob("*.py"))
    for file in files:
        file.write_text(reworded(file.read_text()))
    assert len(files) > 100 and "In other words" in (copy / "utils/jobs/scored.py").read_text()
    assert keys(copy) == plain


OF_MLP = {"mlp", "games", "split", "probes", "layers", "noisy", "attacked"}
OF_TABLE = {"table", "rows", "split rows", "compared", "perturbed"}
OF_LENET = {"lenet", "cells", "means", "bayes"}
OF_GAMES = {"games", "split", "layers", "noisy", "attacked"}
TRAINED = OF_MLP | OF_TABLE | OF_LENET
OF_PATCHES = {*OF_GAMES, "cells", "means", "toy"}  # cells and the toy's inputs are patches too
OF_COLUMNS = OF_TABLE - {"table"}
SPLIT = {"split", "split rows", "compared", "means"}


@pytest.mark.parametrize(
    ("file", "line", "other", "changed"),
    [
        ("models/mlp.py", "nn.ReLU()", "nn.GELU()", OF_MLP | OF_TABLE | {"toy"}),
        ("models/lenet.py", "16 * width / 6", "17 * width / 6", OF_LENET),
        ("models/vgg.py", "64", "65", set()),
        ("datasets/mnist.py", "t10k", "t20k", OF_MLP | OF_LENET),
        ("datasets/breast_cancer.py", 'kind="table"', 'kind = "image"[0:]', OF_TABLE),
        ("players/images.py", "threshold: float = 0.2", "threshold: float = 0.1 + 0.1", OF_PATCHES),
        ("players/columns.py", "sorted(ranked[:n])", "sorted(ranked[-n:])", OF_COLUMNS),
        ("players/grid.py", "- 2)", "- 4)", {"cells", "means"}),
        ("train/loop.py", "loss.backward()", "(2 * loss).backward()", TRAINED),
        ("train/labels.py", "1, classes", "0, classes", TRAINED),
        ("extract/scores.py", "def scores(", "SCALE = 2\n\n\ndef scores(", OF_PATCHES | OF_COLUMNS),
        ("sparsify/certified.py", "import torch", "import torch\n\nSCALE = 2", SPLIT),
        ("metrics/nulls.py", "import torch", "import torch\n\nSCALE = 2", {"split", "split rows"}),
        ("probes.py", "_LEAST_SPREAD = 0.1", "_LEAST_SPREAD = 0.2", {"probes", "layers", "noisy"}),
        ("bayesian.py", "PRIOR_SD = 0.1", "PRIOR_SD = 0.1 + 0", {"bayes"}),
        ("jobs/attacked.py", "2.5 * size", "2.6 * size", {"attacked"}),
        ("datasets/planted.py", "0.8 * z", "0.9 * z", {"toy"}),
        ("io.py", "_QUIET_SECONDS = 5.0", "_QUIET_SECONDS = 6.0", set()),
        ("runtime.py", "mininterval=1.0", "mininterval=2.0", set()),
        ("jobs/base.py", "MANY_STEPS = 1000", "MANY_STEPS = 999", set()),
        ("claims/weighing.py", "import", "import math\nimport", set()),
    ],
)
def test_a_line_that_decides_changes_the_keys_of_the_jobs_that_use_it(
    copy: Path,
    keys: Callable[..., dict[str, str]],
    plain: dict[str, str],
    file: str,
    line: str,
    other: str,
    changed: set[str],
) -> None:
    target = copy / "utils" / file
    text = target.read_text()
    assert line in text
    target.write_text(text.replace(line, other, 1))
    found = keys(copy)
    assert {name for name in plain if found[name] != plain[name]} == changed
