"""How large a network is, for what its passes will cost: counted once on one sample, never timed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ... import datasets, models
from ...datasets import MissingData, Source
from ...models import InputSpec, Network

__all__ = ["Size", "size_of"]


class Size(NamedTuple):
    """Of one sample's forward pass.

    conv, matmul: floating-point operations of convolutions and of products of matrices;
    activations: numbers that its layers put out; inputs: numbers of a sample; leaves: layers that
    are called; parameters; classes; layers: numbers of a sample's features at each named layer.
    """

    conv: float
    matmul: float
    activations: float
    inputs: float
    leaves: int
    parameters: float
    classes: int
    layers: Mapping[str, int]


_UNKNOWN = Size(0.0, 2e7, 5e4, 64.0, 80, 1e7, 2, {})
"""A small BERT, for a network that cannot be built here (its weights are not on this machine)."""


def size_of(config: Any) -> Size:
    """The network of a training run's ``config``: some milliseconds once, then nothing.

    ``config``: a ``TrainConfig``, or what is recorded of one, which names network and data set.
    """
    try:
        source, network = _of(config)
    except (ValueError, ImportError):  # one of a user's files that is gone
        return _UNKNOWN
    return _size(network, source, config.width)


def _of(config: Any) -> tuple[Source, Network]:
    if hasattr(config, "source"):
        return config.source, config.network
    return datasets.find(config.dataset), models.find(config.model)


@functools.lru_cache(maxsize=256)
def _size(network: Network, source: Source, width: int | None) -> Size:
    try:
        spec = InputSpec(tuple(source.shape), len(source.classes), len(source.about.vocabulary))
        model = models.build(network, spec, width).eval()
    except (MissingData, ImportError):
        return _UNKNOWN
    outputs: list[int] = []
    features: dict[str, int] = {}
    more: list[float] = []
    hooks = [m.register_forward_hook(_counting(outputs, more)) for m in _leaves(model)]
    hooks += [
        module.register_forward_hook(_noting(features, name))
        for name, module in model.named_modules()
        if name in network.layers
    ]
    dtype = torch.int64 if source.kind == "text" else torch.float32
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(torch.zeros(1, *source.shape, dtype=dtype))
    for hook in hooks:
        hook.remove()
    found = counter.get_flop_counts().get("Global", {})
    conv = sum(count for op, count in found.items() if "conv" in str(op))
    return Size(
        conv=float(conv),
        matmul=float(sum(found.values()) - conv + sum(more)),
        activations=float(sum(outputs)),
        inputs=float(math.prod(source.shape)),
        leaves=len(outputs),
        parameters=float(sum(p.numel() for p in model.parameters())),
        classes=spec.outputs,
        layers=features,
    )


def _leaves(model: nn.Module) -> list[nn.Module]:
    return [module for module in model.modules() if not any(module.children())]


def _counting(outputs: list[int], more: list[float]) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        first = output[0] if isinstance(output, tuple) else output
        outputs.append(first.numel())
        if isinstance(module, nn.RNNBase):  # its products are not seen by the counter
            tokens = inputs[0].shape[1] if module.batch_first else inputs[0].shape[0]
            more.append(2.0 * tokens * sum(p.numel() for p in module.parameters()))

    return hook


def _noting(features: dict[str, int], name: str) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
        if isinstance(output, torch.Tensor):
            features[name] = output.numel()

    return hook
