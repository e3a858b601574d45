"""AND and OR interactions on the subset lattice, their inverses, and the order of a subset.

A *game* is a vector ``v`` of length 2^n on the last axis: bit ``i`` of the index set means that
player ``i`` is kept, index 0 masks every player and index 2^n - 1 keeps the whole input. Leading
dimensions are a batch. Every transform is a cascade of n additions over the axes of the hypercube,
O(n 2^n), so no 2^n x 2^n matrix is ever built.

Tensors are answered by tensors on their own device, arrays by arrays. The lattice works and answers
in float64 (float32 rounding grows like 2^n, which makes high orders out of noise), except on
``mps``, which has no float64: float32 and a warning. ``float32=True`` asks for single precision on
purpose.

Source: Harsanyi (1963); Ren J. et al. 2025, Eq. 2; Cheng et al. 2024, Theorem 3.3 and Lemma 3.4.
"""

from __future__ import annotations

import functools
import warnings
from typing import TypeVar

import numpy as np
import torch

__all__ = [
    "and_interactions",
    "as_game",
    "mobius_",
    "or_interactions",
    "order",
    "players_of",
    "reconstruct",
    "require_finite",
    "subset_name",
    "superset_zeta_",
    "zeta_",
]

Array = TypeVar("Array", torch.Tensor, np.ndarray)

# Butterflies on axes shorter than this many elements are applied as one small matrix product
# instead: the inner axis of a strided in-place addition would be 1, 2, 4, ... elements long, which
# neither a CPU's vector unit nor a GPU's warps can fill. 2^5 = 32 float64 are four AVX-512
# registers.
_SMALL_AXES = 5


def players_of(length: int) -> int:
    """n for a game of 2^n values; ValueError when ``length`` is no power of two."""
    n = int(length).bit_length() - 1
    if length < 1 or length != 1 << n:
        raise ValueError(f"a game has 2^n values on its last axis (1, 2, 4, 8, ...), got {length}")
    return n


def as_game(v: torch.Tensor | np.ndarray, *, float32: bool = False) -> torch.Tensor:
    """``v`` (..., 2^n) as a contiguous float64 tensor on its own device (float32 on mps, with a
    warning).

    Raises ValueError for a last axis that is no power of two.
    """
    if not isinstance(v, torch.Tensor):
        v = np.require(
            v, requirements=["C", "W"]
        )  # torch takes neither negative strides nor read-only memory
    game = torch.as_tensor(v)
    if game.ndim == 0:
        raise ValueError("a game has 2^n values on its last axis, got a single number")
    players_of(game.shape[-1])
    if game.is_complex():
        raise ValueError("a game is real-valued, got complex numbers")
    if game.device.type == "mps" and not float32:
        warnings.warn(
            "mps has no float64: the lattice works in float32 here; use device='cpu' for exact "
            "identities",
            stacklevel=3,
        )
        float32 = True
    return game.to(torch.float32 if float32 else torch.float64).contiguous()


def require_finite(v: torch.Tensor, what: str = "v") -> None:
    """ValueError naming the sample and the mask of the first NaN or infinity in ``v`` (...,
    2^n)."""
    # A finite sum proves that every term is finite and reads memory once; only a failure pays for
    # the search.
    if v.numel() == 0 or bool(torch.isfinite(v.sum())):
        return
    bad = (~torch.isfinite(v)).nonzero()
    if len(bad) == 0:  # finite terms whose sum overflows
        return
    *sample, mask = bad[0].tolist()
    value = v[tuple(bad[0].tolist())].item()
    where = f"sample {sample[0] if len(sample) == 1 else tuple(sample)}, " if sample else ""
    raise ValueError(
        f"{what} is {value} at {where}mask {mask} ({subset_name(mask, players_of(v.shape[-1]))} "
        "kept); "
        f"{len(bad)} of {v.numel()} values are not finite. Games must be finite: check the score "
        "of that masked input."
    )


def subset_name(mask: int, n: int) -> str:
    """``5, n=4`` → ``'{0,2}'``: the players kept by a bitmask, for messages and tables."""
    return "{" + ",".join(str(i) for i in range(n) if mask >> i & 1) + "}"


@functools.lru_cache(maxsize=64)
def _order_table(n: int, device: str) -> torch.Tensor:
    table = torch.zeros(1, dtype=torch.int64)
    for _ in range(n):
        table = torch.cat([table, table + 1])
    return table.to(device)


def order(n: int, device: torch.device | str = "cpu") -> torch.Tensor:
    """|S| for every subset index: int64 tensor (2^n,). The order of an interaction is its number of
    players."""
    if not 0 <= n <= 30:
        raise ValueError(f"the number of players n must be between 0 and 30, got {n}")
    return _order_table(n, str(device)).clone()


