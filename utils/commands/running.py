"""``reproduce run``, ``all`` and ``plan``."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .. import claims, params
from . import settings as asked

__all__ = ["plan", "run_all", "run_one"]


def run_one(chosen: argparse.Namespace) -> int:
    """``reproduce run``: one notebook."""
    from .. import costs, start  # start imports studies, see plan

    notebook, given = params.notebook_stem(chosen.notebook), asked.given(chosen.given)
    settings: Mapping[str, Any] = {}
    if chosen.profile:
        plan = params.load_profile(chosen.profile)
        if notebook not in plan.notebooks:
            raise params.ParameterError(f"profile {chosen.profile!r} does not run {notebook}")
        settings = plan.given(notebook)
    # Results of changed settings are not the profile's: they go to a folder of their own.
    profile = chosen.profile if chosen.profile and not given else "custom"
    parameters = {"profile": profile, **asked.merged(settings, given)}
    p = params.validate(notebook, **parameters)
    start.require(p)
    print(costs.of_run(p, chosen.profile or "default"), flush=True)
    return _execute(chosen, p.profile, {notebook: parameters})


def plan(chosen: argparse.Namespace) -> int:
    """``reproduce plan``: the jobs of one notebook, or what a whole profile costs."""
    from . import planned

    if chosen.calibrate:
        return planned.calibrate(chosen)
    if chosen.notebook is None:
        return planned.profile(chosen)
    from ..studies import (
        planning,  # studies load torch's compiler: seconds that `list` can do without
    )

    notebook, given = params.notebook_stem(chosen.notebook), asked.given(chosen.given)
    settings: Mapping[str, Any] = {}
    if chosen.profile:
        settings = params.load_profile(chosen.profile).given(notebook)
    p = params.validate(
        notebook, **{"profile": chosen.profile or "custom", **asked.merged(settings, given)}
    )
    nodes = planning.plan_of(notebook, p, chosen.system)
    for node in nodes:
        state = "finished" if node.finished else "to do"
        line = f"{state:<9} {node.job.kind:<16} {node.digest[:12]}"
        needs = " ".join(need[:12] for need in node.needs)
        print(
            json.dumps(node.to_json(), sort_keys=True)
            if chosen.json
            else f"{line}  needs {needs or '-'}"
        )
    if not chosen.json:
        print(f"{sum(node.finished for node in nodes)} of {len(nodes)} jobs are finished")
    return 0


def run_all(chosen: argparse.Namespace) -> int:
    """``reproduce all``: the notebooks of a profile."""
    from .. import costs

    print(costs.of_profile(chosen.profile), flush=True)
    return _execute(chosen, chosen.profile, None)


def _execute(
    chosen: argparse.Namespace, profile: str, notebooks: Mapping[str, Mapping[str, Any]] | None
) -> int:
    """Run, build the pages, print the verdict table, last the path of the page; 1 when a notebook
    failed or an identity is broken."""
    # papermill and nbconvert take a second to import, which the other commands need not wait for
    from .. import overview, run, site

    if chosen.workers is not None and chosen.workers < 1:
        raise params.ParameterError(f"--workers must be 1 or more, got {chosen.workers}")
    if chosen.dry_run:
        return _say_what_is_missing(run.plan(run.settings_of(profile, notebooks)))
    broken = []

    def report(place: run.Place, outcomes: Sequence[run.Outcome]) -> None:
        index = site.build(place)
        for one in outcomes:
            if one.error:
                why = f"{one.error.splitlines()[0]} (see {one.path})"
                print(f"{one.notebook} FAILED: {why}", file=sys.stderr)
        broken.extend(v for v in claims.read_all(place.folder) if v.verdict == "BROKEN")
        table = overview.verdict_lines(place.folder, place.notebook)
        print("\n".join(["", *table, "", f"results: {index}"]), flush=True)

    outcomes = run.run_profile(
        profile, notebooks, report, workers=chosen.workers, refresh=site.build
    )
    return 1 if broken or any(outcome.error for outcome in outcomes) else 0


def _say_what_is_missing(plans: Mapping[str, Sequence[Any]]) -> int:
    """A line per notebook: jobs that are finished, and those to compute by kind. A job that two
    notebooks need is counted in the first."""
    seen: set[str] = set()
    for notebook, nodes in plans.items():
        own = [node for node in nodes if node.digest not in seen]
        seen |= {node.digest for node in own}
        kinds = Counter(node.job.kind for node in own if not node.finished)
        words = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        done = sum(node.finished for node in own)
        print(f"{notebook:<30} {done} of {len(own)} jobs finished; to compute: {words or 'none'}")
    return 0
