"""The command ``reproduce`` (also ``python -m utils``): list, run, plan, all, check, keep, systems,
power, cache, data, doctor."""

from __future__ import annotations

import argparse
import errno
import shlex
import sys
from collections.abc import Callable, Sequence

from . import claims, committed, datasets, params, paths, runtime
from .commands import listing, machine, results, running

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

    def command(
        name: str, function: Callable[[argparse.Namespace], int], text: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.set_defaults(command=function)
        return added

    shown = command(
        "list", listing.listing, "claims, notebooks and profiles; of one NOTEBOOK: its parameters"
    )
    shown.add_argument("notebook", nargs="?", metavar="NOTEBOOK")
    shown.add_argument(
        "--systems",
        action="store_true",
        help="every system: network, data, players, rows, whether it works here",
    )

    one = command(
        "run",
        running.run_one,
        "one notebook; its results go to a folder of their own in results/custom unless only a "
        "profile is given",
    )
    one.add_argument(
        "notebook", metavar="NOTEBOOK", help="name or number, such as 01_sparsity or 01"
    )
    one.add_argument(
        "--profile", help="start from this profile's settings (default: the notebook's own)"
    )

    planned = command(
        "plan",
        running.plan,
        "the jobs that one notebook needs, before any is computed; without a NOTEBOOK the hours of "
        "a profile",
    )
    planned.add_argument("notebook", nargs="?", metavar="NOTEBOOK")
    planned.add_argument(
        "--calibrate",
        action="store_true",
        help="fit the hours to what the finished jobs in the job cache took on this machine",
    )
    planned.add_argument(
        "--from",
        dest="caches",
        nargs="+",
        default=[],
        metavar="FOLDER",
        help="with --calibrate: further job caches to learn from",
    )
    planned.add_argument("--profile", help="this profile's settings (default: the notebook's own)")
    planned.add_argument("--system", metavar="NETWORK/DATA", help="only this system's jobs")
    planned.add_argument("--json", action="store_true", help="one JSON object a job")
    for added in (one, planned):
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
        (
            "all",
            running.run_all,
            "every notebook of a profile, then the verdict table and index.html",
        ),
        ("check", results.check, "compare the last run of a profile with its committed results"),
        (
            "keep",
            results.keep,
            "copy the last run's verdicts and figures to results/committed, for git",
        ),
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
    _how_to_run(one)

    matrix = command(
        "systems",
        results.run_systems,
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
        results.simulate,
        "simulate the criteria of all rows (or of ROWs): how often they err, docs/criteria.md",
    )
    power.add_argument("rows", nargs="*", metavar="ROW")

    cache = commands.add_parser("cache", help="the finished jobs on disk").add_subparsers(
        required=True, metavar="ACTION"
    )
    listed = cache.add_parser("ls", help="what there is, the most recently used first")
    listed.set_defaults(command=machine.cache_ls)
    pruned = cache.add_parser("prune", help="delete the least recently used")
    pruned.add_argument(
        "--max-gb", type=float, required=True, help="size to keep, in GB; 0 empties the cache"
    )
    pruned.set_defaults(command=machine.cache_prune)

    data = command(
        "data",
        machine.data,
        "size, licence and place of each data set and of weights; with a NAME: get it",
    )
    data.add_argument("name", nargs="?", metavar="NAME")
    command(
        "doctor",
        machine.doctor,
        "versions, device, threads, data, disk, and whose `utils` this is",
    )
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


if __name__ == "__main__":
    sys.exit(main())
