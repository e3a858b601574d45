"""Parameters as they are given on the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from .. import params

__all__ = ["given", "merged"]


def given(pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """``[["images=5"], ["change.training.steps", "9"]]`` → {"images": 5, "change": {"training":
    {"steps": 9}}}."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair[0].partition("=")
        if len(pair) == 2 and not equals:
            text = pair[1]
        elif len(pair) > 1 or not equals:
            raise params.ParameterError(
                f"a parameter is given as -p NAME=VALUE or -p NAME VALUE, got {' '.join(pair)!r}"
            )
        *outer, last = name.split(".")
        table = found
        for part in outer:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise params.ParameterError(
                    f"{name!r} sets a part of a value that -p also sets as a whole"
                )
        table[last] = _value(name, text)
    return found


def _value(name: str, text: str) -> Any:
    """``text`` as YAML reads it; ParameterError in one line that names the parameter."""
    try:
        return params.parse(text)
    except yaml.MarkedYAMLError as error:
        why = error.problem or "YAML cannot read it"
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as the date 2001-13-01
        why = str(error).splitlines()[0]
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    raise params.ParameterError(f"-p {name}: {shown!r} is no value ({why})")


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``, tables entry by entry."""
    both = {
        key: merged(below[key], value)
        if isinstance(value, dict) and isinstance(below.get(key), dict)
        else value
        for key, value in above.items()
    }
    return {**below, **both}
