"""``reproduce cache``, ``data`` and ``doctor``: what is on this machine."""

from __future__ import annotations

import argparse
import platform
import shutil
import sys
from importlib import metadata

import torch

from .. import datasets, discovery, jobs, params, paths, provenance, runtime
from ..datasets.states import states
from ..models import hub, hub_states

__all__ = ["cache_ls", "cache_prune", "data", "doctor"]


def cache_ls(_chosen: argparse.Namespace) -> int:
    """``reproduce cache ls``: finished jobs, then a line per kind."""
    found = jobs.entries()
    for entry in found:
        print(
            f"{runtime.human_bytes(entry.size):>9}  {entry.state:<8}  "
            f"{entry.kind}/{entry.digest[:12]}"
        )
    print(
        f"{runtime.human_bytes(sum(entry.size for entry in found))} in {len(found)} jobs, "
        f"{paths.job_cache()}"
    )
    for kind in sorted({entry.kind for entry in found}):
        own = [entry for entry in found if entry.kind == kind]
        print(
            f"  {kind:<16} {len(own):>5} jobs  "
            f"{runtime.human_bytes(sum(entry.size for entry in own)):>9}  "
            f"computed in {runtime.human_time(sum(entry.seconds for entry in own))}"
        )
    return 0


def cache_prune(chosen: argparse.Namespace) -> int:
    """``reproduce cache prune``: the least recently used jobs go."""
    if not chosen.max_gb >= 0:
        raise params.ParameterError(f"--max-gb must be 0 or more, got {chosen.max_gb}")
    removed = jobs.prune(chosen.max_gb)
    freed = runtime.human_bytes(sum(entry.size for entry in removed))
    print(f"removed {len(removed)} jobs, {freed}; {len(jobs.entries())} are left")
    return 0


def data(chosen: argparse.Namespace) -> int:
    """``reproduce data``: what there is, or get one."""
    if chosen.name is None:
        for one in [*states(), *hub_states.states()]:
            size = "" if one.bytes is None else f", {runtime.human_bytes(one.bytes)}"
            print(f"{one.name:<22} {one.samples}{size}; licence: {one.licence}")
            print(f"{'':<22} {one.state}: {one.where}")
        return 0
    if chosen.name in hub.HUB:
        print(f"{chosen.name} is in {hub.get(chosen.name)}")
        return 0
    known = [*datasets.names(), *hub.HUB]
    if chosen.name not in known:
        hint = discovery.nearest(chosen.name, known)
        raise params.ParameterError(
            f"unknown data set {chosen.name!r}{hint}; there are: {', '.join(known)}"
        )
    print(f"{chosen.name} is in {datasets.get(chosen.name)}")
    return 0


def doctor(_chosen: argparse.Namespace) -> int:
    """Facts, then what is wrong with them; 1 when something is."""
    free = shutil.disk_usage(paths.ROOT).free
    facts = {
        "python": f"{platform.python_version()} ({sys.executable})",
        "cpu": f"{provenance.cpu_model()}, {torch.get_num_threads()} threads "
        "(INTERACTIONS_THREADS changes that)",
        "memory": f"{runtime.human_bytes(runtime.available_memory())} available",
        "device": f"{runtime.device()} (device='auto'); CUDA devices: {torch.cuda.device_count()}",
        "disk": f"{runtime.human_bytes(free)} free",
        "job cache": f"{paths.job_cache()} ({len(jobs.entries())} jobs)",
        "results": str(paths.results("default").parent),
        **{f"data {name}": where for name, where in datasets.available().items()},
    }
    problems = []
    try:
        facts["utils"] = str(provenance.check_utils())
    except ImportError as error:
        problems.append(str(error))
    problems += _unlocked()
    for name, value in facts.items():
        print(f"{name:<16} {value}")
    for problem in problems:
        print(f"PROBLEM: {problem}")
    print("no problem found" if not problems else f"{len(problems)} problem(s) found")
    return 1 if problems else 0


def _unlocked() -> list[str]:
    """Installed packages whose version is not the one that requirements.lock pins."""
    lock = paths.ROOT / "requirements.lock"
    found = []
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, pinned, rest = line.partition("==")
        if not pinned or line.startswith("#"):
            continue
        version = rest.split(";")[0].strip()
        try:
            installed = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            installed = "absent" if ";" not in rest else version
        if installed != version:
            found.append(f"{name} is {installed}, the lock says {version}: `make setup` mends it")
    return found
