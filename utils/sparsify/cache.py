"""A compiled cache that can be trusted: numba loads whatever machine code it finds, so it is
checksummed first.

A cache that is missing, stale, cut short or damaged costs a recompilation, never a crash: unsealed
files are deleted before numba sees them, and where there is no place to write a cache each process
compiles for itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba

from .. import io

__all__ = ["compiled", "mend", "seal"]

_SEAL = "kernels.sha256.json"
# numba looks at the age of the outermost function's file only; these sources are compiled into the
# same machine code.
_SOURCES = tuple(Path(__file__).with_name(name) for name in ("kernels.py", "lanes.py"))


def compiled(function: Callable[..., Any]) -> Any:
    """``function`` compiled by numba without the interpreter's lock, cached on disk where that is
    possible."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        return numba.njit(nogil=True)(function)


def _folders(kernels: Iterable[Any]) -> set[Path]:
    return {Path(kernel.stats.cache_path) for kernel in kernels if kernel.stats.cache_path}


def _digests(paths: Iterable[Path]) -> dict[str, str]:
    return {path.name: io.sha256_file(path) for path in paths}


def _cached(folder: Path) -> list[Path]:
    return sorted(folder.glob("kernels.*.nb[ci]"))


def _trusted(folder: Path) -> dict[str, str]:
    """The sealed checksums, or none when there is no seal, a damaged one, or one of other
    sources."""
    try:
        sealed = io.read_json(folder / _SEAL)
    except (OSError, ValueError):
        return {}
    same = isinstance(sealed, dict) and _digests(_SOURCES).items() <= sealed.items()
    return sealed if same else {}


def mend(kernels: Iterable[Any]) -> list[str]:
    """Delete cached files that do not match the seal (names are returned); to be called before the
    first kernel is."""
    dropped = []
    for folder in _folders(kernels):
        sealed = _trusted(folder)
        for name, digest in _digests(_cached(folder)).items():
            if sealed.get(name) != digest:
                (folder / name).unlink(missing_ok=True)
                dropped.append(name)
    return dropped


def seal(kernels: Iterable[Any]) -> None:
    """Write the checksums of the compiled files, after a call that has compiled something."""
    for folder in _folders(kernels):
        if folder.is_dir():
            io.write_json(folder / _SEAL, _digests([*_SOURCES, *_cached(folder)]))
