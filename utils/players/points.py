"""Groups of points of a cloud as players: an absent group is drawn together in one point.

Groups are clusters around far-apart points, or annotated parts. Where an absent group goes is its
own centre (Ren Q. et al. 2024, as far as known) or the centre of the whole cloud, the mean of its
points (published code of Li and Zhang 2023). Points of no group stay where they are, in every
coalition.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field

from ..datasets import Kind, Samples, Source
from .base import Draw, Players

__all__ = ["ClusterDraw", "PartDraw", "PointGroups", "farthest_point_clusters"]

Centre = Literal["group", "cloud"]

_LEAST = 2
"""Different points in a cluster: a single one is its own centre and could not be absent."""


class ClusterDraw(Draw):
    """n clusters of a cloud by farthest-point sampling; the first centre is drawn by a hash of the
    sample's id.

    centre: where the points of an absent cluster are put, the mean of the cluster or of the cloud.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("points",)
    centre: Centre = "group"

    @property
    def unit(self) -> str:
        return "clusters of points"

    @property
    def masked_by(self) -> str:
        return "cluster's centre" if self.centre == "group" else "cloud's centre"

    def possible(self, data: Samples, i: int) -> int:
        """The most clusters that all have two different points."""
        return max((n for n, _ in self._clusters(data, i)), default=0)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> PointGroups:
        for count, owner in self._clusters(data, i):
            if count == n:
                names = tuple(f"cluster {k}" for k in range(n))
                return PointGroups.of(data.x[i], torch.from_numpy(owner.copy()), self.centre, names)
        raise ValueError(
            f"{data.key(i)} has fewer than the {n} players asked for: its {len(data.x[i])} points "
            f"make {self.possible(data, i)} clusters of at least {_LEAST} different points"
        )

    def _clusters(self, data: Samples, i: int) -> Iterator[tuple[int, np.ndarray]]:
        points = data.x[i].numpy().astype(np.float64)
        first = _ranked(f"{data.key(i)}/{self.repeat}", len(points))[0]
        return farthest_point_clusters(points, first)


class PartDraw(Draw):
    """Annotated parts of a cloud as players.

    names: of the parts, in the order of their numbers 0, 1, … in ``Samples.parts``; another number,
    such as -1, is no part. Where a sample has more than n of them, n are drawn by a hash of its id.
    centre: where the points of an absent part are put, the mean of the cloud (Li and Zhang 2023) or
    of the part. A cloud without parts can have no players.
    """

    takes: ClassVar[tuple[Kind, ...]] = ("points",)
    names: tuple[str, ...] = Field(min_length=1)
    centre: Centre = "cloud"

    @property
    def unit(self) -> str:
        return "annotated parts"

    @property
    def masked_by(self) -> str:
        return "part's centre" if self.centre == "group" else "cloud's centre"

    def possible(self, data: Samples, i: int) -> int:
        """Parts that the sample has; 0 where the set has no annotation."""
        return len(self._present(data, i))

    def again(self, repeat: int, source: Source, n: int) -> Self | None:
        return None if n == len(self.names) else super().again(repeat, source, n)

    def players(self, data: Samples, i: int, n: int, train: Samples) -> PointGroups:
        present = self._present(data, i)
        if n > len(present):
            raise ValueError(
                f"{data.key(i)} has {len(present)} annotated parts, fewer than the {n} players "
                "asked for: take fewer players, or clusters (ClusterDraw)"
            )
        order = _ranked(f"{data.key(i)}/{self.repeat}", len(self.names))
        chosen = sorted([k for k in order if k in present][:n])
        owner = torch.full((len(data.x[i]),), n)
        for player, k in enumerate(chosen):
            owner[data.parts[i] == k] = player
        names = tuple(self.names[k] for k in chosen)
        return PointGroups.of(data.x[i], owner, self.centre, names)

    def _present(self, data: Samples, i: int) -> list[int]:
        if data.parts is None:
            return []
        found = set(data.parts[i].tolist())
        return [k for k in range(len(self.names)) if k in found]


