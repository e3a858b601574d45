"""Fixed mistakes of the science, each of which must turn a test red: what the suite is for, tested.

A mutant is one replaced statement or expression of the package, in a copy. Its tests must fail
there, and pass in an unchanged copy, so that the copy itself cannot be what fails them.
"""

from __future__ import annotations

import ast
import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from utils import paths

COPIED = ("utils", "tests", "profiles", "claims.yaml", "pyproject.toml")


@dataclass(frozen=True)
class Mutant:
    """``old``, a statement or expression found exactly once in ``file`` however it is laid out,
    becomes ``new``; at least one of ``tests`` (pytest node ids) must fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        "OR sign",
        "utils/lattice.py",
        "result = mobius_(game.flip(-1)).neg_()",
        "result = mobius_(game.flip(-1))",
        ("tests/test_lattice.py::test_or_is_minus_and_of_the_complemented_game",),
    ),
    Mutant(
        "complement",
        "utils/lattice.py",
        "result = mobius_(game.flip(-1)).neg_()",
        "result = mobius_(_own(game, v)).neg_()",
        ("tests/test_lattice.py::test_or_is_minus_and_of_the_complemented_game",),
    ),
    Mutant(
        "gamma of the empty set alone",
        "utils/sparsify/split.py",
        'facts["gamma"].copy_(zeta(i_and) - 0.5 * (v - delta))',
        'facts["gamma"].copy_(zeta(i_and) - v[:, :1] - 0.5 * (v - v[:, :1] - delta))\n'
        'facts["gamma"][:, 0] = 0.5 * v[:, 0]',
        ("tests/test_sparsify_split.py::test_gamma_and_delta_are_those_of_the_interactions",),
    ),
    Mutant(
        "order 0 in the loss",
        "utils/sparsify/split.py",
        'facts["objective"].copy_(weighted_l1(i_and, i_or, weights))',
        'facts["objective"].copy_(weighted_l1(i_and, i_or, weights) + v[:, 0].abs())',
        ("tests/test_sparsify_split.py::test_order_zero_is_not_paid_for",),
    ),
    Mutant(
        "kappa taken absolute",
        "utils/sparsify/split.py",
        "bound = kappa * centred[:, -1].abs()",
        "bound = torch.full_like(centred[:, -1], kappa)",
        ("tests/test_sparsify_split.py::test_delta_uses_its_bound_and_never_more",),
    ),
    Mutant(
        "merge before optimising",
        "utils/sparsify/paper.py",
        "return lattice.mobius_(half + p), i_or",
        "i_and, one = lattice.mobius_(half + p), "
        "lattice.order(lattice.players_of(v.shape[-1])) == 1\n"
        "i_and[:, one] += i_or[:, one]\ni_or[:, one] = 0.0\nreturn i_and, i_or",
        ("tests/test_sparsify_paper.py::test_the_loop_is_the_published_one",),
    ),
    Mutant(
        "tau over the wrong axis",
        "utils/metrics/salience.py",
        "tau = 0.03 * (v[..., -1] - v[..., 0]).abs().mean(-1, keepdim=True)",
        "tau = 0.03 * (v[..., -1] - v[..., 0]).abs().mean(0, keepdim=True)",
        ("tests/test_metrics.py::test_thresholds_are_taken_per_checkpoint",),
    ),
    Mutant(
        "permuted seed axis",
        "utils/evidence/sparsity.py",
        "found = values[:, at].numpy().astype(float)",
        "found = values[:, at].numpy().T.astype(float)",
        ("tests/test_rows.py::test_sparsity_is_found_where_it_is_and_only_above_its_nulls",),
    ),
    Mutant(
        "a dropped null",
        "utils/evidence/sparsity.py",
        'Part.of("gini_above_null", gini - stats.chosen(rivals, choice), spread(gini))',
        'Part.of("gini_above_null", gini, spread(gini))',
        ("tests/test_rows.py::test_sparsity_is_found_where_it_is_and_only_above_its_nulls",),
    ),
    Mutant(
        "the best network against the floor",
        "utils/claims/judging.py",
        "bool(values.min() >= case.floor)",
        "bool(values.max() >= case.floor)",
        ("tests/test_judging.py::test_accuracy_below_the_floor_is_inconclusive",),
    ),
    Mutant(
        "shared not zeroed",
        "utils/metrics/layers.py",
        "agree & both",
        "agree",
        ("tests/test_layers.py::test_what_is_salient_in_one_layer_only_is_not_shared",),
    ),
)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its tests in a folder of their own; the data, which no mutant touches, by a
    link.

    Times of modification and compiled code come along, so that only the mutated module is compiled
    again.
    """
    folder = tmp_path_factory.mktemp("copy")
    for name in COPIED:
        if (paths.ROOT / name).is_dir():
            shutil.copytree(paths.ROOT / name, folder / name)
        else:
            shutil.copy2(paths.ROOT / name, folder / name)
    (folder / "data").symlink_to(paths.ROOT / "data", target_is_directory=True)
    return folder


class _Replace(ast.NodeTransformer):
    """Puts a mutant's new code where its old code stands, compared as syntax trees."""

    def __init__(self, mutant: Mutant) -> None:
        (old,), self.new, self.found = ast.parse(mutant.old).body, ast.parse(mutant.new).body, 0
        if isinstance(old, ast.Expr) and isinstance(self.new[0], ast.Expr) and len(self.new) == 1:
            old, self.new = old.value, self.new[0].value
        self.old = ast.dump(old)

    def visit(self, node: ast.AST) -> Any:
        if ast.dump(node) != self.old:
            return super().generic_visit(node)
        self.found += 1
        return self.new


@contextlib.contextmanager
def applied(mutant: Mutant, folder: Path) -> Iterator[None]:
    path = folder / mutant.file
    replacing = _Replace(mutant)
    tree = replacing.visit(ast.parse(path.read_text(encoding="utf-8")))
    assert replacing.found == 1, (
        f"mutant {mutant.name!r}: its code stands {replacing.found} times in {mutant.file}; write "
        "the mutant anew"
    )
    path.write_text(ast.unparse(tree), encoding="utf-8")
    try:
        yield
    finally:
        shutil.copy2(paths.ROOT / mutant.file, path)


def run_in(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def run_tests(folder: Path, tests: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    return run_in(
        folder, "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests
    )


def test_the_copy_is_what_is_tested_and_all_selected_tests_pass_in_it(copy: Path) -> None:
    where = run_in(copy, "-c", "import utils; print(utils.__file__)").stdout.strip()
    assert Path(where).resolve() == (copy / "utils" / "__init__.py").resolve()
    selected = tuple(dict.fromkeys(test for mutant in MUTANTS for test in mutant.tests))
    answer = run_tests(copy, selected)
    assert answer.returncode == 0, answer.stdout[-3000:]
    assert re.search(r"\b[1-9]\d* passed", answer.stdout) and "skipped" not in answer.stdout, (
        answer.stdout[-500:]
    )


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "-"))
def test_the_mistake_turns_a_test_red(mutant: Mutant, copy: Path) -> None:
    with applied(mutant, copy):
        answer = run_tests(copy, mutant.tests)
    assert answer.returncode == 1, (
        f"pytest ended with {answer.returncode}, not with a failed test:\n{answer.stdout[-3000:]}"
    )
    last = answer.stdout.strip().splitlines()[-1]
    assert re.search(r"\b1 failed\b", last) and "error" not in last, answer.stdout[-3000:]


def test_each_mutant_is_another_one() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.old != mutant.new and mutant.tests for mutant in MUTANTS)
