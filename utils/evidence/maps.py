"""M11: components and their interactions as regions of the input, described by numbers, without a
verdict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch

from .. import lattice
from ..jobs.attributions import Maps
from ..jobs.games import CertifiedGames
from .before_after import first_and_last

__all__ = ["described", "strongest_sets", "table"]

_STATES = ("untrained", "trained")


def strongest_sets(
    ends: CertifiedGames, image: int, state: int, count: int
) -> list[tuple[str, int]]:
    """Kind and bitmask of an image's strongest interactions of order ≥ 2 in the first seed, at
    checkpoint ``state``.

    Up to ``count`` of them: fewer where fewer differ from 0.
    """
    merged = ends.found[0, state, image].merge_first_order()
    values = torch.cat([merged.and_, merged.or_]).abs() * (merged.order.repeat(2) >= 2)
    size = len(merged.and_)
    first = values.argsort(dim=-1, descending=True, stable=True)[:count].tolist()
    return [("AND" if i < size else "OR", i % size) for i in first if values[i] > 0]


def _sum_of(maps: torch.Tensor, mask: int) -> torch.Tensor:
    """The map of an interaction: the sum of the maps (r, H, W) of its components (Ren J. et al.
    2025, Fig. 8)."""
    return maps[[i for i in range(len(maps)) if mask >> i & 1]].sum(0)


def _concentration(x: torch.Tensor, share: float = 0.5) -> torch.Tensor:
    """Least share of the pixels that holds ``share`` of the absolute attribution: (..., H, W) →
    (...)."""
    sizes = x.abs().flatten(-2).sort(-1, descending=True).values
    held = sizes.cumsum(-1)
    return ((held < share * held[..., -1:]).sum(-1) + 1.0) / sizes.shape[-1]


def _numbers(ends: CertifiedGames, found: Maps, k: int) -> tuple[float, float, float]:
    """At checkpoint k: pixels that hold half of a component's attribution, of an interaction's, and
    the part of the components' change that the maps miss."""
    maps, change = found.maps[k], found.change[k]
    sets = [
        _sum_of(maps[x], mask)
        for x in range(len(found.images))
        for _, mask in strongest_sets(ends, x, k, 3)
    ]
    both = float(_concentration(torch.stack(sets)).mean()) if sets else float("nan")
    missed = (maps.sum((-2, -1)) - change).abs().sum() / change.abs().sum()
    return float(_concentration(maps).mean()), both, float(missed)


def described(e: CertifiedGames, found: Maps, scope: str) -> dict[str, Any]:
    """What is said of M11: how concentrated the maps are, trained and untrained, and whether they
    add up; scope: of the networks, whose first was drawn."""
    ends, control = first_and_last(e), {}
    for k, state in enumerate(_STATES):
        part, both, missed = _numbers(ends, found, k)
        control[f"pixels that hold half of a component's attribution, {state}"] = part
        control[f"pixels that hold half of an interaction's attribution, {state}"] = both
        control[f"part of the components' change that the maps miss, {state}"] = missed
    start = control["pixels that hold half of a component's attribution, untrained"]
    statement = (
        f"After training half of a component's attribution lies on {part:.1%} of the pixels, of "
        f"an interaction's on {both:.1%} (a component before training: {start:.1%}); the maps "
        f"miss {missed:.1%} of the components' change from their masked values. Drawn, not tested: "
        "the untrained network's maps are the comparison."
    )
    count = len(found.images)
    scope = f"{count} images of the first of {scope}"
    return {"statement": statement, "n": count, "scope": scope, "control": control}


def table(
    e: CertifiedGames, found: Maps, components: int = 3, interactions: int = 2
) -> pd.DataFrame:
    """Images, maps of the first components, and of the strongest interactions between components:
    tidy pixels."""
    ends, pieces = first_and_last(e), []
    for x, image in enumerate(found.images):
        for k in (1, 0):
            row, maps = f"{x + 1}: {int(found.labels[x])}, {_STATES[k]}", found.maps[k, x]
            pieces.append(_pixels(row, "image", image.mean(0)))
            pieces += [_pixels(row, f"component {i + 1}", maps[i]) for i in range(components)]
            for rank, (kind, mask) in enumerate(strongest_sets(ends, x, k, interactions), start=1):
                note = f"{kind} {_one_based(mask, e.found.n)}"
                pieces.append(_pixels(row, f"interaction {rank}", _sum_of(maps, mask), note))
    return pd.concat(pieces, ignore_index=True)


def _one_based(mask: int, n: int) -> str:
    """Components as the columns number them, from 1."""
    return (
        "{" + ",".join(str(int(i) + 1) for i in lattice.subset_name(mask, n)[1:-1].split(",")) + "}"
    )


def _pixels(row: str, column: str, cells: torch.Tensor, note: str = "") -> pd.DataFrame:
    """Tidy pixels; a map is divided by its largest value and rounded, which no eye can see, to keep
    the CSV small."""
    kind = "image" if column == "image" else "map"
    values = cells.double().numpy() / (
        1.0 if kind == "image" else max(float(cells.abs().max()), 1e-300)
    )
    y, x = np.indices(values.shape)
    return pd.DataFrame(
        {
            "row": row,
            "column": column,
            "kind": kind,
            "y": y.ravel(),
            "x": x.ravel(),
            "value": values.ravel().round(3),
            "note": [note] + [""] * (values.size - 1),
        }
    )
