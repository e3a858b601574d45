"""Bike sharing (Fanaee-T and Gama 2013, UCI 275, CC BY 4.0): how many bikes were hired in an hour
in Washington, a regression. Embedded.

17,379 hours of 2011 and 2012. Ten of the twelve columns, in their own units and order:
``feel_temp`` is ``temp`` again (their correlation is .99) and ``season`` says ``month`` again.
Weather is a scale, from 1, clear, to 4, heavy rain. The target is the number of hires in hundreds.
The split is ours and fixed: days 1 to 19 of every month are training, the others test, which is
that of the Kaggle competition on this set (2014), so that no test hour lies between two training
hours.
"""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from . import embedded
from .base import About, Raw, Source, Split

__all__ = ["BIKE_SHARING"]

_COLUMNS = (
    "year",
    "month",
    "hour",
    "holiday",
    "weekday",
    "workingday",
    "weather",
    "temp",
    "humidity",
    "windspeed",
)
_WEATHER = {"clear": 1, "misty": 2, "rain": 3, "heavy_rain": 4}
_TRAINING_DAYS = 19


def _read(folder: Path, split: Split) -> Raw:
    rows = list(csv.DictReader(embedded.content(folder, "bike.csv").decode().splitlines()))
    cells = [[_WEATHER.get(row[name], row[name]) for name in _COLUMNS] for row in rows]
    x = np.array(cells, dtype=np.float32)
    hires = np.array([row["count"] for row in rows], dtype=np.float32) / 100
    kept = np.flatnonzero((_day_of_month(x) <= _TRAINING_DAYS) == (split == "train"))
    return Raw(x[kept], hires[kept], kept)


def _day_of_month(x: np.ndarray) -> np.ndarray:
    """(hours,): the set has no dates, but its hours are in order and none of the 731 days is
    missing (a test compares with UCI's dates)."""
    month, hour = x[:, 1], x[:, 2]
    month_starts = np.diff(month, prepend=month[0] - 1) != 0
    day_starts = month_starts | (np.diff(hour, prepend=24) <= 0)
    number = np.cumsum(day_starts)
    first = np.maximum.accumulate(np.where(month_starts, number, 0))
    return number - first + 1


BIKE_SHARING = Source(
    "bike_sharing",
    (),
    (len(_COLUMNS),),
    lambda: embedded.folder("bike_sharing"),
    _read,
    kind="table",
    about=About(columns=_COLUMNS),
    sha256={
        "train": ("b4db8a77d5b8df9f9486769956ece5a13dfd218390834e5fb499a3a06cc71b6c",),
        "test": ("0934cf63406a06c07125b8bb60cde02e00543dc5d02b36027877ad96cb498a64",),
    },
)
