"""From logits to the value v of a masked input: float64, by logsumexp, never by dividing
probabilities."""

from __future__ import annotations

from typing import Literal, get_args

import torch

__all__ = ["SATURATED", "SCORES", "Score", "saturated_share", "score_of"]

Score = Literal["logodds", "official", "sigmoid", "raw"]
SCORES: tuple[str, ...] = get_args(Score)

SATURATED = 16.0
"""|v| beyond which the published clamp is flat: log(p/(1-p+1e-7)+1e-7) saturates at ±16.118."""


def score_of(logits: torch.Tensor, target: torch.Tensor, score: Score = "logodds") -> torch.Tensor:
    """The value v of each row: logits (B, K), target int64 (B,) → float64 (B,).

    - ``logodds``: log p/(1-p) of the target class = z_y - logsumexp of the others (Cheng et al.
      2024, footnote 3).
    - ``official``: the authors' log(p/(1-p+1e-7)+1e-7) in the logits' dtype, which saturates; an
      ablation.
    - ``sigmoid``: one-unit outputs, +z for target 1 and -z for target 0.
    - ``raw``: the target's logit itself.

    Raises ValueError for a target that the output does not have, or a one-unit output scored as
    classes.
    """
    units = logits.shape[1]
    if score not in SCORES:
        raise ValueError(f"score must be one of {SCORES}, got {score!r}")
    if units == 1 and score in ("logodds", "official"):
        raise ValueError(
            f"the network has a one-unit output, for which score={score!r} is undefined: pass "
            "score='sigmoid' (binary classifier) or score='raw' (regression)"
        )
    if units > 1 and score == "sigmoid":
        raise ValueError(
            f"score='sigmoid' is for one-unit outputs; this network has {units}: use 'logodds' "
            "or 'raw'"
        )
    accepted = 2 if score == "sigmoid" else units
    outside = (target < 0) | (target >= accepted)
    if bool(outside.any()):
        raise ValueError(
            f"target {int(target[outside][0])} is out of range: accepted are 0..{accepted - 1}"
        )
    if score == "official":
        p = logits.softmax(1).gather(1, target[:, None])[:, 0]
        return torch.log(p / (1 - p + 1e-7) + 1e-7).double()
    z = logits.double()
    if score == "sigmoid":
        return z[:, 0] * (2 * target - 1)
    own = z.gather(1, target[:, None])[:, 0]
    if score == "raw":
        return own
    return own - z.scatter(1, target[:, None], -torch.inf).logsumexp(1)


def saturated_share(v: torch.Tensor, limit: float = SATURATED) -> float:
    """Share of masks with |v| > ``limit``: saturated scores fabricate high-order interactions."""
    return float((v.abs() > limit).double().mean())
