"""The registry of claims (``claims.yaml``), how a row is judged, and how verdicts are kept.

``registry`` reads what is claimed and by which number it is decided; ``weighing`` turns values into
p values and decisions, ``judging`` those into the two readings of a row (``verdict`` is the data);
``criteria`` knows how often each criterion errs, ``levels`` how far a verdict's evidence reaches;
``store`` writes verdicts, corrects them over a run and tabulates them.
"""

from __future__ import annotations

from . import criteria
from .applying import rows_of, why_not
from .judging import judge
from .levels import with_evidence
from .plain_rows import demonstrate, describe, judge_identity, judge_numerical
from .registry import Protocol, Registry, RegistryError, Row, Threshold, load, row_key, sha256
from .store import (
    agrees,
    check_changes,
    finalise,
    read_all,
    read_verdict,
    record,
    status_rows,
    summary,
    table,
    verdict_path,
)
from .verdict import Part, PartResult, Premise, Reading, Verdict

__all__ = [
    "Part",
    "PartResult",
    "Premise",
    "Protocol",
    "Reading",
    "Registry",
    "RegistryError",
    "Row",
    "Threshold",
    "Verdict",
    "agrees",
    "check_changes",
    "criteria",
    "demonstrate",
    "describe",
    "finalise",
    "judge",
    "judge_identity",
    "judge_numerical",
    "load",
    "read_all",
    "read_verdict",
    "record",
    "row_key",
    "rows_of",
    "sha256",
    "status_rows",
    "summary",
    "table",
    "verdict_path",
    "why_not",
    "with_evidence",
]
