"""One call for a user's own model and input."""

from __future__ import annotations

import sys
from typing import Literal

import torch
from torch import nn

from .. import sparsify
from ..interactions import Interactions
from ..players import PatchDraw, Players, patch_players
from .batches import as_input, evaluating
from .cost import expected, require_room
from .scores import logits_of, scores
from .values import Score, saturated_share

__all__ = ["explain"]

# players from which on the cost is said before it is paid, and a progress bar shows its payment
_MANY = 14


def explain(
    model: nn.Module,
    x: torch.Tensor | Players,
    target: int | None = None,
    *,
    n: int = 10,
    baseline: torch.Tensor | Literal["zero"] = "zero",
    how: PatchDraw | None = None,
    score: Score = "logodds",
    kappa: float = 0.04,
    order_weight: float = 0.2,
    tol: float = 1e-3,
    merge: bool = True,
    device: torch.device | str | None = None,
) -> Interactions:
    """The AND-OR interactions of one decision of your own model, in one call.

    x: an image (C, H, W), whose patches become ``n`` players masked by ``baseline`` (``how``: which
    patches), or any :class:`Players`. target: the class to explain (default: the one the model
    predicts; one-unit outputs: 1 or 0 by sign for ``score='sigmoid'``, 0 for ``raw``). kappa,
    order_weight, tol: see :func:`utils.sparsify.split`. merge: move first-order OR into AND. An
    image of integers is read in the network's own dtype, in the scale that it has.

    Nothing is scored when scores and split would not fit into memory: MemoryError naming the n that
    does. From 14 players on the time of both is told first, on stderr. A split that ends above
    ``tol`` warns.
    Returns :class:`Interactions` of one game, ``meta`` carrying the settings, the certified gap and
    the share of saturated masks.
    """
    where = (
        torch.device(device)
        if device is not None
        else next(model.parameters(), torch.empty(0)).device
    )
    require_room(x.n if isinstance(x, Players) else n, where)
    if isinstance(x, torch.Tensor):
        image = x if x.is_floating_point() else x.to(_dtype(model))
        players: Players = patch_players(image, "x", n, baseline=baseline, how=how)
    else:
        players = x
    if target is None:
        target = _predicted(model, players, score, where)
    if players.n >= _MANY:
        cost = expected(model, players, kappa=kappa, order_weight=order_weight, device=where)
        print(cost, file=sys.stderr)
    many = players.n >= _MANY
    v = scores(model, [players], target, score=score, device=where, progress=many)
    result = sparsify.split(v, kappa=kappa, order_weight=order_weight, tol=tol, progress=many)
    meta = {
        "target": int(target),
        "score": score,
        "kappa": kappa,
        "order_weight": order_weight,
        "tol": tol,
        "gap": float(result.gap[0]),
        "converged": bool(result.converged[0]),
        "saturated": saturated_share(v),
        "players": [players.describe(i) for i in range(players.n)],
    }
    found = Interactions(result.i_and[0], result.i_or[0], meta)
    return found.merge_first_order() if merge else found


def _predicted(model: nn.Module, players: Players, score: Score, device: torch.device) -> int:
    whole = torch.tensor([(1 << players.n) - 1], device=device)
    with evaluating(model.to(device)):
        inputs = as_input(players.to(device).masked(whole), _dtype(model))
        logits = logits_of(model(inputs), "output")[0]
    if len(logits) > 1:
        return int(logits.argmax())
    return int(logits[0] > 0) if score == "sigmoid" else 0


def _dtype(model: nn.Module) -> torch.dtype:
    return next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
