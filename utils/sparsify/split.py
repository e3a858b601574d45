"""``split``: v(T) = AND part + OR part + δ, of least (weighted) L1 strength, with a certificate per
game.

    minimise Σ_{S≠∅} w(S) (|I_and(S)| + |I_or(S)|),   w(S) = 1 + order_weight·(|S| - 1)/n, v_and =
    ½(v - δ) + γ,  v_or = ½(v - δ) - γ,  |δ_T| ≤ κ' = kappa·|v(N) - v(∅)|,  δ_∅ = 0,  over γ and δ

(Chen et al. 2024, Eq. 9; Cheng et al. 2024, Theorem 3.3 and App. M.) The optimum is a face, not a
point: an additive pair costs the same as one AND plus one OR of order two. ``order_weight`` says
which end of the face is reported.
"""

from __future__ import annotations

import dataclasses
import math
import warnings
from typing import Generic, TypeVar

import numpy as np
import torch

from .. import lattice, runtime
from . import certified
from .certificate import forward, subset_weights, weighted_l1, zeta
from .paper import PaperSettings, chunk_size, solve_paper
from .problem import pieces, ticker

__all__ = ["Split", "split"]

Array = TypeVar("Array", torch.Tensor, np.ndarray)
SOLVERS = ("certified", "paper")


@dataclasses.dataclass(frozen=True)
class Split(Generic[Array]):
    """The split of a batch of games, before the first-order merge: first four (..., 2^n), the
    others (...).

    ``lattice.reconstruct(i_and, i_or)`` = v - delta; i_and = AND interactions of ½(v - delta) +
    gamma, whose entry 0 is v(∅); i_or = OR interactions of ½(v - delta) - gamma, entry 0 is 0. All
    of one solution, which is feasible.
    """

    i_and: Array
    i_or: Array
    gamma: Array
    delta: Array
    # Σ_{S≠∅} w(S)(|i_and| + |i_or|) of exactly these interactions: an upper bound of the optimum
    objective: Array
    lower_bound: (
        Array  # certified lower bound of the optimum; nan for solver="paper", which has none
    )
    # (objective - lower_bound) / objective, 0 for a game explained by nothing; nan for "paper"
    gap: Array
    l1: Array  # the same sum without weights
    converged: Array  # bool: gap <= tol; always False for "paper", which certifies nothing
    iterations: Array  # int64
    # (..., 2^n) the sparse iterate that i_and, i_or repair: exact zeros; see infeasibility
    sparse_and: Array
    sparse_or: Array
    # excess of |v - reconstruct(sparse_and, sparse_or)| over κ', relative to max |v - v(∅)|
    infeasibility: Array
    float64_games: Array  # bool: float32 broke down and the game was solved again in float64
    # "paper": the weighted L1 of the last iterate before it was made feasible; else = objective
    raw_objective: Array


def split(
    v: Array,
    kappa: float = 0.04,
    order_weight: float = 0.2,
    tol: float = 1e-3,
    solver: str = "certified",
    *,
    max_iterations: int = 6000,
    backend: str = "auto",
    paper: PaperSettings | None = None,
    progress: bool = False,
) -> Split[Array]:
    """Split games ``v`` (..., 2^n) into AND and OR interactions; tensors (any device) are answered
    by tensors, arrays and nested lists by arrays, all in float64.

    Tensors that require gradients are detached: nothing is differentiated through the split.

    kappa: bound of |δ_T| as a fraction of |v(N) - v(∅)|; 0 switches δ off (then δ is exactly 0).
    order_weight: > 0 is the low-order end of the optimal face, < 0 the high-order end, 0 the
    papers' objective. tol: the relative gap at which a game is finished; one that is not there
    after ``max_iterations`` is returned with converged=False and its gap. solver: "certified", or
    "paper" for the published SGD with its ``paper`` settings (unscaled, no certificate, compare
    only its feasible ``objective``). backend: "numba" (CPU, compiled), "torch" (any device), or
    "auto".

    A game's answer depends on that game alone: not on its neighbours, the batch size, the threads
    or the free memory. Raises ValueError for a wrong length, a value that is not finite (naming
    sample and mask), a difference v(T) - v(∅) beyond float64 or an argument out of range,
    MemoryError with the estimate before anything is allocated. Warns (RuntimeWarning, once a
    call) of certified games that are left above ``tol``; an objective beyond float64 is one of
    them, its gap is inf.
    """
    _check_options(kappa, order_weight, tol, solver, max_iterations, paper)
    given = v.detach() if isinstance(v, torch.Tensor) else np.asarray(v)
    shape, device = torch.Size(given.shape), getattr(given, "device", "cpu")
    device = torch.device(device)
    if shape and shape[-1] == 1:
        raise ValueError("a split needs at least one player: got games of length 1 (n = 0)")
    games, length = (shape[:-1].numel(), shape[-1]) if shape else (0, 0)
    kind, free = device.type, runtime.available_memory(device)
    need = certified.memory_needed(games, length, kind)
    runtime.require_memory(
        need,
        f"a split of {games} games of 2^n = {length} values",
        device=device,
        hint=certified.what_fits(games, length, kind, free) if need > free else "",
    )
    if isinstance(given, np.ndarray) and not np.iscomplexobj(given):
        given = given.astype(np.float64, copy=False)  # also types and byte orders torch has not
    flat = lattice.as_game(given).reshape(-1, length)
    lattice.require_finite(flat.reshape(shape))
    centred = flat - flat[:, :1]
    lattice.require_finite(centred.reshape(shape), "v - v(∅)")
    bound = kappa * centred[:, -1].abs()
    weights = subset_weights(lattice.players_of(length), order_weight, flat.device)
    if solver == "paper":
        facts = _paper(centred, bound, weights, paper or PaperSettings(), progress)
    else:
        facts = certified.solve(centred, bound, weights, tol, max_iterations, backend, progress)
    facts |= {name: torch.empty_like(flat) for name in ("gamma", "delta")}
    facts |= {name: torch.empty_like(bound) for name in ("objective", "l1")}
    for some in pieces(flat):
        _conventions(
            {name: x[some] for name, x in facts.items()}, flat[some], bound[some, None], weights
        )
    facts.setdefault("raw_objective", facts["objective"].clone())
    if solver == "certified":
        _overflowed(facts)
        _warn(facts, tol)
    shaped = {k: x.reshape(shape if x.ndim == 2 else shape[:-1]) for k, x in facts.items()}
    return Split(**{k: x if isinstance(v, torch.Tensor) else x.numpy() for k, x in shaped.items()})


