"""The IDX format of the original MNIST files: a big-endian header, then uint8 values."""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path

import numpy as np

from .base import DamagedData

__all__ = ["encode", "find", "gunzip", "parse"]

_UINT8 = 0x08


def find(folder: Path, name: str) -> Path | None:
    """The IDX file ``name`` in ``folder``, plain or with ``.gz``; None when neither is there."""
    return next((path for path in (folder / name, folder / f"{name}.gz") if path.is_file()), None)


def gunzip(content: bytes, path: Path, mend: str) -> bytes:
    """``content`` uncompressed if ``path`` ends in .gz; DamagedData for a truncated or corrupt
    stream."""
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DamagedData(f"{path} is no complete gzip file ({error}). {mend}") from error


def parse(content: bytes) -> np.ndarray:
    """The uint8 array in ``content``, of the shape its header says; ValueError when header and
    length disagree."""
    if len(content) < 4 or content[:3] != bytes((0, 0, _UINT8)):
        raise ValueError(
            f"not an IDX file of unsigned bytes: it starts with {content[:4].hex()}, expected "
            "000008.."
        )
    dimensions = content[3]
    start = 4 + 4 * dimensions
    if len(content) < start:
        raise ValueError(
            f"an IDX header of {dimensions} dimensions needs {start} bytes, there are "
            f"{len(content)}"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:start])
    expected = start + int(np.prod(shape, dtype=np.int64))
    if len(content) != expected:
        raise ValueError(
            f"an IDX file of shape {shape} has {expected} bytes, this one {len(content)}"
        )
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def encode(values: np.ndarray) -> bytes:
    """The IDX bytes of a uint8 array (the inverse of ``parse``)."""
    if values.dtype != np.uint8:
        raise ValueError(f"IDX here holds uint8, got {values.dtype}")
    return (
        bytes((0, 0, _UINT8, values.ndim))
        + struct.pack(f">{values.ndim}I", *values.shape)
        + values.tobytes()
    )
