"""Adult, or census income (Kohavi and Becker 1996, UCI 2, CC BY 4.0): who earns more than 50,000
dollars a year. Embedded, UCI's own files byte for byte, in UCI's own split.

The twelve variables of the papers' networks (their code's ``census``): all but ``fnlwgt``, which
weighs a row and describes nobody, and ``education``, which ``education-num`` says again. Five are
numbers in their own units. Seven are categories, each a group of columns that is 1 for the row's
level and 0 for the others; which numbers the papers gave them is not published. A level with less
than 1 % of the training rows (a handful of countries' citizens, say) has no column: its rows are 0
in the whole group. ``?``, unknown, is a level like any other.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from . import embedded
from .base import About, Raw, Source, Split

__all__ = ["ADULT"]

_CELLS = 15  # of a row in UCI's files; the last is the class
_VARIABLES = {  # variable → its cell
    "age": 0,
    "workclass": 1,
    "education-num": 4,
    "marital-status": 5,
    "occupation": 6,
    "relationship": 7,
    "race": 8,
    "sex": 9,
    "capital-gain": 10,
    "capital-loss": 11,
    "hours-per-week": 12,
    "native-country": 13,
}
_LEVELS = {
    "workclass": "Private|Self-emp-not-inc|Local-gov|?|State-gov|Self-emp-inc|Federal-gov",
    "marital-status": "Married-civ-spouse|Never-married|Divorced|Separated|Widowed|"
    "Married-spouse-absent",
    "occupation": "Prof-specialty|Craft-repair|Exec-managerial|Adm-clerical|Sales|Other-service|"
    "Machine-op-inspct|?|Transport-moving|Handlers-cleaners|Farming-fishing|Tech-support|"
    "Protective-serv",
    "relationship": "Husband|Not-in-family|Own-child|Unmarried|Wife|Other-relative",
    "race": "White|Black|Asian-Pac-Islander",
    "sex": "Male|Female",
    "native-country": "United-States|Mexico|?",
}
"""Of each category the levels with at least 1 % of the training rows, the most frequent first (a
test counts)."""


def _columns() -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """Names of the columns, ``age`` or ``sex = Female``, and the groups that are one variable."""
    names: list[str] = []
    groups = []
    for variable in _VARIABLES:
        if variable in _LEVELS:
            levels = _levels(variable)
            groups.append(tuple(range(len(names), len(names) + len(levels))))
            names += [f"{variable} = {level}" for level in levels]
        else:
            names.append(variable)
    return tuple(names), tuple(groups)


def _levels(variable: str) -> list[str]:
    return _LEVELS[variable].split("|")


_NAMES, _GROUPS = _columns()


def _read(folder: Path, split: Split) -> Raw:
    text = embedded.content(folder, "adult.data" if split == "train" else "adult.test").decode()
    rows = np.array([r for line in text.splitlines() if len(r := line.split(", ")) == _CELLS])
    columns = []
    for variable, cell in _VARIABLES.items():
        if variable in _LEVELS:
            columns += [rows[:, cell] == level for level in _levels(variable)]
        else:
            columns.append(rows[:, cell])
    labels = np.char.startswith(rows[:, -1], ">").astype(np.int64)
    x = np.stack([column.astype(np.float32) for column in columns], axis=1)
    return Raw(x, labels, np.arange(len(rows)))


ADULT = Source(
    "adult",
    ("at most 50K", "more than 50K"),
    (len(_NAMES),),
    lambda: embedded.folder("adult"),
    _read,
    kind="table",
    about=About(columns=_NAMES, groups=_GROUPS),
    sha256={
        "train": ("cb14cf0bd2402d5db2037b93b48d647517be26c59017a2e60d55ca418b048dc1",),
        "test": ("71736ee4b1bfb2b12d082d6f8a7d2c6a0c758bac4c13dc7c59c260ade8af1a4f",),
    },
)
