"""L3, L4, L8, L11, L13, L15: which interactions a layer shares with the final layer, will forget, has yet to learn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from .. import stats
from ..claims import Part, Premise, load
from ..jobs.layered import Analyses, Layered
from ..jobs.study import System, scope
from ..metrics import layers, salience
from ..params.layerwise import Layerwise

__all__ = ["FIRST", "Kind", "beyond_null", "case", "certificates", "changes", "control_of", "course_parts", "enough_layers",
           "layer_scope", "probe_table", "probes_converged", "sharing_parts", "signal", "similarities", "strength_parts",
           "table_parts", "totals"]

Kind = Literal["and", "or", "both"]
FIRST = {"and": 1, "or": 2, "both": 1}
"""The lowest order that counts: first-order OR terms are merged into the AND terms."""


def changes(
    x: Layered, kind: Kind, rule: salience.Rule = "max_per_sample", *, certified_only: bool = False, merged: bool = True,
) -> layers.Change:
    """Normalised strength per order and its decomposition at every layer: each (R seeds, C layers, X, n).

    certified_only: an image counts only if all its layers are certified in that seed. merged: first-order OR terms into AND.
    """
    found = x.e.merged if merged else x.e.found
    salient = found.salient(salience.threshold(found, x.e.v, rule).clamp(min=torch.finfo(torch.float64).tiny))
    unit = layers.normalised(found, x.e.v)
    names = {"and": (0,), "or": (1,), "both": (0, 1)}[kind]
    parts = []
    for k in names:
        values, mask = (unit.and_, unit.or_)[k], salient[k]
        parts.append(layers.change(values, values[:, -1:], mask, mask[:, -1:]))
    whole = x.e.converged.all(1)[:, None, :, None].double() if certified_only else 1.0
    fields = ("own", "target", "overlap", "forget", "new")
    return layers.Change(*(sum(getattr(part, name) for part in parts) * whole for name in fields))


def _mean(strength: torch.Tensor, x: Layered, certified_only: bool) -> torch.Tensor:
    """Mean over images (R, X, n) → (R, n); over the certified ones only, NaN where there is none."""
    if not certified_only:
        return strength.mean(1)
    count = x.e.converged.all(1).double().sum(-1, keepdim=True)
    return strength.sum(1) / torch.where(count > 0, count, torch.nan)


def strength_parts(x: Layered, kind: Kind, rule: salience.Rule = "max_per_sample", *, certified_only: bool = False,
                   merged: bool = True, layer: int = -1) -> list[Part]:
    """L3, per seed: strength of the low minus the high half of the orders, of the final layer (or of another one)."""
    own = changes(x, kind, rule, certified_only=certified_only, merged=merged).own[:, layer]
    strength = _mean(own, x, certified_only)
    first = FIRST[kind]
    return [Part("low_minus_high", layers.low_minus_high(strength, first=first).numpy()),
            Part("per_subset", layers.low_minus_high(strength, per_subset=True, first=first).numpy())]


def totals(change: layers.Change) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """overlap, forget and the final layer's strength of the probed layers, all orders together: (R, P, X)."""
    target = change.target.expand_as(change.own).sum(-1)
    return change.overlap.sum(-1)[:, :-1], change.forget.sum(-1)[:, :-1], target[:, :-1]


def course_parts(x: Layered, kind: Kind, rule: salience.Rule = "max_per_sample", *, certified_only: bool = False,
                 merged: bool = True, per_sample: bool = False, own_layer: bool = False) -> list[Part]:
    """L4, per seed: slope of completeness over the probed layers, redundancy at its peak minus at either end.

    per_sample: mean of ratios in place of the ratio of means (completeness). own_layer: redundancy relative to the layer.
    """
    change = changes(x, kind, rule, certified_only=certified_only, merged=merged)
    overlap, forget, target = totals(change)
    share = layers.completeness(overlap, target, per_sample).numpy()
    whole = change.own.sum(-1)[:, :-1] if own_layer else target
    peaks = [layers.peak_heights(f, w) for f, w in zip(forget, whole, strict=True)]
    return [Part("completeness_slope", [layers.depth_slope(row) for row in share]),
            Part("redundancy_above_first", [peak[0] for peak in peaks]),
            Part("redundancy_above_last", [peak[1] for peak in peaks])]


