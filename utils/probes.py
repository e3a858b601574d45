"""Linear probes: what a layer knows about the task, read out by a linear classifier on its
features.

A probe is a softmax classifier on the flattened features of one layer of a frozen network, trained
by SGD on the cross-entropy (Cheng et al. 2024, Section 3.2.2 and Appendix M.2: the settings of the
network's own training, learning rate 0.01 or 0.001, batch 256). Not printed there, hence ours: the
number of steps, the momentum, and that the features are standardised inside the probe. That leaves
it linear and makes one learning rate mean about the same at every layer.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional as F

from . import runtime
from .modes import in_eval
from .strict import Strict

__all__ = ["LinearProbe", "ProbeConfig", "ProbeReport", "features", "fit_probe"]

_FORWARD_BATCH = 256
_LEAST_SPREAD = 0.1
"""A feature's spread counts as at least this fraction of the layer's typical one: a unit that is
silent on almost all training images must not shout on a masked one."""

_NEGLIGIBLE = 1e-12
"""Gradients of this size count as 0: where classes are separable they become denormal numbers, with
which CPUs are slow."""


class ProbeConfig(Strict):
    """All that decides a probe's training beside the features."""

    lr: float = Field(0.01, gt=0, description="learning rate of SGD, constant")
    momentum: float = Field(0.9, ge=0, lt=1, description="momentum of SGD")
    batch: int = Field(256, ge=1, description="samples in a step; the rest of an epoch is dropped")
    steps: int = Field(1000, ge=4, description="SGD steps")
    tol: float = Field(
        0.01,
        gt=0,
        description="converged: over the last quarter of the steps the training loss changed by "
        "less than this fraction of its fall below chance, log(classes)",
    )
    seed: int = Field(
        0, ge=0, description="decides the order of the samples (the weights start at 0)"
    )


@dataclasses.dataclass(frozen=True)
class ProbeReport:
    """How a probe's training ended.

    loss: mean cross-entropy on the training samples, nats; accuracy: share of them classified
    rightly; decrease: fall of the loss over the last quarter of the steps, as a fraction of its
    fall below chance, log(classes) - loss (taken as at least 1 % of log(classes), for features that
    tell nothing of the classes); converged: whether its size is below the tolerance (a convex
    problem: a small decrease means a loss near its least value, or one that creeps to 0 where the
    classes are separable, which scales the scores more than it changes them).
    """

    loss: float
    accuracy: float
    decrease: float
    converged: bool
    steps: int


class LinearProbe(nn.Module):
    """Flatten, standardise, one linear layer: (N, *shape) → logits (N, classes). The weights start
    at 0."""

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("scale", torch.ones(inputs))
        self.linear = nn.utils.skip_init(nn.Linear, inputs, classes)  # draws no random numbers
        nn.init.zeros_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear((x.flatten(1) - self.mean) * self.scale)

    def standardise(self, flat: torch.Tensor) -> None:
        """Take mean and scale from the features (N, inputs); where all are constant, the scale is
        0."""
        spread = flat.std(0, correction=0)
        floor = _LEAST_SPREAD * spread.square().mean().sqrt()
        self.mean.copy_(flat.mean(0))
        self.scale.copy_(torch.where(floor > 0, 1 / spread.clamp(min=floor), 0.0))


def _modules(model: nn.Module, layers: Sequence[str]) -> dict[str, nn.Module]:
    """The named layers; ValueError that lists those there are."""
    known = dict(model.named_modules())
    missing = [name for name in layers if not name or name not in known]
    if missing or not layers:
        main = getattr(model, "layers", None) or [name for name in known if name]
        raise ValueError(
            f"{type(model).__name__} has no layer "
            f"{', '.join(map(repr, missing)) or 'without a name'}; "
            f"there are: {', '.join(main)} (and their parts)"
        )
    return {name: known[name] for name in layers}


