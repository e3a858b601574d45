"""Games between feature components of networks that read sentences.

Tokens have no mean. In the place of the papers' mean input stands one sentence in which every word
is the mask token, so that a masked component has its value for a sentence that says nothing; one
for all samples, as the papers have one mean input for all (Ren J. et al. 2025, Section 2).
"""

from __future__ import annotations

from typing import ClassVar

import torch

from ..datasets import Samples
from .components import FeaturesJob
from .mislabelled import MislabelledJob

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
    """:class:`utils.jobs.components.FeaturesJob` with :func:`masked_sentence` as baseline."""

    kind: ClassVar[str] = "token-features"
    version: ClassVar[int] = 2

    def baseline(self) -> torch.Tensor:
        return masked_sentence(self.sample.train.config.data("train"))


class TokenMislabelledJob(MislabelledJob):
    """:class:`utils.jobs.mislabelled.MislabelledJob` between feature components, masked by those of
    :func:`masked_sentence`."""

    kind: ClassVar[str] = "token-mislabelled"
    version: ClassVar[int] = 2

    def baseline(self, train: Samples) -> torch.Tensor:
        return masked_sentence(train)
