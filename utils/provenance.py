"""Where a result comes from: commit, versions, machine, threads, clocks, peak memory; and whose
``utils`` runs.

Provenance stands beside a result and is no part of it: it holds times and paths' names, which
differ from run to run. :func:`fingerprint` picks the few entries that decide whether two runs
should agree to the last digits.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.machinery
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numba
import torch

from . import io, paths

__all__ = [
    "Clock",
    "check_utils",
    "collect",
    "cpu_model",
    "fingerprint",
    "git_state",
    "peak_memory",
]

_VERSIONS = (
    "torch",
    "torchvision",
    "numpy",
    "scipy",
    "numba",
    "pandas",
    "pydantic",
    "safetensors",
    "scikit-learn",
)
_SAME_VERSIONS = ("torch", "numpy", "numba")


class Clock:
    """Wall times by name: ``with Clock() as clock: ... with clock("train"): ...`` →
    ``clock.seconds``.

    A name used again adds up. The outer ``with`` is counted as ``total``. Times are in seconds.
    """

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started: float | None = None

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def __enter__(self) -> Clock:
        self._started = time.perf_counter()
        return self

    def __exit__(self, *error: object) -> None:
        if self._started is not None:
            self.seconds["total"] = (
                self.seconds.get("total", 0.0) + time.perf_counter() - self._started
            )
            self._started = None


def collect(
    *,
    seed: int | None = None,
    parameters: Mapping[str, Any] | None = None,
    data_hashes: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """All that one needs to run a result again and to explain a difference, ready for
    ``io.canonical_json``.

    ``parameters``: the run's parameters, kept and hashed; ``data_hashes``: data set → sha256;
    ``clock``: its times so far. No absolute path and no host name is recorded, since these files
    are published.
    """
    return {
        **git_state(),
        "utils": _relative_to_root(Path(__file__).parent),
        "versions": _versions(),
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cpu": cpu_model(),
        "gpu": _gpus(),
        "threads": torch.get_num_threads(),
        "settings": _settings(),
        "seed": seed,
        "parameters": dict(parameters) if parameters is not None else None,
        "parameters_sha256": _hash_of(parameters),
        "data_sha256": dict(data_hashes or {}),
        "clocks": {
            name: round(seconds, 3) for name, seconds in (clock.seconds if clock else {}).items()
        },
        "peak_memory": peak_memory(),
        "peak_gpu_memory": torch.cuda.max_memory_allocated()
        if torch.cuda.is_initialized()
        else None,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _hash_of(parameters: Mapping[str, Any] | None) -> str | None:
    return (
        None
        if parameters is None
        else io.sha256_bytes(io.canonical_json(dict(parameters)).encode())
    )


def fingerprint(provenance: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """What must be equal for two runs to agree to the last digits: CPU (and its vector unit), GPU,
    versions, threads.

    ``provenance``: what :func:`collect` returned, perhaps read from a file; None means this
    process, now. Entries that the record lacks are None.
    """
    record = collect() if provenance is None else provenance
    versions = record.get("versions") or {}
    return {
        "cpu": record.get("cpu"),
        "gpu": list(record.get("gpu") or []),
        "cpu_capability": (record.get("settings") or {}).get("cpu_capability"),
        "threads": record.get("threads"),
        **{name: versions.get(name) for name in _SAME_VERSIONS},
    }


@functools.cache
def _git(*arguments: str) -> str | None:
    """What git answers about this repository; None where there is no git or no repository."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(paths.ROOT), *arguments], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return answer.stdout.strip() if answer.returncode == 0 else None


def git_state() -> dict[str, Any]:
    """``commit`` (40 digits) and ``dirty`` (files differ from it), as they were when first asked in
    this process.

    Both are None in an unpacked archive, also when it was unpacked inside another repository, and
    before any commit. Results are left out of ``dirty``: a run writes them itself.
    """
    top = _git("rev-parse", "--show-toplevel")
    ours = top is not None and Path(top).resolve() == paths.ROOT
    commit = _git("rev-parse", "--verify", "HEAD") if ours else None
    if commit is None:
        return {"commit": None, "dirty": None}
    return {
        "commit": commit,
        "dirty": bool(_git("status", "--porcelain", "--", ".", ":(exclude)results")),
    }


