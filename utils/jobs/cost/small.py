"""Small real jobs, one after the other in a cache of their own, timed: about a minute in all.

Sizes differ by factors of two to ten within each kind of work, for what is fitted are slopes. Every
job is computed once its needs are there, so that its seconds are its own; the first of each kind of
code is repeated work of a process that has just started, so it runs once before the clock counts.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator

from ... import systems
from ...probes import ProbeConfig
from ...train import TrainConfig, Training
from ..base import Job, ensure
from ..components import ComponentGamesJob, FeaturesJob, PCAJob
from ..identified import ComparedJob
from ..probed import LayerGamesJob
from ..probing import ProbesJob
from ..scored import GamesJob
from ..split import SplitJob
from ..trained import TrainJob
from .fitting import Timed
from .work import amounts

__all__ = ["timed"]

_NETWORKS = {
    "mlp7_w256/mnist_part": (60, 240),
    "mlp7_w256/breast_cancer": (240,),
    "lenet/mnist_part": (60, 240),
    "resnet20/mnist_part": (3, 9),
    "vgg11/mnist_part": (2, 6),
}
"""System → steps of its trainings; all on data that comes with the repository."""
_MASKS = {
    "mlp7_w256/mnist_part": ((8, 4), (10, 12)),
    "mlp7_w256/breast_cancer": ((10, 8),),
    "lenet/mnist_part": ((8, 4), (10, 8)),
    "resnet20/mnist_part": ((6, 4), (8, 4)),
    "vgg11/mnist_part": ((6, 2), (7, 2)),
}
"""System → players and samples of its games."""


def timed() -> Iterator[Timed]:
    """The jobs in an order that alternates sizes, each with its seconds; the cache is empty before
    and gone after."""
    with _own_cache():
        seen: set[tuple[str, str]] = set()
        for job in _jobs():
            warm = (job.kind, str(getattr(job, "how", "")))
            if warm not in seen:
                seen.add(warm)
                ensure(job)
                seconds = _time(job)
            else:
                seconds = _time(job)
            yield Timed(job.kind, amounts(job), seconds)


def _time(job: Job) -> float:
    begun = time.perf_counter()
    ensure(job, refresh=True)
    return time.perf_counter() - begun


@contextlib.contextmanager
def _own_cache() -> Iterator[None]:
    name = "INTERACTIONS_CACHE"
    before = os.environ.get(name)
    with tempfile.TemporaryDirectory(prefix="calibrate-") as folder:
        os.environ[name] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ[name]
            else:
                os.environ[name] = before


def _jobs() -> Iterator[Job]:
    for name, lengths in _NETWORKS.items():
        for steps in lengths:
            train = _train(name, steps)
            yield train
        yield from _of(name, train)
