"""ModelNet10 and ModelNet40, all of them (Wu et al. 2015): meshes of 10 or 40 classes as point
clouds, from the data cache, where the archives' files have to be put by hand (academic use).

The layout is the archives' own: ``ModelNet10/CLASS/{train,test}/CLASS_0001.off``. A cloud is 1,024
points, uniform on the surface, drawn by a hash of the mesh's name, centred and scaled to the unit
ball (Qi et al. 2017, Section 5.1). ``reproduce data modelnet10`` makes ``modelnet10_1024.npz`` of
the meshes once. Shapes are ordered by class and number, ``ids`` are their places. The checksums of
the archives are not known here: that of what is used stands in every verdict, and the number of
meshes must be the published one.
"""

from __future__ import annotations

import functools
import itertools
from pathlib import Path

import numpy as np

from . import prepared
from .base import DamagedData, MissingData, Raw, Source, Split
from .clouds import hashed, unit_ball

__all__ = [
    "CLASSES10",
    "CLASSES40",
    "MODELNET10",
    "MODELNET40",
    "on_surface",
    "parse_off",
    "prepare",
]

CLASSES10 = (
    "bathtub",
    "bed",
    "chair",
    "desk",
    "dresser",
    "monitor",
    "night_stand",
    "sofa",
    "table",
    "toilet",
)
CLASSES40 = (
    "airplane",
    "bathtub",
    "bed",
    "bench",
    "bookshelf",
    "bottle",
    "bowl",
    "car",
    "chair",
    "cone",
    "cup",
    "curtain",
    "desk",
    "door",
    "dresser",
    "flower_pot",
    "glass_box",
    "guitar",
    "keyboard",
    "lamp",
    "laptop",
    "mantel",
    "monitor",
    "night_stand",
    "person",
    "piano",
    "plant",
    "radio",
    "range_hood",
    "sink",
    "sofa",
    "stairs",
    "stool",
    "table",
    "tent",
    "toilet",
    "tv_stand",
    "vase",
    "wardrobe",
    "xbox",
)
_MESHES: dict[str, dict[Split, int]] = {
    "ModelNet10": {"train": 3991, "test": 908},
    "ModelNet40": {"train": 9843, "test": 2468},
}
_POINTS = 1024


def parse_off(text: str, what: str) -> np.ndarray:
    """Triangles (N, 3, 3), float64, of a mesh in OFF; faces with more corners are cut into fans.

    Some files of ModelNet40 have no line break behind the word OFF. DamagedData, naming ``what``,
    for anything else.
    """
    words = text.split()
    try:
        if not words or not words[0].startswith("OFF"):
            raise ValueError("it does not start with OFF")
        words = ([words[0][3:]] if words[0] != "OFF" else []) + words[1:]
        corners, faces = int(words[0]), int(words[1])
        points = np.array(words[3 : 3 + 3 * corners], dtype=np.float64).reshape(corners, 3)
        rest, at, triangles = list(map(int, words[3 + 3 * corners :])), 0, []
        for _ in range(faces):
            face = rest[at + 1 : at + 1 + rest[at]]
            triangles += [(face[0], b, c) for b, c in itertools.pairwise(face[1:])]
            at += 1 + rest[at]
        return points[np.array(triangles, dtype=np.int64).reshape(-1, 3)]
    except (ValueError, IndexError) as error:
        raise DamagedData(f"{what} is no mesh in OFF: {error}") from error


def on_surface(triangles: np.ndarray, count: int, key: str) -> np.ndarray:
    """``count`` points (count, 3), uniform on triangles (N, 3, 3), drawn by ``key``."""
    a, b, c = triangles.swapaxes(0, 1)
    share = np.linalg.norm(np.cross(b - a, c - a), axis=1).cumsum()
    if not len(share) or not share[-1] > 0:
        raise DamagedData(f"{key} has no surface")
    where, u, v = hashed(key, 3, count)
    chosen = np.searchsorted(share, where * share[-1], side="right")
    root = np.sqrt(u)[:, None]
    return (1 - root) * a[chosen] + root * ((1 - v[:, None]) * b[chosen] + v[:, None] * c[chosen])


def prepare(cache: Path, *, name: str, classes: tuple[str, ...]) -> None:
    """Makes the compact file of the meshes in ``cache``. MissingData that says what to put where;
    DamagedData for another number of meshes, or a file that is none."""
    root = cache / name
    if not root.is_dir():
        raise MissingData(
            f"put the folder {name} of {name}.zip (https://modelnet.cs.princeton.edu; academic "
            f"use) into the data cache, unpacked, then call `reproduce data {name.lower()}` again"
        )
    splits: dict[Split, Raw] = {}
    for split, expected in _MESHES[name].items():
        files = [
            (k, f) for k, c in enumerate(classes) for f in sorted((root / c / split).glob("*.off"))
        ]
        if len(files) != expected:
            raise DamagedData(
                f"{root} has {len(files)} {split} meshes, the published set has {expected}"
            )
        found = [
            unit_ball(on_surface(parse_off(f.read_text(), str(f)), _POINTS, f"{name}/{f.stem}"))
            for _, f in files
        ]
        labels = np.array([k for k, _ in files])
        splits[split] = Raw(np.stack(found), labels, np.arange(len(files)))
    prepared.write(cache, f"{name.lower()}_{_POINTS}", splits, {"from": name})


def _source(name: str, classes: tuple[str, ...]) -> Source:
    file = f"{name.lower()}_{_POINTS}"
    again = f"`reproduce data {name.lower()}`"
    return Source(
        name.lower(),
        classes,
        (_POINTS, 3),
        functools.partial(prepared.find, file),
        functools.partial(prepared.read, name=file, again=again),
        functools.partial(prepare, name=name, classes=classes),
        kind="points",
    )


MODELNET10 = _source("ModelNet10", CLASSES10)
MODELNET40 = _source("ModelNet40", CLASSES40)
