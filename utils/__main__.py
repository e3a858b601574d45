"""The command ``reproduce`` (also ``python -m utils``): list, run, plan, all, check, keep, systems,
power, cache, data, doctor."""

from __future__ import annotations

import argparse
import errno
import json
import platform
import shlex
import shutil
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import metadata
from typing import Any

import torch
import yaml

from . import (
    claims,
    committed,
    datasets,
    discovery,
    io,
    jobs,
    params,
    paths,
    provenance,
    runtime,
    systems,
)
from .datasets.states import states
from .models import hub, hub_states

__all__ = ["main"]

# What a user can mend: the message says how, and a traceback would only hide it.
_USER_ERRORS = (
    params.ParameterError,
    claims.RegistryError,
    committed.ResultsError,
    datasets.MissingData,
    datasets.DamagedData,
)
# What the machine refuses: its own words say it all.
_MACHINE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0 well, 1 something failed or differs, 2 a wrong request, 130
    Ctrl-C."""
    chosen = _parser().parse_args(arguments)
    try:
        runtime.set_threads()
        return chosen.command(chosen)
    except _USER_ERRORS as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        if error.errno not in _MACHINE:
            raise
        where = f": {error.filename}" if error.filename else ""
        print(f"reproduce: {error.strerror}{where}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        again = shlex.join(["reproduce", *(sys.argv[1:] if arguments is None else arguments)])
        print(
            f"\nStopped. Finished jobs are kept in {paths.job_cache()}; to go on from there:\n"
            f"  {again}",
            file=sys.stderr,
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reproduce", description="Re-examine the papers' claims, notebook by notebook."
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def command(name: str, function: Any, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    listing = command(
        "list", _list, "claims, notebooks and profiles; of one NOTEBOOK: its parameters"
    )
    listing.add_argument("notebook", nargs="?", metavar="NOTEBOOK")
    listing.add_argument(
        "--systems",
        action="store_true",
        help="every system: network, data, players, rows, whether it works here",
    )

    running = command(
        "run",
        _run,
        "one notebook; its results go to a folder of their own in results/custom unless only a "
        "profile is given",
    )
    running.add_argument(
        "notebook", metavar="NOTEBOOK", help="name or number, such as 01_sparsity or 01"
    )
    running.add_argument(
        "--profile", help="start from this profile's settings (default: the notebook's own)"
    )

    planning = command("plan", _plan, "the jobs that one notebook needs, before any is computed")
    planning.add_argument("notebook", metavar="NOTEBOOK")
    planning.add_argument("--profile", help="this profile's settings (default: the notebook's own)")
    planning.add_argument("--system", metavar="NETWORK/DATA", help="only this system's jobs")
    planning.add_argument("--json", action="store_true", help="one JSON object a job")
    for added in (running, planning):
        added.add_argument(
            "-p",
            dest="given",
            nargs="+",
            action="append",
            default=[],
            metavar=("NAME=VALUE", "VALUE"),
            help="a parameter: -p images=5, -p images 5, -p 'seeds=[0, 1]', -p "
            "change.training.steps=100",
        )

    for name, function, text in (
        ("all", _all, "every notebook of a profile, then the verdict table and index.html"),
        ("check", _check, "compare the last run of a profile with its committed results"),
        ("keep", _keep, "copy the last run's verdicts and figures to results/committed, for git"),
    ):
        added = command(name, function, text)
        added.add_argument(
            "--profile",
            default="default",
            metavar="NAME",
            help="smoke, default, reference or paper (default: default)",
        )
        if name == "keep":
            added.add_argument(
                "--cold",
                action="store_true",
                help="the run started from an empty cache: keep its minutes",
            )
        elif name == "all":
            _how_to_run(added)
    _how_to_run(running)

    matrix = command(
        "systems",
        _systems,
        "every notebook on every SYSTEM that is on this machine, at the smallest scale; goes on "
        "where it was stopped",
    )
    matrix.add_argument("systems", nargs="*", metavar="SYSTEM")
    matrix.add_argument(
        "--page",
        action="store_true",
        help="write docs/systems.md and its log from what ran, and run nothing",
    )

    power = command(
        "power",
        _power,
        "simulate the criteria of all rows (or of ROWs): how often they err, docs/criteria.md",
    )
    power.add_argument("rows", nargs="*", metavar="ROW")

    cache = commands.add_parser("cache", help="the finished jobs on disk").add_subparsers(
        required=True, metavar="ACTION"
    )
    listed = cache.add_parser("ls", help="what there is, the most recently used first")
    listed.set_defaults(command=_cache_ls)
    pruned = cache.add_parser("prune", help="delete the least recently used")
    pruned.add_argument(
        "--max-gb", type=float, required=True, help="size to keep, in GB; 0 empties the cache"
    )
    pruned.set_defaults(command=_cache_prune)

    data = command(
        "data",
        _data,
        "size, licence and place of each data set and of weights; with a NAME: get it",
    )
    data.add_argument("name", nargs="?", metavar="NAME")
    command("doctor", _doctor, "versions, device, threads, data, disk, and whose `utils` this is")
    return parser


def _how_to_run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="threads that compute jobs at a time, and notebooks side by side (default: "
        "INTERACTIONS_THREADS, else the cores); the results are the same",
    )
    command.add_argument(
        "--dry-run", action="store_true", help="say what would be computed, and compute nothing"
    )


def _list(chosen: argparse.Namespace) -> int:
    if chosen.systems:
        _print_systems()
        return 0
    if chosen.notebook:
        _print_parameters(params.notebook_stem(chosen.notebook))
        return 0
    print("claims (judged rows have a verdict per system; see results/<profile>/index.html)")
    for row, claim in claims.load().rows.items():
        print(
            f"  {row:<4} {claim.title}  "
            f"[{claim.notebook if claim.notebook in params.PARAMS else claim.status}]"
        )
    for notebook in params.PARAMS:
        print()
        _print_parameters(notebook)
    print(f"\nsystems\n  {', '.join(systems.names())}, or a path to a file of your own")
    print("\nprofiles")
    for name in params.profiles():
        print(f"  {name:<10} {params.load_profile(name).about}")
    return 0


def _print_systems() -> None:
    from .studies.feasible import notebooks_of  # see _plan

    for name in systems.names():
        system = systems.find(name)
        rows = [row for book in notebooks_of(system) for row in claims.rows_of(book, system)]
        print(f"{name:<32} {systems.state(system)}")
        print(f"    {system.name} · {system.data.name} ({system.kind}) · players: {system.unit}")
        print(textwrap.fill(", ".join(rows), 110, initial_indent="    ", subsequent_indent="    "))


def _print_parameters(notebook: str) -> None:
    print(f"{notebook}: {params.PARAMS[notebook].__doc__.splitlines()[0].partition(': ')[2]}")
    for row in params.describe(notebook):
        print(f"  {row['name']} = {row['default']!r}")
        about = f"{row['type']}{' ' + row['range'] if row['range'] else ''}: {row['meaning']}"
        print(textwrap.fill(about, 110, initial_indent="      ", subsequent_indent="      "))


def _given(pairs: Sequence[Sequence[str]]) -> dict[str, Any]:
    """``[["images=5"], ["change.training.steps", "9"]]`` → {"images": 5, "change": {"training":
    {"steps": 9}}}."""
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair[0].partition("=")
        if len(pair) == 2 and not equals:
            text = pair[1]
        elif len(pair) > 1 or not equals:
            raise params.ParameterError(
                f"a parameter is given as -p NAME=VALUE or -p NAME VALUE, got {' '.join(pair)!r}"
            )
        *outer, last = name.split(".")
        table = found
        for part in outer:
            table = table.setdefault(part, {})
            if not isinstance(table, dict):
                raise params.ParameterError(
                    f"{name!r} sets a part of a value that -p also sets as a whole"
                )
        table[last] = _value(name, text)
    return found


def _value(name: str, text: str) -> Any:
    """``text`` as YAML reads it; ParameterError in one line that names the parameter."""
    try:
        return params.parse(text)
    except yaml.MarkedYAMLError as error:
        why = error.problem or "YAML cannot read it"
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # such as the date 2001-13-01
        why = str(error).splitlines()[0]
    shown = text if len(text) <= 60 else f"{text[:60]}…"
    raise params.ParameterError(f"-p {name}: {shown!r} is no value ({why})")


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` over ``below``, tables entry by entry."""
    both = {
        key: _merged(below[key], value)
        if isinstance(value, dict) and isinstance(below.get(key), dict)
        else value
        for key, value in above.items()
    }
    return {**below, **both}