@functools.cache
def _versions() -> dict[str, str | None]:
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    # The wheel's own name says which CUDA it was built for; the distribution's may not.
    return found | {"torch": torch.__version__}


@functools.cache
def cpu_model() -> str:
    """The processor's name as its maker gives it, such as ``AMD EPYC 7763 64-Core Processor``.

    On Linux with family and model number: virtual machines call quite different processors by one
    name.
    """
    cpuinfo = Path("/proc/cpuinfo")
    entries: dict[str, str] = {}
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            key, _, value = line.partition(":")
            entries.setdefault(key.strip(), value.strip())
    if "model name" in entries:
        return (
            f"{entries['model name']} (family {entries.get('cpu family', '?')} model "
            f"{entries.get('model', '?')})"
        )
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]


def _settings() -> dict[str, Any]:
    """The switches that can change the last bits of a result."""
    return {
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "cublas_workspace": os.environ.get("CUBLAS_WORKSPACE_CONFIG"),
        "numba_threads": numba.get_num_threads(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def peak_memory() -> int:
    """The most memory that this process has held at once, in bytes (resident set).

    On Linux not from getrusage, where a child started from a large parent begins with the parent's
    peak as its own.
    """
    status = Path("/proc/self/status")
    found = (
        re.search(r"VmHWM:\s+(\d+) kB", status.read_text(encoding="utf-8"))
        if status.is_file()
        else None
    )
    if found:
        return int(found[1]) * 1024
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _relative_to_root(path: Path) -> str:
    path = path.resolve()
    return path.relative_to(paths.ROOT).as_posix() if path.is_relative_to(paths.ROOT) else path.name


def check_utils(folder: str | os.PathLike[str] | None = None) -> Path:
    """Make sure that ``import utils`` gives the package of this repository; returns its folder.

    Three things are checked: the package already imported in this process; what a kernel or script
    started in ``folder`` (default: the working directory) would import, since Python looks there
    first; and that ``folder`` is not in another clone than the one installed. Raises ImportError
    saying which file is in the way and how to mend it.
    """
    ours = Path(__file__).resolve().parent
    folder = Path.cwd() if folder is None else Path(folder).absolute()
    imported = getattr(sys.modules.get("utils"), "__file__", None)
    if imported is None or Path(imported).resolve().parent != ours:
        raise ImportError(_in_the_way(imported or "a folder without __init__.py", ours))
    clone = next(
        (top for top in (folder, *folder.parents) if (top / "utils" / "provenance.py").is_file()),
        ours.parent,
    )
    if clone.resolve() != ours.parent:
        raise ImportError(
            f"{folder} is in the clone {clone}, but `import utils` gives the one in "
            f"{ours.parent}. Run "
            f"`pip install -e .` in {clone}, or work in {ours.parent}."
        )
    importlib.machinery.PathFinder.invalidate_caches()
    first = importlib.machinery.PathFinder.find_spec("utils", [str(folder), *sys.path])
    where = _location(first) if first is not None else None
    if where is not None and where.resolve() != ours / "__init__.py":
        raise ImportError(_in_the_way(str(where), ours))
    return ours


def _location(spec: importlib.machinery.ModuleSpec) -> Path:
    """The file that a spec would import, or the bare folder (which comes before an editable
    installation's hook)."""
    return Path(spec.origin or next(iter(spec.submodule_search_locations or [spec.name])))


def _in_the_way(other: str, ours: Path) -> str:
    return (
        f"`import utils` gives {other}, not this project's package {ours}. To mend it: (1) run "
        "`pip install -e .` in "
        f"{ours.parent} with the Python that runs the notebook; (2) if the other file is yours, "
        "rename it, or start "
        "the notebook from another folder (Python looks in the folder it starts in first)."
    )
