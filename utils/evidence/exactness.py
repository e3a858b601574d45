"""Before science: the identities of the AND-OR model hold, and the games stand out of rounding."""

from __future__ import annotations

from ..claims import Premise
from ..jobs.games import CertifiedGames
from ..metrics import sparsity

__all__ = ["require_duality", "require_identities", "signal"]


def require_duality(e: CertifiedGames) -> None:
    """ArithmeticError unless OR is AND on inverted masks and the model rebuilds v up to its noise
    terms: a bug, then."""
    duality = float(sparsity.duality_error(e.v).max())
    allowed = e.kappa * (e.v[..., -1] - e.v[..., 0]).abs()
    excess = float((e.error - allowed).max())
    require_identities(duality, excess, float(e.v.abs().max()))


def require_identities(duality: float, excess: float, scale: float = 1.0) -> None:
    """ArithmeticError where an identity fails by more than rounding.

    duality: largest |I_or + I_and of the inverted game|, relative to the largest |v|; excess:
    largest |v - model| beyond its noise terms; scale: of v where ``excess`` is not relative to it.
    """
    print(
        f"max |I_or + I_and of the inverted game| / max |v| = {duality:.1e}; max |v - model| "
        f"beyond kappa = {excess:.1e}"
    )
    if duality > 1e-8 or excess > 1e-8 * scale:
        raise ArithmeticError(
            "the identities of the AND-OR model fail: this is a bug, nothing below may be believed"
        )


def signal(e: CertifiedGames, factor: float = 10.0) -> Premise:
    """The games must stand out of the network's rounding: at every checkpoint, E_x |v(N) - v(∅)| ≥
    factor x its error."""
    strength = (e.v[..., -1] - e.v[..., 0]).abs().mean(-1)
    rounding = e.noise_floor / 2 ** (e.found.n / 2)
    weak = [
        int(step)
        for step, ok in zip(e.steps, (strength >= factor * rounding).all(0).tolist(), strict=True)
        if not ok
    ]
    return Premise(
        "the games stand out of rounding",
        not weak,
        f"at step(s) {weak} the mean of |v(N) - v(∅)| is below {factor:g} times the rounding of "
        "the scores",
    )
