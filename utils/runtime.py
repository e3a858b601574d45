"""The machine: how many threads, which device, how much memory, and the progress bar.

One policy for threads, in one place: :func:`set_threads` is called by the command line, the
notebooks and the tests before anything is computed, because sums over another number of threads
differ in the last bits.
"""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numba
import psutil
import threadpoolctl
import torch
from tqdm import tqdm

__all__ = [
    "available_cores",
    "available_memory",
    "device",
    "fixed_threads",
    "human_bytes",
    "human_time",
    "progress",
    "require_memory",
    "set_threads",
]

_CGROUPS = Path("/sys/fs/cgroup")
_MALLOC = {-1: 512 << 20, -3: 256 << 20}  # M_TRIM_THRESHOLD, M_MMAP_THRESHOLD: bytes
_BLAS_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def _cgroup_files(name: str, controller: str = "") -> Iterator[str]:
    """Texts of the limit file ``name`` of this process's control group and of the groups above it.

    ``controller`` is empty for version 2 (one tree) and e.g. ``memory`` for version 1 (a tree for
    each controller).
    """
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except FileNotFoundError:  # not Linux
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controller not in controllers.split(","):
            continue
        inner = Path(group.lstrip("/"))
        for level in (inner, *inner.parents):
            with contextlib.suppress(OSError):  # a container may hide the groups above its own
                yield (_CGROUPS / controller / level / name).read_text()


def _cpu_quota() -> float:
    """CPUs' worth of time that the control group grants; infinity when it sets no limit."""
    grants = [math.inf]
    for text in _cgroup_files("cpu.max"):
        quota, period = text.split()
        if quota != "max":
            grants.append(int(quota) / int(period))
    for quota, period in zip(
        _cgroup_files("cpu.cfs_quota_us", "cpu"),
        _cgroup_files("cpu.cfs_period_us", "cpu"),
        strict=True,
    ):
        if int(quota) > 0:
            grants.append(int(quota) / int(period))
    return min(grants)


def available_cores() -> int:
    """Cores that this process may use: its affinity, lowered to the control group's quota; at least
    1."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    )
    return max(1, math.floor(min(cores, _cpu_quota())))


def _wanted_threads() -> int:
    for name in ("INTERACTIONS_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(name, "").strip()
        if text and (not text.isdecimal() or int(text) < 1):
            raise ValueError(f"{name} must be a whole number of threads, 1 or more, got {text!r}")
        if text:
            return int(text)
    return available_cores()


def set_threads(n: int | None = None) -> int:
    """Set the threads of torch, numba and the BLAS to ``n`` and return it; the one place where that
    is done.

    ``n=None``: the environment variable INTERACTIONS_THREADS or OMP_NUM_THREADS, the first that is
    set, else :func:`available_cores`. May be called again, with the same or another number. From
    then on freed memory stays with the process (:func:`_keep_freed_pages`). Raises ValueError when
    ``n`` is below 1.
    """
    n = _wanted_threads() if n is None else n
    if isinstance(n, bool) or not isinstance(n, int) or n < 1:
        raise ValueError(f"the number of threads must be a whole number, 1 or more, got {n!r}")
    # numba before torch: starting numba's OpenMP pool puts the OpenMP default back, torch's number
    # included.
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    torch.set_num_threads(n)
    _one_interop_thread()
    # Libraries loaded so far are told directly; those loaded later, and child processes, read the
    # variables.
    threadpoolctl.threadpool_limits(limits=n, user_api="blas")
    os.environ.update(dict.fromkeys(_BLAS_VARIABLES, str(n)))
    _keep_freed_pages()
    return n


@contextlib.contextmanager
def fixed_threads(n: int) -> Iterator[None]:
    """Inside, torch, numba and the BLAS compute with ``n`` threads, whatever :func:`set_threads`
    said; afterwards with as many as before.

    For work whose bits are to be the same on a machine with more or fewer cores: torch and the BLAS
    cut their sums by threads, and n threads on one core take turns.
    """
    before, compiled = torch.get_num_threads(), numba.get_num_threads()
    torch.set_num_threads(n)
    numba.set_num_threads(min(n, numba.config.NUMBA_NUM_THREADS))
    try:
        with threadpoolctl.threadpool_limits(limits=n, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
        numba.set_num_threads(compiled)


def _keep_freed_pages() -> None:
    """Let the C library keep the memory of freed tensors for the next ones instead of giving it
    back at once.

    A forward pass frees and takes some tens of megabytes, again and again; by default each time the
    system takes the pages back and clears new ones, which was 40 % of the time in which LeNet is
    scored. Up to half a gigabyte stays with the process. glibc alone has the call; elsewhere
    nothing is done. Changes no result.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        for parameter, most in _MALLOC.items():
            mallopt(parameter, most)


