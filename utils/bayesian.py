"""Bayesian networks: a Gaussian posterior over every weight of an ordinary network, each weight
independent (mean field).

Blundell et al. 2015: the mean cross-entropy under a weight drawn anew in every step, plus
KL(posterior ‖ prior) / N for N training images; the prior of every weight is N(0, prior_sd²).
Layers, initial means and data are those of the standard network of the same configuration; only the
optimiser differs (Adam: plain SGD hardly moves a posterior's width).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping

import torch
from torch import nn
from torch.func import functional_call
from torch.nn import functional as F

__all__ = ["PRIOR_SD", "MeanField", "fit_posterior"]

PRIOR_SD = 0.1
_START_SD = (
    0.01  # narrow at first, so that the means learn; the KL term widens what the data do not need
)


class MeanField(nn.Module):
    """The posterior N(mean, sd²) of every parameter of ``network``; :meth:`draw` gives networks."""

    def __init__(self, network: nn.Module, start_sd: float = _START_SD) -> None:
        super().__init__()
        self.names = [name for name, _ in network.named_parameters()]
        self._network = [
            copy.deepcopy(network).requires_grad_(False)
        ]  # in a list: it has no parameters of this module
        self.mean = nn.ParameterList([p.detach().clone() for p in network.parameters()])
        self.log_sd = nn.ParameterList(
            [torch.full_like(p, math.log(start_sd)) for p in network.parameters()]
        )

    def sample(self, generator: torch.Generator) -> dict[str, torch.Tensor]:
        """One weight of every name, differentiable in mean and log_sd."""
        return {
            name: mean + log_sd.exp() * torch.randn(mean.shape, generator=generator).to(mean.device)
            for name, mean, log_sd in zip(self.names, self.mean, self.log_sd, strict=True)
        }

    def forward(self, x: torch.Tensor, weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Logits of the network with these weights."""
        return functional_call(self._network[0].to(x.device), dict(weights), (x,))

    def divergence(self, prior_sd: float = PRIOR_SD) -> torch.Tensor:
        """KL(posterior ‖ N(0, prior_sd²)) in nats, summed over all weights."""
        return sum(
            (
                math.log(prior_sd)
                - log_sd
                + ((2 * log_sd).exp() + mean**2) / (2 * prior_sd**2)
                - 0.5
            ).sum()
            for mean, log_sd in zip(self.mean, self.log_sd, strict=True)
        )

    def draw(self, count: int, seed: int) -> list[nn.Module]:
        """``count`` networks drawn from the posterior, the same ones whenever ``seed`` is."""
        generator, found = torch.Generator().manual_seed(seed), []
        with torch.no_grad():
            for _ in range(count):
                network = copy.deepcopy(self._network[0])
                network.load_state_dict(self.sample(generator), strict=False)
                found.append(network.eval())
        return found


def fit_posterior(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    batch_of: Callable[[int], torch.Tensor],
    *,
    steps: int,
    lr: float,
    seed: int,
    prior_sd: float = PRIOR_SD,
) -> MeanField:
    """The posterior after ``steps`` steps of Adam; batch_of(step) → positions of its images. One
    weight draw a step.

    ArithmeticError when the loss is not finite.
    """
    posterior = MeanField(network).to(images.device)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(posterior.parameters(), lr=lr)
    for step in range(steps):
        chosen = batch_of(step)
        optimizer.zero_grad()
        loss = F.cross_entropy(
            posterior(images[chosen], posterior.sample(generator)), labels[chosen]
        )
        loss = loss + posterior.divergence(prior_sd) / len(labels)
        if not math.isfinite(loss.item()):
            raise ArithmeticError(
                f"the Bayesian loss is {loss.item()} at step {step}: lower the learning rate"
            )
        loss.backward()
        optimizer.step()
    return posterior
