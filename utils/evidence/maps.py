"""M11: components and their interactions as regions of an image, words of a sentence or points of a
cloud, described by numbers, without a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch

from .. import lattice
from ..datasets import Kind
from ..jobs.attributions import Maps
from ..jobs.games import CertifiedGames
from .before_after import first_and_last
from .pictures import short

__all__ = ["described", "strongest_sets", "table"]

_STATES = ("untrained", "trained")
_WORDS: dict[Kind, tuple[str, str]] = {
    "image": ("pixels", "images"),
    "text": ("words", "sentences"),
    "points": ("coordinates of points", "clouds"),
}
"""Kind → what a map is spread over, and what is mapped."""


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
    """The map of an interaction: the sum of the maps (r, *places) of its components (Ren J. et al.
    2025, Fig. 8)."""
    return maps[[i for i in range(len(maps)) if mask >> i & 1]].sum(0)


def _concentration(x: torch.Tensor, share: float = 0.5) -> torch.Tensor:
    """Least share of the places that holds ``share`` of the absolute attribution: (..., places) →
    (...)."""
    sizes = x.abs().sort(-1, descending=True).values
    held = sizes.cumsum(-1)
    return ((held < share * held[..., -1:]).sum(-1) + 1.0) / sizes.shape[-1]


def _numbers(ends: CertifiedGames, found: Maps, k: int) -> tuple[float, float, float]:
    """At checkpoint k: places that hold half of a component's attribution, of an interaction's, and
    the part of the components' change that the maps miss."""
    maps, change = found.maps[k].flatten(2), found.change[k]
    sets = [
        _sum_of(maps[x], mask)
        for x in range(len(found.images))
        for _, mask in strongest_sets(ends, x, k, 3)
    ]
    both = float(_concentration(torch.stack(sets)).mean()) if sets else float("nan")
    missed = (maps.sum(-1) - change).abs().sum() / change.abs().sum()
    return float(_concentration(maps).mean()), both, float(missed)


def described(e: CertifiedGames, found: Maps, scope: str) -> dict[str, Any]:
    """What is said of M11: how concentrated the maps are, trained and untrained, and whether they
    add up; scope: of the networks, whose first was drawn."""
    ends, control = first_and_last(e), {}
    places, samples = _WORDS[found.kind]
    for k, state in enumerate(_STATES):
        part, both, missed = _numbers(ends, found, k)
        control[f"{places} that hold half of a component's attribution, {state}"] = part
        control[f"{places} that hold half of an interaction's attribution, {state}"] = both
        control[f"part of the components' change that the maps miss, {state}"] = missed
    start = control[f"{places} that hold half of a component's attribution, untrained"]
    statement = (
        f"After training half of a component's attribution lies on {part:.1%} of the {places}, of "
        f"an interaction's on {both:.1%} (a component before training: {start:.1%}); the maps "
        f"miss {missed:.1%} of the components' change from their masked values. Drawn, not tested: "
        "the untrained network's maps are the comparison."
    )
    count = len(found.images)
    scope = f"{count} {samples} of the first of {scope}"
    return {"statement": statement, "n": count, "scope": scope, "control": control}


def table(
    e: CertifiedGames, found: Maps, components: int = 3, interactions: int = 2
) -> pd.DataFrame:
    """Samples, maps of the first components, and of the strongest interactions between components:
    tidy places, as :func:`utils.figures.attribution_maps` draws them.

    Of images and clouds the sample comes first; of a sentence its words stand at every place.
    """
    ends, pieces, draw = first_and_last(e), [], _TIDY[found.kind]
    for x, sample in enumerate(found.images):
        for k in (1, 0):
            row, maps = f"{x + 1}: {int(found.labels[x])}, {_STATES[k]}", found.maps[k, x]
            words = found.words[x] if found.words else ()
            if found.kind != "text":
                pieces.append(draw(row, found.kind, sample, None, words, ""))
            shown = [(f"component {i + 1}", maps[i], "") for i in range(components)]
            for rank, (kind, mask) in enumerate(strongest_sets(ends, x, k, interactions), start=1):
                note = f"{kind} {_one_based(mask, e.found.n)}"
                shown.append((f"interaction {rank}", _sum_of(maps, mask), note))
            pieces += [draw(row, column, sample, one, words, note) for column, one, note in shown]
    return pd.concat(pieces, ignore_index=True)


def _one_based(mask: int, n: int) -> str:
    """Components as the columns number them, from 1."""
    return (
        "{" + ",".join(str(int(i) + 1) for i in lattice.subset_name(mask, n)[1:-1].split(",")) + "}"
    )


def _scaled(cells: torch.Tensor) -> np.ndarray:
    """Divided by its largest size and rounded, which no eye can see, to keep the CSV small."""
    return (cells.double().numpy() / max(float(cells.abs().max()), 1e-300)).round(3)


def _pixels(
    row: str,
    column: str,
    sample: torch.Tensor,
    cells: torch.Tensor | None,
    _words: Sequence[str],
    note: str,
) -> pd.DataFrame:
    values = sample.mean(0).double().numpy().round(3) if cells is None else _scaled(cells)
    y, x = np.indices(values.shape)
    places = {"y": y.ravel(), "x": x.ravel(), "value": values.ravel()}
    return _tidy(row, column, "image" if cells is None else "map", places, note)


def _words(
    row: str,
    column: str,
    _sample: torch.Tensor,
    cells: torch.Tensor | None,
    words: Sequence[str],
    note: str,
) -> pd.DataFrame:
    places = {
        "place": np.arange(len(words)),
        "word": [short(word) for word in words],
        "value": _scaled(cells),
    }
    return _tidy(row, column, "words", places, note)


def _points(
    row: str,
    column: str,
    sample: torch.Tensor,
    cells: torch.Tensor | None,
    _words: Sequence[str],
    note: str,
) -> pd.DataFrame:
    """Red, green and blue: how much the point's x, y and z take part, whatever the sign."""
    size = np.full(sample.shape, 0.6) if cells is None else np.abs(_scaled(cells))
    places = {
        **{name: sample[:, k].double().numpy().round(3) for k, name in enumerate("xyz")},
        **{name: size[:, k] for k, name in enumerate(("red", "green", "blue"))},
    }
    return _tidy(row, column, "points", places, note)


def _tidy(row: str, column: str, kind: str, places: dict[str, Any], note: str) -> pd.DataFrame:
    table = pd.DataFrame({"row": row, "column": column, "kind": kind, **places})
    return table.assign(note=[note] + [""] * (len(table) - 1))


_TIDY = {"image": _pixels, "text": _words, "points": _points}
