"""A notebook in a kernel that is this very interpreter: only this file knows papermill.

What it leaves is a whole executed copy under its name, or none; what goes wrong in a cell is told
in a line, and Ctrl-C ends the kernel.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat
import papermill
import psutil
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError

from . import io, paths

__all__ = ["execute", "none_outlives"]

# A progress bar's line in a notebook's stderr: live on the terminal it is news, in the finished
# notebook it is litter.
_BAR = re.compile(r"^.*\d+%\|.*\|.*$|^.*\d+(it|job|mask|step|game|image)s? \[\d\d:\d\d.*$")


class _Manager(AsyncKernelManager):
    """Starts this very interpreter, whatever ``python3`` means to the user's Jupyter, and ends a
    kernel by asking it to end.

    The interrupt that Jupyter sends before that could meet the last cell's own closing, and the
    finished run said "KeyboardInterrupt caught in kernel".
    """

    @property
    def kernel_spec(self) -> KernelSpec:
        # Its warnings are about the transport between kernel and client, which here are parent and
        # child on one machine.
        command = [sys.executable, "-m", "ipykernel_launcher", "--log-level=ERROR"]
        return KernelSpec(argv=[*command, "-f", "{connection_file}"], language="python")

    async def _async_interrupt_kernel(self) -> None:
        if not self.shutting_down:
            await super()._async_interrupt_kernel()


def execute(source: Path, target: Path, given: Mapping[str, Any]) -> str | None:
    """Run the notebook ``source`` with ``given`` over its parameters; None, or what went wrong.

    ``target`` becomes the executed copy, as far as it came. Raises KeyboardInterrupt on Ctrl-C (the
    kernel is stopped first), and what is not the notebook's fault, such as OSError of a full disk.
    """
    draft = target.with_name(f".{target.name}")
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        error = _guarded(lambda: _papermill(source, draft, given))
        explained = _explained(error)
        if draft.is_file():
            _tidy(draft)
            os.replace(draft, target)
        return explained
    finally:
        draft.unlink(missing_ok=True)


def _papermill(source: Path, target: Path, given: Mapping[str, Any]) -> None:
    papermill.execute_notebook(
        str(source),
        str(target),
        parameters=dict(given),
        kernel_name="python3",
        kernel_manager_class=_Manager,
        cwd=str(paths.ROOT),
        progress_bar=False,
        stderr_file=sys.stderr,
    )


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

    before = _children()
    thread = threading.Thread(target=worker, name="papermill")
    thread.start()
    try:
        while thread.is_alive():
            thread.join(0.2)
    except KeyboardInterrupt:
        _kill_since(before)
        thread.join()
        raise
    return raised[0] if raised else None


@contextlib.contextmanager
def none_outlives() -> Iterator[None]:
    """Kernels that began inside are killed where an error or Ctrl-C ends the block, so that no
    thread goes on waiting for them."""
    before = _children()
    try:
        yield
    except BaseException:
        _kill_since(before)
        raise


def _children() -> set[psutil.Process]:
    return set(psutil.Process().children(recursive=True))


def _kill_since(before: set[psutil.Process]) -> None:
    for child in _children() - before:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


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
