"""Whether a system can be run on this machine, and what is missing where it cannot."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from .. import models, paths
from ..datasets import Source
from ..models import InputSpec, hub
from ..train import Training, Weights
from .base import System

__all__ = ["CPU_FLOPS", "EXTRA", "cpu_hours", "missing_packages", "place_of", "state"]

EXTRA = "pip install -e '.[pretrained]'"
"""What installs the packages that systems name."""
CPU_FLOPS = 8e10
"""Floating-point operations per second of a training on two cores: from the seconds that
trainings of AlexNet, VGG and ResNet took here, to within a factor of two; a forward and a backward
pass are three forward ones."""
_LONG = 2.0
"""Hours of one network's training from which on a GPU is advised."""


def missing_packages(system: System) -> list[str]:
    """The packages that its network comes from and that are not installed."""
    return [name for name in system.packages if importlib.util.find_spec(name) is None]


def state(system: System) -> str:
    """``works``, or what it needs: data, weights, packages, a GPU, each with what gets it."""
    if missing_packages(system):
        return f"needs packages: {EXTRA}"
    if system.data.find() is None:
        get = f"reproduce data {system.data.name}"
        manual = system.data.download is None
        return f"needs data: {'see data/README.md' if manual else get}"
    if isinstance(system.training, Weights) and not place_of(system.training).is_file():
        return "needs weights: see data/README.md"
    if system.network is not None and _to_get(system.network.name):
        return f"needs weights: reproduce data {system.network.name}"
    hours = cpu_hours(system)
    if hours is not None and hours > _LONG:
        return f"needs a GPU: {hours:.0f} hours a network on two cores"
    return "works"


def _to_get(network: str) -> bool:
    return network in hub.HUB and hub.downloaded(network) is None


def place_of(weights: Weights) -> Path:
    """Where given weights are looked for: their path, or that below the data cache."""
    return paths.data_cache() / weights.path  # an absolute path stays itself


def cpu_hours(system: System) -> float | None:
    """Hours of one network's training on two cores, from the operations of its layers (products of
    matrices and convolutions); None where nothing is trained or the network is not built from a
    specification alone."""
    training = system.training
    if not isinstance(training, Training) or not isinstance(system.data, Source) or system.packages:
        return None
    passes = 3 * training.batch * training.steps
    return passes * _operations(system) / CPU_FLOPS / 3600


@functools.lru_cache(maxsize=128)
def _operations(system: System) -> float:
    """Of one sample's forward pass."""
    data = system.data
    spec = InputSpec(tuple(data.shape), len(data.classes), len(data.about.vocabulary))
    dtype = torch.int64 if data.kind == "text" else torch.float32
    network = models.build(system.network, spec, system.width).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, *data.shape, dtype=dtype))
    return float(counter.get_total_flops())
