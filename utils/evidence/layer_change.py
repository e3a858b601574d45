"""What a layer shares with the output, will forget, has yet to learn: strength by order, from
games."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from ..interactions import Interactions
from ..jobs.layered import Layered
from ..metrics import layers, orders, salience

__all__ = [
    "FIRST",
    "Kind",
    "Shared",
    "change_of",
    "left",
    "salient_masks",
    "shared",
    "strengths",
    "totals",
]

Kind = Literal["and", "or", "both"]
FIRST: dict[Kind, int] = {"and": 1, "or": 2, "both": 1}
"""The lowest order that counts: first-order OR terms are merged into the AND terms."""


def change_of(x: Layered, kind: Kind, rule: salience.Rule) -> layers.Change:
    """Normalised salient strength per order and its decomposition at every layer: each (R seeds, C
    layers, X, n)."""
    unit = layers.normalised(x.e.merged, x.e.v)
    parts = [
        layers.change(values, values[:, -1:], mask, mask[:, -1:])
        for values, mask in zip(
            _of_kind((unit.and_, unit.or_), kind),
            _of_kind(salient_masks(x, rule), kind),
            strict=True,
        )
    ]
    fields = ("own", "target", "overlap", "forget", "new")
    return layers.Change(*(sum(getattr(part, name) for part in parts) for name in fields))


def salient_masks(x: Layered, rule: salience.Rule) -> tuple[torch.Tensor, torch.Tensor]:
    """Which AND and which OR interactions are salient, (R, C, X, 2^n) each; where all are 0, none
    is."""
    found = x.e.merged
    tau = salience.threshold(found, x.e.v, rule)
    return found.salient(tau.clamp(min=torch.finfo(torch.float64).tiny))


def _of_kind(pair: Sequence[torch.Tensor], kind: Kind) -> list[torch.Tensor]:
    return [pair[k] for k in {"and": (0,), "or": (1,), "both": (0, 1)}[kind]]


def totals(change: layers.Change) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """overlap, forget and the final layer's strength of the probed layers, all orders together: (R,
    P, X)."""
    target = change.target.expand_as(change.own).sum(-1)
    return change.overlap.sum(-1)[:, :-1], change.forget.sum(-1)[:, :-1], target[:, :-1]


def left(x: Layered) -> torch.Tensor:
    """Which images count, (S, X) bool: of certified games only, those certified at all layers."""
    done = x.e.converged
    return done.all(1) if x.e.certified_only else torch.ones_like(done[:, 0])


def _of_left(x: Layered, values: torch.Tensor) -> torch.Tensor:
    """(S, C, X, n) with NaN at the images that do not count."""
    return values * torch.where(left(x), 1.0, torch.nan).double()[:, None, :, None]


def strengths(x: Layered, kind: Kind, *, merged: bool = True) -> np.ndarray:
    """Strength per order of *all* interactions, salient or not: (S, C, X, n); NaN: an uncertified
    image left out.

    merged: first-order OR terms into AND.
    """
    found: Interactions = x.e.merged if merged else x.e.found
    unit = layers.normalised(found, x.e.v)
    by_order = [orders.by_order(part.abs()) for part in _of_kind((unit.and_, unit.or_), kind)]
    return _of_left(x, torch.stack(by_order).sum(0)).numpy()


@dataclasses.dataclass(frozen=True)
class Shared:
    """The decomposition of salient interactions of one kind, as the statistics take it.

    overlap, forget (S, P, X, n) of the probed layers; target (S, X, n) of the output. NaN: an
    uncertified image left out.
    """

    overlap: np.ndarray
    forget: np.ndarray
    target: np.ndarray

    @property
    def completeness(self) -> np.ndarray:
        """overlap / target of every image and probed layer, (S, P, X); an output's largest term is
        salient, so it has one."""
        target, missing = self.target.sum(-1)[:, None], np.full(self.overlap.shape[:-1], np.nan)
        return np.divide(self.overlap.sum(-1), target, out=missing, where=target > 0)


def shared(x: Layered, kind: Kind, rule: salience.Rule) -> Shared:
    """What every probed layer shares with the output and will forget, by order."""
    found = change_of(x, kind, rule)
    overlap, forget, target = (
        _of_left(x, part).numpy() for part in (found.overlap, found.forget, found.target)
    )
    return Shared(overlap[:, :-1], forget[:, :-1], target[:, 0])