def _overflowed(facts: dict[str, torch.Tensor]) -> None:
    """In place: a game whose strength is beyond float64 in its own units is not converged, whatever
    its scaled solution is."""
    beyond = ~torch.isfinite(facts["objective"])
    facts["converged"] &= ~beyond
    facts["gap"][beyond] = torch.inf
    facts["lower_bound"].clamp_max_(torch.finfo(facts["lower_bound"].dtype).max)


def _warn(facts: dict[str, torch.Tensor], tol: float) -> None:
    """One warning for all games above ``tol``, with their number and the worst gap."""
    left = int((~facts["converged"]).sum())
    if left:
        warnings.warn(
            f"{left} of {len(facts['gap'])} games were not certified to a gap of {tol:g}: the "
            f"worst gap is {float(facts['gap'].max()):.3g}; raise max_iterations or tol",
            RuntimeWarning,
            stacklevel=3,
        )


def _check_options(
    kappa: float,
    order_weight: float,
    tol: float,
    solver: str,
    max_iterations: int,
    paper: PaperSettings | None,
) -> None:
    if solver not in SOLVERS:
        raise ValueError(
            f"unknown solver {solver!r}: choose one of {', '.join(map(repr, SOLVERS))}"
        )
    if not (math.isfinite(kappa) and kappa >= 0):
        raise ValueError(
            f"kappa is a fraction of |v(N) - v(∅)| and must be finite and >= 0, got {kappa}"
        )
    if not -1 < order_weight <= 10:  # w(S) = 1 + order_weight (|S|-1)/n must stay positive
        raise ValueError(f"order_weight must be greater than -1 and at most 10, got {order_weight}")
    if not (math.isfinite(tol) and tol > 0):
        raise ValueError(f"tol is the relative gap asked for and must be > 0, got {tol}")
    if max_iterations < 1:
        raise ValueError(f"max_iterations must be at least 1, got {max_iterations}")
    if paper is not None and solver != "paper":
        raise ValueError(
            "paper settings were given to solver='certified': they belong to solver='paper'"
        )


def _conventions(
    facts: dict[str, torch.Tensor], v: torch.Tensor, limit: torch.Tensor, weights: torch.Tensor
) -> None:
    """In place: γ, δ and the sums of a solution's nonempty interactions, with v_and(∅) = v(∅) and
    v_or(∅) = 0.

    γ → γ + const leaves every nonempty interaction as it is: putting v(∅) into I_and(∅) shifts the
    *whole* γ. (To overwrite γ_∅ alone would change every AND term and I_or(N).)
    """
    i_and, i_or = facts["i_and"], facts["i_or"]
    for name in ("i_and", "i_or", "sparse_and", "sparse_or"):
        facts[name][:, 0] = 0.0
    delta = (v - v[:, :1]) - forward(i_and, i_or)
    delta = torch.minimum(
        torch.maximum(delta, -limit), limit
    )  # feasible already: this removes rounding only
    delta[:, 0] = 0.0
    facts["objective"].copy_(weighted_l1(i_and, i_or, weights))
    facts["l1"].copy_(weighted_l1(i_and, i_or, (weights > 0).to(v.dtype)))
    i_and[:, 0] = v[:, 0]
    facts["sparse_and"][:, 0] = v[:, 0]
    facts["delta"].copy_(delta)
    facts["gamma"].copy_(zeta(i_and) - 0.5 * (v - delta))


def _paper(
    v: torch.Tensor,
    bound: torch.Tensor,
    weights: torch.Tensor,
    settings: PaperSettings,
    progress: bool,
) -> dict[str, torch.Tensor]:
    steps = settings.iterations * math.ceil(len(v) / chunk_size(v))
    with ticker(progress, "split (published loop)", steps, "it") as tick:
        found = solve_paper(v, bound, settings, tick)
    games = v[:, 0]
    unknown, no = torch.full_like(games, torch.nan), torch.zeros_like(games, dtype=torch.bool)
    return {
        "i_and": found.i_and,
        "i_or": found.i_or,
        "sparse_and": found.i_and.clone(),
        "sparse_or": found.i_or.clone(),
        "lower_bound": unknown,
        "gap": unknown.clone(),
        "converged": no,
        "float64_games": no.clone(),
        "infeasibility": torch.zeros_like(games),
        "iterations": torch.full_like(games, settings.iterations, dtype=torch.int64),
        "raw_objective": weighted_l1(found.raw_and, found.raw_or, weights),
    }