@functools.lru_cache(maxsize=64)
def _kernel(bits: int, sign: float, up: bool, dtype: torch.dtype, device: str) -> torch.Tensor:
    """[[1, 0], [sign, 1]] (its transpose when ``up``) to the Kronecker power ``bits``; rows are
    outputs."""
    one = torch.tensor([[1.0, 0.0], [sign, 1.0]], dtype=torch.float64)
    power = torch.ones(1, 1, dtype=torch.float64)
    for _ in range(bits):
        power = torch.kron(one.T if up else one, power)
    return power.to(dtype).to(device)


def _butterfly_(x: torch.Tensor, sign: float, up: bool) -> torch.Tensor:
    """In place on the last axis: add ``sign`` times the bit-0 half to the bit-1 half of each axis
    (or back if ``up``)."""
    n = players_of(x.shape[-1])
    low = min(n, _SMALL_AXES)
    flat = x.view(-1, 1 << low)
    if low and flat.shape[0]:
        kernel = _kernel(low, sign, up, x.dtype, str(x.device))
        # In slabs, so that the product's temporary stays in cache and the transform needs no second
        # copy of the game.
        for slab in flat.split(1 << 15):
            slab.copy_(slab @ kernel.T)
    for bit in range(low, n):
        halves = x.view(-1, 2, 1 << bit)
        source, target = (halves[:, 1], halves[:, 0]) if up else (halves[:, 0], halves[:, 1])
        target.add_(source, alpha=sign)
    return x


def mobius_(x: torch.Tensor) -> torch.Tensor:
    """In place on the last axis: I(S) = Σ_{T ⊆ S} (-1)^{|S|-|T|} x(T). ``x`` must be a contiguous
    float tensor."""
    return _butterfly_(x, -1.0, up=False)


def zeta_(x: torch.Tensor) -> torch.Tensor:
    """In place on the last axis: x(T) = Σ_{S ⊆ T} I(S), the inverse of :func:`mobius_`."""
    return _butterfly_(x, 1.0, up=False)


def superset_zeta_(x: torch.Tensor) -> torch.Tensor:
    """In place on the last axis: y(S) = Σ_{T ⊇ S} x(T), the transpose of :func:`zeta_`."""
    return _butterfly_(x, 1.0, up=True)


def _like(result: torch.Tensor, given: Array) -> Array:
    return result.numpy() if isinstance(given, np.ndarray) else result


def and_interactions(v: Array, *, float32: bool = False) -> Array:
    """AND interactions (Harsanyi dividends) I_and(S) = Σ_{T ⊆ S} (-1)^{|S|-|T|} v(T).

    ``v`` (..., 2^n) → (..., 2^n); entry 0 carries v(∅). Source: Ren J. et al. 2025, Eq. 2. Raises
    ValueError when the last axis is no power of two or a value is not finite (naming sample and
    mask).
    """
    game = as_game(v, float32=float32)
    require_finite(game)
    return _like(mobius_(_own(game, v)), v)


def or_interactions(v: Array, *, float32: bool = False) -> Array:
    """OR interactions I_or(S) = -Σ_{T ⊆ S} (-1)^{|S|-|T|} v(N \\ T) for S ≠ ∅; entry 0 is 0.

    ``v`` (..., 2^n) → (..., 2^n). An OR interaction is minus the AND interaction of the game read
    through its complements (Cheng et al. 2024, Lemma 3.4), and complementing a bitmask reverses the
    index. The formula is not used at S = ∅, where it would give -v(N). Errors as
    :func:`and_interactions`.
    """
    game = as_game(v, float32=float32)
    require_finite(game)
    result = mobius_(game.flip(-1)).neg_()
    result[..., 0] = 0.0
    return _like(result, v)


def reconstruct(i_and: Array, i_or: Array, *, float32: bool = False) -> Array:
    """The AND-OR model's value on every mask: Σ_{S ⊆ T} I_and(S) + Σ_{S ∩ T ≠ ∅} I_or(S).

    ``i_and``, ``i_or`` (..., 2^n) → (..., 2^n); entry 0 of ``i_and`` carries v(∅), entry 0 of
    ``i_or`` is ignored. Source: Ren J. et al. 2025, Theorem 2.1; Cheng et al. 2024, Theorem 3.3.
    """
    conj, disj = as_game(i_and, float32=float32), as_game(i_or, float32=float32)
    if conj.shape[-1] != disj.shape[-1]:
        raise ValueError(
            f"i_and has {conj.shape[-1]} subsets and i_or {disj.shape[-1]}: they must agree"
        )
    missed = _own(disj, i_or)
    missed[..., 0] = 0.0
    total = missed.sum(-1, keepdim=True)
    # S meets T unless S lies in the complement of T; the complement reverses the index.
    triggered = total - zeta_(missed).flip(-1)
    return _like(zeta_(_own(conj, i_and)) + triggered, i_and)


def _own(game: torch.Tensor, given: Array) -> torch.Tensor:
    """``game`` itself when the caller's memory is not shared with it, else a copy: the transforms
    work in place."""
    address = given.data_ptr() if isinstance(given, torch.Tensor) else np.asarray(given).ctypes.data
    return game.clone() if address == game.data_ptr() else game
