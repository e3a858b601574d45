"""Where a run's results lie: a profile's in ``results/<profile>/``, a run of one's own in a folder
of its own, so that no two runs meet.

``results/<name>/<notebook>/<systems>-<hash>/``, ``<name>`` being ``custom`` unless given: the hash
is that of the parameters that differ from the notebook's defaults. The same run again finds the
same folder and replaces what lies there; any other run finds another one.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import claims, io, params, paths

__all__ = [
    "COMMITTED",
    "RUN",
    "Place",
    "below",
    "changes",
    "executed",
    "forget",
    "notebook_of",
    "of",
    "of_profile",
]

COMMITTED = "committed"
"""The folder beside the profiles' that git keeps: no run may have its name."""
RUN = "run.json"
_LONGEST = 60


@dataclass(frozen=True)
class Place:
    """One run's folder. notebook, systems, digest and changed set a run of one's own apart; a
    profile's results have none."""

    name: str
    folder: Path
    notebook: str | None = None
    systems: tuple[str, ...] = ()
    digest: str = ""
    changed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """``profile default``, or ``01_sparsity, run lenet__mnist_part-0a1b2c3d``."""
        return f"{self.notebook}, run {self.folder.name}" if self.notebook else self.name


def of_profile(name: str) -> Place:
    """The place of a profile's results."""
    return Place(name, paths.results(name))


def of(p: params.Common) -> Place:
    """The place of the run with the checked settings ``p``."""
    if p.profile in params.profiles():
        return of_profile(p.profile)
    notebook, settings = notebook_of(p), p.model_dump(mode="json")
    changed, systems = changes(notebook, settings), _systems(settings)
    # A user's file that was edited is another system.
    files = {one: io.sha256_file(one) for one in systems if one.endswith(".py")}
    digest = io.sha256_bytes(io.canonical_json({**changed, **files}).encode())[:8]
    folder = paths.results(p.profile) / notebook / f"{_short(systems)}-{digest}"
    return Place(p.profile, folder, notebook, systems, digest, changed)


def notebook_of(p: params.Common) -> str:
    """The notebook whose settings ``p`` are."""
    return next(name for name, model in params.PARAMS.items() if model is type(p))


def changes(notebook: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """The ``settings`` (as JSON has them) that differ from the notebook's defaults, tables entry by
    entry; the run's name is none of them."""
    defaults = params.PARAMS[notebook]().model_dump(mode="json")
    return _difference({k: v for k, v in settings.items() if k != "profile"}, defaults)


def _difference(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for name, value in new.items():
        before = old.get(name)
        if name in old and value == before:
            continue
        nested = isinstance(value, Mapping) and isinstance(before, Mapping)
        # Where an entry of the default is gone, the whole table says so.
        found[name] = _difference(value, before) if nested and set(before) <= set(value) else value
    return found


def _systems(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """``lenet/mnist_part`` …: what the settings name."""
    return tuple(settings.get("systems", [settings["system"]] if "system" in settings else []))


def _short(systems: tuple[str, ...]) -> str:
    """``mlp7+lenet__mnist_part``, fit to name a folder; ``own`` where no system is named."""
    if not systems:
        return "own"
    # A user's own system is the path of a file.
    pairs = [
        (Path(one).stem, "") if one.endswith(".py") else tuple(one.rsplit("/", 1))
        for one in systems
    ]
    by_data: dict[str, list[str]] = {}
    for network, data in pairs:
        by_data.setdefault(data, []).append(network)
    text = "+".join("__".join(["+".join(found), data]) for data, found in by_data.items())
    fit = "".join(c if c.isalnum() or c in "._+-" else "-" for c in text)
    return fit.rstrip("_").lstrip(".")[:_LONGEST]


def executed(place: Place, notebook: str) -> Path:
    """Where the executed notebook of a run lies."""
    return place.folder / "notebooks" / f"{notebook}.ipynb"


def forget(place: Place, notebook: str) -> None:
    """Remove what an earlier run of this notebook left here, but for the record of its minutes: if
    it fails now, none of its verdicts and pages may speak for it."""
    with io.lock(place.folder / RUN):
        for row, claim in claims.load().rows.items():
            if claim.notebook == notebook and (place.folder / row).is_dir():
                shutil.rmtree(place.folder / row)
        copy = executed(place, notebook)
        pages = [copy, copy.with_suffix(".html")]
        pages += [place.folder / "index.html"] if place.notebook else []
        for page in pages:
            page.unlink(missing_ok=True)


def below(name: str) -> list[Place]:
    """The runs of one's own called ``name`` that left something, by notebook and folder."""
    home, found = paths.results(name), []
    for notebook in params.PARAMS:
        for folder in sorted((home / notebook).glob("*-*")):
            digest = folder.name.rpartition("-")[2]
            if (folder / RUN).is_file() or any(folder.glob("*/*/verdict.json")):
                found.append(Place(name, folder, notebook, digest=digest))
    return found
