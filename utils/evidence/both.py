"""The games of two networks, network i of the one beside network i of the other."""

from __future__ import annotations

import dataclasses
from typing import Generic, Protocol, Self, TypeVar

__all__ = ["Both"]


class _Certified(Protocol):
    @property
    def uncertified(self) -> float: ...

    def certified(self) -> Self: ...


G = TypeVar("G", bound=_Certified)


@dataclasses.dataclass(frozen=True, eq=False)
class Both(Generic[G]):
    """What a statistic takes of two networks; names: theirs in print."""

    first: G
    second: G
    names: tuple[str, str]

    @property
    def each(self) -> list[tuple[str, G]]:
        """Both with their names."""
        return list(zip(self.names, (self.first, self.second), strict=True))

    @property
    def uncertified(self) -> float:
        """Share of games above the split's tolerance, the larger of both."""
        return max(self.first.uncertified, self.second.uncertified)

    def certified(self) -> Both[G]:
        """The same for statistics of certified games only."""
        return Both(self.first.certified(), self.second.certified(), self.names)
