"""Files that are whole or absent: atomic writes, canonical JSON, tensors, checksummed folders,
locks.

A file that appears under its own name is complete and on disk, whatever killed the writer. A
*sealed* folder lists the sha256 of each of its files, so that damage is found when it is read and
not believed. Hidden files and folders (names starting with a dot) are scratch: they never belong to
the content of a sealed folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import shutil
import sys
import time
import uuid
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import safetensors
import safetensors.torch
import torch

__all__ = [
    "MANIFEST",
    "DamagedFileError",
    "DamagedFileWarning",
    "atomic",
    "canonical_json",
    "fsync_folder",
    "load_arrays",
    "load_meta",
    "lock",
    "read_json",
    "read_manifest",
    "read_sealed",
    "remove_hidden",
    "save_arrays",
    "seal",
    "set_aside",
    "sha256_bytes",
    "sha256_file",
    "verify",
    "write_bytes",
    "write_json",
    "write_sealed",
    "write_text",
]

MANIFEST = "MANIFEST.json"
_TEMPORARY = ".tmp-"
# safetensors writes its metadata in hash-table order, which differs from run to run; one entry has
# one order, so the file of the same arrays is the same bytes.
_META_KEY = "meta"
_QUIET_SECONDS = 5.0


class DamagedFileWarning(UserWarning):
    """A file failed its checksum or could not be parsed; it was set aside and is computed again."""


class DamagedFileError(ValueError):
    """A file is truncated, altered or no file of its kind. ``path`` is that file."""

    def __init__(self, message: str, path: str | os.PathLike[str] | None = None) -> None:
        super().__init__(message)
        self.path = None if path is None else Path(path)


def sha256_bytes(data: bytes) -> str:
    """The sha256 of ``data`` as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """The sha256 of a file's content as 64 hexadecimal digits; reads in blocks."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def canonical_json(obj: Any) -> str:
    """``obj`` as JSON text with one form only: sorted keys, floats by ``repr``, two-space indent, a
    trailing newline.

    Takes dicts with string or integer keys, lists, tuples, strings, numbers, booleans, None, and
    numpy or torch scalars and arrays. Raises ValueError for NaN and infinities and TypeError for
    anything else, naming the entry.
    """
    return (
        json.dumps(_plain(obj, "$"), sort_keys=True, allow_nan=False, ensure_ascii=False, indent=2)
        + "\n"
    )


def _plain(obj: Any, where: str) -> Any:
    """``obj`` in JSON's own types; ``where`` names the entry in messages ($ is the whole)."""
    if isinstance(obj, np.generic | np.ndarray | torch.Tensor):
        obj = obj.tolist()
    if obj is None or isinstance(obj, bool | str):
        return obj
    if isinstance(obj, int):
        return int(obj)
    if isinstance(obj, float):
        if not math.isfinite(obj):
            raise ValueError(
                f"JSON has no {obj}: {where} must be finite (use None for a missing number)"
            )
        return float(obj)
    if isinstance(obj, Mapping):
        return _plain_dict(obj, where)
    if isinstance(obj, list | tuple):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(obj)]
    raise TypeError(
        f"{where} is a {type(obj).__name__}: JSON takes dict, list, tuple, str, int, float, bool "
        "and None"
    )


def _plain_dict(obj: Mapping[Any, Any], where: str) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key, value in obj.items():
        if isinstance(key, bool) or not isinstance(key, str | int | np.integer):
            raise TypeError(
                f"{where} has the key {key!r}: JSON keys are strings (or integers, written as "
                "strings)"
            )
        if str(key) in plain:
            raise ValueError(f"{where} has two keys that are both written {str(key)!r}")
        plain[str(key)] = _plain(value, f"{where}.{key}")
    return plain


