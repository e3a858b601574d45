"""Breast cancer Wisconsin, diagnostic (Wolberg, Mangasarian, Street, Street 1993): the table that
comes with scikit-learn.

569 biopsies, malignant or benign; of the 30 columns the ten "mean" features. Nothing is downloaded.
The split is ours and fixed: of each class the third, sixth and ninth of every ten rows, in the
table's order, are test rows, so that both parts have the table's shares of classes (37 %
malignant).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from .base import About, DamagedData, Raw, Source, Split, checked_bytes

__all__ = ["BREAST_CANCER"]

_COLUMNS = (
    "mean radius",
    "mean texture",
    "mean perimeter",
    "mean area",
    "mean smoothness",
    "mean compactness",
    "mean concavity",
    "mean concave points",
    "mean symmetry",
    "mean fractal dimension",
)
_TEST_OF_TEN = (2, 5, 8)
_FILE = Path("datasets") / "data" / "breast_cancer.csv"
_SHA256 = "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"
_MEND = "Install scikit-learn again: `pip install --force-reinstall scikit-learn`."


def _find() -> Path | None:
    """The package's folder, found without importing it (which takes a second)."""
    found = importlib.util.find_spec("sklearn")
    return None if found is None or found.origin is None else Path(found.origin).parent


def _read(folder: Path, split: Split) -> Raw:
    checked_bytes(folder / _FILE, _SHA256, _MEND)
    from sklearn.datasets import load_breast_cancer

    table = load_breast_cancer()
    if tuple(table.feature_names[: len(_COLUMNS)]) != _COLUMNS:
        raise DamagedData(
            "scikit-learn names other columns than the published ones: "
            f"{list(table.feature_names)}. {_MEND}"
        )
    labels = table.target
    occurrence = np.zeros(len(labels), dtype=np.int64)
    for label in np.unique(labels):
        occurrence[labels == label] = np.arange((labels == label).sum())
    rows = np.flatnonzero(np.isin(occurrence % 10, _TEST_OF_TEN) == (split == "test"))
    values = table.data[rows, : len(_COLUMNS)].astype(np.float32)
    return Raw(values, labels[rows], rows)


BREAST_CANCER = Source(
    "breast_cancer",
    ("malignant", "benign"),
    (len(_COLUMNS),),
    _find,
    _read,
    package="scikit-learn",
    kind="table",
    about=About(columns=_COLUMNS),
    sha256={
        "train": ("d297abc2db017d049f899228edf20869fbbba3a8b6373baaf4c785987822708b",),
        "test": ("ed9125c79e865c21afdb224940a3b06dd158cea5e3fc785fa02138d69bb1b15d",),
    },
)
