"""``reproduce plan --calibrate`` and ``plan --profile NAME``: hours before they are spent."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from .. import claims, cost, datasets, params, paths, runtime, systems
from ..jobs import schedule
from ..jobs.plan import Node

__all__ = ["calibrate", "profile"]


def calibrate(chosen: argparse.Namespace) -> int:
    """Fit the cost model and print its error on held-out jobs."""
    caches = [Path(one) for one in chosen.caches]
    for one in caches:
        if not one.is_dir():
            raise params.ParameterError(f"--from: there is no folder {one}")
    try:
        print(cost.calibrate([paths.job_cache(), *caches]))
    except ValueError as error:
        raise params.ParameterError(str(error)) from None
    return 0


def profile(chosen: argparse.Namespace) -> int:
    """Hours and memory per notebook with its rows and per system, and what cannot be planned."""
    if chosen.profile is None:
        raise params.ParameterError("plan needs a NOTEBOOK, a --profile, or --calibrate")
    if chosen.json or chosen.given or chosen.system:
        raise params.ParameterError("--json, --system and -p are for the plan of one NOTEBOOK")
    found, missing = _planned(params.load_profile(chosen.profile), chosen.profile)
    nodes = {node.digest: node for *_, plan in found for node in plan}
    predicted = schedule.predictions(list(nodes.values()))
    model = cost.current()
    print(
        f"hours: {model}"
        if model
        else "hours: by kind of job alone; `reproduce plan --calibrate` fits them to this machine"
    )
    for notebook, system, plan in found:
        rows = ", ".join(claims.rows_of(notebook, system))
        print(f"{notebook:<28} {system.id:<28} {_cost(plan, predicted)}  rows: {rows}")
    print("by system (a job that several notebooks share counted once)")
    for system in dict.fromkeys(system.id for _, system, _ in found):
        own = {n.digest: n for _, s, plan in found if s.id == system for n in plan}
        print(f"  {system:<28} {_cost(own.values(), predicted)}")
    shared = sum(k > 1 for k in Counter(n.digest for *_, p in found for n in p).values())
    print(
        f"in all {_cost(nodes.values(), predicted)}; {shared} jobs that several parts share are "
        "counted once"
    )
    if model:  # without one, hours do not depend on networks
        for name in schedule.uncounted(list(nodes.values())):
            print(f"hours too few: the forward pass of {name} cannot be counted on this machine")
    for line in missing:
        print(f"not planned: {line}")
    return 0


def _planned(
    plan: params.Profile, name: str
) -> tuple[list[tuple[str, systems.System, list[Node]]], list[str]]:
    """The jobs per notebook and system, with the run's changes of it (another width has another
    id); what is missing for the others, a line each."""
    from ..studies import planning  # studies load torch's compiler

    found, missing = [], []
    for notebook in plan.notebooks:
        if notebook not in planning.PLANNED:
            continue
        p = params.validate(notebook, profile=name, **plan.given(notebook))
        for system in p.chosen:
            try:
                found.append((notebook, system, planning.plan_of(notebook, p, system.id)))
            except (datasets.MissingData, params.ParameterError) as error:
                missing.append(f"{notebook} on {system.id}: {str(error).splitlines()[0]}")
    return found, missing


def _cost(nodes: Iterable[Node], predicted: dict[str, cost.Prediction]) -> str:
    todo = [predicted[node.digest] for node in nodes if not node.finished]
    hours = sum(one.seconds for one in todo) / 3600
    memory = max((one.memory for one in todo), default=0)
    return f"{hours:8.2f} h {runtime.human_bytes(int(memory)):>9}, {len(todo)} jobs to do"
