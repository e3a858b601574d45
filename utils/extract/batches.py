"""How masked inputs go through a network: batches of one fixed size, in the memory layout that its
convolutions like.

Both are found from the network alone, never from the machine's memory or from a stopwatch: the same
job has the same batches, hence the same bits, on every machine with this kind of processor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

from ..modes import in_eval

__all__ = [
    "OutOfMemory",
    "as_input",
    "evaluating",
    "laid_out",
    "layout",
    "micro_batch",
    "pad_to_block",
    "refusing_too_large",
]

# Activations of one micro-batch, summed over all layers: large enough to fill the vector units,
# small enough to stay near the cache on a CPU; a GPU wants as many rows as it can hold in flight.
_ACTIVATION_BUDGET = {"cpu": 64 << 20, "cuda": 4 << 30, "mps": 1 << 30}
# Below this many rows a CPU's threads are idle in the deep layers of a large network, so it may
# exceed its budget.
_FEWEST, _STRETCH = 128, 8

_NARROW = 128
"""Channels up to which convolutions are faster in channels-last order on a CPU.

Measured on 2 cores with AVX-512, 32x32 images, inputs/s contiguous → channels last: ResNet-20 (at
most 64 channels) 1,940 → 2,320, LeNet (16) no difference, VGG-11 (512) 790 → 610.
"""


class OutOfMemory(MemoryError):
    """A forward pass of ``rows`` masked inputs did not fit; ``rows=`` with half of them is the next
    thing to try."""

    def __init__(self, rows: int, device: torch.device) -> None:
        self.rows = rows
        advice = (
            f"pass rows={rows // 2}" if rows > 1 else "take another device or a smaller network"
        )
        super().__init__(
            f"{rows} masked inputs at once do not fit into the memory of {device}: {advice}"
        )


def as_input(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """``x`` in the network's dtype; integers stay what they are: they are tokens, and a narrow
    float would make others of them."""
    return x.to(dtype) if x.is_floating_point() else x


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; every module is left in the mode it was found in."""
    with in_eval(model), torch.inference_mode():
        yield


def micro_batch(model: nn.Module, example: torch.Tensor) -> int:
    """Rows per forward pass for inputs like ``example`` (1, *input shape): a power of two ≥ 32.

    Found by counting the activations of one row, so it depends on the network and the kind of
    device but not on the machine's memory.
    """
    elements = [example.numel()]

    def count(_module: nn.Module, _inputs: object, output: object) -> None:
        if isinstance(output, torch.Tensor):
            elements.append(output.numel())

    leaves = [module for module in model.modules() if not any(module.children())]
    hooks = [module.register_forward_hook(count) for module in leaves]
    try:
        with evaluating(model):
            model(example)
    finally:
        for hook in hooks:
            hook.remove()
    within = _ACTIVATION_BUDGET[example.device.type] // (sum(elements) * example.element_size())
    rows = max(32, within, min(_FEWEST, _STRETCH * within))
    return 1 << min(rows.bit_length() - 1, 15)


def layout(model: nn.Module, example: torch.Tensor) -> torch.memory_format:
    """The order of pixels and channels in which ``model`` is run on batches like ``example``."""
    widths = [module.out_channels for module in model.modules() if isinstance(module, nn.Conv2d)]
    if example.ndim != 4 or not widths or (example.device.type == "cpu" and max(widths) > _NARROW):
        return torch.contiguous_format
    return torch.channels_last


@contextlib.contextmanager
def laid_out(model: nn.Module, order: torch.memory_format) -> Iterator[None]:
    """While open the convolutions' weights lie in ``order``; afterwards the model has its own
    tensors again."""
    weights = (
        [p for p in model.parameters() if p.ndim == 4] if order != torch.contiguous_format else []
    )
    before = [p.data for p in weights]
    try:
        for p in weights:
            p.data = p.data.contiguous(memory_format=order)
        yield
    finally:
        for p, data in zip(weights, before, strict=True):
            p.data = data


@contextlib.contextmanager
def refusing_too_large(rows: int, device: torch.device) -> Iterator[None]:
    """Turns the ways in which torch runs out of memory into :class:`OutOfMemory` with the size that
    was tried."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(rows, device) from error
    except RuntimeError as error:  # the CPU's allocator has no error type of its own
        if "DefaultCPUAllocator" not in str(error):
            raise
        raise OutOfMemory(rows, device) from error


def pad_to_block(count: int, minimum: int = 32) -> int:
    """The next power of two that is at least ``count`` and ``minimum``: a micro-batch that
    neighbours cannot change.

    Sums inside a batched product depend in the last bits on the batch's size, so sizes come from
    the work itself and never from free memory. Raises ValueError for a negative count or a minimum
    below 1.
    """
    if count < 0 or minimum < 1:
        raise ValueError(
            f"pad_to_block takes a count of 0 or more and a minimum of 1 or more, got {count}, "
            f"{minimum}"
        )
    return 1 << (max(count, minimum) - 1).bit_length()
