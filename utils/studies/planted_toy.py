"""04, M12: small networks on the planted toy set, whatever the systems of the settings."""

from __future__ import annotations

import dataclasses

from ..datasets.planted import INPUTS
from ..jobs.games import CertifiedGames, Splits
from ..jobs.toy import ToyJob
from ..params import FiveGroups as Settings
from ..systems.mlp_toy_planted import SYSTEM
from . import networks as games_of
from .base import Analysis, Study

__all__ = ["Planted", "planned", "planted", "scope"]


@dataclasses.dataclass(frozen=True, eq=False)
class Planted(Study[CertifiedGames]):
    """The toy networks: each on a draw of its own of the planted set."""

    @property
    def name(self) -> str:
        """In print."""
        return "planted toy set"


def planned(p: Settings) -> dict[Analysis, Splits]:
    """Games of a toy network per seed at every order weight, the first of which is primary."""
    how = {
        "samples": SYSTEM.training.n_train,
        "width": SYSTEM.network.width,
        "lr": SYSTEM.training.lr,
        "batch": SYSTEM.training.batch,
        "steps": p.toy_steps,
        "checkpoints": p.checkpoints,
        "images": p.images,
    }
    jobs = [ToyJob(seed=seed, **how) for seed in p.seeds]
    name = "the planted toy set"
    return {
        Analysis(w): games_of.splits_of(p, name, p.seeds, jobs, order_weight=w)
        for w in p.order_weights
    }


def planted(p: Settings) -> Planted:
    """The toy networks; what is missing is trained, scored and split."""
    games = {a: splits.load() for a, splits in planned(p).items()}
    return Planted((SYSTEM,), p.seeds, scope(p), None, games)


def scope(p: Settings) -> str:
    """For what the demonstration on the toy networks speaks."""
    return (
        f"{len(p.seeds)} small MLPs on planted data of ours with {len(INPUTS)} inputs as players, "
        f"masked by their mean, {p.toy_steps} steps of plain SGD; the paper's toy data are not "
        "described"
    )
