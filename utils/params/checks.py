"""What was given, checked: one ``validate`` for the command line and for the notebooks, with errors
made for users."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from ..discovery import nearest
from .models import PARAMS

__all__ = [
    "ParameterError",
    "accepted",
    "describe",
    "from_notebook",
    "notebook_stem",
    "validate",
]


class ParameterError(ValueError):
    """A parameter that no notebook has, a value of the wrong type or outside its range, or an
    unknown notebook."""


def notebook_stem(notebook: str | Path) -> str:
    """``'01_sparsity'`` from that name, its number, or the path of the notebook. ParameterError for
    any other."""
    name = Path(notebook).name.removesuffix(".ipynb")
    found = [stem for stem in PARAMS if name == stem or (name and stem.startswith(f"{name}_"))]
    if len(found) != 1:
        hint = nearest(name, PARAMS)
        raise ParameterError(
            f"unknown notebook {str(notebook)!r}{hint}; there are: {', '.join(PARAMS)}"
        )
    return found[0]


def _type_name(annotation: Any) -> str:
    """A type in a reader's words: ``list of int``, ``'mlp7' | 'lenet'``."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type_name(arguments[0])
    if origin is Literal:
        return " | ".join(repr(choice) for choice in arguments)
    if origin is tuple:
        return f"list of {_type_name(arguments[0])}"
    if origin is dict:
        return f"table of {_type_name(arguments[1])} by name"
    if arguments:
        return " | ".join(_type_name(one) for one in arguments)
    return "None" if annotation is type(None) else annotation.__name__


def _range(field: FieldInfo) -> str:
    """The constraints of a field: ``2 ≤ · ≤ 20``."""
    signs = {"ge": "≥ {}", "gt": "> {}", "le": "≤ {}", "lt": "< {}", "min_length": "at least {}"}
    found = [
        text.format(getattr(m, name))
        for m in field.metadata
        for name, text in signs.items()
        if getattr(m, name, None) is not None
    ]
    return ", ".join(found)


def _plain(value: Any) -> Any:
    """A default as a notebook's cell writes it: lists and dicts."""
    if isinstance(value, BaseModel):
        return value.model_dump()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def describe(notebook: str | Path) -> list[dict[str, Any]]:
    """A row per parameter of a notebook: name, type, range, default (as a cell writes it) and
    meaning."""
    fields = PARAMS[notebook_stem(notebook)].model_fields
    return [
        {
            "name": name,
            "type": _type_name(field.annotation),
            "range": _range(field),
            "default": _plain(field.default),
            "meaning": field.description,
        }
        for name, field in fields.items()
    ]


def accepted(notebook: str | Path) -> str:
    """The parameters of a notebook, a line each, for messages."""
    lines = []
    for row in describe(notebook):
        bounds = f" ({row['range']})" if row["range"] else ""
        lines.append(f"  {row['name']}: {row['type']}{bounds} = {_brief(row['default'])}")
    return "\n".join(lines)


def _brief(value: Any, width: int = 60) -> str:
    text = repr(value)
    return text if len(text) <= width else text[: width - 1] + "…"


def _complaints(notebook: str, error: ValidationError) -> list[str]:
    """pydantic's errors in the user's words. A list whose entries are refused also counts as too
    short: left out."""
    entries = error.errors()
    inner = {one["loc"][0] for one in entries if len(one["loc"]) > 1}
    return [
        _complaint(notebook, one)
        for one in entries
        if one["type"] != "too_short" or one["loc"][0] not in inner
    ]


def _complaint(notebook: str, error: Mapping[str, Any]) -> str:
    where = ".".join(str(part) for part in error["loc"])
    kind, given = error["type"], error["input"]
    if kind == "extra_forbidden":
        known = PARAMS[notebook].model_fields if len(error["loc"]) == 1 else ()
        return f"unknown parameter {where!r}{nearest(str(error['loc'][-1]), known)}"
    if kind == "missing":
        return f"{where} is missing"
    message = error["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
    if not where:
        return message
    hint = f"; a list is written -p '{where}=[a, b]', or -y '{where}: [a, b]' with plain papermill"
    return (
        f"{where}: {message[:1].lower()}{message[1:]}, got {_brief(given)} ({type(given).__name__})"
        f"{hint if kind == 'tuple_type' else ''}"
    )


def validate(notebook: str | Path, /, **given: Any) -> Any:
    """The frozen parameters of ``notebook`` with ``given`` over the defaults.

    Raises ParameterError that names everything wrong at once (unknown names with the closest known
    one, wrong types, values out of range) and lists what is accepted.
    """
    stem = notebook_stem(notebook)
    try:
        return PARAMS[stem](**given)
    except ValidationError as error:
        wrong = "\n".join(f"  - {line}" for line in _complaints(stem, error))
    raise ParameterError(
        f"{stem} cannot run with these parameters:\n{wrong}\naccepted:\n{accepted(stem)}"
    )


def _assigned(source: str) -> set[str]:
    """The names that the top level of a cell assigns; none when it is no plain Python (a magic,
    say)."""
    try:
        body = ast.parse(source).body
    except SyntaxError:
        return set()
    targets = [target for node in body if isinstance(node, ast.Assign) for target in node.targets]
    targets += [node.target for node in body if isinstance(node, ast.AnnAssign)]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def from_notebook(notebook: str | Path, namespace: Mapping[str, Any]) -> Any:
    """Validate what the parameters cell, and papermill's cell after it, have put into ``namespace``
    (``globals()``).

    In a kernel the two cells are found in its input history, so that a misspelt name, which
    papermill injects in silence, is refused and a notebook's later variables are not mistaken for
    parameters. Outside of a kernel (the notebook as a script) every plain variable counts. Errors
    as :func:`validate`.
    """
    fields = set(PARAMS[notebook_stem(notebook)].model_fields)
    history = [source for source in namespace.get("In", []) if isinstance(source, str)]
    cells = [
        number
        for number, source in enumerate(history)
        if {"profile", "device"} <= _assigned(source)
    ]
    if cells:
        injected = [
            source for source in history[cells[-1] + 1 :] if source.startswith("# Parameters")
        ]
        names = set().union(*(_assigned(source) for source in [history[cells[-1]], *injected[-1:]]))
    else:
        names = {
            name
            for name, value in namespace.items()
            if not name.startswith("_")
            and name not in ("In", "Out")
            and not isinstance(value, ModuleType | FunctionType | type)
        }
    missing = sorted(fields - set(namespace))
    if missing:
        raise ParameterError(
            f"the parameters cell of {notebook} does not set {', '.join(missing)}: run it first"
        )
    return validate(notebook, **{name: namespace[name] for name in sorted(names)})
