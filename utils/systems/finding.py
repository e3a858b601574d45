"""Systems by name: the files of this folder, and users' own."""

from __future__ import annotations

import dataclasses
import functools
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from .. import datasets, io, models
from ..datasets import Source, values
from ..datasets.values import Values
from ..discovery import UserFileError, load_file, modules_of, nearest
from ..models import Network
from ..players import Draw
from ..probes import ProbeConfig
from ..train import Training, Weights
from .base import Floor, System
from .trying import fault

__all__ = ["find", "floor_of", "ids_in", "names", "sha256", "sha256_of"]

_NAME = re.compile(r"[a-z0-9]+([_.-][a-z0-9]+)*")
"""Of a network and of a data set: they make the id of a system, and folders."""
_KINDS = {
    "data": (Source,),
    "network": (Network,),
    "players": (Draw,),
    "training": (Training, Weights),
    "floor": (Floor,),
    "width": (int, type(None)),
    "half_depth": (str, type(None)),
    "read_at": (str, type(None)),
    "probes": (ProbeConfig, type(None)),
    "memorising": (Training, type(None)),
    "packages": (tuple,),
}


_TABLE = {
    "data": (Values,),
    "floor": (Floor,),
    **dict.fromkeys(("network", "players", "training", "width", "probes"), (type(None),)),
    **dict.fromkeys(("half_depth", "read_at", "memorising"), (type(None),)),
}
"""Of a value table: games that others played, and nothing else of the network."""


@functools.cache
def names() -> tuple[str, ...]:
    """The ids of the systems that come with the package."""
    modules = modules_of(__package__)
    found = [m.SYSTEM for m in modules if isinstance(getattr(m, "SYSTEM", None), System)]
    return tuple(sorted(system.id for system in found))


def find(name: str) -> System:
    """The system ``network/data``, or that of a user's file: a path that ends in ``.py``.

    ValueError with the nearest name where there is none; UserFileError that names the file and the
    field where a file does not say what it must.
    """
    if name.endswith(".py"):
        path = Path(name).expanduser().resolve()
        system = _checked(load_file(path), path)
        return dataclasses.replace(system, file=str(path))
    module = _module(name)
    if module is None:
        _is_not_misplaced(name)
        there = ", ".join(names())
        raise ValueError(
            f"there is no system {name!r}{nearest(name, names())}; there are: {there}, or a path "
            "to a file of your own that ends in .py"
        )
    _is_by_name(module.SYSTEM)
    return module.SYSTEM


def _is_by_name(system: System) -> None:
    """ValueError where the data set or the network of a system of the package is not what a job
    finds by that name, in utils/datasets and utils/models."""
    if isinstance(system.data, Values):
        known = values.tables().get(system.id)
        found = {"data": (system.data, known, "datasets")}
    else:
        sources, networks = datasets.names(), models.names()
        data, network = system.data, system.network
        found = {
            "data": (data, datasets.find(data.name) if data.name in sources else None, "datasets"),
            "network": (
                network,
                models.find(network.name) if network.name in networks else None,
                "models",
            ),
        }
    for field, (own, known, folder) in found.items():
        if known is not own:
            raise ValueError(
                f"{system.id}: SYSTEM.{field} ({own.name!r}) must be the one of that name in a "
                f"file of utils/{folder}; beside its system it can lie in a file outside the "
                "package only"
            )


def _is_not_misplaced(name: str) -> None:
    """ValueError where a file of this folder says that id, and is not called by it."""
    for module in modules_of(__package__):
        system = getattr(module, "SYSTEM", None)
        if isinstance(system, System) and system.id == name:
            raise ValueError(
                f"{name} is in {module.__file__}; a file of this folder is found by its name, "
                f"which must be that of the system with _ for /: {name.replace('/', '_')}.py "
                "(letters, digits and _)"
            )


def ids_in(name: str) -> list[str]:
    """The systems of a verdict: of one, of two networks a+b/data, or of one on two sets a/b+c."""
    networks, _, data = name.rpartition("/")
    return [f"{one}/{on}" for one in networks.split("+") for on in data.split("+")]


