"""The same games split by the certified solver and by the published optimiser at its published
settings."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pydantic
import torch

from .. import io, sparsify
from ..interactions import Interactions
from ..metrics import identification
from ..sparsify.published import Loop
from .base import MANY_STEPS, Job, ensure

if TYPE_CHECKING:
    from .games import CertifiedGames

__all__ = ["Compared", "ComparedJob"]


@dataclasses.dataclass(frozen=True)
class Compared:
    """One way of splitting the games of R seeds, C checkpoints, X images: v (R, C, X, 2^n), found
    of that shape.

    All others (R, C, X). strength: plain L1 of the feasible answer. raw: L1 of the published loop's
    last iterate, before it is made feasible (else = strength). start: L1 at γ = δ = 0. bound:
    certified lower bound of the plain L1 (order weight 0 only, else NaN). converged: certified to
    the tolerance; the published loop never is.
    """

    v: torch.Tensor
    found: Interactions
    strength: torch.Tensor
    raw: torch.Tensor
    start: torch.Tensor
    bound: torch.Tensor
    converged: torch.Tensor
    kappa: float
    loop: bool

    @classmethod
    def of(cls, e: CertifiedGames) -> Compared:
        """The same view of a study's certified split."""
        return cls(
            v=e.v,
            found=e.found,
            strength=e.l1,
            raw=e.l1,
            start=identification.start_strength(e.v),
            bound=torch.full_like(e.l1, torch.nan),
            converged=e.converged,
            kappa=e.kappa,
            loop=False,
        )


class ComparedJob(Job):
    """Some checkpoints and the first images of several networks' games, split together.

    Together, because the published loop works on blocks of games of a fixed size: a job per seed
    would pay for a whole block each. ``loop`` None: the certified solver.
    """

    kind: ClassVar[str] = "compared"
    version: ClassVar[int] = 1
    games: tuple[pydantic.InstanceOf[Job], ...]
    checkpoints: tuple[int, ...]
    images: int
    kappa: float
    order_weight: float = 0.0
    tol: float
    loop: Loop | None = None

    @property
    def apart(self) -> bool:
        return self.loop is not None and self.loop.iterations >= MANY_STEPS

    def compute(self, folder: Path) -> None:
        v = torch.stack(
            [ensure(job).v[list(self.checkpoints), : self.images] for job in self.games]
        )
        common = {
            "kappa": self.kappa,
            "order_weight": self.order_weight,
            "tol": self.tol,
            "progress": True,
        }
        if self.loop is None:
            got = sparsify.split(v, **common)
        else:
            settings = sparsify.PaperSettings(self.loop.learning_rate, self.loop.iterations)
            got = sparsify.split(v, solver="paper", paper=settings, **common)
        bound = got.lower_bound if self.order_weight == 0 else torch.full_like(got.l1, torch.nan)
        io.save_arrays(
            folder / "compared.safetensors",
            {
                "v": v,
                "and": got.sparse_and,
                "or": got.sparse_or,
                "strength": got.l1,
                "bound": bound,
                "raw": got.raw_objective if self.loop else got.l1,
                "start": identification.start_strength(v),
                "converged": got.converged,
            },
        )

    def load(self, folder: Path) -> Compared:
        arrays = io.load_arrays(folder / "compared.safetensors")
        found = Interactions(arrays.pop("and"), arrays.pop("or"))
        return Compared(found=found, kappa=self.kappa, loop=self.loop is not None, **arrays)
