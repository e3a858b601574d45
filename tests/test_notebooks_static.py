"""The rules of a notebook, read from the file: thin, clean, in order, with the parameters of its
model."""

from __future__ import annotations

import ast
import re

import nbformat
import pytest

from utils import claims, params, paths

# The tags of a notebook's cells, in the order of their first appearance. Cells without a tag may
# stand between them.
ORDER = (
    "claim",
    "parameters",
    "validation",
    "compute",
    "statistic",
    "figure",
    "verdict",
    "limits",
    "provenance",
)
PROSE = ("claim", "limits")
MOST_LINES = 80
FILES = sorted(paths.NOTEBOOKS.glob("*.ipynb"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def book(request: pytest.FixtureRequest) -> nbformat.NotebookNode:
    notebook = nbformat.read(request.param, as_version=4)
    notebook.metadata["stem"] = request.param.stem
    return notebook


def tags(cell: nbformat.NotebookNode) -> list[str]:
    return cell.metadata.get("tags", [])


def tagged(book: nbformat.NotebookNode, tag: str) -> nbformat.NotebookNode:
    return next(cell for cell in book.cells if tag in tags(cell))


def code_cells(book: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def test_every_notebook_has_a_model_and_every_model_a_notebook() -> None:
    assert [path.stem for path in FILES] == sorted(params.PARAMS)


def test_valid_without_outputs_for_any_python_3(book: nbformat.NotebookNode) -> None:
    stem = book.metadata.pop("stem")
    nbformat.validate(book)
    assert book.metadata.kernelspec.name == "python3", stem
    assert len({cell.id for cell in book.cells}) == len(book.cells)
    for cell in code_cells(book):
        assert cell.outputs == [] and cell.execution_count is None, (
            f"{stem}: run `nbstripout notebooks/*.ipynb`"
        )


def test_thin(book: nbformat.NotebookNode) -> None:
    lines = 0
    for cell in code_cells(book):
        tree = ast.parse(cell.source)  # also refuses magics and shell lines
        kinds = [type(node) for node in ast.walk(tree)]
        assert not {ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Try} & set(kinds), (
            cell.source
        )
        assert kinds.count(ast.Lambda) <= 1, "functions belong into utils"
        assert "sys.path" not in cell.source
        if "parameters" not in tags(cell):
            lines += sum(
                bool(line.strip()) and not line.strip().startswith("#")
                for line in cell.source.splitlines()
            )
    assert lines <= MOST_LINES, f"{book.metadata.stem} has {lines} lines of code"


def test_cells_come_in_the_order_of_the_argument(book: nbformat.NotebookNode) -> None:
    first = {}
    for number, cell in enumerate(book.cells):
        for tag in tags(cell):
            assert tag in ORDER, f"unknown tag {tag!r}; there are {ORDER}"
            assert (cell.cell_type == "markdown") == (tag in PROSE), (
                f"a {tag} cell is {'prose' if tag in PROSE else 'code'}"
            )
            first.setdefault(tag, number)
    assert list(first) == list(ORDER), (
        f"{book.metadata.stem}: the first cell of each tag, in order, is {list(first)}"
    )
    assert first["claim"] == 0
    assert [tags(cell) for cell in code_cells(book)[:2]] == [["parameters"], ["validation"]]
    assert "provenance" in tags(book.cells[-1])
    assert sum("parameters" in tags(cell) for cell in book.cells) == 1, "papermill wants one"


def test_the_claim_has_an_equation_and_says_where_it_stands(book: nbformat.NotebookNode) -> None:
    text = tagged(book, "claim").source
    assert text.startswith("# ")
    assert (
        "$" in text
        and re.search(r"20\d\d", text)
        and re.search(r"Fig|Theorem|Eq|slide|Section|App", text)
    )


def test_the_limits_say_what_would_falsify(book: nbformat.NotebookNode) -> None:
    assert re.search(r"falsif", tagged(book, "limits").source, re.IGNORECASE)


def test_the_parameters_cell_is_the_model(book: nbformat.NotebookNode) -> None:
    tree = ast.parse(tagged(book, "parameters").source)
    assert all(
        isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) for node in tree.body
    )
    given = {node.targets[0].id: ast.literal_eval(node.value) for node in tree.body}
    expected = {row["name"]: row["default"] for row in params.describe(book.metadata.stem)}
    assert given == expected
    assert {name: type(value) for name, value in given.items()} == {
        k: type(v) for k, v in expected.items()
    }


def test_the_validation_cell_comes_before_any_work(book: nbformat.NotebookNode) -> None:
    source = tagged(book, "validation").source
    assert f'p = notebook.begin("{book.metadata.stem}", globals())' in source


def test_every_row_of_the_registry_is_judged_where_it_says(book: nbformat.NotebookNode) -> None:
    code = "\n".join(cell.source for cell in code_cells(book))
    judged = set(re.findall(r"""["']([DMLFO][0-9]{1,2}[ab]?)["']""", code))
    for row, claim in claims.load().rows.items():
        assert claim.notebook != book.metadata.stem or row in judged, (
            f"{row} is not judged in {book.metadata.stem}"
        )


def test_no_path_of_one_machine(book: nbformat.NotebookNode) -> None:
    for cell in book.cells:
        assert not re.search(r"""["'(](/|~|[A-Z]:\\)\w+/""", cell.source), cell.source
