"""Compact files that are made once out of a set's own files, which are slow to read: an ``.npz`` in
the data cache and beside it a sealed note of its sha256."""

from __future__ import annotations

import hashlib
import io as bytesio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import io, paths
from .base import DamagedData, Raw, Split, checked_bytes

__all__ = ["find", "read", "write"]


def find(name: str) -> Path | None:
    """The data cache, where ``name``.npz and its note are there."""
    folder = paths.data_cache()
    return folder if all((folder / f"{name}.{end}").is_file() for end in ("npz", "json")) else None


def write(cache: Path, name: str, splits: Mapping[Split, Raw], note: dict[str, Any]) -> None:
    """Puts both splits into ``name``.npz, the note with its checksum last: it makes the file
    count."""
    arrays = {
        f"{split}_{field}": value
        for split, raw in splits.items()
        for field, value in raw._asdict().items()
        if value is not None
    }
    content = bytesio.BytesIO()
    np.savez_compressed(content, **arrays)
    io.write_bytes(cache / f"{name}.npz", content.getvalue())
    digest = hashlib.sha256(content.getvalue()).hexdigest()
    io.write_sealed(cache / f"{name}.json", {"sha256": digest, **note})


def read(folder: Path, split: Split, name: str, again: str) -> Raw:
    """One split; DamagedData, with what makes the file ``again``, for another content than the note
    says."""
    mend = f"Delete {name}.npz and {name}.json, then {again} makes them again."
    try:
        digest = io.read_sealed(folder / f"{name}.json")["sha256"]
    except (io.DamagedFileError, KeyError) as error:
        raise DamagedData(f"{folder / name}.json is damaged. {mend}") from error
    content = checked_bytes(folder / f"{name}.npz", digest, mend)
    with np.load(bytesio.BytesIO(content), allow_pickle=False) as stored:
        fields = (f"{split}_{field}" for field in Raw._fields)
        return Raw(*(stored.get(field) for field in fields))
