"""M7 to M12: the courses that interactions take during training, their groups, maps of components, a planted feature."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from ..claims import Part, Premise
from ..jobs import toy
from ..jobs.components import Analysis
from ..jobs.study import Extracted
from ..metrics import groups
from ..params import FiveGroups
from .components import basis, certified

__all__ = ["PRIMARY", "Selected", "Selections", "bar_table", "contrast_case", "curve_table", "definition_case",
           "group_case", "kinds_case", "margin_table", "order_table", "pair_case", "pairs", "paper_layout", "select",
           "selections", "toy_case", "toy_table"]

PRIMARY = 0.1
"""Margin of the grouping rule at which M7, M10 and M12 are judged."""

HIGH, LOW = 6, 3
_FEW = 10


@dataclasses.dataclass(frozen=True, eq=False)
class Selected:
    """The strongest interactions of each image as curves over training, and those of B sets of null curves.

    curves (R, X, T, C) and orders (R, X, T) of R seeds, X images, T interactions; null, null_orders: with an axis B after R.
    """

    curves: np.ndarray
    orders: np.ndarray
    null: np.ndarray
    null_orders: np.ndarray
    steps: np.ndarray
    _known: dict[tuple[float, int], tuple[np.ndarray, np.ndarray]] = dataclasses.field(default_factory=dict, repr=False)

    def labels(self, margin: float, width: int) -> tuple[np.ndarray, np.ndarray]:
        """Groups (R, X, T) of the curves and (R, B, X, T) of the null ones; each margin and width is computed once."""
        if (margin, width) not in self._known:
            self._known[margin, width] = (groups.classify(self.curves, margin, width),
                                          groups.classify(self.null, margin, width))
        return self._known[margin, width]


Null = Literal["walks", "shuffled"]


def _null(curves: torch.Tensor, kind: Null, generator: torch.Generator) -> torch.Tensor:
    if kind == "walks":
        return groups.walks(curves, generator)
    return curves.gather(-1, torch.rand(curves.shape, generator=generator).argsort(-1))


def select(p: FiveGroups, e: Extracted, certified_only: bool = False, every: int = 1, null: Null = "walks") -> Selected:
    """The p.top strongest interactions of each image by max over time of |I|, after the first-order merge.

    certified_only: images with an uncertified checkpoint in a seed get curves of zeros, which belong to no group. every:
    only each such checkpoint, counted from the last. null: random walks, or each curve's values in another order of time.
    """
    merged = e.merged
    keep = slice((len(e.steps) - 1) % every, None, every)
    every_curve = torch.cat([merged.and_[..., 1:], merged.or_[..., 1:]], -1)[:, keep].permute(0, 2, 3, 1)
    if certified_only:
        every_curve = every_curve * e.converged.all(1)[..., None, None]
    orders = merged.order[1:].repeat(2)

    def chosen(curves: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        index = groups.strongest(curves, p.top)
        return curves.gather(1, index[..., None].expand(*index.shape, curves.shape[-1])), orders[index]

    own = [chosen(curves) for curves in every_curve]
    drawn = []
    for seed, curves in zip(p.seeds, every_curve, strict=True):
        generator = torch.Generator().manual_seed(seed)
        drawn.append([chosen(_null(curves, null, generator)) for _ in range(p.walks)])
    return Selected(np.stack([c.numpy() for c, _ in own]), np.stack([o.numpy() for _, o in own]),
                    np.stack([[c.numpy() for c, _ in sets] for sets in drawn]),
                    np.stack([[o.numpy() for _, o in sets] for sets in drawn]), e.steps[keep])


def _middle(p: FiveGroups) -> int:
    return sorted(p.widths)[len(p.widths) // 2]


def _excess(chosen: Selected, margin: float, width: int) -> np.ndarray:
    """Distance of each seed's shares from the null's, minus the null's own: (R,)."""
    own, null = chosen.labels(margin, width)
    return np.array([groups.excess_distance(groups.shares(one), np.array([groups.shares(x) for x in sets]))
                     for one, sets in zip(own, null, strict=True)])


