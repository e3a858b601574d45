"""A network evaluated, and left as it was found."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from torch import nn

__all__ = ["in_eval"]


@contextlib.contextmanager
def in_eval(model: nn.Module) -> Iterator[None]:
    """While open every module is in eval mode; afterwards each is in the mode it had: a frozen
    batch norm in a network in training stays frozen, and a dropout left on in evaluation (Monte
    Carlo dropout) stays on."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