def floor_of(name: str) -> float | None:
    """The floor of a system of the package, by its id; of a pair a+b/data the lower one of both;
    None for an id that is not known (another width, a user's own file), and for a pair of data
    sets, which is held to the floor of either."""
    ids = ids_in(name)
    if "+" in name.rpartition("/")[2] or not set(ids) <= set(names()):
        return None
    return min(floor.value for one in ids if (floor := find(one).floor) is not None)


def _module(name: str) -> ModuleType | None:
    """The file of a system by the package's rule: its id with _ for /."""
    if name.count("/") != 1 or not name.replace("/", "_").isidentifier():
        return None
    where = f"{__package__}.{name.replace('/', '_')}"
    if importlib.util.find_spec(where) is None:
        return None
    module = importlib.import_module(where)
    return module if module.SYSTEM.id == name else None


def sha256(system: System) -> str:
    """Of the file that says what the system is, as every verdict carries it."""
    if system.file is not None:
        return io.sha256_file(system.file)
    module = _module(system.id) or _module(_original(system.network, system.data))
    if module is None or module.__file__ is None:
        raise ValueError(f"{system.id} comes from no file")
    return io.sha256_file(module.__file__)


def sha256_of(name: str, chosen: Iterable[System]) -> str | None:
    """Of the file of the system that a verdict speaks of: one of a run's, else one of the package
    (M12's); of a pair of both together; None where no network enters."""
    by = {system.id: system for system in chosen}
    ids = ids_in(name)
    if not set(ids) <= set(by) | set(names()):
        return None
    each = [sha256(by.get(one) or find(one)) for one in ids]
    return each[0] if len(each) == 1 else io.sha256_bytes(" ".join(each).encode())


@functools.cache
def _original(network: Network | None, data: Source | Values) -> str:
    """The id of the system that one of another width was made from."""
    here = [
        name for name in names() if (found := find(name)).network == network and found.data == data
    ]
    return here[0] if here else ""


@functools.lru_cache(maxsize=64)
def _checked(module: ModuleType, path: Path) -> System:
    system = getattr(module, "SYSTEM", None)
    if not isinstance(system, System):
        raise UserFileError(
            f"{path} must define SYSTEM = System(...), of utils.systems; it has "
            f"{'none' if system is None else type(system).__name__}"
        )
    table = isinstance(system.data, Values)
    for field, kinds in (_TABLE if table else _KINDS).items():
        value = getattr(system, field)
        if not isinstance(value, kinds):
            wanted = " or ".join("None" if k is type(None) else k.__name__ for k in kinds)
            raise UserFileError(
                f"{path}: SYSTEM.{field} must be {wanted}, got {type(value).__name__}"
            )
    return _possible(system, path)


def _possible(system: System, path: Path) -> System:
    kind, network = system.data.kind, system.network
    table = isinstance(system.data, Values)
    named = system.data.network if table else network.name
    for field, name in (("network", named), ("data", system.data.name)):
        if not _NAME.fullmatch(name):
            raise UserFileError(
                f"{path}: SYSTEM.{field}.name is a part of the system's id: lower case and digits, "
                f"parted by single _ . or -, got {name!r}"
            )
    if table:
        return system
    if kind not in network.takes:
        raise UserFileError(
            f"{path}: SYSTEM.network takes {', '.join(network.takes)}, the data set is of kind "
            f"{kind}"
        )
    if kind not in type(system.players).takes:
        raise UserFileError(
            f"{path}: SYSTEM.players draws from {', '.join(type(system.players).takes)}, the data "
            f"set is of kind {kind}"
        )
    for field in ("half_depth", "read_at"):
        layer = getattr(system, field)
        if layer is not None and layer not in system.readable:
            raise UserFileError(
                f"{path}: SYSTEM.{field} names the layer {layer!r}, which {network.name} lacks; it "
                f"has {', '.join(system.readable)}"
            )
    wrong = fault(system)
    if wrong is not None:
        raise UserFileError(f"{path}: {wrong}")
    return system
