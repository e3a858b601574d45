"""F1: Bayesian networks beside standard ones of like accuracy, and the games of both."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import ClassVar

import torch
from torch.nn import functional as F

from .. import extract, io, runtime
from .base import Job, ensure
from .posterior import Bayes, BayesianTrainJob
from .scored import GamesJob

__all__ = [
    "GROUPS",
    "Bayes",
    "BayesianGames",
    "BayesianGamesJob",
    "BayesianTrainJob",
    "mean_log_odds",
    "noise_averaged",
]

GROUPS = ("Bayesian", "standard", "standard, noise averaged")
"""The axis that holds checkpoints elsewhere: what the games of one job are games of."""


def mean_log_odds(v: torch.Tensor) -> torch.Tensor:
    """Log-odds of the mean probability over the first axis of log-odds (K, …) → (…)."""
    return F.logsigmoid(v).logsumexp(0) - F.logsigmoid(-v).logsumexp(0)


def noise_averaged(v: torch.Tensor, sd: torch.Tensor, draws: int, seed: int) -> torch.Tensor:
    """The same of ``draws`` copies of games v (X, 2^n) with independent Gaussian noise of ``sd`` on
    every mask: a control.

    It averages as a Bayesian network does, over scores that differ as much, but independently from
    mask to mask.
    """
    noise = torch.randn(
        draws, *v.shape, dtype=v.dtype, generator=torch.Generator().manual_seed(seed)
    )
    return mean_log_odds(v + sd * noise)


@dataclasses.dataclass(frozen=True)
class BayesianGames:
    """v (3, X, 2^n) of X images in the groups of ``GROUPS``; accuracy (2,): of the Bayesian network
    and of the checkpoint of the standard one that comes nearest; sd: mean standard deviation of a
    score over the posterior's draws."""

    v: torch.Tensor
    steps: torch.Tensor
    saturated: torch.Tensor
    noise_floor: torch.Tensor
    accuracy: torch.Tensor
    sd: torch.Tensor


class BayesianGamesJob(Job):
    """Games of a Bayesian network (log-odds of the mean probability of its draws) and of the
    standard one.

    The standard network is taken at the checkpoint whose test accuracy is nearest to the Bayesian
    one's. The third group is :func:`noise_averaged`, with the variance over the posterior's draws.
    """

    kind: ClassVar[str] = "bayesian_games"
    version: ClassVar[int] = 1
    games: GamesJob
    bayes: BayesianTrainJob

    def compute(self, folder: Path) -> None:
        run, found = ensure(self.games.train), ensure(self.bayes)
        players, labels, _ = self.games.players()
        device = runtime.device(self.games.device)
        known = run.losses.set_index("step")["test_accuracy"]
        nearest = min(run.steps, key=lambda step: (abs(known[step] - found.accuracy), -step))

        def scored(model: torch.nn.Module) -> torch.Tensor:
            return extract.scores(
                model.to(device), players, labels, rows=self.games.rows, device=device, path="auto"
            ).cpu()

        each = torch.stack(
            [
                scored(model)
                for model in runtime.progress(
                    found.posterior.draw(self.bayes.draws, run.config.seed),
                    desc="scoring draws of the posterior",
                    unit="draw",
                )
            ]
        )
        standard, sd = scored(run.model(nearest)), each.std(0)
        v = torch.stack(
            [
                mean_log_odds(each),
                standard,
                noise_averaged(standard, sd, self.bayes.draws, run.config.seed),
            ]
        )
        floor = extract.noise_floor(
            run.model(nearest).to(device), players[0].to(device), int(labels[0])
        )
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "steps": torch.arange(len(v)),
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.full((len(v),), floor, dtype=torch.float64),
                "accuracy": torch.tensor([found.accuracy, known[nearest]], dtype=torch.float64),
                "sd": sd.mean(),
            },
        )

    def load(self, folder: Path) -> BayesianGames:
        return BayesianGames(**io.load_arrays(folder / "games.safetensors"))
