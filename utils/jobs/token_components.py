"""Games between feature components of networks that read sentences.

Tokens have no mean. In the place of the papers' mean input stands one sentence in which every word
is the mask token, so that a masked component has its value for a sentence that says nothing; one
for all samples, as the papers have one mean input for all (Ren J. et al. 2025, Section 2).
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import torch

from .. import extract, io, runtime
from ..datasets import Samples
from ..models.tail import tail
from ..players import Players
from ..players.components import Components, FeatureComponents
from ..train import Run
from .base import ensure
from .components import FeaturesJob, check_tail, features_of
from .mislabelled import Memorised, MislabelledJob, beside

__all__ = ["TokenFeaturesJob", "TokenMislabelledJob", "masked_sentence"]


def masked_sentence(data: Samples) -> torch.Tensor:
    """Tokens (length,) of a sentence of mask tokens, as long as the training sentences are on
    average.

    Made of the first training sentence whose number of tokens is nearest to their mean: its ends
    and its padding stay where they are, everything else is the mask token. ValueError for a set
    that names no mask token, or for another split.
    """
    about = data.about
    if data.split != "train" or about.mask is None or about.pad is None:
        raise ValueError(
            f"a sentence of mask tokens is made from training sentences of a set that names its "
            f"mask token and its padding (About.mask, About.pad), got {data.name}/{data.split}"
        )
    lengths = (data.x != about.pad).sum(1).double()
    template = data.x[int((lengths - lengths.mean()).abs().argmin())]
    kept = torch.isin(template, torch.tensor(about.special, dtype=template.dtype))
    return torch.where(kept, template, torch.full_like(template, about.mask))


class TokenFeaturesJob(FeaturesJob):
    """:class:`utils.jobs.components.FeaturesJob` with the feature of :func:`masked_sentence` as
    baseline."""

    kind: ClassVar[str] = "token-features"
    version: ClassVar[int] = 1

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        device = runtime.device(self.sample.device)
        players, labels, ids = self.sample.players()
        masked = masked_sentence(self.sample.train.config.data("train"))
        sentences = torch.stack([p.whole for p in players] + [masked])
        found, answers = [], []
        for step in run.steps:
            model = run.model(step).to(device)
            feature, logits = features_of(model, self.layer, sentences, device)
            check_tail(tail(model, self.layer), feature.to(device), logits)
            found.append(feature)
            answers.append(logits[:-1])
        both = torch.stack(found)
        io.save_arrays(
            folder / "features.safetensors",
            {
                "features": both[:, :-1],
                "baseline": both[:, -1],
                "logits": torch.stack(answers),
                "steps": torch.tensor(run.steps),
                "labels": labels,
                "ids": ids,
            },
        )


class TokenMislabelledJob(MislabelledJob):
    """:class:`utils.jobs.mislabelled.MislabelledJob` between feature components (``pca`` is
    needed), masked by those of :func:`masked_sentence`."""

    kind: ClassVar[str] = "token-mislabelled"
    version: ClassVar[int] = 1

    def compute(self, folder: Path) -> None:
        run: Run = ensure(self.sample.train)
        known: Memorised = ensure(self.memorised)
        right, count = known.answers == known.given, self.sample.images
        # Every sentence has components, so that every one can be explained.
        one, other = beside(
            known.given, right & known.flipped, right & ~known.flipped, count, run.config.seed
        )
        told, true = known.given[one], known.true[one]
        cases = (
            (-1, one, told),
            (-1, other, told),
            (-1, one, true),
            (0, one, told),
            (0, other, told),
        )
        games, floors = zip(*(self._games(run, *c) for c in cases[: self.groups]), strict=True)
        v = torch.stack([_padded(game, count) for game in games])
        io.save_arrays(
            folder / "games.safetensors",
            {
                "v": v,
                "steps": torch.arange(len(v)),
                "saturated": (v.abs() > extract.SATURATED).double().mean((1, 2)),
                "noise_floor": torch.tensor(floors, dtype=torch.float64),
                "kept": torch.arange(count) < len(one),
                "one": _padded(one, count),
                "other": _padded(other, count),
                "label": _padded(told, count),
            },
        )

    def _games(
        self, run: Run, checkpoint: int, rows: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, float]:
        """Scores (P, 2^n) at a checkpoint of the sentences at ``rows``, and the noise floor of the
        first."""
        if self.pca is None:
            raise ValueError("token-mislabelled games are between feature components: give pca")
        if not len(rows):
            return torch.zeros(0, 1 << self.sample.n, dtype=torch.float64), 0.0
        device = runtime.device(self.sample.device)
        components: Components = ensure(self.pca)
        model, layer = run.model(run.steps[checkpoint]).to(device), self.pca.layer
        masked = masked_sentence(run.config.data("train"))
        x = torch.cat([run.config.told().x[rows], masked[None]])
        found = features_of(model, layer, x, device)[0]
        rest = tail(model, layer)
        players: list[Players] = [FeatureComponents(f, found[-1], components) for f in found[:-1]]
        v = extract.scores(rest, players, labels, rows=self.sample.rows, device=device).cpu()
        return v, extract.noise_floor(rest, players[0].to(device), int(labels[0]))


def _padded(rows: torch.Tensor, count: int) -> torch.Tensor:
    return torch.cat([rows, rows.new_zeros(count - len(rows), *rows.shape[1:])])
