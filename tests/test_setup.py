"""The set-up holds together: one list of dependencies, commands that exist, layers, style, nothing
of one machine."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from utils import paths
from utils.__main__ import _parser

ROOT = paths.ROOT
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = [Requirement(line) for line in PROJECT["dependencies"]]
PRETRAINED = [Requirement(line) for line in PROJECT["optional-dependencies"]["pretrained"]]
TEST = [Requirement(line) for line in PROJECT["optional-dependencies"]["test"]]
LOCK = {
    canonicalize_name(req.name): req
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line and not line.startswith("#")
    for req in [Requirement(line)]
}

# Dependencies that are run and not imported, each with the one who runs it.
TOOLS = {
    "ipykernel": "papermill starts kernels with it",
    "jupyterlab": "`make lab`",
    "ruff": "test_style",
    "pytest-xdist": "`make test`: test files side by side",
    "import-linter": "test_layers",
    "pre-commit": ".pre-commit-config.yaml",
    "nbstripout": ".pre-commit-config.yaml",
}
IMPORTED_AS = {
    "PIL": "pillow",
    "yaml": "pyyaml",
    "sklearn": "scikit-learn",
    "IPython": "ipykernel",
    "jupyter_client": "ipykernel",
}


def pinned(requirement: Requirement) -> str:
    return str(LOCK[canonicalize_name(requirement.name)].specifier).removeprefix("==")


def tracked(*patterns: str) -> list[Path]:
    """Files that git knows or would add."""
    answer = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for name in answer.stdout.split("\0") if name and (path := ROOT / name).is_file()]


# Dependencies -------------------------------------------------------------------------------------


@pytest.mark.parametrize("requirement", RUNTIME + TEST, ids=lambda req: req.name)
def test_each_dependency_is_pinned_to_a_version_it_allows(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pinned(requirement))


def test_the_lock_pins_exactly_and_names_no_gpu_vendor() -> None:
    for name, requirement in LOCK.items():
        assert re.fullmatch(r"==[0-9][0-9a-zA-Z.]*", str(requirement.specifier)), (
            f"{name}: no local version, no range"
        )
        assert not re.match(r"nvidia|cuda|triton|pytorch-triton|rocm|intel-", name)


@pytest.mark.parametrize("requirement", LOCK.values(), ids=lambda req: req.name)
def test_what_is_installed_is_what_the_lock_says(requirement: Requirement) -> None:
    if requirement.marker is None or requirement.marker.evaluate():
        assert metadata.version(requirement.name).split("+")[0] == pinned(requirement), (
            "`make setup` mends it"
        )


@pytest.mark.skipif(
    sys.version_info[:2] != (3, 11) or sys.platform != "linux",
    reason="the lock is written on Linux, 3.11",
)
def test_the_lock_is_what_make_lock_writes() -> None:
    answer = subprocess.run(
        [sys.executable, ".ci/lock.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert answer.stdout == (ROOT / "requirements.lock").read_text(encoding="utf-8"), (
        "run `make lock`"
    )


def test_conda_takes_the_same_lock() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    python, pip, by_pip = environment["dependencies"]
    assert (python, pip, by_pip) == (
        "python=3.11",
        "pip",
        {"pip": ["-r requirements.lock", "-e ."]},
    )


def imported(sources: dict[str, str]) -> dict[str, str]:
    """Third-party distribution → a file that imports it."""
    own = {"utils", "benchmarks", "tests", *(Path(name).stem for name in sources)}
    found = {}
    for name, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            modules = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and node.level == 0
                else []
            )
            for top in (
                {module.partition(".")[0] for module in modules}
                - set(sys.stdlib_module_names)
                - own
            ):
                found[canonicalize_name(IMPORTED_AS.get(top, top))] = name
    return found


def test_what_is_imported_is_declared_and_what_is_declared_is_used() -> None:
    code = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in tracked("utils/*.py", "data/*.py", "benchmarks/*.py")
    }
    for path in tracked("notebooks/*.ipynb"):
        cells = [
            cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"
        ]
        code[path.name] = "\n".join("".join(cell["source"]) for cell in cells)
    tests = {
        str(path.relative_to(ROOT)): path.read_text() for path in tracked("tests/*.py", ".ci/*.py")
    }
    # What the extra brings is imported where it is needed, with the command that installs it.
    extra = {canonicalize_name(req.name) for req in PRETRAINED}
    declared = {canonicalize_name(req.name) for req in RUNTIME}
    for_tests = {canonicalize_name(req.name) for req in TEST}
    needed, needed_by_tests = imported(code), imported(tests)
    assert not {name: where for name, where in needed.items() if name not in declared | extra}
    assert not {
        name: where
        for name, where in needed_by_tests.items()
        if name not in declared | for_tests | extra
    }
    assert declared - set(needed) <= set(TOOLS), "nothing imports these"
    assert for_tests - set(needed_by_tests) <= set(TOOLS), "no test imports these"


# Commands -----------------------------------------------------------------------------------------


def make(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """make, as from a fresh shell: these tests may themselves run under `make test`."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *arguments], cwd=folder, capture_output=True, text=True, check=False, env=clean
    )


