"""Finding networks by name and building them: one file of this package per family."""

from __future__ import annotations

import contextlib
import functools
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from ..discovery import defined_in, modules_of, nearest
from .base import InputSpec, Network
from .parts import positive

__all__ = ["build", "find", "names"]


@functools.cache
def _networks() -> dict[str, Network]:
    """Every network that a module of this package defines, by name."""
    every = [n for module in modules_of(__package__) for n in defined_in(module, Network)]
    return {network.name: network for network in every}


def names() -> list[str]:
    """The names of all networks."""
    return list(_networks())


def find(of: str | Network) -> Network:
    """The network of that name; ValueError with the nearest known one for another."""
    if isinstance(of, Network):
        return of
    known = _networks()
    if of not in known:
        raise ValueError(f"unknown model {of!r}{nearest(of, known)}; there are: {', '.join(known)}")
    return known[of]


class _Undrawn(TorchFunctionMode):
    """Under it no initial weights are drawn: memory stays as it was found."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (torch.Tensor.normal_, torch.Tensor.uniform_):
            return args[0]
        return func(*args, **(kwargs or {}))


def build(
    of: str | Network,
    spec: InputSpec,
    width: int | None = None,
    seed: int = 0,
    *,
    drawn: bool = True,
) -> nn.Module:
    """A freshly initialised network on the CPU, float32, in train mode.

    width: None, the paper's; what it counts is in ``find(name).width_is``. seed: decides the
    initial weights, whatever the state of the global random generators, which stay as they are.
    drawn: False where other weights are put in at once: these are drawn for nothing then.

    ValueError for an unknown name or for sizes that the network cannot take.
    """
    network = find(of)
    sizes = tuple(positive(int(size), "every size of the shape") for size in spec.shape)
    width = network.width if width is None else width
    positive(spec.outputs, "classes"), positive(width, "width")
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # Not torch.manual_seed: it would reseed the GPUs' generators, which are not restored.
        torch.default_generator.manual_seed(seed)
        with contextlib.nullcontext() if drawn else _Undrawn():
            return network.make(spec._replace(shape=sizes), width)