def _forward(model: nn.Module, x: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """One pass; the outputs of the named layers, copied, because a later module may write into
    them."""
    caught: dict[str, torch.Tensor] = {}
    hooks = [
        module.register_forward_hook(
            lambda _m, _i, out, name=name: caught.__setitem__(name, out.clone())
        )
        for name, module in _modules(model, layers).items()
    ]
    try:
        model(x)
    finally:
        for hook in hooks:
            hook.remove()
    return caught


@torch.no_grad()
def features(model: nn.Module, x: torch.Tensor, layers: Sequence[str]) -> dict[str, torch.Tensor]:
    """Layer → its outputs (N, *its shape), on the CPU, of samples ``x`` (N, *shape): one pass of
    the network for all layers.

    The network is evaluated in eval mode on its own device. ValueError for a layer that it lacks,
    listing those it has.
    """
    _modules(model, layers)
    device = next(model.parameters()).device
    with in_eval(model):
        first = _forward(model, x[:1].to(device), layers)
        size = sum(out.numel() * out.element_size() for out in first.values()) * len(x)
        runtime.require_memory(size, f"the features of {len(x)} samples at {len(layers)} layers")
        found = {
            name: torch.empty(len(x), *out.shape[1:], dtype=out.dtype)
            for name, out in first.items()
        }
        for start in range(0, len(x), _FORWARD_BATCH):
            for name, out in _forward(
                model, x[start : start + _FORWARD_BATCH].to(device), layers
            ).items():
                found[name][start : start + _FORWARD_BATCH] = out.cpu()
    return found


@torch.no_grad()
def fit_probe(
    features: torch.Tensor,
    labels: torch.Tensor,
    classes: int,
    config: ProbeConfig,
    device: torch.device | str = "cpu",
) -> tuple[LinearProbe, ProbeReport]:
    """A probe on features (N, *shape) for labels int64 (N,), and how its training ended.

    The same bits for the same arguments, versions, device model and number of threads; global
    random states are left alone. The probe comes back on the CPU, in eval mode, without gradients.
    ValueError for no samples, features that are not finite, or labels outside 0 … classes - 1;
    ArithmeticError when the loss diverges.
    """
    _check(features, labels, classes)
    flat, target = features.flatten(1).float().to(device), labels.to(device)
    probe = LinearProbe(flat.shape[1], classes).to(device)
    probe.standardise(flat)
    inputs = (flat - probe.mean) * probe.scale
    wanted = F.one_hot(target, classes).to(inputs.dtype)
    weight, bias = (
        torch.zeros(flat.shape[1], classes, device=device),
        torch.zeros(classes, device=device),
    )
    speed, bias_speed = torch.zeros_like(weight), torch.zeros_like(bias)
    for step, chosen in enumerate(_batches(len(target), config)):
        if step == config.steps - config.steps // 4:
            before, _ = _loss_and_accuracy(inputs, target, weight, bias)
        seen, rows = inputs[chosen.to(device)], len(chosen)
        # The gradient of the cross-entropy in the logits; by hand, because autograd would take ten
        # times as long.
        slope = torch.addmm(bias, seen, weight).softmax(1).sub_(wanted[chosen.to(device)])
        slope = F.hardshrink(slope, _NEGLIGIBLE)
        speed.mul_(config.momentum).addmm_(seen.T, slope, alpha=1 / rows)
        bias_speed.mul_(config.momentum).add_(slope.mean(0))
        weight.sub_(speed, alpha=config.lr)
        bias.sub_(bias_speed, alpha=config.lr)
    loss, accuracy = _loss_and_accuracy(inputs, target, weight, bias)
    if not math.isfinite(loss):
        raise ArithmeticError(
            f"a probe diverged at lr = {config.lr:g} (momentum {config.momentum:g}); use a lower lr"
        )
    decrease = (before - loss) / max(math.log(classes) - loss, 0.01 * math.log(classes))
    probe.linear.weight.copy_(weight.T)
    probe.linear.bias.copy_(bias)
    return (
        probe.cpu().eval().requires_grad_(False),
        ProbeReport(loss, accuracy, decrease, abs(decrease) < config.tol, config.steps),
    )


def _batches(count: int, config: ProbeConfig) -> Iterator[torch.Tensor]:
    """The samples of each step: the parts of one permutation per epoch, whose rest is dropped."""
    generator = torch.Generator().manual_seed(config.seed)
    batch = min(config.batch, count)
    for step in range(config.steps):
        position = step % (count // batch) * batch
        if position == 0:
            order = torch.randperm(count, generator=generator)
        yield order[position : position + batch]


def _loss_and_accuracy(
    inputs: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> tuple[float, float]:
    logits = torch.addmm(bias, inputs, weight).double()
    return float(F.cross_entropy(logits, target)), float(
        (logits.argmax(1) == target).double().mean()
    )


def _check(features: torch.Tensor, labels: torch.Tensor, classes: int) -> None:
    if not len(labels) or len(features) != len(labels):
        raise ValueError(
            f"a probe needs as many features as labels, at least one: got {len(features)} and "
            f"{len(labels)}"
        )
    if classes < 2 or int(labels.min()) < 0 or int(labels.max()) >= classes:
        raise ValueError(
            f"labels must lie in 0 … {classes - 1} and classes be 2 or more, got "
            f"{int(labels.min())} … "
            f"{int(labels.max())} for {classes} classes"
        )
    if not bool(torch.isfinite(features).all()):
        raise ValueError("the features hold NaN or infinities: did the network diverge?")