def targets() -> set[str]:
    line = re.search(r"^\.PHONY:(.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line is not None
    return set(line[1].split())


def test_make_help_explains_every_target() -> None:
    shown = set(re.findall(r"^  ([a-z]+) +\S", make("help").stdout, re.MULTILINE))
    assert shown == targets() >= {"setup", "test", "smoke", "bench", "clean", "lock", "help"}


@pytest.mark.parametrize("target", sorted(targets()))
def test_every_target_can_be_made(target: str) -> None:
    answer = make("--dry-run", target, "EXTRAS=1")
    assert answer.returncode == 0, answer.stderr


def test_plain_make_is_the_main_job() -> None:
    assert make("--dry-run").stdout.rstrip().endswith("-m utils all --profile default")


def test_no_python_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    answer = make("setup", "PYTHON=/no/such/python", folder=tmp_path)
    assert (
        answer.returncode != 0
        and "No Python 3.11 or newer" in answer.stderr
        and "make PYTHON=" in answer.stderr
    )
    assert not (tmp_path / ".venv").exists()


def test_clean_spares_what_is_committed_and_the_environment(tmp_path: Path) -> None:
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    gone = ["results/default/index.html", ".cache/train/x", "results/smoke/D1/verdict.json"]
    kept = [
        "results/committed/default/D1/verdict.json",
        ".venv/bin/python",
        "data/cache/MNIST/x",
        "utils/run.py",
    ]
    for name in gone + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    assert make("clean", folder=tmp_path).returncode == 0
    assert [(tmp_path / name).exists() for name in gone + kept] == [False] * len(gone) + [
        True
    ] * len(kept)


def code_of(document: Path) -> list[str]:
    """The command lines of a Markdown file: lines of its code blocks and its code spans."""
    text = document.read_text(encoding="utf-8")
    blocks = re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(
        r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    )
    return [line.strip() for block in blocks for line in block.splitlines()] + spans


@pytest.mark.parametrize("document", ["README.md", "data/README.md"])
def test_commands_in_the_documents_exist(document: str) -> None:
    known = targets()
    for line in code_of(ROOT / document):
        command = line.removeprefix("$ ").partition("  #")[0].partition(" # ")[0]
        if re.match(r"make(\s|$)", command):
            words = [word for word in shlex.split(command)[1:] if "=" not in word]
            assert set(words) <= known, line
        if found := re.match(r"(?:\.venv/bin/)?reproduce((?: .*)?)$", command):
            # A word in capitals stands for the reader's own choice.
            words = shlex.split(found[1].replace("NOTEBOOK", "01_sparsity"))
            if words:
                _parser().parse_args(words)


def test_readme_starts_with_the_two_commands() -> None:
    first = re.search(
        r"^```[^\n]*\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    assert first is not None and {"make", "make test"} <= {
        line.partition("#")[0].strip() for line in first[1].splitlines()
    }


def test_ci_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert "set -euo pipefail" in script.read_text() and "make test EXTRAS=1" in script.read_text()
    subprocess.run(["bash", "-n", str(script)], check=True)
    steps = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]["test"][
        "steps"
    ]
    assert any(step.get("run") == "bash .ci/run" for step in steps)


# Style and hygiene --------------------------------------------------------------------------------


def test_layers() -> None:
    tool = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run(
        [tool, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


@pytest.mark.parametrize("command", (["check"], ["format", "--check"]), ids=" ".join)
def test_style(command: list[str]) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout


def test_hooks_are_valid() -> None:
    subprocess.run(
        [sys.executable, "-m", "pre_commit", "validate-config"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )


def test_results_are_ignored_but_for_the_committed_ones() -> None:
    kept = "results/committed/default/D1/a/verdict.json"
    names = [
        "results/default/index.html",
        ".cache/x",
        "data/cache/x",
        ".venv/x",
        kept,
        "notebooks/01_sparsity.ipynb",
        "requirements.lock",
    ]
    answer = subprocess.run(
        ["git", "check-ignore", *names], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.stdout.split() == names[:4]


def test_version_is_the_same_everywhere() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == PROJECT["version"]
    assert metadata.version(PROJECT["name"]) == PROJECT["version"]


def test_no_path_of_one_machine_and_nothing_left_to_do() -> None:
    # Written in pieces, so that this file does not find itself.
    unwanted = re.compile(
        "|".join(
            [
                "/ho" + "me/",
                "/wo" + "rk/",
                "/ro" + "ot/",
                "/Use" + "rs/",
                r"\bTO" + r"DO\b",
                r"\bFIX" + r"ME\b",
                "NotImplemented" + "Error",
            ]
        )
    )
    for path in tracked(
        "*.py", "*.ipynb", "*.md", "*.yaml", "*.yml", "*.toml", "Makefile", ".ci/*"
    ):
        found = unwanted.search(path.read_text(encoding="utf-8"))
        assert found is None, f"{path.relative_to(ROOT)}: {found and found[0]}"
