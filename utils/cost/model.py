"""Seconds and memory of a job on this machine, fitted to what finished jobs took.

Per kind of job, seconds are a sum of the job's sizes with weights of 0 or more (so nothing becomes
cheaper by being larger), by least squares of relative errors. No key of a job knows of it.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

from .. import io, paths, provenance
from ..strict import Strict
from .records import Record, Spec, records
from .sizes import entries, sizes

__all__ = ["Model", "Prediction", "calibrate", "current"]

_FEWEST = 6
"""Records of a kind from which it has weights of its own."""
_FLOOR = 0.05
"""Seconds below which an error is one of the clock."""
_BASE_BYTES = 1.0e9
_COPIES = 14
"""Memory of a worker with torch and the kernels, and arrays of a game's size in a split."""
_FILE = ".cost.json"


class Prediction(NamedTuple):
    """Wall-clock seconds and bytes of one job."""

    seconds: float
    memory: float


class Model(Strict):
    """weights: per kind, in the order of ``sizes.NAMES``; other: seconds of other kinds; typical,
    worst: factor by which held-out jobs were missed, the median and the largest; held_out: how many
    they were; machine: the processor that it was fitted on."""

    weights: dict[str, tuple[float, ...]]
    other: float
    typical: float
    worst: float
    held_out: int
    jobs: int
    machine: str

    def of(self, spec: Spec, among: Mapping[str, Spec]) -> Prediction:
        """What a job takes; ``among``: the jobs that it needs, by digest."""
        weights = self.weights.get(spec["kind"])
        seconds = self.other if weights is None else float(sizes(spec, among) @ weights)
        array = 8.0 * entries(spec, among)
        return Prediction(max(seconds, 0.01), _BASE_BYTES + _COPIES * array)

    def __str__(self) -> str:
        return (
            f"fitted to {self.jobs} finished jobs on {self.machine}; {self.held_out} held-out jobs "
            f"are missed by a factor of {self.typical:.2f} (median), {self.worst:.1f} (worst)"
        )


def calibrate(caches: Iterable[Path]) -> Model:
    """Fit to the finished jobs of ``caches`` that this kind of processor computed, and save the
    model in the job cache. A fifth of the jobs is held out for the error and then fitted too: all
    of one size together, since another seed of a job that was fitted tells nothing. ValueError
    where there are too few."""
    known, cpu = records(caches), provenance.cpu_model()
    among = {digest: one.spec for digest, one in known.items()}
    usable = [one for one in known.values() if one.seconds > 0 and one.cpu == cpu]
    if len(usable) < 5 * _FEWEST:
        raise ValueError(
            f"{len(usable)} finished jobs of {cpu} are too few to fit a cost model to: run "
            "`reproduce all --profile smoke` first, or name caches with --from"
        )
    x = {one.digest: sizes(one.spec, among) for one in usable}
    held = [one for one in usable if zlib.crc32(x[one.digest].tobytes()) % 5 == 0]
    apart = {one.digest for one in held}
    weights, other = _fit([one for one in usable if one.digest not in apart], x)
    errors = [
        abs(np.log(max(one.seconds, _FLOOR) / max(_predicted(one, x, weights, other), _FLOOR)))
        for one in held
    ]
    typical, worst = (float(np.exp(f(errors))) if errors else 1.0 for f in (np.median, np.max))
    weights, other = _fit(usable, x)
    model = Model(
        weights=weights,
        other=other,
        typical=typical,
        worst=worst,
        held_out=len(held),
        jobs=len(usable),
        machine=cpu,
    )
    paths.job_cache().mkdir(parents=True, exist_ok=True)
    io.write_json(paths.job_cache() / _FILE, model.model_dump(mode="json"))
    return model


def current() -> Model | None:
    """The model that was saved in the job cache; None before the first calibration."""
    path = paths.job_cache() / _FILE
    if not path.is_file():
        return None
    found = io.read_json(path)
    weights = {kind: tuple(map(float, w)) for kind, w in found.pop("weights").items()}
    return Model(weights=weights, **found)


def _fit(
    jobs: list[Record], x: Mapping[str, np.ndarray]
) -> tuple[dict[str, tuple[float, ...]], float]:
    kinds: dict[str, list[Record]] = defaultdict(list)
    for one in jobs:
        kinds[one.spec["kind"]].append(one)
    weights = {}
    for kind, own in kinds.items():
        if len(own) >= _FEWEST:
            seconds = np.array([max(one.seconds, _FLOOR) for one in own])
            matrix = np.stack([x[one.digest] for one in own])
            scale = np.maximum(matrix.max(0), 1e-12)
            found, _ = nnls(matrix / scale / seconds[:, None], np.ones(len(own)))
            weights[kind] = tuple(float(w) for w in found / scale)
    return weights, float(np.median([one.seconds for one in jobs]))


def _predicted(
    one: Record, x: Mapping[str, np.ndarray], weights: Mapping[str, tuple[float, ...]], other: float
) -> float:
    own = weights.get(one.spec["kind"])
    return other if own is None else float(x[one.digest] @ own)
