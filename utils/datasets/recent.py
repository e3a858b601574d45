"""What was loaded a moment ago, kept while its files are untouched: a notebook asks for it hundreds
of times.

Kept are samples, and the split as stored that they were made of: a part of it (``limit``) is then
made without reading and decoding the files again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from .base import Raw, Samples, Source, Split

__all__ = ["reuse", "reuse_raw"]

Kept = TypeVar("Kept", Samples, Raw)

_MOST = 1 << 30  # bytes of samples kept in all; a larger set is read anew each time
_kept: OrderedDict[tuple, Samples | Raw] = OrderedDict()


def reuse(
    source: Source, split: Split, limit: int | None, folder: Path, read: Callable[[], Samples]
) -> Samples:
    """``read()``, or what it gave for the same set, split and limit if no file in or beside
    ``folder`` has changed."""
    return _reuse((source, split, limit, _stamp(folder)), read)


def reuse_raw(source: Source, split: Split, folder: Path) -> Raw:
    """The split as its files have it, read again only if one of them has changed."""
    return _reuse((source, split, "raw", _stamp(folder)), lambda: source.read(folder, split))


def _reuse(key: tuple, read: Callable[[], Kept]) -> Kept:
    if key not in _kept:
        _kept[key] = read()
    _kept.move_to_end(key)
    found = _kept[key]
    while sum(kept.x.nbytes for kept in _kept.values()) > _MOST:
        _kept.popitem(last=False)
    return found


def _stamp(folder: Path) -> tuple[tuple[str, int, int], ...]:
    """Path, size and time of change of every file in the folder and in the one above, where lists
    of checksums lie."""
    files = (
        path for place in (folder, folder.parent) for path in place.iterdir() if path.is_file()
    )
    return tuple(
        sorted((str(path), (status := path.stat()).st_size, status.st_mtime_ns) for path in files)
    )
