"""Integrated gradients per player, to be drawn beside attributions that need no gradient."""

from __future__ import annotations

import torch
from torch import nn

from ..modes import in_eval
from ..players import Players
from .scores import logits_of
from .values import Score, score_of

__all__ = ["integrated_gradients"]


def integrated_gradients(
    model: nn.Module, players: Players, target: int, *, score: Score = "logodds", steps: int = 64
) -> torch.Tensor:
    """Integrated gradients of the score from the masked to the whole input, summed over each
    player's numbers (pixels, columns, coordinates): (n,).

    The path is straight, from x_∅ to x_N, in ``steps`` midpoints; the sum over players tends to
    v(N) - v(∅) (Sundararajan et al. 2017). A number belongs to the player that changes it; players
    must change different ones. ValueError for samples of integers, such as tokens.
    """
    device = players.baseline.device
    subsets = torch.tensor(
        [0, (1 << players.n) - 1, *(1 << i for i in range(players.n))], device=device
    )
    dtype = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    inputs = players.masked(subsets)
    if not inputs.is_floating_point():
        raise ValueError(
            "integrated gradients move every number of a sample by little: these samples are "
            "integers (tokens), which have no gradient"
        )
    empty, whole, *single = inputs.to(dtype)
    along = (torch.arange(steps, device=device, dtype=dtype) + 0.5) / steps
    path = (empty + along.view(-1, *[1] * empty.ndim) * (whole - empty)).requires_grad_()
    with in_eval(model), torch.enable_grad():
        v = score_of(
            logits_of(model(path), "output"), torch.full((steps,), target, device=device), score
        )
        (gradient,) = torch.autograd.grad(v.sum(), path)
    per_pixel = gradient.double().mean(0) * (whole - empty).double()
    return torch.stack([per_pixel[alone != empty].sum() for alone in single])