def _enough(p: FiveGroups) -> Premise:
    needed = groups.checkpoints_needed(max(p.widths))
    return Premise("checkpoints", p.checkpoints >= needed,
                   f"{p.checkpoints} checkpoints cannot show curves that rise and fall when averaged over {max(p.widths)} "
                   f"of them: at least {needed} are needed")


def _kinds(p: FiveGroups, chosen: Selected) -> list[Part]:
    rarest = [[groups.shares(one).min() for one in chosen.labels(PRIMARY, width)[0]] for width in p.widths]
    return [Part("walk_distance", np.mean([_excess(chosen, PRIMARY, width) for width in p.widths], axis=0)),
            Part("rarest_group", np.mean(rarest, axis=0))]


def _least(p: FiveGroups, chosen: Selected, name: str = "walk_distance") -> list[Part]:
    return [Part(name, np.min([_excess(chosen, margin, _middle(p)) for margin in p.margins], axis=0))]


@dataclasses.dataclass(frozen=True)
class Selections:
    """One system's curves under every analysis that M7 to M10 need, each selected once.

    main; certified: without images that have an uncertified game; others: the other order weights; sparse: every second
    checkpoint; shuffled: with a null that knows no order in time.
    """

    main: Selected
    certified: Selected
    others: dict[str, Selected]
    sparse: Selected
    shuffled: Selected


def selections(p: FiveGroups, a: Analysis) -> Selections:
    """The strongest interactions of one system, with their nulls."""
    main = select(p, a.main)
    return Selections(main, main if bool(a.main.converged.all()) else select(p, a.main, certified_only=True),
                      {name: select(p, e) for name, e in a.others.items()}, select(p, a.main, every=2),
                      select(p, a.main, null="shuffled"))


def _judged(p: FiveGroups, found: Selections, parts: Callable[[FiveGroups, Selected], list[Part]]) -> dict[str, Any]:
    """Parts, the variant without uncertified games, and what is reported: the other end of the face, fewer checkpoints, and
    a null that knows no time instead of walks."""
    cases = found.others | {"every second checkpoint": found.sparse, "the null of curves shuffled in time": found.shuffled}
    return {**certified(lambda only: parts(p, found.certified if only else found.main)), "premises": [_enough(p)],
            "reported": {name: parts(p, one) for name, one in cases.items()}}


def _table(p: FiveGroups, chosen: Selected) -> dict[str, list[float]]:
    """Mean shares of the groups over seeds, per margin and width, for the network and the null."""
    found = {}
    for margin, width in itertools.product(p.margins, p.widths):
        for label, labels in zip(("network", "walks"), chosen.labels(margin, width), strict=True):
            each = [groups.shares(one) for one in labels]
            found[f"{label}, margin {margin:g}, width {width}"] = np.mean(each, axis=0).tolist()
    return found


def kinds_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """M7, per seed: distance of the group shares from matched walks, and the share of the rarest group, at margin 0.1,
    averaged over the smoothing widths."""
    return {**_judged(p, found, _kinds), "control": {"groups": groups.GROUPS, **_table(p, found.main)},
            **basis(p, a, a.main, *a.others.values())}


def definition_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """M8, per seed: the same distance at the margin where it is smallest; how the printed definitions fare is a control."""
    def parts(p: FiveGroups, chosen: Selected) -> list[Part]:
        return _least(p, chosen, "walk_distance_all_margins")

    chosen = found.main
    fits = _fits(chosen.curves)
    control = {f"share of curves that fit {name} of the printed definitions": value for name, value in fits.items()}
    control |= {f"the same for walks, {name}": value for name, value in _fits(chosen.null).items()}
    control |= {f"share that fits the printed '{k}'": float(x[_alive(chosen.curves)].mean())
                for k, x in groups.printed(chosen.curves).items()}
    return {**_judged(p, found, parts), "control": control, **basis(p, a, a.main, *a.others.values())}


def _alive(curves: np.ndarray) -> np.ndarray:
    return np.abs(curves).max(-1) > 0


def _fits(curves: np.ndarray) -> dict[str, float]:
    """Share of the curves that fit none, one, several of the printed definitions."""
    number = sum(x.astype(int) for x in groups.printed(curves).values())[_alive(curves)]
    return {"none": float((number == 0).mean()), "one": float((number == 1).mean()), "several": float((number > 1).mean())}


