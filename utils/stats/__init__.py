"""Statistics of verdicts: intervals, tests, selections; pure functions of arrays, NaN handled
explicitly."""

from __future__ import annotations

from .basic import (
    Direction,
    Interval,
    TestResult,
    circular_shift_test,
    cluster_bootstrap,
    directed_pvalue,
    event_shift_test,
    gini,
    permutation_test,
    seed_means,
    spearman,
    t_interval,
    t_pvalue,
    tost,
)
from .crossed import Crossed, crossed, leave_one_out, pseudo_values, unit_means
from .multiple import benjamini_hochberg, holm
from .selection import chosen, cross_chosen, halves

__all__ = [
    "Crossed",
    "Direction",
    "Interval",
    "TestResult",
    "benjamini_hochberg",
    "chosen",
    "circular_shift_test",
    "cluster_bootstrap",
    "cross_chosen",
    "crossed",
    "directed_pvalue",
    "event_shift_test",
    "gini",
    "halves",
    "holm",
    "leave_one_out",
    "permutation_test",
    "pseudo_values",
    "seed_means",
    "spearman",
    "t_interval",
    "t_pvalue",
    "tost",
    "unit_means",
]
