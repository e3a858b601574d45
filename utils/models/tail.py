"""A network cut at a layer: what enters the rest of it, and the rest itself as a network of its
own.

Games between feature components change the feature and ask what the later layers make of it. The
trunk runs once per sample; only the tail runs on the 2^r masked features. The cut is made in the
traced graph of the network, so it works for any model that ``torch.fx`` can trace, not only for the
ones of this package.
"""

from __future__ import annotations

import torch
from torch import fx, nn

from .parts import MaxPool2

__all__ = ["features", "require_layer", "tail"]


class _Tracer(fx.Tracer):
    """Traces into everything but the layer at which the network is cut, and pooling, whose course
    depends on the device."""

    def __init__(self, layer: str) -> None:
        super().__init__()
        self.layer = layer

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        whole = module_qualified_name == self.layer or isinstance(m, MaxPool2)
        return whole or super().is_leaf_module(m, module_qualified_name)


def require_layer(model: nn.Module, layer: str) -> None:
    """ValueError that lists the network's layers when it has no module of that name."""
    names = [name for name, _ in model.named_modules() if name]
    if layer not in names:
        own = getattr(model, "layers", None) or [name for name, _ in model.named_children()]
        raise ValueError(
            f"the network {type(model).__name__} has no layer {layer!r}; its layers are: "
            f"{', '.join(own)}"
        )


def features(model: nn.Module, layer: str, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The output of ``layer`` and the network's own output for a batch ``x``, of one forward pass.

    ValueError for a layer the network lacks or does not use.
    """
    require_layer(model, layer)
    caught: list[torch.Tensor] = []
    hook = model.get_submodule(layer).register_forward_hook(
        lambda _module, _inputs, output: caught.append(output)
    )
    try:
        output = model(x)
    finally:
        hook.remove()
    if len(caught) != 1:
        raise ValueError(
            f"layer {layer!r} runs {len(caught)} times in a forward pass: a feature needs "
            "exactly one"
        )
    return caught[0], output


def tail(model: nn.Module, layer: str) -> nn.Module:
    """What follows ``layer``: a module with ``tail(features(model, layer, x)[0]) = model(x)``,
    sharing its weights.

    ValueError when the network has no such layer, when it cannot be traced (its course depends on
    the data), when the layer runs more than once, or when the rest of the network sees the input in
    another way than through the layer.
    """
    require_layer(model, layer)
    try:
        graph = _Tracer(layer).trace(model)
    except (fx.proxy.TraceError, TypeError) as error:
        raise ValueError(
            f"{type(model).__name__} cannot be cut: torch.fx cannot trace it ({error})"
        ) from error
    calls = [node for node in graph.nodes if node.op == "call_module" and node.target == layer]
    if len(calls) != 1:
        raise ValueError(
            f"layer {layer!r} runs {len(calls)} times in a forward pass: a cut needs exactly one"
        )
    needed = _needed(graph, calls[0])
    around = [node.name for node in needed if node.op == "placeholder"]
    if around:
        raise ValueError(
            f"the network does not see its input through layer {layer!r} alone (there is a way "
            "around it): "
            "choose a layer that everything passes"
        )
    rest = fx.Graph()
    copies = {calls[0]: rest.placeholder("features")}
    for node in graph.nodes:
        if node in needed:
            copies[node] = rest.node_copy(node, copies.__getitem__)
    rest.lint()
    return fx.GraphModule(model, rest, class_name=f"{type(model).__name__}Tail").train(
        model.training
    )


def _needed(graph: fx.Graph, cut: fx.Node) -> set[fx.Node]:
    """The nodes that the output is computed from, not looking behind ``cut``."""
    found: set[fx.Node] = set()
    waiting = [node for node in graph.nodes if node.op == "output"]
    while waiting:
        node = waiting.pop()
        if node is not cut and node not in found:
            found.add(node)
            waiting += node.all_input_nodes
    return found
