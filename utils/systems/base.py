"""What a verdict speaks of: a network on a data set, its players and how it was trained."""

from __future__ import annotations

import dataclasses

from pydantic import Field

from ..datasets import Kind, Source
from ..datasets.values import Values
from ..extract import Score
from ..models import Network
from ..players import Draw
from ..probes import ProbeConfig
from ..strict import Strict
from ..train import Training, Weights

__all__ = ["Floor", "System"]


class Floor(Strict):
    """Below it a network has not learnt the task that the claims are about, and every verdict that
    rests on its having learnt is INCONCLUSIVE."""

    value: float = Field(le=1, description="test accuracy; of a regression, R² on the test set")
    source: str = Field(min_length=1, description="where the number comes from, fixed before a run")


@dataclasses.dataclass(frozen=True)
class System:
    """One system. What is None takes no part in the rows that need it, and they say so.

    data, network: as ``utils.datasets`` and ``utils.models`` have them; of a value table, whose
    games others played, there is no network, no players and no training here; width: the network's,
    None: the paper's; players: how the players of a sample are drawn; training: our own, or weights
    given by others; floor: None only for a system that was changed, until a floor is given with the
    change. half_depth: the layer whose features are taken apart (04, 07); read_at: the layer that a
    probe reads (06); probes: their training (01, 05, 06); memorising: the training on wrong labels
    (07). packages: that its network comes from, beside the package's own dependencies, by the names
    that they are imported under. loss_samples: training samples that the training loss is measured
    on at most, a class-balanced first part; all of them where the classes are unequal, so that it
    is of the same mixture as the test loss. test_samples: test samples that accuracy and loss are
    measured on, a class-balanced first part; None: all. file: the user's file that it was found in.
    """

    data: Source | Values
    floor: Floor | None
    network: Network | None = None
    players: Draw | None = None
    training: Training | Weights | None = None
    width: int | None = None
    score: Score = "logodds"
    half_depth: str | None = None
    read_at: str | None = None
    probes: ProbeConfig | None = None
    memorising: Training | None = None
    packages: tuple[str, ...] = ()
    # As many as the embedded MNIST's test set has: both losses are known equally well, and
    # measuring them does not cost more than the training.
    loss_samples: int = 2000
    test_samples: int | None = None
    file: str | None = None

    @property
    def id(self) -> str:
        """network/data, as in verdicts, folders and ``systems=[...]``."""
        if isinstance(self.data, Values):
            return f"{self.data.network}/{self.data.name}"
        return f"{self.network.sized(self.width)}/{self.data.name}"

    @property
    def name(self) -> str:
        """The network in print."""
        if isinstance(self.data, Values):
            return self.data.title
        return self.network.titled(self.width)

    @property
    def unit(self) -> str:
        """What players are called, in the plural."""
        return self.data.unit if isinstance(self.data, Values) else self.players.unit

    @property
    def masked_by(self) -> str:
        """What stands for an absent player."""
        return self.data.masked_by if isinstance(self.data, Values) else self.players.masked_by

    @property
    def kind(self) -> Kind:
        """What a sample is."""
        return self.data.kind

    @property
    def measure(self) -> str:
        """What its floor is a bound of."""
        regression = isinstance(self.data, Source) and not self.data.classes
        return "test R²" if regression else "test accuracy"

    @property
    def readable(self) -> tuple[str, ...]:
        """What half_depth and read_at may name: the network's layers, and its output."""
        return ("output",) if self.network is None else (*self.network.layers, "output")

    @property
    def given(self) -> bool:
        """Whether its weights, or its games, are those of others: one network, so the unit of
        replication is the sample."""
        return not isinstance(self.training, Training)
