"""Files of the sets that are embedded in the repository, compressed, with their checksums in
``data/manifest.json``."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

from .. import paths
from .base import DamagedData, checked_bytes

__all__ = ["content", "folder"]


def folder(name: str) -> Path | None:
    """Where the embedded set lies; None where it was taken away."""
    found = paths.EMBEDDED / name
    return found if found.is_dir() else None


def content(place: Path, name: str) -> bytes:
    """The uncompressed bytes of ``name``.xz in the set's folder ``place``.

    DamagedData where the file or the manifest beside the folder is missing or another one.
    """
    mend = (
        f"It is part of the repository: `git checkout -- data/{place.name} data/manifest.json` "
        "restores it."
    )
    file = f"{name}.xz"
    try:
        manifest = json.loads((place.parent / "manifest.json").read_text(encoding="utf-8"))
        known = manifest[place.name]["files"][file]["sha256"]
        return lzma.decompress(checked_bytes(place / file, known, mend))
    except (KeyError, json.JSONDecodeError, FileNotFoundError) as error:
        raise DamagedData(
            f"the embedded set {place.name} in {place} is incomplete ({error!r}). {mend}"
        ) from error