def table_parts(x: Layered, kind: Kind = "and", rule: salience.Rule = "max_per_sample", *,
                certified_only: bool = False) -> list[Part]:
    """L11, per seed: those of L3 and of completeness, and the largest redundancy of a probed layer."""
    _, forget, target = totals(changes(x, kind, rule, certified_only=certified_only))
    most = layers.redundancy(forget, target).amax(-1)  # NaN if any is
    slope = course_parts(x, kind, rule, certified_only=certified_only)[:1]
    return [*strength_parts(x, kind, rule, certified_only=certified_only), *slope, Part("redundancy", most.numpy())]


def _correlations(x: Layered, kind: Kind, rule: salience.Rule, certified_only: bool) -> np.ndarray:
    overlap, _, target = totals(changes(x, kind, rule, certified_only=certified_only))
    return np.array([layers.depth_correlation(row) for row in layers.completeness(overlap, target).numpy()])


def sharing_parts(x: Layered, shuffled: Layered, kind: Kind = "both", rule: salience.Rule = "max_per_sample", *,
                  certified_only: bool = False) -> list[Part]:
    """L15, per seed: rank correlation of overlap / all of the final layer with the depth, and that minus the control's.

    A control whose overlap is the same at every layer (none at all, say) correlates with nothing: 0.
    """
    ours, theirs = (_correlations(one, kind, rule, certified_only) for one in (x, shuffled))
    return [Part("correlation", ours), Part("above_control", ours - np.nan_to_num(theirs))]


def similarities(x: Layered, rule: salience.Rule = "max_per_sample", kinds: Sequence[str] = ("and", "or")) -> np.ndarray:
    """Weighted Jaccard of the salient interactions of every two layers, AND and OR together: (R, C, C)."""
    found = x.e.merged
    masks = found.salient(salience.threshold(found, x.e.v, rule).clamp(min=torch.finfo(torch.float64).tiny))
    unit = layers.normalised(found, x.e.v)
    values = torch.cat([v for v, k in zip((unit.and_, unit.or_), ("and", "or"), strict=True) if k in kinds], -1)
    # AND and OR of a sample side by side are one longer vector; order 0 of either is never salient.
    mask = torch.cat([m for m, k in zip(masks, ("and", "or"), strict=True) if k in kinds], -1)
    count = values.shape[1]
    result = np.empty((len(values), count, count))
    for i in range(count):
        for j in range(count):
            result[:, i, j] = layers.similarity(values[:, i], values[:, j], mask[:, i], mask[:, j]).numpy()
    return result


# What the claims presuppose ----------------------------------------------------------------------------------------


def enough_layers(x: Layered) -> Premise:
    """A rise and a fall need an inner layer."""
    return Premise("enough layers", len(x.probed) >= 3,
                   f"a rise and fall over layers needs at least 3 probed layers, there are {len(x.probed)}")


def probes_converged(x: Layered) -> Premise:
    """A probe that was still learning says nothing of its layer."""
    failed = x.reports[~x.reports["converged"]]
    where = [f"{layer} (seeds {', '.join(map(str, part['seed']))}; the last quarter of the steps changed the loss by up to "
             f"{part['decrease'].abs().max():.1%} of its fall below chance)"
             for layer, part in failed.groupby("layer", sort=False)]
    return Premise("every probe converged", not where, f"probes did not converge: {'; '.join(where)}: raise probe_steps")


def signal(x: Layered, factor: float = 10.0) -> Premise:
    """The games must stand out of rounding: at every layer, E_x |v(N) - v(∅)| ≥ factor x the rounding of its scores."""
    strength = (x.e.v[..., -1] - x.e.v[..., 0]).abs().mean(-1)
    rounding = x.e.noise_floor / 2 ** (x.e.found.n / 2)
    weak = [name for name, ok in zip(x.layers, (strength >= factor * rounding).all(0).tolist(), strict=True) if not ok]
    return Premise("the games stand out of rounding", not weak,
                   f"at {', '.join(weak)} the mean of |v(N) - v(∅)| is below {factor:g} times the rounding of the scores")


