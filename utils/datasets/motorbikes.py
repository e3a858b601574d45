"""Motorbikes of ShapeNet-part (Yi et al. 2016) in nine annotated parts, beside chairs and monitors
of ModelNet10: the one real task here whose clouds have parts.

``pointclouds/shapenet_motorbike_players.npz`` of the data cache holds 99 motorbikes whose points Li
and Zhang 2023 marked as nine sub-parts, their players. Other classes of ShapeNet are there with one
shape each, so that no classifier can be trained on ShapeNet alone; the other two classes are those
of ``modelnet10_voxels``.

**The classes come from two sources**, so a network may tell a motorbike by how its points were
made. What can be made equal is: motorbikes are turned (ShapeNet's y axis is up, ModelNet's z axis),
fitted into the same 32 x 32 x 32 cells, and sampled as :mod:`.modelnet_voxels` says. What stays
different is that their cells are those hit by about 2,750 points, not those cut by a mesh. A
verdict speaks of interactions of a network that solves this task, not of how well motorbikes are
recognised.

Of each part at least four points are kept (all, where a part has fewer cells), so that small parts,
the lights, are not lost among 128 points. Of every two motorbikes the second is a test shape,
beside as many of each other class. Parts of chairs and monitors are -1, none. ``ids`` count the
motorbikes of the file, then the rows of the other.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from .. import paths
from .base import DamagedData, Raw, Source, Split, balanced, checked_bytes
from .clouds import drawn_of_each, hashed, unit_ball
from .manual import by_hand
from .modelnet_voxels import FILE as OTHERS
from .modelnet_voxels import MODELNET10_VOXELS

__all__ = ["MOTORBIKES", "PARTS", "voxelised"]

PARTS = (
    "gas tank",
    "seat",
    "handle",
    "light",
    "front wheel",
    "back wheel",
    "front frame",
    "back frame",
    "mid frame",
)
_FILE = Path("pointclouds") / "shapenet_motorbike_players.npz"
_SHA256 = "cc1481f08caf6073a536e6e421bfb99ee7204bcfd378515d31bfc289891b4d85"
_POINTS, _SIDE, _LEAST = 128, 32, 4
_HOW = (
    f"motorbikes is {_FILE} and {OTHERS} of the data cache (data/README.md). The first is made of "
    "data/player-segments/shapenet-segments/motorbike/ of the GitHub repository "
    "sjtu-xai-lab/interaction-concept at e92e77673946b20d153e80e840df4a456dd70d08. ShapeNet is for "
    "non-commercial research (https://shapenet.org)"
)


def _find() -> Path | None:
    cache = paths.data_cache()
    there = all((cache / name).is_file() for name in (_FILE, OTHERS))
    return (cache / _FILE).parent if there else None


def voxelised(points: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Occupied cells (N, 3) of 32 a side, the longest side of the cloud filling them, in the order
    of the cells, and the part (N,) of most points in each (the first of several)."""
    low, high = points.min(0), points.max(0)
    scale = _SIDE / (high - low).max()
    cells = np.minimum(((points - low) * scale).astype(np.int64), _SIDE - 1)
    occupied, which = np.unique(cells, axis=0, return_inverse=True)
    votes = np.zeros((len(occupied), len(PARTS)), dtype=np.int64)
    np.add.at(votes, (which.reshape(-1), part), 1)
    return occupied, votes.argmax(1)


def _motorbikes(folder: Path, split: Split) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clouds (N, 128, 3), parts (N, 128) and their numbers in the file."""
    mend = f"Copy it again: {_HOW}."
    content = checked_bytes(folder / _FILE.name, _SHA256, mend)
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        points, part, offsets = (stored[name] for name in ("points", "part", "offsets"))
        if tuple(stored["part_names"].tolist()) != PARTS:
            raise DamagedData(f"{folder / _FILE.name} names other parts. {mend}")
    ids = np.arange(len(offsets) - 1)[(split == "test") :: 2]
    clouds, parts = [], []
    for i in ids:
        own = slice(offsets[i], offsets[i + 1])
        # z, x, y: a rotation that takes the y axis to the z axis
        cells, of = voxelised(points[own][:, [2, 0, 1]].astype(np.float64), part[own])
        key = f"motorbikes/{i}"
        kept = drawn_of_each(of, _POINTS, key, _LEAST)
        clouds.append(unit_ball(cells[kept] + hashed(f"{key}/inside", _POINTS, 3)))
        parts.append(of[kept])
    return np.stack(clouds), np.stack(parts), ids


def _read(folder: Path, split: Split) -> Raw:
    clouds, parts, ids = _motorbikes(folder, split)
    others = MODELNET10_VOXELS.read(folder, split)
    if split == "test":
        others = others.at(balanced(others.labels, 2 * len(ids)))
    none = np.full((len(others.x), _POINTS), -1, dtype=parts.dtype)
    # Chairs and monitors keep the numbers of their own set, behind the motorbikes of both splits.
    return Raw(
        np.concatenate([clouds, others.x]),
        np.concatenate([np.zeros(len(ids), dtype=np.int64), others.labels + 1]),
        np.concatenate([ids, others.ids + 99]),
        np.concatenate([parts, none]),
    )


MOTORBIKES = Source(
    "motorbikes",
    ("motorbike", *MODELNET10_VOXELS.classes),
    (_POINTS, 3),
    _find,
    _read,
    by_hand(_HOW),
    kind="points",
    sha256={
        "train": ("94b961b6b24a1459061ff91ee0325a71abf0ba8d307ff6bef5725ede522d1d45",),
        "test": ("23f21f6676f45b4500a913945d0cf24e83d69d8aa9c92ea80e79931ef262101b",),
    },
)
