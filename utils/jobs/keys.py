"""What of a specification enters its key, as JSON that says the same thing in every process."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from .. import io

__all__ = ["fields", "used"]


def fields(model: BaseModel) -> dict[str, Any]:
    """The fields of a specification: other jobs by their digests, models with their type.

    Fields declared with ``exclude=True`` are left out; of ``device`` the type counts.
    """
    included = (name for name, field in type(model).model_fields.items() if not field.exclude)
    found = {name: _identity(getattr(model, name)) for name in included}
    if isinstance(found.get("device"), str):
        found["device"] = found["device"].partition(":")[0]
    return found


def used(value: Any) -> set[str]:
    """The modules of the models inside ``value`` and of what they name by a string (a network, say:
    ``modules()``); other jobs count through their digests."""
    if isinstance(value, BaseModel):
        inner = [getattr(value, name) for name in type(value).model_fields]
        found = {type(value).__module__, *getattr(value, "modules", tuple)()}
        return found | _used_in(inner)
    if isinstance(value, list | tuple | set | frozenset):
        return _used_in(value)
    if isinstance(value, dict):
        return _used_in(value.values())
    return set()


def _used_in(values: Iterable[Any]) -> set[str]:
    return set().union(*(used(item) for item in values if not _is_job(item)))


def _is_job(value: Any) -> bool:
    return isinstance(value, BaseModel) and callable(getattr(value, "digest", None))


def _identity(value: Any) -> Any:
    """A field's value as JSON; canonical_json refuses by name what has none."""
    if _is_job(value):
        return {"job": value.kind, "digest": value.digest()}
    if isinstance(value, BaseModel):
        return {"type": type(value).__name__, **fields(value)}
    if isinstance(value, enum.Enum):
        return _identity(value.value)
    if isinstance(value, dict):
        return {key: _identity(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_identity(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_identity(item) for item in value), key=io.canonical_json)
    return value
