"""Pairs of samples that agree in what is not in question, so that a difference is not one of class or of output."""

from __future__ import annotations

import torch

__all__ = ["matched_pairs"]


def matched_pairs(size: torch.Tensor, label: torch.Tensor, treated: torch.Tensor, control: torch.Tensor, bins: int,
                  count: int) -> list[tuple[int, int]]:
    """Up to ``count`` pairs (treated, control) of one class and one bin of ``size``, no sample twice (ours).

    size (N,), label (N,) int64, treated and control (N,) bool. The bins are those between the quantiles of the treated
    samples; within class and bin each takes the control nearest in size. One of each class in turn, in the order of the
    samples; a treated sample whose cell has no control left is passed over.
    """
    positions = treated.nonzero().flatten().tolist()
    if not positions or bins < 1:
        return []
    edges = torch.quantile(size[treated].double(), torch.linspace(0, 1, bins + 1, dtype=torch.float64))[1:-1]
    cell = torch.bucketize(size.double(), edges)
    free = control.clone()
    queues = [[i for i in positions if int(label[i]) == c] for c in sorted(set(label[treated].tolist()))]
    pairs: list[tuple[int, int]] = []
    while len(pairs) < count and any(queues):
        for queue in queues:
            pair = _next_pair(queue, size, label, cell, free)
            if pair and len(pairs) < count:
                pairs.append(pair)
    return pairs


def _next_pair(queue: list[int], size: torch.Tensor, label: torch.Tensor, cell: torch.Tensor,
               free: torch.Tensor) -> tuple[int, int] | None:
    """The first treated sample of ``queue`` that finds a partner, with it; both are used up."""
    while queue:
        i = queue.pop(0)
        possible = (free & (label == label[i]) & (cell == cell[i])).nonzero().flatten()
        if len(possible):
            j = int(possible[(size[possible] - size[i]).abs().argmin()])
            free[j] = False
            return i, j
    return None
