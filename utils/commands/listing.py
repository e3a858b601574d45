"""``reproduce list``: claims, notebooks, systems, profiles, parameters."""

from __future__ import annotations

import argparse
import textwrap

from .. import claims, params, systems

__all__ = ["listing"]


def listing(chosen: argparse.Namespace) -> int:
    """``reproduce list``: claims, notebooks, profiles; of one notebook its parameters; systems."""
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
    from ..studies.feasible import notebooks_of  # studies load torch's compiler

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
