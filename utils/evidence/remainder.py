"""M1: interactions match g on every masked feature; not what the paper drops of the feature."""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch

from ..jobs.games import CertifiedGames
from ..metrics import sparsity
from .before_after import first_and_last
from .component_statistics import LAST
from .matching import identity_errors, match_table

__all__ = ["by_step", "table", "told"]


def told(exact: CertifiedGames, e: CertifiedGames, whole: torch.Tensor) -> dict[str, Any]:
    """What the judge of identities is told: errors before and after training; what the dropped
    remainder ε changes is a control.

    exact: split without noise terms; whole (R, C, X): g(f) of whole features.
    """
    ends = first_and_last(e)
    errors = identity_errors(exact, ends)
    control = {
        "the remainder, by step": by_step(e, whole).to_dict("list"),
        "largest duality error": float(sparsity.duality_error(ends.v).max()),
    }
    return {"errors": {k: errors[k] for k in ("matching", "within_kappa")}, "control": control}


def by_step(e: CertifiedGames, whole: torch.Tensor) -> pd.DataFrame:
    """What dropping ε changes, by training step: mean |g(f) - g(f_N)| and mean |g(f)| over images
    and seeds."""
    off = (whole - e.v[..., -1]).abs()
    return pd.DataFrame(
        {
            "step": e.steps,
            "mean |g(f) - g(f_N)|": off.mean((0, 2)).numpy(),
            "mean |g(f)|": whole.abs().mean((0, 2)).numpy(),
        }
    )


def table(e: CertifiedGames, whole: torch.Tensor, order_weight: float, tol: float) -> pd.DataFrame:
    """Score against model on masks of one image, with and without noise terms; and g(f_N) against
    g(f) of all images."""
    masks = match_table(first_and_last(e), order_weight, tol)
    rest = pd.DataFrame(
        {
            "split": "left-out remainder: $g(f_N)$ against $g(f)$",
            "score": whole[:, LAST].flatten().numpy(),
            "model": e.v[:, LAST, :, -1].flatten().numpy(),
        }
    )
    return pd.concat(
        [masks.assign(what="masked features of one image"), rest.assign(what="images, all seeds")],
        ignore_index=True,
    )
