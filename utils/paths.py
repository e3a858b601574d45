"""Every absolute path of the project comes from here; nothing else knows where the repository lies.

Three environment variables move what is large or written: ``INTERACTIONS_DATA`` (downloaded data
sets), ``INTERACTIONS_CACHE`` (finished jobs) and ``INTERACTIONS_RESULTS`` (notebooks, verdicts,
figures). They are read at each call, so a test or a notebook may set them after the import.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = [
    "CLAIMS",
    "EMBEDDED",
    "NOTEBOOKS",
    "PROFILES",
    "ROOT",
    "data_cache",
    "job_cache",
    "results",
]

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED = ROOT / "data"
NOTEBOOKS = ROOT / "notebooks"
PROFILES = ROOT / "profiles"
CLAIMS = ROOT / "claims.yaml"


def _from_environment(variable: str, default: Path) -> Path:
    """The absolute path in ``variable``; ``default`` when it is unset or empty."""
    value = os.environ.get(variable, "").strip()
    return Path(value).expanduser().absolute() if value else default


def data_cache() -> Path:
    """Where downloaded data sets lie: ``INTERACTIONS_DATA``, else ``data/cache`` in the
    repository."""
    return _from_environment("INTERACTIONS_DATA", EMBEDDED / "cache")


def job_cache() -> Path:
    """Where finished jobs lie: ``INTERACTIONS_CACHE``, else ``.cache`` in the repository."""
    return _from_environment("INTERACTIONS_CACHE", ROOT / ".cache")


def results(profile: str) -> Path:
    """Where a run of ``profile`` writes: ``INTERACTIONS_RESULTS`` (else ``results`` in the
    repository) / ``profile``.

    ``profile`` is one folder name, such as ``default``; ValueError otherwise.
    """
    if profile in ("", "..") or Path(profile).name != profile:
        raise ValueError(f"a profile is one folder name such as 'default', got {profile!r}")
    return _from_environment("INTERACTIONS_RESULTS", ROOT / "results") / profile
