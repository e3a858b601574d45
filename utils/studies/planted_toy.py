"""04, M12: small networks on the planted toy set, which belongs to no system of the settings."""

from __future__ import annotations

from ..jobs import study as games_of
from ..jobs.games import CertifiedGames, Splits
from ..jobs.toy import INPUTS, TOY_SYSTEM, ToyJob
from ..params import FiveGroups as Settings
from .base import Analysis, Study

__all__ = ["planned", "planted"]


def planned(p: Settings) -> dict[Analysis, Splits]:
    """Games of a toy network per seed at every order weight, the first of which is primary."""
    jobs = [
        ToyJob(seed=seed, steps=p.toy_steps, checkpoints=p.checkpoints, images=p.images)
        for seed in p.seeds
    ]
    name = "the planted toy set"
    return {
        Analysis(w): games_of.planned_splits(p, name, jobs, order_weight=w) for w in p.order_weights
    }


def planted(p: Settings) -> Study[CertifiedGames]:
    """The toy networks; what is missing is trained, scored and split."""
    scope = (
        f"{len(p.seeds)} small MLPs on planted data of ours with {len(INPUTS)} inputs as players, "
        f"masked by their mean, {p.toy_steps} steps of plain SGD; the paper's toy data are not "
        "described"
    )
    games = {a: splits.load() for a, splits in planned(p).items()}
    return Study(TOY_SYSTEM, "planted toy set", p.seeds, scope, None, games)
