"""Print requirements.lock for this environment: `make lock` writes the file.

Walks from pyproject.toml's dependencies (with the test extra) through the installed packages'
metadata and pins each one it meets. GPU-vendor packages are left out: they belong to one platform's
torch wheel, and torch's own metadata brings the right ones. A package that only some platforms get
keeps the marker under which it is required.
"""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
VENDOR = re.compile(r"^(nvidia-|cuda-|triton$|pytorch-triton)")
# The editable install builds without isolation, so the build tool is pinned as well.
BUILD = ["setuptools"]


def direct() -> list[Requirement]:
    """Every requirement that pyproject.toml names, the test extra included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"], *project["optional-dependencies"]["test"], *BUILD]
    return [Requirement(line) for line in lines]


def platform_marker(requirement: Requirement) -> str:
    """The part of a marker that another platform may answer differently; '' where there is none."""
    text = str(requirement.marker or "")
    return (
        text
        if re.search(r"sys_platform|platform_|os_name|implementation", text) and "extra" not in text
        else ""
    )


def closure() -> dict[str, tuple[str, set[str]]]:
    """Canonical name → (version, the markers of all the edges that lead to it; '' is an edge
    without one)."""
    found: dict[str, tuple[str, set[str]]] = {}
    todo = [(requirement, "") for requirement in direct()]
    seen: set[tuple[str, str, str]] = set()
    while todo:
        requirement, inherited = todo.pop()
        name = canonicalize_name(requirement.name)
        parts = sorted({inherited, platform_marker(requirement)} - {""})
        marker = " and ".join(f"({part})" for part in parts) if len(parts) > 1 else "".join(parts)
        key = (name, ",".join(sorted(requirement.extras)), marker)
        if VENDOR.match(name) or key in seen:
            continue
        seen.add(key)
        version = metadata.version(name).split("+")[0]
        found.setdefault(name, (version, set()))[1].add(marker)
        for line in metadata.requires(name) or []:
            child = Requirement(line)
            extras = [{"extra": extra} for extra in requirement.extras or {""}]
            if child.marker is None or any(child.marker.evaluate(extra) for extra in extras):
                todo.append((child, marker))
    return found


def render() -> str:
    """The text of requirements.lock."""
    lines = [
        "# Written by `make lock` from pyproject.toml and the packages installed in .venv; not "
        "edited by hand.",
        "# Exact versions of direct and transitive packages. No GPU-vendor lines: torch's own "
        "metadata names them.",
    ]
    for name, (version, markers) in sorted(closure().items()):
        marker = "" if "" in markers else " ; " + " or ".join(sorted(markers))
        lines.append(f"{name}=={version}{marker}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