def fsync_folder(folder: str | os.PathLike[str]) -> None:
    """Force a folder's entries (names, renames) to disk. Windows has no such call and needs
    none."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync_file(path: Path) -> None:
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


@contextlib.contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary sibling of ``path`` to write; when the block ends well it becomes ``path``
    in one step.

    The file is fsynced, renamed over ``path``, and the folder fsynced; on any exception (Ctrl-C
    too) it is removed and ``path`` is as it was. The temporary keeps the suffix, since some writers
    choose their format by it. Parent folders are made. Raises FileNotFoundError when the block
    wrote nothing.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{_TEMPORARY}{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        yield temporary
        if not temporary.is_file():
            raise FileNotFoundError(
                f"nothing was written for {path}: write to the path that atomic() yields"
            )
        _fsync_file(temporary)
        os.replace(temporary, path)
        fsync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` atomically."""
    with atomic(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` to ``path`` atomically, as UTF-8 with the newlines given."""
    write_bytes(path, text.encode("utf-8"))


def write_json(path: str | os.PathLike[str], obj: Any) -> None:
    """Write :func:`canonical_json` of ``obj`` to ``path`` atomically."""
    write_text(path, canonical_json(obj))


def read_json(path: str | os.PathLike[str]) -> Any:
    """The content of a JSON file. Raises DamagedFileError (a ValueError) naming the file when it is
    no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except ValueError as error:  # JSONDecodeError and UnicodeDecodeError
        raise DamagedFileError(f"{path} is not valid JSON: {error}", path) from error


def write_sealed(path: str | os.PathLike[str], obj: Any) -> None:
    """As :func:`write_json`, with the checksum of the content beside it: for progress, which no
    manifest covers yet."""
    write_json(path, {"content": obj, "sha256": sha256_bytes(canonical_json(obj).encode())})


def read_sealed(path: str | os.PathLike[str]) -> Any:
    """What :func:`write_sealed` wrote. DamagedFileError (a ValueError) where a single digit of it
    was changed."""
    found = read_json(path)
    whole = isinstance(found, dict) and set(found) == {"content", "sha256"}
    if not whole or sha256_bytes(canonical_json(found["content"]).encode()) != found["sha256"]:
        raise DamagedFileError(f"{path} is not what was written: its checksum differs", path)
    return found["content"]


def save_arrays(
    path: str | os.PathLike[str],
    arrays: Mapping[str, torch.Tensor | np.ndarray],
    meta: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays (any shape, numeric or boolean) and string ``meta`` to a safetensors file,
    atomically.

    The same arrays and meta give the same bytes. Tensors are brought to the CPU. Raises TypeError
    for arrays of strings or objects and for meta that is not text.
    """
    for key, value in (meta or {}).items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise TypeError(f"meta maps str to str, got {key!r}: {value!r}")
    tensors = {name: _cpu_tensor(name, array) for name, array in arrays.items()}
    header = {_META_KEY: canonical_json(dict(meta))} if meta else None
    with atomic(path) as temporary:
        safetensors.torch.save_file(_unshared(tensors), temporary, metadata=header)


def _cpu_tensor(name: str, array: torch.Tensor | np.ndarray) -> torch.Tensor:
    if isinstance(array, torch.Tensor):
        return array.detach().cpu().contiguous()
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"array {name!r} has dtype {array.dtype}: only real numbers and booleans can be saved"
        )
    return torch.from_numpy(
        np.require(array, dtype=array.dtype.newbyteorder("="), requirements=["C", "W"])
    )


def _unshared(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors, those that are views of a larger or of an earlier one copied: safetensors
    refuses shared memory."""
    seen: set[int] = set()
    own = {}
    for name, tensor in tensors.items():
        storage = tensor.untyped_storage()
        shared = storage.data_ptr() in seen or storage.nbytes() != tensor.nbytes
        seen.add(storage.data_ptr())
        own[name] = tensor.clone() if shared else tensor
    return own


def load_arrays(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """The arrays of a safetensors file, on the CPU; nothing is unpickled. DamagedFileError when it
    cannot be read."""
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise DamagedFileError(
            f"{path} is not a readable safetensors file: {error}", path
        ) from error


def load_meta(path: str | os.PathLike[str]) -> dict[str, str]:
    """The ``meta`` that :func:`save_arrays` wrote ({} when there was none). DamagedFileError as
    :func:`load_arrays`."""
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise DamagedFileError(
            f"{path} is not a readable safetensors file: {error}", path
        ) from error
    return json.loads(header[_META_KEY]) if _META_KEY in header else {}


def _content(folder: Path) -> dict[str, Path]:
    """Relative name → file for all that is not hidden, sorted, without the manifest itself."""
    found: dict[str, Path] = {}
    for top, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            if not name.startswith("."):
                found[(Path(top) / name).relative_to(folder).as_posix()] = Path(top) / name
    found.pop(MANIFEST, None)
    return dict(sorted(found.items()))


def seal(folder: str | os.PathLike[str]) -> None:
    """Write MANIFEST.json (sha256 and size of each file below ``folder``), with everything forced
    to disk first."""
    folder = Path(folder)
    entries = {}
    for name, path in _content(folder).items():
        _fsync_file(path)
        entries[name] = {"sha256": sha256_file(path), "size": path.stat().st_size}
    for top in {path.parent for path in _content(folder).values()}:
        fsync_folder(top)
    write_json(folder / MANIFEST, {"files": entries})


def read_manifest(folder: str | os.PathLike[str]) -> dict[str, dict[str, Any]]:
    """Relative name → {"sha256", "size"} of a sealed folder. Raises DamagedFileError when there is
    no such list."""
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise DamagedFileError(f"{path} is missing", path)
    manifest = read_json(path)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict) or not all(
        isinstance(e, dict) and {"sha256", "size"} <= e.keys() for e in files.values()
    ):
        raise DamagedFileError(f"{path} is not a list of files with sha256 and size", path)
    return files


def verify(folder: str | os.PathLike[str]) -> list[str]:
    """What is wrong with a sealed folder, a line per file: missing, unexpected, another size,
    another sha256."""
    folder = Path(folder)
    try:
        expected = read_manifest(folder)
    except DamagedFileError as error:
        return [str(error)]
    found = _content(folder)
    problems = [f"{folder / name} is missing" for name in expected if name not in found]
    problems += [f"{folder / name} is not in {MANIFEST}" for name in found if name not in expected]
    for name in expected.keys() & found.keys():
        size = found[name].stat().st_size
        if size != expected[name]["size"]:
            problems.append(f"{found[name]} has {size} bytes instead of {expected[name]['size']}")
        elif _sha256_of(found[name]) != expected[name]["sha256"]:
            problems.append(f"{found[name]} has another sha256 than when it was written")
    return sorted(problems)


_SETTLED_NS = 100_000_000
"""Time since a file's last change from which a later change shows in its time stamp, whose clock
may tick a hundred times a second only."""
_hashed: dict[tuple[str, int, int, int, int], str] = {}


def _sha256_of(path: Path) -> str:
    """The file's sha256, taken once per process while its time stamps stay as they are: a run loads
    a training's weights hundreds of times."""
    status = path.stat()
    key = (str(path), status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key in _hashed:
        return _hashed[key]
    settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS
    found = sha256_file(path)
    if settled:
        _hashed[key] = found
    return found


def set_aside(path: str | os.PathLike[str], why: str = "it failed its checksum") -> Path:
    """Rename a damaged file or folder to ``<name>.broken-<k>``, warn (DamagedFileWarning), and
    return the new path."""
    path = Path(path)
    k = 1
    while (aside := path.with_name(f"{path.name}.broken-{k}")).exists():
        k += 1
    os.rename(path, aside)
    fsync_folder(path.parent)
    warnings.warn(
        f"{path} is damaged ({why}); it was set aside as {aside.name} and is computed again",
        DamagedFileWarning,
        stacklevel=2,
    )
    return aside


@contextlib.contextmanager
def lock(path: str | os.PathLike[str], *, wait: bool = True) -> Iterator[None]:
    """Hold ``<path>.lock`` against other processes and threads; says so on stderr when it waits
    more than 5 s.

    The lock is the operating system's: it ends with the process that holds it, killed or not, so
    none is ever stale. With ``wait=False`` a lock that is held raises ``filelock.Timeout`` at once.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    guard = filelock.FileLock(path.with_name(path.name + ".lock"), poll_interval=0.05)
    try:
        guard.acquire(timeout=_QUIET_SECONDS if wait else 0)
    except filelock.Timeout:
        if not wait:
            raise
        print(f"waiting for another process that works on {path} ...", file=sys.stderr, flush=True)
        guard.acquire()
    try:
        yield
    finally:
        guard.release()


def remove_hidden(folder: str | os.PathLike[str]) -> None:
    """Delete the scratch of ``folder``: every file and folder below it whose name starts with a
    dot."""
    for top, folders, files in os.walk(folder):
        for name in [name for name in folders if name.startswith(".")]:
            shutil.rmtree(Path(top) / name)
            folders.remove(name)
        for name in files:
            if name.startswith("."):
                (Path(top) / name).unlink()
