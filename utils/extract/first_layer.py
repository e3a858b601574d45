"""The first layer of a network on all masks of a sample, without a pass of it per mask.

Players add to a sample independently of each other (they replace parts that no two share), so what
a linear layer L answers to x_T is L x_∅ + Σ_{i ∈ T} L Δ_i. Two tables of 2^(n/2) sums give every
mask by one addition: neither the masked samples nor the layer's own products are needed. Equal to
the plain pass to rounding; whether it applies is seen from the network and the sample, not from
the clock, so that it is the same on every machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import nn

__all__ = ["FirstLayer", "Summed", "Table", "summed"]

_LINEAR = (nn.Linear, nn.Conv1d, nn.Conv2d)
_TOLERANCE = 1e-4
"""Of the largest entry: how far sums over players may lie from the sample itself. Rounding is a
thousandth of it, players that meet each other differ by much more."""
_SHARE = 0.05
"""Of a network's products: below it (ResNets, VGGs: a hundredth) nothing is gained."""
_MASKS = (0x5A5A5A5A5A5A5A5A, 0x3333333333333333, 0x0F0F0F0F0F0F0F0F)
"""Masks, cut to n players, on which sums over players are held against the samples."""
_NEAR = 1e-3
"""Of the largest logit: another network, or a fault of ours, would differ by more."""
_MOST_BYTES = 1 << 27
"""Of one half of a table: 14 players at the first layer of a VGG-11, 20 at that of a LeNet."""


class _Reached(Exception):
    """The layer was reached: what lies behind it is not computed."""


@dataclasses.dataclass(frozen=True)
class Table:
    """What the first layer answers to every mask of one sample: low (2^k, *out), of the first k
    players and of x_∅, and high (2^(n-k), *out), of the others."""

    low: torch.Tensor
    high: torch.Tensor

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Answers to the masks start … stop - 1: (stop - start, *out), the same bits however the
        masks are cut into ranges."""
        inner = len(self.low)
        if start % inner or stop % inner:
            subsets = torch.arange(start, stop, device=self.low.device)
            return self.low[subsets % inner] + self.high[subsets // inner]
        return (self.high[start // inner : stop // inner, None] + self.low).flatten(0, 1)


@dataclasses.dataclass(frozen=True)
class FirstLayer:
    """The linear layer that a network calls first, once, and before any other parameter is used."""

    model: nn.Module
    layer: nn.Module

    def inputs(self, x: torch.Tensor) -> torch.Tensor:
        """What reaches the layer when the network is given ``x``."""
        caught: list[torch.Tensor] = []

        def stop(_module: nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
            caught.append(arguments[0])
            raise _Reached

        hook = self.layer.register_forward_pre_hook(stop)
        try:
            self.model(x)
        except _Reached:
            pass
        finally:
            hook.remove()
        return caught[0]

    def additive(self, singles: torch.Tensor, checked: torch.Tensor, masks: Sequence[int]) -> bool:
        """Whether ``checked``, the samples of ``masks``, reach the layer as sums of what the
        players add. singles: x_∅, x_{0}, …, x_{n-1} (n + 1, *shape)."""
        reached, there = self.inputs(singles), self.inputs(checked)
        if len(reached) != len(singles):  # the layer sees parts of samples as its batch
            return False
        deltas = reached[1:] - reached[:1]
        sums = [
            reached[0] + deltas[[i for i in range(len(deltas)) if mask >> i & 1]].sum(0)
            for mask in masks
        ]
        return bool((torch.stack(sums) - there).abs().max() <= _TOLERANCE * there.abs().max())

    def table(self, singles: torch.Tensor) -> Table | None:
        """The answers to a sample's masks; None where their halves would not fit."""
        reached = self.inputs(singles)
        deltas, nothing = reached[1:] - reached[:1], self.layer(torch.zeros_like(reached[:1]))
        k = len(deltas) // 2
        if (nothing.numel() * nothing.element_size()) << (len(deltas) - k) > _MOST_BYTES:
            return None
        parts = self.layer(deltas) - nothing
        return Table(
            _sums(self.layer(reached[:1]), parts[:k]),
            _sums(torch.zeros_like(nothing), parts[k:]),
        )

    @contextlib.contextmanager
    def answering(self, answer: torch.Tensor) -> Iterator[None]:
        """While open the layer answers ``answer`` to whatever it is asked."""
        self.layer.forward = lambda _input: answer  # shadows the class's method
        try:
            yield
        finally:
            del self.layer.forward


def _sums(start: torch.Tensor, parts: torch.Tensor) -> torch.Tensor:
    """start (1, *out) plus every subset's sum of parts (k, *out): (2^k, *out), by bitmask."""
    found = start
    for part in parts:
        found = torch.cat([found, found + part])
    return found


Summed = tuple[FirstLayer, Callable[[int], Table]]
"""The first layer, and its answers to the masks of the sample of a number."""


def summed(
    model: nn.Module, sample: Callable[[int, Sequence[int]], torch.Tensor], count: int, n: int
) -> Summed | None:
    """The first layer of ``model`` and its answers to one of ``count`` samples after the other;
    None where it is no linear layer, is too small a part of the network to gain by it, does not
    see sums over the n players, or where some of a sample goes past it.

    sample: the inputs of a sample under masks.
    """
    empty = sample(0, [0])
    layer = _find(model, empty) if empty.is_floating_point() else None
    if layer is None:
        return None
    singles, masks = (
        [0, *(1 << i for i in range(n))],
        [(1 << n) - 1, *(m % (1 << n) for m in _MASKS)],
    )
    if not all(layer.additive(sample(i, singles), sample(i, masks), masks) for i in range(count)):
        return None
    # Two are enough: a batch goes through its samples in order, and the next begins in the last.
    table = functools.lru_cache(maxsize=2)(lambda i: layer.table(sample(i, singles)))
    if table(0) is None:
        return None
    there = sample(0, masks)
    plain = model(there)
    with layer.answering(torch.cat([table(0).rows(mask, mask + 1) for mask in masks])):
        ours, others = model(torch.zeros_like(there)), model(_any(there))
    if not torch.equal(ours, others):  # some of the sample goes past the layer
        return None
    far = float((plain - ours).abs().max()) if plain.shape == ours.shape else float("inf")
    return (layer, table) if far <= _NEAR * float(plain.abs().max()) else None


def _any(like: torch.Tensor) -> torch.Tensor:
    """Inputs that differ from all others, everywhere."""
    generator = torch.Generator().manual_seed(0)
    return torch.rand(like.shape, generator=generator).to(like) + 1


def _find(model: nn.Module, example: torch.Tensor) -> FirstLayer | None:
    """The first layer of ``model`` on inputs like ``example`` (1, *shape), where that is a linear
    one with ``_SHARE`` of the products of them all, called once."""
    products: dict[nn.Module, int] = {}
    again: set[nn.Module] = set()

    def count(module: nn.Module, _inputs: object, output: object) -> None:
        again.update({module} & products.keys())
        linear = type(module) in _LINEAR and isinstance(output, torch.Tensor)
        products[module] = output.numel() * module.weight[0].numel() if linear else 0

    owners = [m for m in model.modules() if next(m.parameters(recurse=False), None) is not None]
    hooks = [m.register_forward_hook(count) for m in owners]
    try:
        model(example)
    finally:
        for hook in hooks:
            hook.remove()
    first = next(iter(products), None)
    if first is None or first in again or products[first] < _SHARE * sum(products.values()):
        return None
    # A forward of somebody's own would be shadowed.
    return FirstLayer(model, first) if products[first] and "forward" not in vars(first) else None