def _ranked(key: str, count: int) -> list[int]:
    """0 … count - 1 in the order of their sha256 with ``key``."""
    return sorted(range(count), key=lambda k: hashlib.sha256(f"{key}/{k}".encode()).digest())


def farthest_point_clusters(points: np.ndarray, first: int) -> Iterator[tuple[int, np.ndarray]]:
    """(n, owner (N,) int64) for n = 1, 2, … while every cluster has two different points.

    points (N, 3). Centre 0 is the point ``first``, each further centre the point that is farthest
    from all before it (the first of several); a point belongs to the nearest centre (the one found
    first of several). More centres never make a cluster larger, so nothing is missed by stopping.
    """
    nearest = np.full(len(points), np.inf)
    owner = np.zeros(len(points), dtype=np.int64)
    centre = first
    for k in range(len(points)):
        away = ((points - points[centre]) ** 2).sum(1)
        owner[away < nearest] = k
        nearest = np.minimum(nearest, away)
        apart = np.bincount(owner, weights=nearest > 0, minlength=k + 1)
        if not (apart >= _LEAST - 1).all():
            return
        yield k + 1, owner
        centre = int(nearest.argmax())


class PointGroups(Players):
    """n groups of points of one cloud.

    cloud: (points, 3); owner: int64 (points,), the group of each point, n for points of none;
    baseline: (points, 3), where an absent point is put; names: of the groups. ValueError for shapes
    that do not fit.
    """

    def __init__(
        self,
        cloud: torch.Tensor,
        owner: torch.Tensor,
        baseline: torch.Tensor,
        names: tuple[str, ...],
    ) -> None:
        if cloud.ndim != 2 or owner.shape != cloud.shape[:1] or baseline.shape != cloud.shape:
            raise ValueError(
                f"cloud must be (points, 3), owner (points,) and baseline like the cloud; got "
                f"{tuple(cloud.shape)}, {tuple(owner.shape)}, {tuple(baseline.shape)}"
            )
        sizes = owner.clamp(0, len(names)).bincount(minlength=len(names) + 1)
        if not bool((sizes[: len(names)] > 0).all()) or not bool((owner >= 0).all()):
            raise ValueError(f"every one of the {len(names)} groups needs a point, sizes {sizes}")
        self.n, self.names = len(names), names
        self.cloud, self.owner, self.baseline = cloud, owner, baseline

    @classmethod
    def of(
        cls, cloud: torch.Tensor, owner: torch.Tensor, centre: Centre, names: tuple[str, ...]
    ) -> PointGroups:
        """The groups with the centre that ``centre`` names as their baseline; points of no group
        have the cloud's."""
        middle = cloud.mean(0, dtype=torch.float64).to(cloud.dtype)
        baseline = middle.expand_as(cloud).clone()
        if centre == "group":
            for k in range(len(names)):
                own = owner == k
                baseline[own] = cloud[own].mean(0, dtype=torch.float64).to(cloud.dtype)
        return cls(cloud, owner, baseline, names)

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """(B,) → (B, points, 3)."""
        bits = torch.arange(self.n, device=subsets.device)
        kept = torch.ones(len(subsets), self.n + 1, dtype=torch.bool, device=subsets.device)
        kept[:, : self.n] = (subsets[:, None] >> bits & 1).bool()
        return torch.where(kept[:, self.owner][..., None], self.cloud, self.baseline)

    @property
    def whole(self) -> torch.Tensor:
        return self.cloud

    def around(self, x: torch.Tensor) -> PointGroups:
        return PointGroups(x, self.owner, self.baseline, self.names)

    def describe(self, i: int) -> str:
        """``player 3: seat, 37 points around (0.10, -0.21, 0.05)``."""
        if not 0 <= i < self.n:
            raise ValueError(f"there is no player {i}; the players are 0..{self.n - 1}")
        own = self.cloud[self.owner == i]
        where = ", ".join(f"{x:.2f}" for x in own.mean(0).tolist())
        return f"player {i}: {self.names[i]}, {len(own)} points around ({where})"

    def to(self, device: torch.device) -> PointGroups:
        return PointGroups(
            self.cloud.to(device), self.owner.to(device), self.baseline.to(device), self.names
        )
