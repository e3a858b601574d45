"""A job whose micro-batch does not fit into this machine's memory becomes another job, with a
smaller one."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from .. import extract, runtime
from .base import Job, ensure

__all__ = ["all_fitting", "fitting"]


def fitting(job: Job) -> Job:
    """``job``, or the same job with the largest micro-batch (half as many ``rows``, or a quarter,
    ...) that fits.

    Computes it, unless it is finished. A job that runs out of memory with a
    :class:`utils.extract.OutOfMemory` is tried again as a *new* job, since the size of a
    micro-batch is part of what a result is; a warning says so. MemoryError when one row does not
    fit, or the job has no ``rows``.
    """
    while True:
        try:
            ensure(job)
            return job
        except extract.OutOfMemory as error:
            if error.rows < 2 or "rows" not in type(job).model_fields:
                raise
            job = job.model_copy(update={"rows": error.rows // 2})
            warnings.warn(
                f"{error}; going on with {job.kind} jobs of {error.rows // 2} rows", stacklevel=2
            )


def all_fitting(jobs: Sequence[Job], desc: str) -> list[Job]:
    """:func:`fitting` of each, in order, under a progress bar that says ``desc``."""
    return [fitting(job) for job in runtime.progress(jobs, desc=desc, total=len(jobs), unit="job")]
