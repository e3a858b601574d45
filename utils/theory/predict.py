"""From final interactions to a predicted distribution over orders, and the noise level that fits a
real one.

The AND and the OR interactions of the last checkpoint (first order merged; v(∅) in entry 0 of AND,
0 in that of OR) go through the same M̂ with one σ². Ren Q. et al. 2024 analyse AND interactions; an
OR interaction is an AND one on swapped masks (their Appendix E). A rival replaces M̂ by a simpler
map and is fitted and scored by the same code.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

import torch
from scipy.optimize import minimize_scalar
from torch.nn.functional import one_hot

from .. import lattice
from ..lattice import Array
from . import regression, rivals

__all__ = [
    "MODELS",
    "Fit",
    "Model",
    "fit_model",
    "fit_sigma2",
    "order_distribution",
    "parameter_grid",
    "predicted_shares",
    "sigma2_grid",
    "strengths_by_order",
]

Model = Literal["noise", "exponential", "cut", "mix"]
MODELS: tuple[str, ...] = get_args(Model)
Pair = tuple[torch.Tensor, torch.Tensor]
_BY_ORDER = {"exponential": rivals.exponential_shrink, "cut": rivals.hard_cut}
Predict = Callable[[torch.Tensor], torch.Tensor]  # parameters (k,) → shares (k, ..., n)

# of a cell of the grid, whose cells are small: the nearest prediction lies beside the best point
_PRECISION = 1e-4


@dataclasses.dataclass(frozen=True)
class Fit:
    """A model's parameter fitted to real distributions ``(..., n)``: ``value`` and ``distance`` are
    (...) on the CPU.

    ``value``: σ² (noise), λ (exponential), K (cut) or a (mix); ``distance``: total variation at
    that value on the data it was fitted to (choose on some samples, judge on others); ``shares``
    (..., n): the prediction there.
    """

    model: str
    value: torch.Tensor
    distance: torch.Tensor
    shares: torch.Tensor


def order_distribution(w_and: torch.Tensor, w_or: torch.Tensor, tau: float = 0.0) -> torch.Tensor:
    """Shares of Σ_x |I| in orders 1..n of interactions (..., X, 2^n) over samples X: (..., n), rows
    sum to 1.

    ``tau``: only |I| ≥ tau E_x |Σ_{T ≠ ∅} w_T| counts, AND and OR together; Σ_{T ≠ ∅} w_T = v(N) -
    v(∅). 0 counts all, the papers take .03. NaN where nothing is counted. Source: the I_real^(k),
    I_theo^(k) of Ren Q. et al. 2024, Fig. 4.
    """
    return _distribution(*_checked(w_and, w_or), tau)


def _distribution(w_and: torch.Tensor, w_or: torch.Tensor, tau: float) -> torch.Tensor:
    if not tau >= 0:
        raise ValueError(f"tau is a fraction of E|v(N) - v(∅)| and at least 0, got {tau}")
    order = lattice.order(lattice.players_of(w_and.shape[-1]), w_and.device)
    least = (
        tau * (w_and[..., 1:] + w_or[..., 1:]).sum(-1).abs().mean(-1)[..., None, None]
        if tau
        else None
    )
    strength = sum(_counted(w, least) for w in (w_and, w_or))
    by_order = strength.new_zeros(*strength.shape[:-1], int(order[-1]) + 1).index_add_(
        -1, order, strength
    )[..., 1:]
    return by_order / by_order.sum(-1, keepdim=True)


def _counted(w: torch.Tensor, least: torch.Tensor | None) -> torch.Tensor:
    """Σ_x |w| (..., 2^n) of the interactions at or above the threshold."""
    size = w.abs()
    return (size if least is None else size * (size >= least)).sum(-2)


def _checked(w_and: torch.Tensor, w_or: torch.Tensor, what: str = "w") -> Pair:
    conj, disj = lattice.as_game(w_and), lattice.as_game(w_or)
    if conj.shape != disj.shape or conj.ndim < 2 or conj.shape[-2] == 0:
        raise ValueError(
            f"{what}_and and {what}_or must have one shape (..., samples, 2^n) with at least one "
            "sample, "
            f"got {tuple(conj.shape)} and {tuple(disj.shape)}"
        )
    lattice.require_finite(conj, f"{what}_and")
    lattice.require_finite(disj, f"{what}_or")
    return conj, disj


def _weights(
    model: Model, final: Pair, values: torch.Tensor, initial: Pair | None
) -> Iterator[Pair]:
    """(AND, OR) weights of the model for one parameter after another."""
    if model == "noise":
        levels = regression.noise_levels(values)
        yield from zip(*(regression.solutions(w, levels) for w in final), strict=True)
        return
    for value in values.split(1):
        if model == "exponential":
            conj, disj = (rivals.exponential_shrink(w, value) for w in final)
        elif model == "cut":
            conj, disj = (rivals.hard_cut(w, value) for w in final)
        else:
            assert initial is not None
            conj, disj = (
                rivals.convex_mix(w, w0, value) for w, w0 in zip(final, initial, strict=True)
            )
        yield conj[0], disj[0]


def _predictor(
    w_and: torch.Tensor, w_or: torch.Tensor, model: Model, tau: float, initial: Pair | None
) -> Predict:
    """Checks the arguments once, for any number of predictions."""
    if model not in MODELS:
        raise ValueError(f"model must be one of {MODELS}, got {model!r}")
    if (model == "mix") != (initial is not None):
        raise ValueError(
            "model 'mix' needs initial=(w_and, w_or) of the first checkpoint"
            if model == "mix"
            else f"initial belongs to model 'mix' only, not to {model!r}"
        )
    final = _checked(w_and, w_or)
    start = None if initial is None else _checked(*initial, what="initial")

    def predict(values: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [_distribution(*pair, tau) for pair in _weights(model, final, values, start)]
        )

    return predict


def predicted_shares(
    w_and: torch.Tensor,
    w_or: torch.Tensor,
    values: Array | Sequence[float],
    *,
    model: Model = "noise",
    tau: float = 0.0,
    initial: Pair | None = None,
) -> torch.Tensor:
    """Distribution over orders 1..n that ``model`` predicts from final interactions: (k, ..., n),
    rows sum to 1.

    ``w_and``, ``w_or`` (..., X, 2^n): final interactions of X samples, first order merged.
    ``values`` (k,): σ² of the theory (``noise``), λ, K or a of a rival (``exponential``, ``cut``,
    ``mix``; ``mix`` needs ``initial``, the pair of the first checkpoint). ``tau``: salience as a
    fraction of E_x |v(N) - v(∅)| *of the prediction*, .03 in the paper, 0 counts every interaction;
    NaN where none is salient. Source: I_theo^(k) of Ren Q. et al. 2024, Fig. 4.
    """
    given = regression.on_cpu(values)
    if given.ndim != 1 or len(given) == 0:
        raise ValueError(
            "values is a list of at least one parameter, shape (k,), got shape "
            f"{tuple(given.shape)}"
        )
    return _predictor(w_and, w_or, model, tau, initial)(given)


def parameter_grid(model: Model, n: int, fine: int = 12) -> torch.Tensor:
    """The values of a model's parameter that are compared where a fit is a search on a grid,
    float64 (k,).

    fine: points per decade of σ² (with 0), the others in proportion: λ and a in steps of 1/(10
    fine) of their range.
    """
    if model == "noise":
        return sigma2_grid(n, fine)
    return (
        _grid(model, n)
        if model == "cut"
        else torch.linspace(
            0, 8 if model == "exponential" else 1, 10 * fine + 1, dtype=torch.float64
        )
    )


def strengths_by_order(
    w_and: torch.Tensor,
    w_or: torch.Tensor,
    values: Array | Sequence[float],
    *,
    model: Model = "noise",
    tau: float = 0.0,
    initial: Pair | None = None,
) -> torch.Tensor:
    """Strength per order of each sample that ``model`` predicts: interactions (X, 2^n), values (k,)
    → (k, X, n).

    Their sums over samples, made shares, are :func:`predicted_shares`; kept apart, one sample can
    be left out of a fit or of a judgement. ``tau``: the salience threshold is that of all samples
    together.
    """
    final, start = (
        _checked(w_and, w_or),
        None if initial is None else _checked(*initial, what="initial"),
    )
    given, n = regression.on_cpu(values), lattice.players_of(w_and.shape[-1])
    if not tau and model in _BY_ORDER:
        # What shrinks every interaction of an order alike shrinks the order's strength so.
        first = [(1 << order) - 1 for order in range(1, n + 1)]  # a set of each order
        factors = _BY_ORDER[model](torch.ones_like(final[0][0]), given)[:, first]
        return factors[:, None] * _by_order(*final, tau)
    return torch.stack([_by_order(*pair, tau) for pair in _weights(model, final, given, start)])


def _by_order(conj: torch.Tensor, disj: torch.Tensor, tau: float) -> torch.Tensor:
    """Σ |w| of each sample in orders 1..n: interactions (X, 2^n) → (X, n)."""
    n = lattice.players_of(conj.shape[-1])
    size = [conj.abs(), disj.abs()]
    if tau:
        least = tau * (conj[..., 1:] + disj[..., 1:]).sum(-1).abs().mean(-1)[..., None, None]
        size = [s * (s >= least) for s in size]
    # A product with the orders' indicators: many times as fast as adding by index.
    return (size[0] + size[1]) @ one_hot(lattice.order(n, conj.device), n + 1).to(conj)[:, 1:]


def sigma2_grid(n: int, per_decade: int = 8) -> torch.Tensor:
    """0 and a logarithmic grid of σ² over all noise levels that matter at n players, float64 (k,).

    Outside (λ₋/2)^n … (λ₊/2)^n every factor μ/(μ + 2^n σ²) is near 1 or has its final proportions;
    the grid goes a decade below and two above.
    """
    low, high = (n * math.log10(eigenvalue / 2) for eigenvalue in regression.EIGENVALUES)
    count = round((high - low + 3) * per_decade) + 1
    grid = torch.logspace(low - 1, high + 2, count, dtype=torch.float64)
    return torch.cat([grid.new_zeros(1), grid])


def _grid(model: Model, n: int) -> torch.Tensor:
    if model == "noise":
        return sigma2_grid(n)
    if model == "cut":
        return torch.arange(1, n + 1, dtype=torch.float64)
    return torch.linspace(0, 8 if model == "exponential" else 1, 81, dtype=torch.float64)


def fit_model(
    w_and: torch.Tensor,
    w_or: torch.Tensor,
    real: torch.Tensor,
    *,
    model: Model = "noise",
    tau: float = 0.0,
    initial: Pair | None = None,
) -> Fit:
    """The parameter of ``model`` whose prediction is nearest in total variation to real
    distributions over orders.

    ``w_and``, ``w_or`` (X, 2^n): final interactions of the samples used for fitting; ``real`` (...,
    n): distributions at any number of times, each fitted by itself, with the same ``tau``. A grid
    over the parameter's whole range (σ²: see :func:`sigma2_grid`; λ: 0..8; K: 1..n; a: 0..1), then
    Brent's search beside its best point (not for K). The smaller value wins a tie. Raises
    ValueError when ``real`` is not a distribution over the same n orders.
    """
    predict = _predictor(w_and, w_or, model, tau, initial)
    n = lattice.players_of(w_and.shape[-1])
    target = _distributions(real, n).to(lattice.as_game(w_and))
    grid = _grid(model, n)
    shares = predict(grid)
    if shares.ndim != 2:
        raise ValueError(
            f"a fit takes the interactions of one set of samples (X, 2^n), got {tuple(w_and.shape)}"
        )
    best = [_nearest(predict, row, grid, shares, model) for row in target.reshape(-1, n)]
    value, distance = (
        torch.tensor([b[i] for b in best], dtype=torch.float64).view(target.shape[:-1])
        for i in (0, 1)
    )
    return Fit(model, value, distance, torch.stack([b[2] for b in best]).view(target.shape))


def fit_sigma2(
    w_and: torch.Tensor, w_or: torch.Tensor, real: torch.Tensor, *, tau: float = 0.0
) -> Fit:
    """σ² of the theory fitted to real distributions over orders: :func:`fit_model` with
    ``model="noise"``."""
    return fit_model(w_and, w_or, real, model="noise", tau=tau)


def _distributions(real: torch.Tensor, n: int) -> torch.Tensor:
    target = regression.on_cpu(real)
    if target.numel() == 0 or target.shape[-1:] != (n,):
        raise ValueError(
            f"real has shape {tuple(target.shape)}: it needs the shares of orders 1..{n} on its "
            "last axis"
        )
    wrong = (~((target >= 0).all(-1) & ((target.sum(-1) - 1).abs() < 1e-6))).nonzero()
    if wrong.shape[0]:
        raise ValueError(
            f"real{wrong[0].tolist() or ''} is no distribution: shares must be at least 0 and "
            "sum to 1"
        )
    return target


def _nearest(
    predict: Predict, target: torch.Tensor, grid: torch.Tensor, shares: torch.Tensor, model: Model
) -> tuple[float, float, torch.Tensor]:
    """(value, total variation, shares) of the nearest prediction, searched between the neighbours
    of the grid's best."""
    distance = _distance(shares, target)
    at = int(distance.argmin())
    found = [(float(grid[at]), float(distance[at]), shares[at])]
    if model != "cut":
        ends = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])
        found.append(_between(predict, target, *ends, logarithmic=model == "noise"))
    return min(found, key=lambda point: (point[1], point[0]))


def _distance(shares: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    # A prediction without any salient interaction is no distribution (NaN): as far away as can be,
    # which is 1.
    return ((shares - target).abs().sum(-1) / 2).nan_to_num(nan=1.0)


def _between(
    predict: Predict, target: torch.Tensor, low: float, high: float, logarithmic: bool
) -> tuple[float, float, torch.Tensor]:
    """Brent's bounded search for the nearest prediction between two parameters."""
    logarithmic = logarithmic and low > 0
    ends = (math.log(low), math.log(high)) if logarithmic else (low, high)

    def at(point: float) -> tuple[float, float, torch.Tensor]:
        value = math.exp(point) if logarithmic else float(point)
        shares = predict(torch.tensor([value], dtype=torch.float64))
        return value, float(_distance(shares, target)), shares[0]

    options = {"xatol": _PRECISION * (ends[1] - ends[0])}
    return at(
        minimize_scalar(
            lambda point: at(point)[1], bounds=ends, method="bounded", options=options
        ).x
    )
