"""Chairs and monitors of ModelNet10 (Wu et al. 2015) as point clouds, from the data cache: real
shapes of two classes, voxelised by others.

``pointclouds/modelnet10_voxels32.npz`` holds the training shapes of two of the ten classes on a
grid of 32 x 32 x 32 cells. A cloud is 128 different occupied cells, one point anywhere inside each,
drawn by a hash of the shape's number, so that neither the lattice nor ties between distances are
left; then centred and scaled to the unit ball. Points stand in the order of their cells.

Some shapes voxelise alike: the first of equal grids is kept (839 and 451 shapes), and no grid is in
both splits. The split is ours and fixed, as the original test shapes are not there: of each class
the third, sixth and ninth of every ten distinct shapes are test shapes, as many chairs (the first)
as there are monitors, so that the test loss is of the same mixture as that of a class-balanced
training part. ``ids`` count the rows of the file, chairs first.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from .. import paths
from .base import DamagedData, Raw, Source, Split, checked_bytes
from .clouds import drawn, hashed, unit_ball
from .manual import by_hand

__all__ = ["FILE", "MODELNET10_VOXELS", "cloud", "distinct", "grids_of"]

FILE = Path("pointclouds") / "modelnet10_voxels32.npz"
_SHA256 = "215e56b66423687db5466f6dc5d88c66246f802976845f782b1377bbaa72c2f6"
_CLASSES = ("chair", "monitor")
_POINTS, _SIDE = 128, 32
_TEST_OF_TEN = (2, 5, 8)
_HOW = (
    f"modelnet10_voxels is {FILE} of the data cache: chair.npy.gz and monitor.npy.gz of the GitHub "
    "repository SomTambe/ModelNet10-dataset at 4d0b73133baf34f23b2735875a5f9ea1dfaf8d11, packed "
    "bit by bit (data/README.md). ModelNet is for academic use (https://modelnet.cs.princeton.edu)"
)


def _find() -> Path | None:
    path = paths.data_cache() / FILE
    return path.parent if path.is_file() else None


def grids_of(folder: Path) -> list[np.ndarray]:
    """Occupancy (N, 4096) of each class as stored, a bit per cell; DamagedData for another file."""
    mend = f"Copy it again: {_HOW}."
    content = checked_bytes(folder / FILE.name, _SHA256, mend)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        if int(stored["resolution"]) != _SIDE:
            raise DamagedData(f"{folder / FILE.name} has another resolution. {mend}")
        return [stored[name] for name in _CLASSES]


def distinct(grids: np.ndarray) -> np.ndarray:
    """Positions of the first of equal grids (N, bytes), ascending."""
    first: dict[bytes, int] = {}
    for i, grid in enumerate(grids):
        first.setdefault(grid.tobytes(), i)
    return np.array(list(first.values()))


def cloud(grid: np.ndarray, key: str, count: int) -> np.ndarray:
    """``count`` points in different occupied cells of a grid (4096,) of bits, drawn by ``key``:
    float32 (count, 3) in the unit ball, in the order of the cells."""
    cells = np.argwhere(np.unpackbits(grid).reshape(_SIDE, _SIDE, _SIDE))
    cells = cells[drawn(len(cells), count, key)]
    return unit_ball(cells + hashed(f"{key}/inside", count, 3))


def _part(kept: np.ndarray, split: Split) -> np.ndarray:
    """Those of a class's shapes that are of the split."""
    return kept[np.isin(np.arange(len(kept)) % 10, _TEST_OF_TEN) == (split == "test")]


def _read(folder: Path, split: Split) -> Raw:
    clouds, labels, ids, before = [], [], [], 0
    every = grids_of(folder)
    parts = [_part(distinct(grids), split) for grids in every]
    most = min(map(len, parts)) if split == "test" else None
    for label, (grids, part) in enumerate(zip(every, parts, strict=True)):
        chosen = part[:most]
        ids += (chosen + before).tolist()
        clouds += [cloud(grids[i], f"modelnet10_voxels/{i + before}", _POINTS) for i in chosen]
        labels += [label] * len(chosen)
        before += len(grids)
    return Raw(np.stack(clouds), np.asarray(labels), np.asarray(ids))


MODELNET10_VOXELS = Source(
    "modelnet10_voxels",
    _CLASSES,
    (_POINTS, 3),
    _find,
    _read,
    by_hand(_HOW),
    kind="points",
    sha256={
        "train": ("ff2aa9c10da147b3a1376e1c894a39d3538472b82a8e164645334af7fff86615",),
        "test": ("2a2a30cb8a328a0d4bc494bfcd455b68f8aee1bb175e7b41064d435ea608c2a9",),
    },
)
