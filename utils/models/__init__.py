"""The papers' small networks, by name, with adjustable width.

``mlp7``, ``lenet``, ``vgg11``, ``resnet20``. All take *raw* images, float32 (N, C, H, W) in [0, 1],
and answer logits (N, classes): frame and normalisation are inside, so that whatever is done to an
input is done to the image itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import nn

from .lenet import LeNet
from .mlp import MLP
from .parts import positive
from .resnet import ResNet
from .vgg import VGG11

__all__ = ["MODELS", "Model", "build", "layers"]


class Model(NamedTuple):
    """A line of the registry: name in print, how to make the network, its default width, and what
    the width counts."""

    title: str
    make: Callable[..., nn.Module]
    width: int
    width_is: str


MODELS: dict[str, Model] = {
    "mlp7": Model("MLP-7", MLP, 1024, "units of each hidden layer"),
    "lenet": Model("LeNet", LeNet, 6, "channels of the first convolution"),
    "vgg11": Model("VGG-11", VGG11, 64, "channels of the first convolution"),
    "resnet20": Model("ResNet-20", ResNet, 16, "channels of the first stage"),
}


def build(
    name: str,
    in_shape: Sequence[int],
    classes: int = 10,
    width: int | None = None,
    seed: int = 0,
    *,
    mean: object = None,
    std: object = None,
) -> nn.Module:
    """A freshly initialised network on the CPU, float32, in train mode.

    in_shape   (C, H, W) of one image
    width      None: the papers' width; what it counts is in ``MODELS[name].width_is``
    seed       decides the initial weights, whatever the state of the global random generators
    (which stay as they are) mean, std  per-channel statistics of the training images, in [0, 1]
    units; None: the images enter as they are

    ValueError for an unknown name or for sizes that the network cannot take.
    """
    if name not in MODELS:
        raise ValueError(f"unknown model {name!r}; there are: {', '.join(MODELS)}")
    if len(in_shape) != 3:
        raise ValueError(f"in_shape is (channels, height, width), got {tuple(in_shape)}")
    sizes = tuple(positive(int(size), "every size of in_shape") for size in in_shape)
    width = MODELS[name].width if width is None else width
    positive(classes, "classes"), positive(width, "width")
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        # Not torch.manual_seed: it would reseed the GPUs' generators, which are not restored.
        torch.default_generator.manual_seed(seed)
        return MODELS[name].make(sizes, classes, width, mean, std)


def layers(model: nn.Module) -> list[str]:
    """Names of the layers to look at, input side first, each found in
    ``dict(model.named_modules())``.

    The output layer is not among them: its features are the logits. ValueError for a network that
    is none of ours.
    """
    names = getattr(model, "layers", None)
    if not isinstance(names, (list, tuple)) or not set(names) <= {
        name for name, _ in model.named_modules()
    }:
        raise ValueError(
            f"{type(model).__name__} does not say which layers to look at: give their names "
            "yourself, out "
            "of dict(model.named_modules())"
        )
    return list(names)
