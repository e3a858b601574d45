"""One system under every analysis: a claim is a function of games, the study applies it to all.

The papers' objective does not say at which end of its face of optima a game is split, so every
statistic is computed at both and must decide alike; so must it with certified games only. Another
draw of players, or other images, are shown beside it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, Protocol, Self, TypeVar

from .. import claims
from ..claims import Part, Premise
from ..datasets import Split
from ..params import Study as Settings
from ..systems import System

__all__ = [
    "CERTIFIED",
    "Analysis",
    "Games",
    "Networks",
    "Study",
    "analyses",
    "named",
    "nearest_floor",
]

CERTIFIED = "uncertified games dropped"
"""What the analysis of certified games only is called in claims.yaml and in verdicts."""


@dataclasses.dataclass(frozen=True)
class Analysis:
    """One way of reading the same networks.

    order_weight: epsilon of w(S) = 1 + epsilon (|S| - 1) / n, the end of the face; draw: which draw
    of players; split: part of the data set whose samples are explained, None: the study's own;
    noun: what samples are called.
    """

    order_weight: float
    draw: int = 0
    split: Split | None = None
    noun: str = "images"

    @property
    def decides(self) -> bool:
        """Whether a verdict that differs under it is not identified; else it is only shown."""
        return self.draw == 0 and self.split is None

    @property
    def label(self) -> str:
        """Its name in verdicts and figures; that of the first analysis stands in figures only."""
        if self.split is not None:
            return f"{'training' if self.split == 'train' else self.split} {self.noun}"
        return "second draw of players" if self.draw else f"order weight {self.order_weight:+g}"


def analyses(p: Settings, system: System | None = None) -> tuple[Analysis, ...]:
    """The main analysis first, then the other order weights, then a second draw of players, where
    ``system`` has one."""
    found = [Analysis(w) for w in p.order_weights]
    again = p.second_draw and (system is None or _redrawn(p, system))
    return (*found, *([Analysis(p.order_weights[0], draw=1)] if again else []))


def _redrawn(p: Settings, system: System) -> bool:
    """Whether there is a second draw of players."""
    players = system.players
    return players is not None and players.again(1, system.data, p.n_players) is not None


class Games(Protocol):
    """What a statistic takes: certified games of one kind or several."""

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance, the largest of its parts."""

    def certified(self) -> Self:
        """The same for statistics of certified games only."""


G = TypeVar("G", bound=Games)


@dataclasses.dataclass(frozen=True, eq=False)
class Networks:
    """One system's trained networks, as every verdict on them speaks of them.

    systems: the one, or the two of a pair, which share their data or their network; seeds: one
    trained network each, or pair of networks; scope: for what a verdict speaks; accuracy: of each
    network, of a pair on one data set the lower one, since both must have learnt the task; None
    where no row asks for it; learnt: of a pair on two, whose accuracy that is
    (:func:`nearest_floor`).
    """

    systems: tuple[System, ...]
    seeds: Sequence[int]
    scope: str
    accuracy: Sequence[float] | None
    learnt: System | None = dataclasses.field(default=None, kw_only=True)

    @property
    def across_data(self) -> bool:
        """Whether it is a pair of one network on two data sets."""
        return len({s.data.name for s in self.systems}) > 1

    @property
    def id(self) -> str:
        """network/data; of a pair network+network/data, or network/data+data."""
        networks, data = (
            [s.id.rpartition("/")[0] for s in self.systems],
            [s.data.name for s in self.systems],
        )
        if self.across_data:
            return f"{networks[0]}/{'+'.join(data)}"
        return f"{'+'.join(networks)}/{data[0]}"

    @property
    def name(self) -> str:
        """The networks in print."""
        return " and ".join(named(s, self.systems) for s in self.systems)

    @property
    def measure(self) -> str:
        """What the floor is a bound of."""
        return self.systems[0].measure

    @property
    def facts(self) -> dict[str, Any]:
        """What the judge is told whatever the row."""
        held = self.systems if self.learnt is None else (self.learnt,)
        floors = [s.floor.value for s in held if s.floor is not None]
        return {
            "seeds": self.seeds,
            "scope": self.scope,
            "accuracy": self.accuracy,
            "floor": min(floors) if len(floors) == len(held) else None,
            "measure": self.measure,
            # A system of given weights is trained here all the same where labels are noisy (07).
            "given": len(self.seeds) == 1 and any(s.given for s in self.systems),
        }

    def why_not(self, row: str) -> str | None:
        """Why ``row`` is not judged on these networks; None where it is."""
        every = (claims.why_not(row, system, pair=self.id) for system in self.systems)
        return next((why for why in every if why), None)


def named(system: System, among: Sequence[System]) -> str:
    """The network in print, with its data set where ``among`` has that network on several."""
    same = {s.data.name for s in among if s.network == system.network}
    return system.name if len(same) < 2 else f"{system.name} on {system.data.name}"


def nearest_floor(
    first: tuple[System, Sequence[float]], second: tuple[System, Sequence[float]]
) -> tuple[System, list[float]]:
    """Of two systems on two tasks with the accuracies of their networks, the one whose lowest comes
    nearest to missing its floor, with its accuracies: both must have learnt their own. One without
    a floor comes first, since nothing is concluded on it."""

    def margin(one: tuple[System, Sequence[float]]) -> float:
        floor = one[0].floor
        return -math.inf if floor is None else min(one[1]) - floor.value

    found = min(first, second, key=margin)
    return found[0], list(found[1])


@dataclasses.dataclass(frozen=True, eq=False)
class Study(Networks, Generic[G]):
    """One system's games under every analysis, the main one first.

    changed: what makes its statistics others than the registered ones, if anything.
    """

    games: Mapping[Analysis, G]
    changed: str | None = None

    @property
    def main(self) -> G:
        """The games of the main analysis."""
        return next(iter(self.games.values()))

    @property
    def ends(self) -> dict[str, G]:
        """The games at every end of the face that was asked for, by label: for figures."""
        return {a.label: e for a, e in self.games.items() if a.decides}

    @property
    def other_ends(self) -> dict[str, G]:
        """The same without the main analysis."""
        return dict(list(self.ends.items())[1:])

    def case(
        self,
        statistic: Callable[[G], list[Part]],
        *,
        premises: Sequence[Premise] = (),
        beside: Mapping[str, list[Part]] | None = None,
        control: Mapping[str, Any] | None = None,
        orders: Literal["decide", "shown", "left out"] = "decide",
        changed: str | None = None,
    ) -> dict[str, Any]:
        """What :func:`utils.claims.judge` is told of a row: its statistic under every analysis.

        beside: further parts that are only shown, by name. orders: what the other ends of the face
        are to the row: statements on orders are decided at all of them. The share of uncertified
        games is the largest among the analyses that decide.
        """
        (_, main), *others = self.games.items()
        role = {"decide": "variants", "shown": "reported"}
        found: dict[str, dict[str, list[Part]]] = {"variants": {}, "reported": {}}
        uncertified = main.uncertified
        for a, e in others:
            where = role.get(orders) if a.decides else "reported"
            if where is not None:
                found[where][a.label] = statistic(e)
            if where == "variants":
                uncertified = max(uncertified, e.uncertified)
        found["variants"][CERTIFIED] = statistic(main.certified())
        found["reported"] |= beside or {}
        return {
            "parts": statistic(main),
            **self.facts,
            "uncertified": uncertified,
            "premises": list(premises),
            "control": control,
            "changed": changed or self.changed,
            **found,
        }
