"""What is found by looking: one file per data set, network or system, and no list beside the
folder.

A user's own file is loaded in the same way, under a name of its own, so that worker processes can
load it again.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import hashlib
import importlib
import importlib.util
import pkgutil
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import TypeVar

__all__ = [
    "UserFileError",
    "defined_in",
    "load_file",
    "loaded_files",
    "modules_of",
    "nearest",
]

T = TypeVar("T")
_PREFIX = "interactions_user_"


class UserFileError(ValueError):
    """A user's file cannot be loaded or does not say what it must; the message names the file."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``" (did you mean 'images'?)"``, or '' when no known name is close."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""


def modules_of(package: str) -> list[ModuleType]:
    """The modules of a package, by name."""
    home = importlib.import_module(package)
    names = sorted(info.name for info in pkgutil.iter_modules(home.__path__))
    return [importlib.import_module(f"{package}.{name}") for name in names]


def defined_in(module: ModuleType, kind: type[T]) -> list[T]:
    """The instances of ``kind`` among a module's names, or in the fields of a system there, each
    once, in the order of writing."""
    named = list(vars(module).values())
    systems = [value for value in named if dataclasses.is_dataclass(type(value))]
    inside = [getattr(one, field.name) for one in systems for field in dataclasses.fields(one)]
    found = {id(value): value for value in (*named, *inside) if isinstance(value, kind)}
    return list(found.values())


def load_file(path: Path | str) -> ModuleType:
    """A user's Python file as a module, loaded once as long as its text stands.

    UserFileError when there is no such file or it raises.
    """
    path = Path(path).resolve()
    if not path.is_file():
        raise UserFileError(f"there is no file {path}")
    return _loaded(path, hashlib.sha256(path.read_bytes()).hexdigest())


@functools.lru_cache(maxsize=64)
def _loaded(path: Path, content: str) -> ModuleType:
    where = hashlib.sha256(f"{path}{content}".encode()).hexdigest()[:12]
    stem = re.sub(r"\W", "_", path.stem)  # a dot would make a package of it
    name = f"{_PREFIX}{stem}_{where}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise UserFileError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # before it runs: pickling and pydantic look its classes up there
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        where = [
            f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)
        ]
        line = f" (line {where[-1]})" if where else ""
        raise UserFileError(
            f"{path} cannot be loaded: {type(error).__name__}: {error}{line}"
        ) from error
    return module


def loaded_files() -> list[str]:
    """Names of the modules that users' files have become in this process."""
    return [name for name in sys.modules if name.startswith(_PREFIX)]
