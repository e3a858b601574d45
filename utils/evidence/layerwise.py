"""L3, L4, L8a, L8b, L11, L15-L17: statistics of the layers of one system, from certified games.

Each is made for a kind of interaction and a rule of salience, and then takes games. The null of a
*specific* reading is the untrained network (L3, L8a, L11) or probes on shuffled labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..claims import Part
from ..jobs.layered import Trio
from ..metrics import salience
from . import layer_statistics as statistics
from .layer_change import FIRST, Kind, shared, strengths

__all__ = [
    "RULE",
    "Statistic",
    "completeness",
    "completeness_beside",
    "gap_beside",
    "high_orders",
    "little_beside",
    "little_redundancy",
    "low_orders",
    "order_gap",
    "redundancy",
    "redundancy_beside",
    "unmerged",
]

RULE: salience.Rule = "max_per_sample"
"""When an interaction is salient (as registered): another rule is another criterion."""

Statistic = Callable[[Trio], list[Part]]


def low_orders(kind: Kind, *, merged: bool = True) -> Statistic:
    """L3 (AND), L8a (OR): orders up to n/2 minus those above, least over layers.

    merged: first-order OR terms into AND.
    """

    def statistic(x: Trio) -> list[Part]:
        ours, null = (
            statistics.balance(strengths(one, kind, merged=merged)[:, :-1], FIRST[kind])
            for one in (x.trained, x.untrained)
        )
        return statistics.low_minus_high_parts(ours, null)

    return statistic


def redundancy(kind: Kind, rule: salience.Rule, orders: Sequence[int] | None = None) -> Statistic:
    """L4 (AND), L8b (OR): redundancy at its peak minus at the higher end. orders: given instead of
    chosen."""

    def statistic(x: Trio) -> list[Part]:
        ours, null = (shared(one, kind, rule) for one in (x.trained, x.shuffled))
        return statistics.redundancy_parts(ours.forget, ours.target, null.forget, orders)

    return statistic


def completeness(kind: Kind, rule: salience.Rule) -> Statistic:
    """L15 (both kinds): the slope over layers of what is shared with the output."""

    def statistic(x: Trio) -> list[Part]:
        ours, null = (shared(one, kind, rule).completeness for one in (x.trained, x.shuffled))
        return statistics.slope_parts("completeness_slope", ours, null)

    return statistic


def little_redundancy(kind: Kind, rule: salience.Rule) -> Statistic:
    """L11: low orders are stronger, completeness rises, and the most redundant layer has little."""

    def statistic(x: Trio) -> list[Part]:
        ours = shared(x.trained, kind, rule)
        little = statistics.largest_part(ours.forget.sum(-1), ours.target.sum(-1))
        return [*low_orders(kind)(x), *completeness(kind, rule)(x), little]

    return statistic


def high_orders(x: Trio) -> list[Part]:
    """L16: the slope over layers of the share of AND interactions above n/2."""
    ours, null = (
        statistics.high_share(strengths(one, "and")[:, :-1]) for one in (x.trained, x.shuffled)
    )
    return statistics.slope_parts("high_share_slope", ours, null)


def order_gap(rule: salience.Rule) -> Statistic:
    """L17: completeness of low minus of high orders of AND interactions, at the last probed
    layer."""

    def statistic(x: Trio) -> list[Part]:
        ours = shared(x.trained, "and", rule)
        return statistics.order_gap_parts(ours.overlap[:, -1], ours.target)

    return statistic


# What is shown beside the verdicts ----------------------------------------------------------------

Parts = dict[str, list[Part]]


def _other_rules(make: Callable[[salience.Rule], Statistic], x: Trio, rule: salience.Rule) -> Parts:
    return {f"salience rule {r}": make(r)(x) for r in salience.RULES if r != rule}


def redundancy_beside(x: Trio, kind: Kind, rule: salience.Rule) -> Parts:
    """L4, L8b by the other rules of salience; of AND interactions, order 1 alone."""
    found = _other_rules(lambda r: redundancy(kind, r), x, rule)
    alone = {"order 1 alone": redundancy(kind, rule, [1])(x)} if FIRST[kind] == 1 else {}
    return found | alone


def unmerged(x: Trio) -> Parts:
    """L8a with first-order OR terms left where the split put them."""
    return {"first-order terms not merged": low_orders("or", merged=False)(x)}


def little_beside(x: Trio, rule: salience.Rule) -> Parts:
    """L11 by the other rules of salience, and of OR interactions."""
    found = _other_rules(lambda r: little_redundancy("and", r), x, rule)
    return found | {"OR": little_redundancy("or", rule)(x)}


def completeness_beside(x: Trio, rule: salience.Rule) -> Parts:
    """L15 by the other rules of salience, and of AND interactions."""
    found = _other_rules(lambda r: completeness("both", r), x, rule)
    return found | {"AND alone": completeness("and", rule)(x)}


def gap_beside(x: Trio, rule: salience.Rule) -> Parts:
    """L17 by the other rules of salience."""
    return _other_rules(order_gap, x, rule)
