"""The one currency of the package: the AND-OR interactions of a batch of games."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from . import io, lattice

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["FORMAT", "Interactions"]

FORMAT = "interactions/1"


@dataclasses.dataclass(frozen=True)
class Interactions:
    """AND and OR interactions of one game or a batch of games between ``n`` players.

    ``and_``, ``or_``: (..., 2^n) float64, indexed by the bitmask of the players taking part; entry
    0 of ``and_`` is v(∅), entry 0 of ``or_`` is 0. ``meta``: JSON-able facts about where they come
    from (never used in a computation). Units: those of the score, log-odds (nats) by default.
    Source: Ren J. et al. 2025, Eq. 2 and Theorem 2.1.
    """

    and_: torch.Tensor
    or_: torch.Tensor
    meta: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.and_.shape != self.or_.shape:
            raise ValueError(
                f"and_ {tuple(self.and_.shape)} and or_ {tuple(self.or_.shape)} must have one shape"
            )
        lattice.players_of(self.and_.shape[-1])
        if self.or_.numel() and bool((self.or_[..., 0] != 0).any()):
            raise ValueError(
                "or_[..., 0] must be 0: the empty OR interaction does not exist (v(∅) is "
                "and_[..., 0])"
            )

    @property
    def n(self) -> int:
        """Number of players."""
        return lattice.players_of(self.and_.shape[-1])

    @property
    def order(self) -> torch.Tensor:
        """|S| of every subset, int64 (2^n,)."""
        return lattice.order(self.n, self.and_.device)

    def __getitem__(self, index: Any) -> Interactions:
        """Some games of the batch; the subset axis stays whole."""
        return Interactions(self.and_[index], self.or_[index], self.meta)

    def salient(self, tau: float | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Masks (..., 2^n) of the AND and of the OR interactions with |I| ≥ ``tau`` > 0; order 0 is
        never salient.

        ``tau``: one number, or one per game (...). The papers' thresholds are in
        :mod:`utils.metrics.salience`.
        """
        threshold = torch.as_tensor(tau, dtype=self.and_.dtype, device=self.and_.device)
        if bool((threshold <= 0).any()) or bool(torch.isnan(threshold).any()):
            raise ValueError(
                "the salience threshold tau must be positive: at 0 every interaction would be "
                "salient"
            )
        if threshold.ndim:
            threshold = threshold.unsqueeze(-1)
        some = self.order > 0
        return (self.and_.abs() >= threshold) & some, (self.or_.abs() >= threshold) & some

    def merge_first_order(self) -> Interactions:
        """First-order OR terms moved into the AND terms: on one player AND and OR are the same
        function.

        Exact on every mask. Only after the split was optimised (Cheng et al. 2024, Appendix M.4):
        merging before would change what is minimised.
        """
        single = self.order == 1
        merged = torch.where(single, self.and_ + self.or_, self.and_)
        return Interactions(
            merged, torch.where(single, torch.zeros_like(self.or_), self.or_), self.meta
        )

    def reconstruct(self) -> torch.Tensor:
        """The AND-OR model's value on every mask, (..., 2^n)."""
        return lattice.reconstruct(self.and_, self.or_)

    def to_frame(self, top: int | None = None) -> pd.DataFrame:
        """One row per interaction of one game: kind, players, order, value; sorted by |value|,
        ``top`` rows or all."""
        import pandas as pd

        if self.and_.ndim != 1:
            raise ValueError(
                "to_frame describes one game; index the batch of shape "
                f"{tuple(self.and_.shape[:-1])} first"
            )
        names = [lattice.subset_name(mask, self.n) for mask in range(1 << self.n)]
        frames = [
            pd.DataFrame(
                {
                    "kind": kind,
                    "players": names,
                    "order": self.order.tolist(),
                    "value": values.tolist(),
                }
            )[1:]
            for kind, values in (("AND", self.and_), ("OR", self.or_))
        ]
        table = pd.concat(frames, ignore_index=True)
        largest = table["value"].abs().sort_values(ascending=False, kind="stable").index
        return table.loc[largest[:top]].reset_index(drop=True)

    def save(self, path: Path | str) -> None:
        """Write a ``.safetensors`` file, atomically."""
        header = {"format": FORMAT, "meta": json.dumps(self.meta, sort_keys=True)}
        io.save_arrays(Path(path), {"and": self.and_, "or": self.or_}, header)

    @classmethod
    def load(cls, path: Path | str) -> Interactions:
        """Read what :meth:`save` wrote. ValueError for a file of another format or version."""
        header, arrays = io.load_meta(path), io.load_arrays(path)
        if header.get("format") != FORMAT:
            raise ValueError(
                f"{path} has format {header.get('format')!r}; this version reads {FORMAT!r}"
            )
        return cls(arrays["and"], arrays["or"], json.loads(header["meta"]))