def group_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """M9 on one system, per seed: as M8; the distance to each row of the paper's table is a control.

    The claim compares networks and data sets, so one system alone leaves it open however far it is from walks.
    """
    own = groups.shares(found.main.labels(PRIMARY, _middle(p))[0])
    control = {f"L1 distance of the shares to {name} in Table 3": float(np.abs(own - np.array(row) / sum(row)).sum())
               for name, row in groups.PAPER_COUNTS.items()}
    case = _judged(p, found, _least)
    alone = Premise("a contrast", False, "the claim is that networks and data sets differ, and this is one network on one "
                    "data set: networks=[resnet20, vgg11] judges the contrasts (system resnet20+vgg11/...)")
    return {**case, "premises": [*case["premises"], alone], "control": control, **basis(p, a, a.main, *a.others.values())}


def pairs(p: FiveGroups, found: Sequence[Analysis]) -> Iterator[tuple[str, Analysis, Analysis]]:
    """The contrast that Table 3 makes between networks, where both were asked for: id, first, second analysis."""
    by_name = {a.system.jobs[0].config.model: a for a in found}
    if {"resnet20", "vgg11"} <= set(by_name):
        yield f"resnet20+vgg11/{p.dataset}", by_name["resnet20"], by_name["vgg11"]


def pair_case(p: FiveGroups, first: Analysis, second: Analysis) -> dict[str, Any]:
    """M9 on two networks, per seed: differences of shares with their claimed signs, and the less distant from walks."""
    signs = {"more_reliable": (0, 1), "more_forgotten": (2, 1), "fewer_betraying": (3, -1), "fewer_fluctuating": (4, -1)}

    def parts(only: bool) -> list[Part]:
        one, two = (select(p, a.main, certified_only=only) for a in (first, second))
        shares = {margin: [np.array([groups.shares(x) for x in c.labels(margin, _middle(p))[0]])
                           for c in (one, two)] for margin in p.margins}
        found = [Part(name, np.min([sign * (x - y)[:, k] for x, y in shares.values()], axis=0))
                 for name, (k, sign) in signs.items()]
        return [Part("walk_distance", np.minimum(_least(p, one)[0].values, _least(p, two)[0].values)), *found]

    both = basis(p, first, *(e for a in (first, second) for e in (a.main, *a.others.values())))
    both["accuracy"] = [min(pair) for pair in zip(both["accuracy"], basis(p, second)["accuracy"], strict=True)]
    both["scope"] = f"{both['scope']}; against {basis(p, second)['scope']}"
    return {**certified(parts), "premises": [_enough(p)], **both}


# M10 -------------------------------------------------------------------------------------------------------------------


def _restless(labels: np.ndarray, orders: np.ndarray) -> float:
    """Share of fluctuating or withdrawn curves at orders >= 6 minus at orders <= 3; NaN where either has none."""
    restless, known = np.isin(labels, (1, 4)), labels >= 0
    high, low = known & (orders >= HIGH), known & (orders <= LOW)
    return float(restless[high].mean() - restless[low].mean()) if high.any() and low.any() else np.nan


def _contrast(p: FiveGroups, chosen: Selected, margin: float = PRIMARY) -> list[Part]:
    own, null = chosen.labels(margin, _middle(p))
    values = []
    for r in range(len(own)):
        theirs = np.array([_restless(x, o) for x, o in zip(null[r], chosen.null_orders[r], strict=True)])
        known = theirs[~np.isnan(theirs)]
        values.append(_restless(own[r], chosen.orders[r]) - known.mean() if len(known) else np.nan)
    return [Part("contrast", values)]