def _run(chosen: argparse.Namespace) -> int:
    from . import costs, start  # see _execute

    notebook, given = params.notebook_stem(chosen.notebook), _given(chosen.given)
    settings: Mapping[str, Any] = {}
    if chosen.profile:
        plan = params.load_profile(chosen.profile)
        if notebook not in plan.notebooks:
            raise params.ParameterError(f"profile {chosen.profile!r} does not run {notebook}")
        settings = plan.given(notebook)
    # Results of changed settings are not the profile's: they go to a folder of their own.
    profile = chosen.profile if chosen.profile and not given else "custom"
    parameters = {"profile": profile, **_merged(settings, given)}
    p = params.validate(notebook, **parameters)
    start.require(p)
    print(costs.of_run(p, chosen.profile or "default"), flush=True)
    return _execute(chosen, p.profile, {notebook: parameters})


def _plan(chosen: argparse.Namespace) -> int:
    from .studies import (
        planning,  # studies load torch's compiler: seconds that `list` can do without
    )

    notebook, given = params.notebook_stem(chosen.notebook), _given(chosen.given)
    settings: Mapping[str, Any] = {}
    if chosen.profile:
        settings = params.load_profile(chosen.profile).given(notebook)
    p = params.validate(
        notebook, **{"profile": chosen.profile or "custom", **_merged(settings, given)}
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


def _all(chosen: argparse.Namespace) -> int:
    from . import costs  # see _execute

    print(costs.of_profile(chosen.profile), flush=True)
    return _execute(chosen, chosen.profile, None)


def _execute(
    chosen: argparse.Namespace, profile: str, notebooks: Mapping[str, Mapping[str, Any]] | None
) -> int:
    """Run, build the pages, print the verdict table, last the path of the page; 1 when a notebook
    failed or an identity is broken."""
    # papermill and nbconvert take a second to import, which the other commands need not wait for
    from . import overview, run, site

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


def _check(chosen: argparse.Namespace) -> int:
    report = committed.check(chosen.profile)
    for mode in sorted({one.mode for one in report.compared}):
        print(f"{mode}: {sum(one.mode == mode for one in report.compared)} verdicts")
    differing = [one for one in report.compared if one.problems]
    for one in differing:
        print(f"  {one.row} on {one.system}: " + "; ".join(one.problems))
    for line in report.problems:
        print(f"  {line}")
    for line in report.notes:
        print(f"  (open in one run) {line}")
    print(
        f"{len(report.compared) - len(differing)} of {len(report.compared)} agree with the "
        "committed results"
        + (f"; {len(report.problems)} further problem(s)" if report.problems else "")
    )
    return 0 if report.agrees else 1


def _keep(chosen: argparse.Namespace) -> int:
    plan = params.load_profile(chosen.profile)
    expected = {
        name: params.validate(name, profile=chosen.profile, **plan.given(name)).model_dump(
            mode="json"
        )
        for name in plan.notebooks
    }
    committed.require_parameters(chosen.profile, expected)
    for folder in committed.keep(chosen.profile, chosen.cold):
        print(folder.relative_to(paths.ROOT))
    if chosen.profile == "default":
        committed.update_readme()
    return 0


def _systems(chosen: argparse.Namespace) -> int:
    from . import matrix  # see _execute

    for name in chosen.systems:
        try:
            systems.find(name)
        except ValueError as error:
            raise params.ParameterError(str(error)) from None
    if chosen.page:
        path, log = paths.ROOT / "docs" / "systems.md", paths.results(matrix.PROFILE) / matrix.LOG
        if not log.is_file():
            raise params.ParameterError("no notebook ran on a system here: `make systems` first")
        io.write_text(path, matrix.page(matrix.entries(log)))
        io.write_text(path.with_suffix(".csv"), log.read_text(encoding="utf-8"))
        print(f"written: {path} and {path.with_suffix('.csv')}")
        return 0
    found = matrix.run_matrix(chosen.systems)
    failed = [one for one in found if one.outcome != "ran"]
    for one in failed:
        print(f"{one.notebook} on {one.system}: {one.outcome}")
    print(f"{len(found) - len(failed)} of {len(found)} notebooks ran")
    return 1 if failed else 0


def _power(chosen: argparse.Namespace) -> int:
    from . import power  # it imports every row's statistics

    unknown = [row for row in chosen.rows if row not in power.simulations()]
    if unknown:
        raise params.ParameterError(
            f"no simulation for {', '.join(unknown)}; there are: {', '.join(power.simulations())}"
        )
    path = power.update(chosen.rows)
    io.write_text(path.with_suffix(".md"), power.page())
    failing = [
        f"{row}, {reading.replace('_', ' ')}: {entry['why']}"
        for row, readings in claims.criteria.entries().items()
        for reading, entry in readings.items()
        if not entry["ok"]
    ]
    for line in failing:
        print(f"not to be judged: {line}")
    print(f"written: {path} and {path.with_suffix('.md')}")
    return 1 if failing else 0


def _cache_ls(_chosen: argparse.Namespace) -> int:
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


def _cache_prune(chosen: argparse.Namespace) -> int:
    if not chosen.max_gb >= 0:
        raise params.ParameterError(f"--max-gb must be 0 or more, got {chosen.max_gb}")
    removed = jobs.prune(chosen.max_gb)
    freed = runtime.human_bytes(sum(entry.size for entry in removed))
    print(f"removed {len(removed)} jobs, {freed}; {len(jobs.entries())} are left")
    return 0


def _data(chosen: argparse.Namespace) -> int:
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


def _doctor(_chosen: argparse.Namespace) -> int:
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


if __name__ == "__main__":
    sys.exit(main())
