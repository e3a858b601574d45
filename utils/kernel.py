"""A notebook in a kernel that is this very interpreter: only this file knows papermill.

What it leaves is a whole executed copy under its name, or none; what goes wrong in a cell is told in
a line, Ctrl-C ends the kernel, and what a killed run left behind is removed at the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from jupyter_client import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from . import io, paths

__all__ = ["execute"]

_KERNEL = "interactions-appendix"
# A progress bar's line in a notebook's stderr: live on the terminal it is news, in the finished
# notebook it is litter.
_BAR = re.compile(r"^.*\d+%\|.*\|.*$|^.*\d+(it|job|mask|step|game|image)s? \[\d\d:\d\d.*$")


class _Manager(AsyncKernelManager):
    """Ends a kernel by asking it to end: the interrupt that Jupyter sends before could meet the last
    cell's own closing, and the finished notebook said "KeyboardInterrupt caught in kernel"."""

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


def execute(source: Path, target: Path, given: Mapping[str, Any]) -> str | None:
    """Run the notebook ``source`` with ``given`` over its parameters; None, or what went wrong.

    ``target`` becomes the executed copy, as far as it came. Raises KeyboardInterrupt on Ctrl-C (the
    kernel is stopped first), and what is no fault of the notebook's, such as OSError of a full disk.
    """
    draft = target.with_name(f".{target.name}")
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    with _this_python() as kernel:
        error = _guarded(
            lambda: papermill.execute_notebook(
                str(source),
                str(draft),
                parameters=dict(given),
                kernel_name=kernel,
                kernel_manager_class=_Manager,
                cwd=str(paths.ROOT),
                progress_bar=False,
                stderr_file=sys.stderr,
            )
        )
    explained = _explained(error)
    if draft.is_file():
        _tidy(draft)
        os.replace(draft, target)
    return explained


@contextlib.contextmanager
def _this_python() -> Iterator[str]:
    """The name of a kernel that is this very interpreter, whatever ``python3`` means to the user's
    Jupyter."""
    # Its warnings are about the transport between kernel and client, which here are parent and
    # child on one machine.
    command = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR"]
    command += ["-f", "{connection_file}"]
    spec = {"argv": command, "display_name": "Python 3 (ipykernel)", "language": "python"}
    before = os.environ.get("JUPYTER_PATH")
    _remove_dead_kernels()
    with tempfile.TemporaryDirectory(prefix=f"{_KERNEL}-{os.getpid()}-") as folder:
        io.write_json(Path(folder) / "kernels" / _KERNEL / "kernel.json", spec)
        os.environ["JUPYTER_PATH"] = os.pathsep.join([folder, *([before] if before else [])])
        try:
            yield _KERNEL
        finally:
            if before is None:
                del os.environ["JUPYTER_PATH"]
            else:
                os.environ["JUPYTER_PATH"] = before


def _remove_dead_kernels() -> None:
    """Folders that a killed run left behind: their names say which process made them."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_KERNEL}-*-*"):
        owner = folder.name.removeprefix(f"{_KERNEL}-").partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)  # another user's, or another start was faster


def _guarded(work: Callable[[], object]) -> BaseException | None:
    """Do ``work`` in a thread and return what it raised.

    nbclient takes over Ctrl-C where it runs in the main thread and turns it into a dead kernel; in
    a thread it cannot, so the interrupt arrives here and is told from a kernel that the system
    killed.
    """
    raised: list[BaseException] = []

    def worker() -> None:
        try:
            work()
        except BaseException as error:  # handed to the caller's thread, which decides
            raised.append(error)
        finally:
            # nbclient makes an event loop for this thread and leaves it open; there is none if it
            # never came to that.
            with contextlib.suppress(RuntimeError):
                asyncio.get_event_loop().close()

    before = set(psutil.Process().children(recursive=True))
    thread = threading.Thread(target=worker, name="papermill")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        for child in set(psutil.Process().children(recursive=True)) - before:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        thread.join()
        raise
    return raised[0] if raised else None


def _explained(error: BaseException | None) -> str | None:
    """What went wrong in the notebook in a line or, for refused parameters, a few; other errors are
    ours and raised."""
    if error is None:
        return None
    if isinstance(error, PapermillExecutionError):
        return f"cell [{error.exec_count}]: {error.ename}: {error.evalue}"
    if isinstance(error, DeadKernelError):
        return (
            "the kernel died (killed by the system for want of memory, or by hand); the "
            "same command resumes"
        )
    raise error


def _tidy(path: Path) -> None:
    """Take progress bars out of an executed notebook's stderr; warnings stay."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "stream" and output.name == "stderr":
                lines = re.split(r"[\r\n]+", output.text)
                output.text = "\n".join(
                    line for line in lines if line.strip() and not _BAR.match(line)
                )
        cell.outputs = [
            out for out in cell.outputs if out.output_type != "stream" or out.text.strip()
        ]
    nbformat.validate(notebook)
    io.write_text(path, nbformat.writes(notebook) + "\n")