def beyond_null(row: str, system: str, name: str, parts: Sequence[Part], null: Sequence[Part]) -> Premise:
    """A claim that its null explains is not reproduced: where all parts of the null clear their bounds as well, those of the
    network must lie beyond them (a paired t interval across seeds, level as for the row).

    null: the parts that the null changes, at least one.
    """
    registry = load()
    level, thresholds = registry.protocol.level, registry.row(row).thresholds_for(system)
    ours = {part.name: np.asarray(part.values, dtype=float) for part in parts}
    theirs = {part.name: np.asarray(part.values, dtype=float) for part in null}
    clear = all(_clears(values, thresholds[k].bound, thresholds[k].direction, level) for k, values in theirs.items())
    beyond = [k for k, values in theirs.items() if _clears(ours[k] - values, 0.0, thresholds[k].direction, level)]
    short = [k for k in theirs if k not in beyond]
    return Premise(f"not explained by {name}", not clear or not short,
                   f"{name} meets the criterion as well ({', '.join(theirs)}), and the network is not shown to lie beyond "
                   f"it in {', '.join(short)}")


def _clears(values: np.ndarray, bound: float, direction: str, level: float) -> bool:
    if not np.isfinite(values).any():
        return False
    found = stats.t_interval(values, level)
    return found.low > bound if direction == "above" else found.high < bound


# What goes with a verdict ------------------------------------------------------------------------------------------


def layer_scope(p: Layerwise, system: System) -> str:
    """For what a verdict on ``system`` speaks."""
    rate = p.probe_lr[system.jobs[0].config.model]
    text = scope(p, system)
    if p.dataset == p.tabular:
        text = text.replace("images", "rows").replace("patches", "columns").replace("baseline: mean image",
                                                                                     "baseline: training mean")
    return f"{text}; probes by {p.probe_steps} steps of SGD (lr {rate:g}, momentum 0.9, batch 256) on standardised features"


def control_of(x: Layered, kind: Kind, rule: salience.Rule) -> dict[str, object]:
    """Completeness, redundancy and strength of every layer, means over seeds, and how the probes ended."""
    change = changes(x, kind, rule)
    target = change.target.expand_as(change.own)
    return {"completeness": layers.completeness(change.overlap.sum(-1), target.sum(-1)).nanmean(0).tolist(),
            "redundancy": layers.redundancy(change.forget.sum(-1), target.sum(-1)).nanmean(0).tolist(),
            "strength per order, final layer": change.own[:, -1].mean((0, 1)).tolist(),
            "low minus high by layer": layers.low_minus_high(change.own.mean(2), first=FIRST[kind]).mean(0).tolist(),
            "probes": _probe_summary(x)}


def _probe_summary(x: Layered) -> dict[str, object]:
    by = x.reports.groupby("layer", sort=False)
    return {"training loss": by["loss"].mean().tolist(), "training accuracy": by["accuracy"].mean().tolist(),
            "largest change in the last quarter": by["decrease"].apply(lambda d: d.abs().max()).tolist(),
            "converged": by["converged"].sum().tolist(), "of": by["converged"].size().tolist()}


def probe_table(analyses: Mapping[str, Layered]) -> pd.DataFrame:
    """How the probes ended, a row per analysis and layer: means over seeds, the largest decrease, how many converged."""
    rows = []
    for name, x in analyses.items():
        by = x.reports.groupby("layer", sort=False)
        found = by[["loss", "accuracy"]].mean().assign(decrease=by["decrease"].max(), converged=by["converged"].sum(),
                                                       probes=by.size())
        rows.append(found.reset_index().assign(labels=name))
    return pd.concat(rows, ignore_index=True).set_index(["labels", "layer"])


def certificates(x: Layered) -> pd.DataFrame:
    """The certificates of the splits, a row per layer."""
    return x.e.certificates().assign(step=list(x.layers)).rename(columns={"step": "layer"})


# The rows ------------------------------------------------------------------------------------------------------------


