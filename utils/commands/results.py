"""``reproduce check``, ``keep``, ``systems`` and ``power``: what became of runs."""

from __future__ import annotations

import argparse

from .. import claims, committed, io, params, paths, systems

__all__ = ["check", "keep", "run_systems", "simulate"]


def check(chosen: argparse.Namespace) -> int:
    """``reproduce check``: the last run against the committed results; 1 where they differ."""
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


def keep(chosen: argparse.Namespace) -> int:
    """``reproduce keep``: the last run's results for git."""
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


def run_systems(chosen: argparse.Namespace) -> int:
    """``reproduce systems``: all notebooks on all systems, or their page; 1 where one failed."""
    from .. import matrix  # it imports papermill

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


def simulate(chosen: argparse.Namespace) -> int:
    """``reproduce power``: how often criteria err; 1 where one errs too often."""
    from .. import power  # it imports every row's statistics

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
