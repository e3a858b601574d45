"""D6: the variance of interactions under noise doubles with the order, for the lemma's own noise
and for networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from .. import stats, theory
from ..claims import Verdict, load
from ..jobs.perturbed import Perturbed

__all__ = [
    "SYNTHETIC",
    "lemma_case",
    "lemma_statement",
    "lemma_table",
    "lemma_values",
    "network_case",
    "network_slopes",
    "network_statement",
    "network_table",
    "network_values",
    "or_inconclusive",
    "synthetic_slopes",
    "variance_controls",
]

SYNTHETIC = "theory/synthetic"
"""The system of statements about no network."""


def _ensemble(n: int, seed: int, values: int = 1 << 21) -> torch.Tensor:
    """Copies (R, 2^n) of one random game, each with independent noise of one variance on every
    mask: R 2^n ``values``."""
    generator = torch.Generator().manual_seed(seed)
    game = 10 * torch.randn(1 << n, generator=generator, dtype=torch.float64)
    return game + 0.3 * torch.randn(
        max(values >> n, 2), 1 << n, generator=generator, dtype=torch.float64
    )


def synthetic_slopes(sizes: Sequence[int]) -> dict[int, theory.VarianceLaw]:
    """n → slope of log2 Var I over the order for games with independent noise, the lemma's own
    premise."""
    return {n: theory.variance_slope(_ensemble(n, seed=n)) for n in sizes}


def network_slopes(found: Mapping[float, Perturbed]) -> dict[float, np.ndarray]:
    """Noise level → slope of each seed's network, mean over images (R,)."""
    return {noise: theory.variance_slope(e.v).slope.mean(-1).numpy() for noise, e in found.items()}


def lemma_values(synthetic: Mapping[int, theory.VarianceLaw]) -> dict[str, float]:
    """D6 under the lemma's own premise: least and largest slope of the games with independent
    noise."""
    slopes = [float(law.slope) for law in synthetic.values()]
    return {"slope_not_below": min(slopes), "slope_not_above": max(slopes)}


def lemma_statement(synthetic: Mapping[int, theory.VarianceLaw]) -> str:
    """What holds for independent noise on the outputs, from the numbers."""
    slopes = ", ".join(f"{float(law.slope):.3f} (n = {n})" for n, law in synthetic.items())
    return f"independent noise on the outputs: slope {slopes}"


def network_values(slopes: np.ndarray) -> dict[str, float]:
    """D6 for a network whose weights are noisy: |slope - 1| minus half the interval of the seeds'
    slopes (R,).

    A single seed has no interval; its half width counts as 0 (and :func:`or_inconclusive` says what
    is missing).
    """
    span = stats.t_interval(slopes)
    half = (span.high - span.low) / 2 if span.n > 1 else 0.0
    return {"real_network": abs(span.estimate - 1) - half}


def network_statement(slopes: Mapping[float, np.ndarray]) -> str:
    """What holds for a network whose weights are noisy, at the first noise level: from the
    numbers."""
    noise, values = next(iter(slopes.items()))
    span = stats.t_interval(values)
    verb = "contains" if span.low <= 1 <= span.high else "does not contain"
    return (
        f"weight noise of {noise:g} on the network: slope {span.estimate:.3f}, 95 % interval "
        f"over {span.n} seeds "
        f"[{span.low:.3f}, {span.high:.3f}], which {verb} 1"
    )


def _common(v: torch.Tensor) -> torch.Tensor:
    """Share of the noise's variance that moves all masks of a game together: (..., R, 2^n) → (...).
    2^-n if independent."""
    return v.mean(-1).var(-1) / v.var(-2).mean(-1)


def variance_controls(found: Mapping[float, Perturbed]) -> dict[str, dict[str, object]]:
    """Per noise level: slope of each seed, its interval, how much of the noise all masks share,
    distance from rounding."""
    slopes, result = network_slopes(found), {}
    for noise, e in found.items():
        span = stats.t_interval(slopes[noise])
        deviation = theory.variance_slope(e.v).by_order[..., 1:].sqrt().amin(-1)
        result[f"weight noise {noise:g}"] = {
            "slope of each seed": slopes[noise].tolist(),
            "slope": span.estimate,
            "interval": [span.low, span.high],
            "standard deviation of the scores": float(e.v.std(-2).mean()),
            "share of the noise common to all masks": float(_common(e.v).mean()),
            "share if masks were independent": 1 / e.v.shape[-1],
            "least deviation of an interaction over its rounding": float(
                (deviation / e.noise_floor[:, None]).min()
            ),
        }
    return result


def lemma_case(sizes: Sequence[int]) -> tuple[dict[str, Any], pd.DataFrame]:
    """D6 for the lemma's own noise, games of ``sizes`` players: arguments of
    ``claims.judge_numerical``, figure table."""
    synthetic = synthetic_slopes(sizes)
    case = {
        "values": lemma_values(synthetic),
        "statement": lemma_statement(synthetic),
        "n": len(sizes),
        "scope": "games of independent Gaussian noise with one variance on every mask",
    }
    return case, lemma_table(synthetic)


def network_case(
    found: Mapping[float, Perturbed], scope: str
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The same for one system's networks, the noise level that is judged first."""
    slopes = network_slopes(found)
    judged = next(iter(slopes.values()))
    case = {
        "values": network_values(judged),
        "statement": network_statement(slopes),
        "n": len(judged),
        "scope": scope,
        "control": variance_controls(found),
    }
    return case, network_table(found)


def lemma_table(synthetic: Mapping[int, theory.VarianceLaw]) -> pd.DataFrame:
    """D6's figure for independent noise: log2 of the mean variance per order over that of order
    1."""
    return _lines(
        "independent noise on the outputs",
        {f"n = {n}": _doublings(law)[None] for n, law in synthetic.items()},
    )


def network_table(found: Mapping[float, Perturbed]) -> pd.DataFrame:
    """The same for noise on the network's weights; low and high: the range over seeds."""
    return _lines(
        "noise on the network's weights",
        {
            f"{100 * noise:g} % of the weights": _doublings(theory.variance_slope(e.v)).mean(1)
            for noise, e in found.items()
        },
    )


def _lines(panel: str, values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    longest = max(value.shape[-1] for value in values.values())
    return pd.concat(
        [
            pd.DataFrame(
                {
                    "panel": panel,
                    "noise": label,
                    "order": range(1, value.shape[1] + 1),
                    "value": value.mean(0),
                    "low": value.min(0),
                    "high": value.max(0),
                }
            )
            for label, value in {"Lemma 1: slope 1": np.arange(longest)[None], **values}.items()
        ],
        ignore_index=True,
    )


def _doublings(law: theory.VarianceLaw) -> np.ndarray:
    return (law.by_order[..., 1:] / law.by_order[..., 1:2]).log2().numpy()


def or_inconclusive(verdict: Verdict, seeds: Sequence[int]) -> Verdict:
    """``verdict``, or INCONCLUSIVE where an interval over fewer seeds than the protocol asks for
    entered it."""
    least = load().protocol.min_seeds
    if len(seeds) >= least or verdict.system == SYNTHETIC:
        return verdict
    reason = (
        f"at least {least} seeds are needed for the network's interval, {len(seeds)} "
        f"are given. {verdict.reason}"
    )
    return verdict.model_copy(update={"verdict": "INCONCLUSIVE", "reason": reason})