def _row_parts(row: str, x: Layered, shuffled: Layered, rule: salience.Rule, **options: bool) -> list[Part]:
    """The parts of a row, as claims.yaml names them."""
    if row == "L3":
        return strength_parts(x, "and", rule, **options)
    if row == "L4":
        return course_parts(x, "and", rule, **options)
    if row == "L8":
        return strength_parts(x, "or", rule, **options) + course_parts(x, "or", rule, **options)
    if row == "L11":
        return table_parts(x, "and", rule, **options)
    if row == "L15":
        return sharing_parts(x, shuffled, "both", rule, **options)
    raise ValueError(f"row must be L3, L4, L8, L11 or L15, got {row!r}")


_KIND: dict[str, Kind] = {"L3": "and", "L4": "and", "L8": "or", "L11": "and", "L15": "both"}
_OVER_LAYERS = ("completeness_slope", "redundancy_above_first", "redundancy_above_last", "redundancy")
"""Parts that rest on the probes; the strength of the final layer does not, so shuffled probes are no null of it."""


def _reported(row: str, a: Analyses, rule: salience.Rule) -> dict[str, list[Part]]:
    """Analyses that are shown without gating."""
    found = {name: _row_parts(row, x, a.shuffled_of(name), rule) for name, x in a.second.items()}
    if row == "L15":  # no statement on orders: the other end of the face is shown only
        found |= {name: _row_parts(row, x, a.shuffled_of(name), rule) for name, x in a.orders.items()}
        found["AND alone"] = sharing_parts(a.main, a.shuffled, "and", rule)
    found |= {f"salience rule {other}": _row_parts(row, a.main, a.shuffled, other)
              for other in salience.RULES if other != rule}
    if row == "L4":
        found["mean of ratios"] = course_parts(a.main, "and", rule, per_sample=True)
        found["redundancy relative to the own layer"] = course_parts(a.main, "and", rule, own_layer=True)
    if row == "L8":
        found["first-order terms not merged"] = _row_parts(row, a.main, a.shuffled, rule, merged=False)
    if row == "L11":
        found["OR"] = table_parts(a.main, "or", rule)
    return found


def _null_premises(row: str, system: str, a: Analyses, rule: salience.Rule, parts: list[Part]) -> list[Premise]:
    """The nulls that the row names, each of which must not meet the criterion as well as the network does."""
    if row == "L15":
        return []  # its null is one of its thresholds
    nulls = {"the untrained network (N0)": _row_parts(row, a.untrained, a.untrained, rule)}
    if row == "L3":
        nulls["independent noise of matched variance (N2)"] = strength_parts(a.noise, "and", rule)
    else:
        shuffled = _row_parts(row, a.shuffled, a.shuffled, rule)
        nulls["the probes on shuffled labels"] = [part for part in shuffled if part.name in _OVER_LAYERS]
    return [beyond_null(row, system, name, parts, null) for name, null in nulls.items()]


def case(p: Layerwise, system: System, a: Analyses, row: str) -> dict[str, Any]:
    """Everything that ``claims.judge(row, system.id, **case)`` needs: parts, premises, variants, controls."""
    rule = p.salience
    parts = _row_parts(row, a.main, a.shuffled, rule)
    premises = [signal(a.main), *_null_premises(row, system.id, a, rule, parts)]
    if row != "L3":
        premises = [enough_layers(a.main), probes_converged(a.main), *premises]
    variants = {"uncertified games dropped": _row_parts(row, a.main, a.shuffled, rule, certified_only=True)}
    if row != "L15":
        variants |= {name: _row_parts(row, x, a.shuffled, rule) for name, x in a.orders.items()}
    judged = [a.main, *a.orders.values(), *([a.shuffled] if row == "L15" else [])]
    return {"parts": parts, "seeds": p.seeds, "scope": layer_scope(p, system), "premises": premises,
            "accuracy": a.accuracies, "uncertified": max(x.e.uncertified for x in judged), "variants": variants,
            "reported": _reported(row, a, rule), "control": {
                "layers": list(a.main.layers), "salience rule": rule,
                **{name: control_of(x, _KIND[row], rule) for name, x in (
                    ("network", a.main), ("shuffled labels", a.shuffled), ("untrained network", a.untrained))}}}
