"""What the claims over layers presuppose, and what goes with their verdicts."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..claims import Premise
from ..jobs.layered import Layered, Trio
from ..metrics import layers, salience
from . import layer_statistics as statistics
from .layer_change import FIRST, Kind, change_of, shared

__all__ = [
    "certificates",
    "controls",
    "courses",
    "enough_layers",
    "premises",
    "probe_table",
    "probes_converged",
    "rank_correlations",
    "signal",
    "told",
]


def told(x: Trio, kind: Kind, rule: salience.Rule, *, ranks: bool = False) -> dict[str, Any]:
    """What every row over layers tells the judge beside its statistic: premises and controls.

    ranks: also how completeness correlates with the layer (L15).
    """
    control = rank_correlations(x.trained, kind, rule) if ranks else {}
    return {"premises": premises(x), "control": control | controls(x, kind, rule)}


def premises(x: Trio) -> list[Premise]:
    """Of every row over layers, of the trained networks."""
    return [signal(x.trained), enough_layers(x.trained), probes_converged(x.trained)]


def enough_layers(x: Layered) -> Premise:
    """A rise and a fall need an inner layer."""
    return Premise(
        "enough layers",
        len(x.probed) >= 3,
        f"a rise and fall over layers needs at least 3 probed layers, there are {len(x.probed)}",
    )


def probes_converged(x: Layered) -> Premise:
    """A probe that was still learning says nothing of its layer."""
    failed = x.reports[~x.reports["converged"]]
    where = [
        f"{layer} (seeds {', '.join(map(str, part['seed']))}; the last quarter of the steps "
        "changed the loss by up to "
        f"{part['decrease'].abs().max():.1%} of its fall below chance)"
        for layer, part in failed.groupby("layer", sort=False)
    ]
    return Premise(
        "every probe converged",
        not where,
        f"probes did not converge: {'; '.join(where)}: raise probe_steps",
    )


def signal(x: Layered, factor: float = 10.0) -> Premise:
    """The games must stand out of rounding: at every layer, E_x |v(N) - v(∅)| ≥ factor x the
    rounding of its scores."""
    strength = (x.e.v[..., -1] - x.e.v[..., 0]).abs().mean(-1)
    rounding = x.e.noise_floor / 2 ** (x.e.found.n / 2)
    weak = [
        name
        for name, ok in zip(x.layers, (strength >= factor * rounding).all(0).tolist(), strict=True)
        if not ok
    ]
    return Premise(
        "the games stand out of rounding",
        not weak,
        f"at {', '.join(weak)} the mean of |v(N) - v(∅)| is below {factor:g} times the rounding "
        "of the scores",
    )


def controls(x: Trio, kind: Kind, rule: salience.Rule) -> dict[str, Any]:
    """The courses over layers of the network and of both nulls."""
    return {
        "layers": list(x.trained.layers),
        "salience rule": rule,
        "network": courses(x.trained, kind, rule),
        "shuffled labels": courses(x.shuffled, kind, rule),
        "untrained network": courses(x.untrained, kind, rule),
    }


def courses(x: Layered, kind: Kind, rule: salience.Rule) -> dict[str, object]:
    """Completeness, redundancy and strength of every layer, means over seeds, and how the probes
    ended."""
    change = change_of(x, kind, rule)
    target, own = change.target.expand_as(change.own), change.own
    ratios = {
        "completeness": layers.completeness(change.overlap.sum(-1), target.sum(-1)),
        "redundancy": layers.redundancy(change.forget.sum(-1), target.sum(-1)),
    }
    low = statistics.balance(own.mean((0, 2)).numpy(), FIRST[kind])
    return {
        **{name: values.nanmean(0).tolist() for name, values in ratios.items()},
        "strength per order, final layer": own[:, -1].mean((0, 1)).tolist(),
        "low minus high by layer, salient": low.tolist(),
        "probes": _probe_summary(x),
    }


def _probe_summary(x: Layered) -> dict[str, object]:
    by = x.reports.groupby("layer", sort=False)
    return {
        "training loss": by["loss"].mean().tolist(),
        "training accuracy": by["accuracy"].mean().tolist(),
        "largest change in the last quarter": by["decrease"]
        .apply(lambda d: d.abs().max())
        .tolist(),
        "converged": by["converged"].sum().tolist(),
        "of": by["converged"].size().tolist(),
    }


def rank_correlations(x: Layered, kind: Kind, rule: salience.Rule) -> dict[str, Any]:
    """Per seed, Spearman's correlation of the mean completeness with the layer."""
    mean = np.nanmean(shared(x, kind, rule).completeness, axis=2)
    ranks = [layers.depth_correlation(y) for y in mean]
    return {"rank correlation of completeness and layer": ranks}


def probe_table(x: Trio) -> pd.DataFrame:
    """How the probes ended, a row per network or null and layer: means over seeds, the largest
    decrease, how many converged."""
    rows = []
    for name, one in {"trained": x.trained, **x.nulls}.items():
        by = one.reports.groupby("layer", sort=False)
        found = by[["loss", "accuracy"]].mean()
        found = found.assign(
            decrease=by["decrease"].max(), converged=by["converged"].sum(), probes=by.size()
        )
        rows.append(found.reset_index().assign(labels=name))
    return pd.concat(rows, ignore_index=True).set_index(["labels", "layer"])


def certificates(x: Layered) -> pd.DataFrame:
    """The certificates of the splits, a row per layer."""
    return x.e.certificates().assign(step=list(x.layers)).rename(columns={"step": "layer"})
