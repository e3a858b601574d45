"""The noisy regression of interactions, solved in closed form.

The loss over weights w, with independent noise ε_T of variance 2^|T| σ² on every trigger, is

    L(w) = E_ε E_S (y_S - Σ_T w_T (1(T ⊆ S) + ε_T))² = 2^-n ‖J (w* - w)‖² + σ² Σ_T 2^|T| w_T²,

so (JᵀJ + 2^n σ² D) ŵ = JᵀJ w* with D = diag(2^|T|) (Ren Q. et al. 2024, Theorem 3, Eq. 10). J is
the Kronecker power of [[1, 0], [1, 1]], hence D^-½ JᵀJ D^-½ that of A = [[2, 1/√2], [1/√2, 1/2]]
with eigenvalues λ± = (5 ± √17)/4. In the eigenbasis ŵ is w* times f_j = μ_j / (μ_j + 2^n σ²), μ_j =
λ₊^j λ₋^(n-j): two cascades over the players, O(n 2^n), and only n + 1 distinct factors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from .. import lattice, runtime
from ..lattice import Array

__all__ = [
    "EIGENVALUES",
    "eigenvalues",
    "noise_levels",
    "noisy_loss",
    "noisy_rows",
    "noisy_weights",
    "on_cpu",
    "solutions",
]

_ROOT = math.sqrt(17)
EIGENVALUES = (
    0.5 / ((5 + _ROOT) / 4),
    (5 + _ROOT) / 4,
)  # λ₋ from λ₋ λ₊ = det A = 1/2: 5 - √17 would cancel digits
_P = (3 + _ROOT) / (2 * _ROOT)  # squared first coordinate of λ₊'s eigenvector
_U = (
    (-math.sqrt(1 - _P), math.sqrt(_P)),
    (math.sqrt(_P), math.sqrt(1 - _P)),
)  # columns: eigenvectors of λ₋, λ₊
_SCALE = (1.0, math.sqrt(2.0))  # D^½ of one player
_FORWARD = tuple(tuple(_U[i][j] * _SCALE[i] for i in (0, 1)) for j in (0, 1))  # Uᵀ D^½
_BACK = tuple(tuple(_U[i][j] / _SCALE[i] for j in (0, 1)) for i in (0, 1))  # D^-½ U

# Players are transformed up to five at a time by one 32 x 32 product: a constant number of
# operations per value and player, and large enough for BLAS and GPUs, where single butterflies
# would be bound by memory.
_TOGETHER = 5


def on_cpu(values: Array | Sequence[float]) -> torch.Tensor:
    """Parameters as a float64 tensor on the CPU: some devices have no float64."""
    return torch.as_tensor(
        values.cpu() if isinstance(values, torch.Tensor) else values, dtype=torch.float64
    )


def noise_levels(sigma2: Array | Sequence[float]) -> torch.Tensor:
    """``sigma2`` (k,) as a float64 CPU tensor. ValueError, naming the entry, unless all are finite
    and ≥ 0."""
    levels = on_cpu(sigma2)
    if levels.ndim != 1:
        raise ValueError(
            f"sigma2 is a list of noise levels, shape (k,), got shape {tuple(levels.shape)}; "
            "for one level write [sigma2]"
        )
    bad = (~(torch.isfinite(levels) & (levels >= 0))).nonzero()
    if len(bad):
        raise ValueError(
            f"sigma2[{int(bad[0])}] is {levels[bad[0, 0]].item()}: a variance must be finite and "
            "at least 0"
        )
    return levels


def eigenvalues(n: int) -> torch.Tensor:
    """μ_j = λ₊^j λ₋^(n-j), j = 0..n, ascending: float64 (n+1,)."""
    low, high = EIGENVALUES
    return torch.tensor([high**j * low ** (n - j) for j in range(n + 1)], dtype=torch.float64)


@functools.lru_cache(maxsize=64)
def _kernel(
    one: tuple[tuple[float, float], ...], players: int, dtype: torch.dtype, device: str
) -> torch.Tensor:
    factor, power = torch.tensor(one, dtype=torch.float64), torch.ones(1, 1, dtype=torch.float64)
    for _ in range(players):
        power = torch.kron(factor, power)
    return power.to(dtype).to(device)


def _cascade(x: torch.Tensor, one: tuple[tuple[float, float], ...]) -> torch.Tensor:
    """The 2 x 2 matrix ``one`` applied along every player of ``x`` (..., 2^n): a new tensor of that
    shape."""
    n, out = lattice.players_of(x.shape[-1]), x
    groups, low = -(-n // _TOGETHER), 0
    for group in range(groups):
        players = (n + group) // groups  # sizes differ by one at most: 12 = 4 + 4 + 4
        kernel = _kernel(one, players, x.dtype, str(x.device))
        # At low = 0 the inner axis has length 1: one tall product, not a batch of products with
        # vectors.
        view = (
            out.reshape(-1, 1 << players) if low == 0 else out.reshape(-1, 1 << players, 1 << low)
        )
        out = view @ kernel.T if low == 0 else kernel @ view
        low += players
    return out.reshape(x.shape)


def solutions(w_star: torch.Tensor, sigma2: torch.Tensor) -> Iterator[torch.Tensor]:
    """ŵ (..., 2^n) for one noise level after another, so that a path needs the memory of one
    solution."""
    n = lattice.players_of(w_star.shape[-1])
    mu, order = eigenvalues(n), lattice.order(n, w_star.device)
    spectrum = _cascade(w_star, _FORWARD)
    for noise in (2.0**n * sigma2).tolist():
        # Where the noise is weaker than every eigenvalue, ŵ is w* minus little; elsewhere it is a
        # sum of shrunk parts. Each form is used where it does not cancel; the first gives w*
        # itself, to the bit, at σ² = 0.
        weak = noise <= float(mu[0])
        factor = (-noise if weak else mu) / (mu + noise)
        part = _cascade(spectrum * factor.to(spectrum)[order], _BACK)
        yield w_star + part if weak else part


def noisy_weights(w_star: Array, sigma2: Array | Sequence[float]) -> Array:
    """Interactions ŵ learnt under trigger noise σ² where w* is the ground truth: M̂ w*, M̂ = (JᵀJ +
    2^n σ² D)^-1 JᵀJ.

    ``w_star`` (..., 2^n) with the bias in entry 0, ``sigma2`` (k,) variances ≥ 0 → (k, ..., 2^n),
    float64, in the kind and on the device of ``w_star``; σ² = 0 gives w* itself. Linear in w*.
    Source: Ren Q. et al. 2024, Theorem 3. Raises ValueError for a last axis that is no power of
    two, a value that is not finite (naming sample and mask) or a noise level that is negative or
    not finite.
    """
    truth, levels = lattice.as_game(w_star), noise_levels(sigma2)
    lattice.require_finite(truth, "w_star")
    games = len(levels) + 4  # the answer, and the spectrum with what a cascade needs beside it
    what = f"the solution of {truth.numel()} weights at {len(levels)} noise levels"
    hint = "ask for fewer noise levels or samples at a time"
    runtime.require_memory(games * truth.numel() * truth.element_size(), what, hint, truth.device)
    learnt = truth.new_empty(len(levels), *truth.shape)
    for slot, weights in zip(learnt, solutions(truth, levels), strict=True):
        slot.copy_(weights)
    return learnt.numpy() if isinstance(w_star, np.ndarray) else learnt


def noisy_loss(w: torch.Tensor, w_star: torch.Tensor, sigma2: float) -> torch.Tensor:
    """Expected loss 2^-n ‖J (w* - w)‖² + σ² Σ_T 2^|T| w_T² of weights ``w`` (..., 2^n): (...).

    Exact for noise of mean 0 and variance 2^|T| σ² that is independent across T and of S: the cross
    term vanishes. Source: Ren Q. et al. 2024, the objective of Theorem 3.
    """
    weights, truth = lattice.as_game(w), lattice.as_game(w_star)
    (level,) = noise_levels([sigma2]).tolist()
    error = lattice.zeta_((truth - weights).contiguous())
    penalty = 2.0 ** lattice.order(lattice.players_of(weights.shape[-1]), weights.device)
    return error.square().mean(-1) + level * (penalty * weights.square()).sum(-1)


def noisy_rows(
    w_star: torch.Tensor, sigma2: float, rows: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """``rows`` draws of the regression itself, for Monte Carlo at small n: triggers (rows, 2^n),
    targets (rows,).

    Each row draws a coalition S uniformly and Gaussian noise ε; triggers are 1(T ⊆ S) + ε_T, the
    target is y_S. The mean of (target - triggers @ w)² estimates :func:`noisy_loss` and least
    squares on the rows estimates :func:`noisy_weights`. ``w_star``: one game (2^n,).
    """
    truth = lattice.as_game(w_star).cpu()
    (level,) = noise_levels([sigma2]).tolist()
    masks = torch.arange(truth.shape[-1])
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(len(masks), (rows,), generator=generator)
    noise = torch.randn(rows, len(masks), generator=generator, dtype=torch.float64)
    deviation = (level * 2.0 ** lattice.order(lattice.players_of(len(masks)))).sqrt()
    triggers = ((masks & ~drawn[:, None]) == 0) + noise * deviation
    return triggers, lattice.zeta_(truth.clone())[drawn]
