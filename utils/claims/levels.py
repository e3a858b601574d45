"""How far a verdict's evidence reaches: an identity, a planted toy, a reduced copy of the papers'
experiment, or the experiment at the papers' own sizes.

Derived from the row, the system and the run's settings, never typed in. What cannot be shown to be
at the papers' size counts as reduced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..systems import System, ids_in
from ..train import Weights
from .registry import Kind, load
from .verdict import Evidence, Verdict

__all__ = ["PAPERS", "Sizes", "level", "with_evidence"]

_THEORY = "theory/synthetic"
_PLANTED = ("planted", "additive")
"""The data of systems whose truth was planted."""
_WHOLE = ("adult", "bike_sharing")
"""Sets of the papers that are embedded whole."""


@dataclass(frozen=True)
class Sizes:
    """A paper's experiment on one data set: networks by the name that a system has at the paper's
    width, players, explained samples (None: not published), training samples."""

    data: str
    networks: frozenset[str]
    players: int
    train: int
    images: int | None = None

    def reached(self, s: System, settings: Mapping[str, Any]) -> bool:
        """True where the system and the settings are at least these."""
        return (
            s.data.name == self.data
            and s.width is None
            and s.network.name in self.networks
            and settings.get("n_players", 0) >= self.players
            and (self.images is None or settings.get("images", 0) >= self.images)
            and (isinstance(s.training, Weights) or s.training.n_train >= self.train)
        )


_MNIST, _CIFAR10 = 60_000, 50_000
_REN_J = frozenset({"vgg11", "resnet18", "resnet20"})
_CHENG = frozenset({"mlp7", "vgg11", "resnet20"})
PAPERS: dict[str, tuple[Sizes, ...]] = {
    # Orders 1 to 10 in the figures; how many images each averages is not published.
    "ren2024towards": (
        Sizes("cifar10", frozenset({"vgg11"}), players=10, train=_CIFAR10),
        Sizes("mnist", frozenset({"lenet"}), players=10, train=_MNIST),
    ),
    "zhou2025towards": (
        Sizes("cifar10", frozenset({"vgg11"}), players=10, train=_CIFAR10),
        Sizes("mnist", frozenset({"lenet", "vgg11"}), players=10, train=_MNIST),
    ),
    # Ten feature components, 100 random samples (Table 1).
    "ren2025monitoring": (
        Sizes("mnist", _REN_J, players=10, train=_MNIST, images=100),
        Sizes("cifar10", _REN_J, players=10, train=_CIFAR10, images=100),
    ),
    # App. M.1: 100 images of MNIST with 10 players, 30 of CIFAR-10 with 12.
    "cheng2024layerwise": (
        Sizes("mnist", _CHENG, players=10, train=_MNIST, images=100),
        Sizes("cifar10", _CHENG, players=12, train=_CIFAR10, images=30),
    ),
}
"""What the papers used, as far as it is published, for data sets and networks that there are
here."""


def level(
    kind: Kind, paper: str, system: str, settings: Mapping[str, Any], chosen: Sequence[System] = ()
) -> Evidence:
    """The evidence of a row of ``kind`` from ``paper`` (its key in claims.yaml) on ``system``, the
    id of one of the run's systems ``chosen`` or of a pair of them.

    A set that is embedded here is a part of a paper's or none of theirs: a toy; unless it is the
    whole of a paper's, or games that others played with a real network.
    """
    if kind == "identity" or system == _THEORY:
        return "identity"
    data = system.rpartition("/")[2].split("+")
    if set(data) & set(_PLANTED):
        return "toy"
    ids = ids_in(system)
    own = [s for s in chosen if s.id in ids]
    if any(_is_toy(s) for s in chosen if s.data.name in data):
        return "toy"
    papers = PAPERS.get(paper, ())
    full = len(own) == len(ids) and all(
        any(sizes.reached(one, settings) for sizes in papers) for one in own
    )
    return "paper" if full else "reduced"


def _is_toy(system: System) -> bool:
    data = system.data
    return data.download is None and data.kind != "values" and data.name not in _WHOLE


def with_evidence(
    verdict: Verdict, settings: Mapping[str, Any], chosen: Sequence[System] = ()
) -> Verdict:
    """``verdict`` with the level of its evidence under a run's ``settings``, as JSON has them, and
    its systems."""
    paper = load().row(verdict.row).paper
    found = level(verdict.kind, paper, verdict.system or "", settings, chosen)
    return verdict.model_copy(update={"evidence": found})
