"""ShapeNet-part, all of it (Yi et al. 2016): 16 classes of annotated point clouds, from the data
cache, where its owners' files have to be put by hand (registration; non-commercial research).

Two layouts are read, as their archives unpack:

- ``shapenetcore_partanno_segmentation_benchmark_v0``: ``SYNSET/points/ID.pts`` (x y z a line),
  ``SYNSET/points_label/ID.seg`` (a whole number a line: the part within the class, from 1; what Li
  and Zhang 2023 used);
- ``shapenetcore_partanno_segmentation_benchmark_v0_normal``: ``SYNSET/ID.txt`` (x y z, normal, and
  the part among all 50, from 0).

Both have ``train_test_split/shuffled_{train,val,test}_file_list.json``; train and val together are
the training split, as in Qi et al. 2017. A cloud is 1,024 of a shape's points, drawn by a hash of
its id, centred and scaled to the unit ball. A shape with fewer is left out;
``reproduce data shapenet_part`` makes ``shapenet_part_1024.npz`` of the files once, and the
``.json`` beside it says how many. ``ids`` are
places in the file lists, ``parts`` the numbers of the layout. The checksums of the archives are not
known here: that of what is used stands in every verdict, and the number of shapes in the lists must
be the published one.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path

import numpy as np

from . import prepared
from .base import DamagedData, MissingData, Raw, Source, Split
from .clouds import drawn, unit_ball

__all__ = ["SHAPENET_PART", "SYNSETS", "prepare"]

SYNSETS = {
    "02691156": "airplane",
    "02773838": "bag",
    "02954340": "cap",
    "02958343": "car",
    "03001627": "chair",
    "03261776": "earphone",
    "03467517": "guitar",
    "03624134": "knife",
    "03636649": "lamp",
    "03642806": "laptop",
    "03790512": "motorbike",
    "03797390": "mug",
    "03948459": "pistol",
    "04099429": "rocket",
    "04225987": "skateboard",
    "04379243": "table",
}
_NAME = "shapenetcore_partanno_segmentation_benchmark_v0"
_LISTS: dict[Split, tuple[str, ...]] = {"train": ("train", "val"), "test": ("test",)}
_SHAPES = {"train": 14007, "test": 2874}  # Qi et al. 2017: 16,881 shapes
_POINTS = 1024
_PREPARED = "shapenet_part_1024"
_HOW = (
    f"put the folder {_NAME} or {_NAME}_normal of ShapeNet-part (register at https://shapenet.org; "
    "non-commercial research) into the data cache, unpacked, then call `reproduce data "
    "shapenet_part` again"
)


def prepare(cache: Path) -> None:
    """Makes the compact file of the owners' files in ``cache``. MissingData that says what to put
    where; DamagedData for lists of another length, a shape that is missing or lines that are none.
    """
    roots = [
        cache / f"{_NAME}{end}" for end in ("_normal", "") if (cache / f"{_NAME}{end}").is_dir()
    ]
    if not roots:
        raise MissingData(_HOW)
    splits: dict[Split, Raw] = {}
    left_out = {}
    for split, expected in _SHAPES.items():
        shapes = _listed(roots[0], split)
        if len(shapes) != expected:
            raise DamagedData(
                f"{roots[0]} lists {len(shapes)} {split} shapes, the published set has {expected}"
            )
        found = [_shape(roots[0], shape, place) for place, shape in enumerate(shapes)]
        kept = [one for one in found if one is not None]
        splits[split] = Raw(*(np.stack(column) for column in zip(*kept, strict=True)))
        left_out[split] = len(found) - len(kept)
    note = {"from": roots[0].name, f"shapes of fewer than {_POINTS} points": left_out}
    prepared.write(cache, _PREPARED, splits, note)


def _listed(root: Path, split: Split) -> list[str]:
    """``SYNSET/ID`` of every shape of a split, in the order of the lists."""
    found: list[str] = []
    for name in _LISTS[split]:
        path = root / "train_test_split" / f"shuffled_{name}_file_list.json"
        if not path.is_file():
            raise DamagedData(f"{path} is missing: {_HOW}")
        entries = json.loads(path.read_text(encoding="utf-8"))
        found += ["/".join(entry.split("/")[-2:]) for entry in entries]
    return found


def _shape(root: Path, shape: str, place: int) -> tuple[np.ndarray, ...] | None:
    """Cloud (1024, 3), label, place, parts (1024,) of one shape; None for one of fewer points."""
    synset, _, name = shape.partition("/")
    if synset not in SYNSETS:
        raise DamagedData(f"{root} lists the unknown class {synset}")
    try:
        if root.name.endswith("_normal"):
            table = np.loadtxt(root / synset / f"{name}.txt", dtype=np.float64, ndmin=2)
            points, part = table[:, :3], table[:, -1].astype(np.int64)
        else:
            points = np.loadtxt(root / synset / "points" / f"{name}.pts", ndmin=2)
            part = np.loadtxt(
                root / synset / "points_label" / f"{name}.seg", dtype=np.int64, ndmin=1
            )
    except (OSError, ValueError) as error:
        raise DamagedData(f"the shape {shape} of {root} cannot be read: {error}") from error
    if points.shape != (len(part), 3):
        raise DamagedData(
            f"the shape {shape} of {root} has {points.shape} points, {len(part)} labels"
        )
    if len(points) < _POINTS:
        return None
    kept = drawn(len(points), _POINTS, f"shapenet_part/{shape}")
    label = list(SYNSETS).index(synset)
    return unit_ball(points[kept]), np.int64(label), np.int64(place), part[kept].astype(np.int16)


SHAPENET_PART = Source(
    "shapenet_part",
    tuple(SYNSETS.values()),
    (_POINTS, 3),
    functools.partial(prepared.find, _PREPARED),
    functools.partial(prepared.read, name=_PREPARED, again="`reproduce data shapenet_part`"),
    prepare,
    kind="points",
)