def contrast_case(p: FiveGroups, a: Analysis, found: Selections) -> dict[str, Any]:
    """M10, per seed: high minus low orders in the share that fluctuates or is withdrawn, above the same for walks."""
    chosen = found.main
    high = [int(((o >= HIGH) & _alive(c)).sum()) for c, o in zip(chosen.curves, chosen.orders, strict=True)]
    enough = Premise("high orders", min(high) >= _FEW,
                     f"among the {p.top} strongest interactions of {p.images} images a seed has {min(high)} of order {HIGH} "
                     f"or more, at least {_FEW} are needed: more images or a larger top would give them")
    own = chosen.labels(PRIMARY, _middle(p))[0]
    control = {"interactions of order 6 or more, by seed": high,
               "contrast before subtracting the walks'": [_restless(x, o) for x, o in zip(own, chosen.orders, strict=True)],
               "interactions of each order": np.bincount(chosen.orders.ravel(), minlength=p.n_players + 1)[1:].tolist()}
    case = certified(lambda only: _contrast(p, found.certified if only else chosen))
    case["variants"] |= {name: _contrast(p, one) for name, one in found.others.items()}
    reported = {f"margin {m:g}": _contrast(p, chosen, m) for m in p.margins if m != PRIMARY}
    return {**case, "reported": reported, "premises": [_enough(p), enough], "control": control,
            **basis(p, a, a.main, *a.others.values())}


# M12 -------------------------------------------------------------------------------------------------------------------


def _planted(e: Extracted, player: int) -> np.ndarray:
    """Curves (R, X, C) of the interaction that consists of one input."""
    return e.merged.and_[..., 1 << player].transpose(1, 2).numpy()


def _betraying(curves: np.ndarray, margin: float, width: int) -> np.ndarray:
    """Share of the samples whose curve is betraying: (..., X, C) → (...)."""
    return (groups.classify(curves, margin, width) == groups.GROUPS.index("betraying")).mean(-1)


def toy_case(p: FiveGroups, found: dict[str, Extracted]) -> dict[str, Any]:
    """M12, per seed: 1 where most samples' curve of the planted input is betraying; the loyal input is the control."""
    main, *others = found.values()

    def parts(e: Extracted, margin: float = PRIMARY, only: bool = False) -> list[Part]:
        curves = _planted(e, toy.BETRAYED) * (e.converged.all(1)[..., None].numpy() if only else 1.0)
        return [Part("found", (_betraying(curves, margin, _middle(p)) > 0.5).astype(float))]

    curves = torch.from_numpy(_planted(main, toy.BETRAYED))
    walks = groups.walks(curves.expand(p.walks, *curves.shape), torch.Generator().manual_seed(0)).numpy()
    shares = {f"share of samples where {what} is called betraying": _betraying(x, PRIMARY, _middle(p)).tolist()
              for what, x in (("the betrayed input", curves.numpy()), ("the loyal input", _planted(main, toy.LOYAL)))}
    shares["seeds where the loyal input is called betraying"] = int(
        (_betraying(_planted(main, toy.LOYAL), PRIMARY, _middle(p)) > 0.5).sum())
    shares["share of matched random walks called betraying"] = float(_betraying(walks, PRIMARY, _middle(p)).mean())
    variants = {"uncertified games dropped": parts(main, only=True)}
    variants |= {name: parts(e) for name, e in zip(list(found)[1:], others, strict=True)}
    uncertified = max(float((~e.converged).double().mean()) for e in found.values())
    scope = (f"{len(p.seeds)} small MLPs on planted data of ours with {len(toy.INPUTS)} inputs as players, masked by their "
             f"mean, {p.toy_steps} steps of plain SGD; the paper's toy data are not described")
    reported = {f"margin {m:g}": parts(main, m) for m in p.margins if m != PRIMARY}
    return {"parts": parts(main), "variants": variants, "reported": reported, "premises": [_enough(p)], "control": shares,
            "uncertified": uncertified, "seeds": p.seeds, "scope": scope}


def toy_table(found: dict[str, Extracted]) -> pd.DataFrame:
    """Utility of each input over training: mean over samples; mean and range over seeds."""
    main = next(iter(found.values()))
    pieces = []
    for player, name in enumerate(toy.INPUTS):
        curves = _planted(main, player).mean(1)
        pieces.append(pd.DataFrame({"system": toy.TOY_SYSTEM, "input": name, "step": main.steps, "utility": curves.mean(0),
                                    "low": curves.min(0), "high": curves.max(0)}))
    return pd.concat(pieces, ignore_index=True)


# Tables ----------------------------------------------------------------------------------------------------------------


