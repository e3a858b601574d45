"""The closed form of the learning dynamics, what it predicts, and the rivals it has to beat.

Training is read as regressing a game y(x_S) = Σ_{T ⊆ S} w*_T on the triggers 1(T ⊆ S) seen through
noise of variance 2^|T| σ², where σ² falls over time (Ren Q. et al. 2024, Theorem 3). Everything
here follows from one fact: the normal equations are a Kronecker power of a 2 x 2 matrix, so their
solution costs two cascades over the players.
"""

from .norms import norm_ratios, norm_ratios_mp, row_norms
from .predict import (
    MODELS,
    Fit,
    fit_model,
    fit_sigma2,
    order_distribution,
    parameter_grid,
    predicted_shares,
    sigma2_grid,
    strengths_by_order,
)
from .regression import EIGENVALUES, noisy_loss, noisy_rows, noisy_weights
from .rivals import convex_mix, exponential_shrink, hard_cut
from .variance import VarianceLaw, variance_slope

__all__ = [
    "EIGENVALUES",
    "MODELS",
    "Fit",
    "VarianceLaw",
    "convex_mix",
    "exponential_shrink",
    "fit_model",
    "fit_sigma2",
    "hard_cut",
    "noisy_loss",
    "noisy_rows",
    "noisy_weights",
    "norm_ratios",
    "norm_ratios_mp",
    "order_distribution",
    "parameter_grid",
    "predicted_shares",
    "row_norms",
    "sigma2_grid",
    "strengths_by_order",
    "variance_slope",
]