def _one_interop_thread() -> None:
    """One thread for torch's independent operators: ours are sequential, and a second pool only
    takes cores away.

    torch allows this once, before that pool's first work. In a notebook whose user was there first
    it is too late; the pool then keeps its size, which changes no result, so that is no error.
    """
    if torch.get_num_interop_threads() == 1:
        return
    try:
        torch.set_num_interop_threads(1)
    except RuntimeError as error:
        if "interop threads" not in str(error):
            raise


def device(name: str | torch.device = "auto") -> torch.device:
    """The torch device of that name: ``auto`` (cuda where there is one, else cpu), ``cpu``,
    ``cuda:1``, ``mps``.

    Raises ValueError saying what is accepted or what this machine lacks.
    """
    text = str(name)
    if text == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(text)
    except RuntimeError:
        chosen = None
    if chosen is None or chosen.type not in ("cpu", "cuda", "mps"):
        raise ValueError(
            f"unknown device {text!r}: use 'auto', 'cpu', 'cuda', 'cuda:1' (a number) or 'mps'"
        )
    if chosen.type == "cuda" and (chosen.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"device {text!r}: torch {torch.__version__} sees {torch.cuda.device_count()} CUDA "
            "devices "
            "here; use 'cpu' or 'auto'"
        )
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(
            f"device 'mps': torch {torch.__version__} finds no Apple GPU here; use 'cpu' or 'auto'"
        )
    return chosen


def available_memory(device: str | torch.device = "cpu") -> int:
    """Bytes that can still be allocated on ``device``; on the CPU the control group's limit counts
    if it is lower."""
    chosen = torch.device(device)
    if chosen.type == "cuda":
        # What torch has reserved and not handed out can be used again without asking the driver.
        idle = torch.cuda.memory_reserved(chosen) - torch.cuda.memory_allocated(chosen)
        return torch.cuda.mem_get_info(chosen)[0] + idle
    if chosen.type == "mps":
        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return max(0, min(psutil.virtual_memory().available, *_cgroup_memory()))


def _cgroup_memory() -> tuple[float, float]:
    """Bytes left in the control group under versions 2 and 1, file cache that can be dropped
    counted as free."""
    return (
        _memory_left("memory.max", "memory.current", "inactive_file", ""),
        _memory_left(
            "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file", "memory"
        ),
    )


def _memory_left(limit: str, usage: str, cache: str, controller: str) -> float:
    left = math.inf
    files = (_cgroup_files(name, controller) for name in (limit, usage, "memory.stat"))
    for most, used, stat in zip(
        *files, strict=False
    ):  # the root group has no limit file and comes last
        if most.strip() == "max":
            continue
        counts = dict(line.split() for line in stat.splitlines())
        left = min(left, int(most) - int(used) + int(counts.get(cache, 0)))
    return left


def require_memory(
    nbytes: int, what: str, hint: str = "", device: str | torch.device = "cpu"
) -> None:
    """Refuse before allocating: MemoryError when ``what`` needs more than is available on
    ``device``.

    ``hint`` ends the message with what can be done, such as the largest n that fits.
    """
    free = available_memory(device)
    if nbytes > free:
        ending = f"; {hint}" if hint else ""
        raise MemoryError(
            f"{what} needs {human_bytes(nbytes)}, {human_bytes(free)} available on {device}{ending}"
        )


def progress(
    iterable: Iterable[Any] | None = None, *, desc: str, total: int | None = None, unit: str = "it"
) -> tqdm:
    """A tqdm progress bar on stderr for loops that outlast a second; INTERACTIONS_PROGRESS=0 turns
    all of them off."""
    off = os.environ.get("INTERACTIONS_PROGRESS", "1").strip() == "0"
    return tqdm(
        iterable,
        desc=desc,
        total=total,
        unit=unit,
        disable=off,
        file=sys.stderr,
        mininterval=1.0,
        delay=1.0,
        dynamic_ncols=True,
    )


def human_bytes(nbytes: float) -> str:
    """``1536`` → ``'1.5 KiB'``."""
    size, units = float(nbytes), ("KiB", "MiB", "GiB", "TiB", "PiB")
    if abs(size) < 1024:
        return f"{size:.0f} B"
    for unit in units:
        size /= 1024
        if abs(size) < 1000 or unit == units[-1]:
            break
    return f"{size:.1f} {unit}" if abs(size) < 100 else f"{size:.0f} {unit}"


def human_time(seconds: float) -> str:
    """``0.012`` → ``'12 ms'``, ``75`` → ``'1 min 15 s'``, ``7500`` → ``'2 h 05 min'``."""
    if seconds < 0.9995:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"
