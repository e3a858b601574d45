"""A user's system is tried before anything is computed: its network is built and answers two empty
samples."""

from __future__ import annotations

import torch
from torch import nn

from .. import models
from ..extract.values import score_of
from ..models import InputSpec
from .base import System

__all__ = ["fault", "needs_classes"]

_CLASSIFIERS = {
    "read_at": "a probe is a classifier",
    "probes": "a probe is a classifier",
    "memorising": "wrong labels are other classes",
}
"""What only a system with classes can have."""


def needs_classes(system: System) -> str | None:
    """What a regression has and must leave out, in words; None where there is nothing."""
    if system.kind == "values" or system.data.classes:
        return None
    for field, why in _CLASSIFIERS.items():
        if getattr(system, field) is not None:
            return f"{field} must be left out of a regression ({system.data.name}): {why}"
    return None


def fault(system: System) -> str | None:
    """What is wrong with the network of ``system`` on its data, its layers or its score: the field
    and the fault in words; None where they fit."""
    data, network, of = system.data, system.network, f"SYSTEM.network ({system.network.name})"
    spec = InputSpec(tuple(data.shape), len(data.classes), len(data.about.vocabulary))
    try:
        model = models.build(network, spec, system.width).eval()
    except Exception as error:  # whatever a user's code raises is told
        return f"{of} cannot be built for {data.name}: {type(error).__name__}: {error}"
    missing = [name for name in network.layers if name not in dict(model.named_modules())]
    if missing:
        return f"{of} names the layer {missing[0]!r}, and has no module of that name"
    dtype = torch.int64 if data.kind == "text" else torch.float32
    try:
        answers = _answers(model, network.layers, torch.zeros(2, *data.shape, dtype=dtype))
    except Exception as error:
        shape = tuple(data.shape)
        return f"{of} fails on samples {shape} of {data.name}: {type(error).__name__}: {error}"
    wrong, needless = _fault_of(system, answers, of, spec.outputs), needs_classes(system)
    return wrong or (f"SYSTEM.{needless}" if needless else None)


def _answers(model: nn.Module, layers: tuple[str, ...], x: torch.Tensor) -> dict[str, object]:
    """What the layers, and last the network itself ("output"), answer to ``x``."""
    found: dict[str, object] = {}
    hooks = [
        model.get_submodule(name).register_forward_hook(
            lambda _module, _inputs, out, name=name: found.update({name: out})
        )
        for name in layers
    ]
    with torch.no_grad():
        answer = model(x)
    for hook in hooks:
        hook.remove()
    return {**found, "output": answer}


def _fault_of(system: System, answers: dict[str, object], of: str, outputs: int) -> str | None:
    for layer in system.network.layers:
        if layer not in answers:
            return f"{of}: the layer {layer!r} is never called"
        out = answers[layer]
        if not isinstance(out, torch.Tensor) or out.ndim < 2 or len(out) != 2:
            return f"{of}: the layer {layer!r} must answer one tensor (N, ...), got {_word(out)}"
    logits = answers["output"]
    if not isinstance(logits, torch.Tensor) or logits.shape != (2, outputs):
        return f"{of} must answer one tensor (N, {outputs}), got {_word(logits)}"
    try:
        score_of(logits, torch.zeros(2, dtype=torch.int64), system.score)
    except ValueError as error:
        return f"SYSTEM.score: {error}"
    return None


def _word(out: object) -> str:
    """``a tuple``, or the shape of a tensor of two samples."""
    if isinstance(out, torch.Tensor):
        return str(tuple(out.shape)).replace("(2,", "(N,")
    return f"a {type(out).__name__}"
