"""Which code decides a job's output: the modules it is made of, without docstrings and comments.

From the job's own module, and those of the network, data set and players that this one job names,
imports inside the package are followed name by name: ``from ..players import PatchDraw`` leads to
the file that defines it and to no other kind of players. So a new file, or a reworded docstring,
changes no key of anything that does not use it.
"""

from __future__ import annotations

import ast
import functools
import importlib.util
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import io

__all__ = ["digest", "modules", "named", "stripped"]

_ROOT = __package__.partition(".")[0]
_NEUTRAL = frozenset(
    f"{_ROOT}{name}"
    for name in (
        *("", ".discovery", ".io", ".paths", ".provenance", ".runtime", ".strict"),
        *(".jobs", ".jobs.base", ".jobs.cache", ".jobs.code", ".jobs.keys", ".jobs.plan"),
        ".jobs.side_by_side",
    )
)
"""Modules that say where and when something is computed, never what comes out."""


def modules(start: Iterable[str]) -> tuple[str, ...]:
    """``start`` and every module of the package that these import, at any depth; sorted.

    ImportError naming a module without Python source.
    """
    return _closure(tuple(sorted(set(start))))


@functools.cache
def _closure(start: tuple[str, ...]) -> tuple[str, ...]:
    found: set[str] = set()
    waiting = [name for name in start if name not in _NEUTRAL]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [other for other in _imports(name) if other not in _NEUTRAL]
    return tuple(sorted(found))


@functools.cache
def digest(names: tuple[str, ...]) -> str:
    """The sha256 of the code of the named modules, as of the first call.

    Independent of where they are installed, under which name the package is, of line endings,
    docstrings and comments. A user's file counts by its code alone, not by its place.
    """
    return io.sha256_bytes(
        io.canonical_json(sorted([_label(name), _code(name)] for name in names)).encode()
    )


def named(names: Iterable[str]) -> list[str]:
    """Those of ``names`` that are modules of the package, named from its root:
    ``.metrics.orders``."""
    return [_label(name) for name in names if _ours(name)]


def _ours(name: str) -> bool:
    return name.partition(".")[0] == _ROOT


def _label(name: str) -> str:
    return name.removeprefix(_ROOT) if _ours(name) else _file(name).stem


def stripped(source: str) -> str:
    """Python source without docstrings and comments, written in one way."""
    return ast.unparse(_bare(source))


def _bare(source: str) -> ast.Module:
    """The syntax tree without expressions that are constants: docstrings, and ``...``."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if hasattr(node, "body") and isinstance(node.body, list):
            kept = [
                s
                for s in node.body
                if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))
            ]
            node.body = kept or [ast.Pass()]
    return tree


@functools.cache
def _file(name: str) -> Path:
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        try:
            spec = importlib.util.find_spec(name)
        except (ModuleNotFoundError, ValueError):
            spec = None
        origin = spec.origin if spec is not None else None
    if origin is None or not origin.endswith(".py"):
        raise ImportError(f"the code of a job is in module {name!r}, which has no Python source")
    return Path(origin)


@functools.cache
def _tree(name: str) -> ast.Module:
    return _bare(_file(name).read_text(encoding="utf-8"))


@functools.cache
def _code(name: str) -> str:
    return ast.unparse(_tree(name))


@functools.cache
def _is_package(name: str) -> bool:
    return _file(name).name == "__init__.py"


@functools.cache
def _exists(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # a part of its name is no package
        return False


@functools.cache
def _imports(name: str) -> frozenset[str]:
    """The modules of the package that ``name`` uses."""
    tree = _tree(name)
    found: set[str] = set()
    for node in _running(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if _ours(alias.name):
                    found |= _spelt(tree, alias)
        elif isinstance(node, ast.ImportFrom):
            base = _base(name, node)
            if _ours(base):
                for alias in node.names:
                    found |= _meant(base, alias.name, tree, alias.asname or alias.name)
    return frozenset(found - {name})


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes but those under ``if TYPE_CHECKING``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        yield node
        yield from _running(node)


def _spelt(tree: ast.Module, alias: ast.alias) -> set[str]:
    """What ``import utils.models`` brings: the modules that ``tree`` reaches by dots from the name
    that it binds (``utils.models.find``)."""
    local, start = (alias.asname, alias.name) if alias.asname else (_ROOT, _ROOT)
    attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    inner = {id(node.value) for node in attributes}
    chains = [_dotted(node) for node in attributes if id(node) not in inner]
    found = {alias.name} if alias.asname and not _is_package(start) else set()
    return found.union(*(_reached(start, rest) for first, *rest in chains if first == local))


def _dotted(node: ast.expr) -> list[str]:
    """``a.b.c`` → a, b, c; of another expression nothing but a mark."""
    if isinstance(node, ast.Attribute):
        return [*_dotted(node.value), node.attr]
    return [node.id if isinstance(node, ast.Name) else ""]


def _reached(module: str, names: list[str]) -> set[str]:
    """The module that the dotted ``names`` lead to from ``module``."""
    if not names or not _is_package(module):
        return {module}
    inner = f"{module}.{names[0]}"
    return _reached(inner, names[1:]) if _exists(inner) else _definer(module, names[0])


def _base(name: str, node: ast.ImportFrom) -> str:
    """The module that an import is from, in full."""
    if not node.level:
        return node.module or ""
    parts = name.split(".")
    keep = len(parts) - node.level + _is_package(name)
    return ".".join([*parts[:keep], *([node.module] if node.module else [])])


def _meant(base: str, imported: str, tree: ast.Module, local: str) -> set[str]:
    """What ``from base import imported`` brings: a module, the parts of a package that ``tree``
    uses under the name ``local``, or the module that defines the name."""
    whole = f"{base}.{imported}"
    if whole in _NEUTRAL:
        return set()
    if not _exists(whole):
        return _definer(base, imported)
    if not _is_package(whole):
        return {whole}
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == local
    }
    return set().union(*(_definer(whole, name) for name in used)) if used else {whole}


@functools.cache
def _definer(base: str, name: str) -> set[str]:
    """The module that defines ``name`` of module or package ``base``."""
    if name.startswith("__"):  # what every module has: its name, its file
        return set()
    if _exists(f"{base}.{name}") and _is_package(base):
        return {f"{base}.{name}"}
    if not _is_package(base):
        return {base}
    for node in ast.walk(_tree(base)):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _definer(_base(base, node), alias.name)
    return {base}
