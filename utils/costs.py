"""What a run will take, said before it starts: the minutes that its profile's file records, those
of the last time, and what the machine lacks."""

from __future__ import annotations

import shutil
from pathlib import Path

from . import params, paths, places, records, runtime

__all__ = ["of_profile", "of_run"]


def of_profile(name: str) -> str:
    """The cost of all notebooks of a profile, a line each."""
    plan, folder = params.load_profile(name), paths.results(name)
    lines = [f"profile {name}: {plan.about}", f"needs {plan.needs}"]
    for notebook in plan.notebooks:
        lines.append(f"  {notebook:<24} {_minutes(plan, notebook)}{_last(folder, notebook)}")
    minutes = sum(plan.minutes[notebook] for notebook in plan.notebooks)
    total = f"in all about {runtime.human_time(60 * minutes)} on 2 cores"
    return "\n".join([*lines, f"{total}, {_room(plan)}", *_lacking(plan)])


def of_run(p: params.Common, name: str) -> str:
    """The cost of one notebook with the settings ``p``, by what is recorded for the profile
    ``name``, from which they may differ."""
    plan, place, notebook = params.load_profile(name), places.of(p), places.notebook_of(p)
    settings = f"the settings of profile {name}"
    if notebook in plan.notebooks:
        meant = params.validate(notebook, **{**plan.given(notebook), "profile": name})
        ours, theirs = (one.model_dump(mode="json") for one in (p, meant))
        differ = [k for k in theirs if k != "profile" and ours[k] != theirs[k]]
        settings += f" (here {', '.join(differ)} differ: more or less)" if differ else ""
        first = f"{notebook}: {_minutes(plan, notebook)} on 2 cores, from nothing, with {settings}"
    else:
        first = f"{notebook}: its minutes are not recorded for profile {name}"
    return "\n".join([first + _last(place.folder, notebook), _room(plan), *_lacking(plan)])


def _minutes(plan: params.Profile, notebook: str) -> str:
    return f"about {runtime.human_time(60 * plan.minutes[notebook])}"


def _last(folder: Path, notebook: str) -> str:
    known = records.last_seconds(folder, notebook)
    if not known:
        return ""
    return f" (last time {runtime.human_time(known)}, with what the cache held)"


def _room(plan: params.Profile) -> str:
    return (
        f"{plan.memory_gb:g} GB of memory, {plan.disk_gb:g} GB of disk for all of the profile; "
        f"what is in {paths.job_cache()} already is not computed again"
    )


def _lacking(plan: params.Profile) -> list[str]:
    """A warning for disk and for memory where there is less than the profile needs."""
    lines, free = [], shutil.disk_usage(_existing(paths.job_cache())).free
    if free < plan.disk_gb * 1e9:
        lines.append(f"WARNING: only {runtime.human_bytes(free)} of disk are free there")
    memory = runtime.available_memory()
    if memory < plan.memory_gb * 1e9:
        lines.append(f"WARNING: only {runtime.human_bytes(memory)} of memory are free")
    return lines


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)
