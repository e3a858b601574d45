"""What a network is to the rest of the package: a name, what it takes, its layers, how to make
it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import nn

from ..datasets import Kind

__all__ = ["InputSpec", "Network"]


class InputSpec(NamedTuple):
    """What a network is built for.

    shape: of one sample; classes: number of classes, 0 of a regression; vocabulary: number of
    tokens, 0 where samples are no sentences; mean, std: of the training samples, per channel of
    images, per column of tables (None: samples enter as they are).
    """

    shape: tuple[int, ...]
    classes: int = 10
    vocabulary: int = 0
    mean: torch.Tensor | float | None = None
    std: torch.Tensor | float | None = None

    @property
    def outputs(self) -> int:
        """Numbers that the network answers: a logit per class, or one prediction."""
        return self.classes or 1


class Network(NamedTuple):
    """One architecture.

    name: as in a system's id; title: in print; make: (spec, width) → a fresh network that takes raw
    samples (N, *shape) and answers (N, outputs); takes: kinds of data; layers: names of the layers
    to look at, input side first, the output left out, each found in ``named_modules()`` and
    answering ONE tensor (N, ...); width: the paper's; width_is: what it counts; pretrained: of a
    network that begins with weights found on this machine, what says which they are, a sha256 (part
    of the key of every job on it); MissingData where they are not there.
    """

    name: str
    title: str
    make: Callable[[InputSpec, int], nn.Module]
    takes: tuple[Kind, ...]
    layers: tuple[str, ...]
    width: int
    width_is: str
    pretrained: Callable[[], str] | None = None

    def sized(self, width: int | None) -> str:
        """``mlp7_w256``: its name in a system's id, with a width that is not the paper's."""
        return self.name if width is None else f"{self.name}_w{width}"

    def titled(self, width: int | None) -> str:
        """``MLP-7 of width 256``."""
        return self.title if width is None else f"{self.title} of width {width}"
