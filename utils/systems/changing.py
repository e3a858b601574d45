"""A system with some of its settings changed: what ``change={...}`` of a notebook means."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pydantic

from ..discovery import nearest
from ..probes import ProbeConfig
from ..strict import Strict
from ..train import Training
from .base import Floor, System
from .trying import needs_classes

__all__ = ["CHANGEABLE", "changed"]

CHANGEABLE = (
    *("width", "training", "memorising", "players", "probes", "half_depth", "read_at", "floor"),
    *("loss_samples", "test_samples"),
)
"""The fields of a system that a run may change; another network or data set is another system."""


def changed(system: System, change: Mapping[str, Any]) -> System:
    """``system`` with other settings; a table keeps what it does not name.

    ``{"training": {"steps": 100}}`` changes only that; ``{"width": 32}`` makes another system of
    another id, whose floor is nobody's: it must come with it. ValueError that names the field.
    """
    unknown = [name for name in change if name not in CHANGEABLE]
    if unknown:
        raise ValueError(
            f"change: a system has no setting {unknown[0]!r}{nearest(unknown[0], CHANGEABLE)}; "
            f"there are: {', '.join(CHANGEABLE)}"
        )
    new = {name: _merged(system, name, value) for name, value in change.items()}
    if "width" in new and new["width"] != system.width and "floor" not in new:
        new["floor"] = None
    made = dataclasses.replace(system, **new)
    _layers_exist(made)
    if (needless := needs_classes(made)) is not None:
        raise ValueError(f"change: {needless}")
    return made


_COUNTS = ("width", "loss_samples", "test_samples")
_MODELS = {"training": Training, "memorising": Training, "probes": ProbeConfig, "floor": Floor}


def _merged(system: System, name: str, value: Any) -> Any:
    old = getattr(system, name)
    model = type(old) if isinstance(old, Strict) else _MODELS.get(name)
    if model is None:
        return _plain(name, value)
    if isinstance(value, model):
        return value
    if not isinstance(value, Mapping):
        fields = ", ".join(model.model_fields)
        raise ValueError(f"change: {name} is a table of {fields}, got {value!r}")
    unknown = [field for field in value if field not in model.model_fields]
    if unknown:
        fields = ", ".join(model.model_fields)
        raise ValueError(
            f"change: {name} has no {unknown[0]!r}{nearest(unknown[0], model.model_fields)}; it "
            f"has: {fields}"
        )
    kept = type(old).model_fields if isinstance(old, Strict) else ()
    before = {field: getattr(old, field) for field in kept}
    try:
        return model(**{**before, **value})
    except pydantic.ValidationError as error:
        raise ValueError(f"change: {name}{_said(error)}") from None


def _said(error: pydantic.ValidationError) -> str:
    one = error.errors()[0]
    where = "".join(f".{part}" for part in one["loc"])
    message = one["msg"].removeprefix("Value error, ")
    return f"{where}: {message[:1].lower()}{message[1:]}, got {one['input']!r}"


def _plain(name: str, value: Any) -> Any:
    kind = int if name in _COUNTS else str
    if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
        raise ValueError(
            f"change: {name} must be {'a whole number' if kind is int else 'the name of a layer'} "
            f"or None, got {value!r}"
        )
    if kind is int and value is not None and not 1 <= value <= 65536:
        raise ValueError(f"change: {name} must be 1 to 65536, got {value}")
    if value is None and name == "loss_samples":
        raise ValueError("change: loss_samples must be a whole number, got None")
    return value


def _layers_exist(system: System) -> None:
    for field in ("half_depth", "read_at"):
        layer = getattr(system, field)
        if layer is not None and layer not in system.readable:
            raise ValueError(
                f"change: {field} names the layer {layer!r}, which {system.id} lacks; it has "
                f"{', '.join(system.readable)}"
            )