def curve_table(p: FiveGroups, a: Analysis, found: Selections, most: int = 30) -> pd.DataFrame:
    """Curves of the first seed, up to ``most`` of each group, the strongest first, each divided by its maximum (Fig. 6)."""
    chosen = found.main
    curves = chosen.curves[0].reshape(-1, chosen.curves.shape[-1])
    labels, peak = chosen.labels(PRIMARY, _middle(p))[0][0].ravel(), np.abs(curves).max(-1)
    share, walk = (np.mean([groups.shares(x) for x in many], axis=0) for many in chosen.labels(PRIMARY, _middle(p)))
    pieces = []
    for k, name in enumerate(groups.GROUPS):  # a group without curves keeps its panel, by a row without a value
        members = [i for i in np.argsort(-peak, kind="stable") if labels[i] == k][:most]
        title = f"{name}: {share[k]:.0%} (walks {walk[k]:.0%})"
        pieces += [pd.DataFrame({"system": a.system.name, "panel": title, "group": name, "curve": i, "step": chosen.steps,
                                 "value": curves[i] / peak[i]}) for i in members] or [pd.DataFrame({
                       "system": a.system.name, "panel": [title], "group": name, "curve": -1, "step": chosen.steps[:1],
                       "value": np.nan})]
    return pd.concat(pieces, ignore_index=True)


def _counts(labels: np.ndarray) -> np.ndarray:
    """Mean number per image in each group, per seed: (R, X, T) → (R, 5)."""
    return np.array([[(one == k).sum(-1).mean() for k in range(len(groups.GROUPS))] for one in labels])


def margin_table(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Mean number per image in each group at every margin, network and walks: mean and range over seeds."""
    chosen = found.main
    pieces = []
    for margin in p.margins:
        own, null = chosen.labels(margin, _middle(p))
        for label, values in (("network", _counts(own)), ("random walks", np.array([_counts(x).mean(0) for x in null]))):
            pieces.append(pd.DataFrame({"system": a.system.name, "margin": f"$\\eta$ = {margin:g}", "curves": label,
                                        "group": groups.GROUPS, "count": values.mean(0), "low": values.min(0),
                                        "high": values.max(0)}))
    return pd.concat(pieces, ignore_index=True)


def bar_table(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Table 3: the network and its walks at margin 0.1 beside the paper's rows (per 100 interactions)."""
    own = margin_table(p, a, found)
    own = own[own["margin"] == f"$\\eta$ = {PRIMARY:g}"].assign(panel=a.system.name).drop(columns="margin")
    theirs = [pd.DataFrame({"system": "Table 3 of the paper", "curves": name, "group": groups.GROUPS, "count": row,
                            "low": row, "high": row, "panel": "the paper's networks"})
              for name, row in groups.PAPER_COUNTS.items()]
    return pd.concat([own, *theirs], ignore_index=True)


def paper_layout(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Table 3's layout: a row per margin and width, the mean number of interactions in each group per image."""
    chosen = found.main
    rows = {}
    for margin, width in itertools.product(p.margins, p.widths):
        rows[a.system.name, margin, width] = _counts(chosen.labels(margin, width)[0]).mean(0)
    table = pd.DataFrame(rows, index=list(groups.GROUPS)).T.round(1)
    return table.rename_axis(["network", "margin", "width"])


def order_table(p: FiveGroups, a: Analysis, found: Selections) -> pd.DataFrame:
    """Fig. 7: mean number per image of each order in each group, network and walks, averaged over seeds."""
    chosen = found.main
    pieces = []
    names, numbers = ("network", "random walks"), (chosen.orders, chosen.null_orders)
    for label, labels, orders in zip(names, chosen.labels(PRIMARY, _middle(p)), numbers, strict=True):
        games = labels.size / labels.shape[-1]
        for k, name in enumerate(groups.GROUPS):
            number = np.bincount(orders[labels == k], minlength=p.n_players + 1)[1:]
            pieces.append(pd.DataFrame({"system": a.system.name, "curves": label, "group": name,
                                        "order": range(1, p.n_players + 1), "count": number / games}))
    return pd.concat(pieces, ignore_index=True)
