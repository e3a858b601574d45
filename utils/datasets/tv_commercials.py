"""TV news commercials (Guha, Kannao and Soni 2014, UCI 326, CC BY 4.0), channel BBC, from the data
cache: is a shot of a news broadcast part of a commercial?

17,720 shots, 47 % of them commercial; of the 4,125 dimensions the ten that the papers' code names:
1, 2, 4, 6, 8, 10, 12, 14, 16 and 4124, the shot's length and the means of its motion and sound. The
file is another's conversion of UCI's to columns, values as written there, a missing one as 0.

Neighbouring shots are of one commercial, so that the split is by blocks: of every five blocks of
100 shots, in order of broadcast, the third is test. Ours and fixed; the papers' is not published.
"""

from __future__ import annotations

import urllib.request
from pathlib import Path

import numpy as np

from .. import io, paths
from .base import About, DamagedData, Raw, Source, Split, checked_bytes

__all__ = ["TV_COMMERCIALS"]

_COLUMNS = {  # dimension of the original → its name in the file's header
    1: "Shot_Length",
    2: "Motion_Distribution_Mean",
    4: "Frame_Diff_Distribution_Mean",
    6: "Short_Time_Energy_Mean",
    8: "ZCR_Mean",
    10: "Spectral_Centroid_Mean",
    12: "Spectral_Roll_Off_Mean",
    14: "Spectral_Flux_Mean",
    16: "Fundamental_Frequency_Mean",
    4124: "Edge_Change_Ratio_Mean",
}
_FILE = Path("tv_commercials") / "BBC.csv"
_SHA256 = "e160b8e98514453bc57aa4487c18701fcc25a30612c789c0dab647512f00333e"
_COMMIT = "9e199e523add0a9aea77cedce8f0936cfbc1b0bb"  # later ones hold the file empty
_URL = (
    "https://raw.githubusercontent.com/KrishnaKoushik-G/tv-commercial-data-analysis/"
    f"{_COMMIT}/BBC.csv"
)
_MEND = "Delete it, then `reproduce data tv_commercials` downloads it again."
_BLOCK, _TEST_OF_FIVE = 100, 2


def _find() -> Path | None:
    path = paths.data_cache() / _FILE
    return path.parent if path.is_file() else None


def _read(folder: Path, split: Split) -> Raw:
    path = folder / _FILE.name
    header, *lines = checked_bytes(path, _SHA256, _MEND).decode().splitlines()
    names = header.split(",")
    cells = np.array([line.split(",") for line in lines])
    block = np.arange(len(cells)) // _BLOCK
    kept = np.flatnonzero((block % 5 == _TEST_OF_FIVE) == (split == "test"))
    x = cells[np.ix_(kept, [names.index(name) for name in _COLUMNS.values()])].astype(np.float32)
    return Raw(x, (cells[kept, names.index("label")] == "1").astype(np.int64), kept)


def _download(cache: Path) -> None:
    """The converted file, known by its checksum. UCI's own archive has another format and a
    checksum that is not known here, so that it is not taken."""
    path = cache / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".download")
    with urllib.request.urlopen(_URL, timeout=60) as answer:
        io.write_bytes(aside, answer.read())
    try:
        checked_bytes(aside, _SHA256, f"It came from {_URL} and was not taken.")
    except DamagedData:
        aside.rename(path.with_suffix(".refused"))
        raise
    aside.rename(path)


TV_COMMERCIALS = Source(
    "tv_commercials",
    ("not commercial", "commercial"),
    (len(_COLUMNS),),
    _find,
    _read,
    _download,
    kind="table",
    about=About(columns=tuple(name.replace("_", " ").lower() for name in _COLUMNS.values())),
    sha256={
        "train": ("f36588c9bb120be52cb9cab9adc72d646cfbf1a93b7c6b3cf1f4cd22f250368e",),
        "test": ("48d3104453d9e5207e0a4b69863874eade5dc881756014fc9e8bad32073d1994",),
    },
)
