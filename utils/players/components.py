"""Principal feature components as players: what a layer holds of a sample, taken apart along shared
directions.

The directions are those of a PCA over the features of many samples at many checkpoints, so that one
set of players serves the whole of training (Ren J. et al. 2025, Section 2, "Primitive Interactions
on Features").
"""

from __future__ import annotations

import copy
import dataclasses

import scipy.linalg
import torch

from .base import Players

__all__ = ["Components", "FeatureComponents", "principal_components"]


@dataclasses.dataclass(frozen=True)
class Components:
    """A PCA: mean (m,) of the features, directions (r, m) orthonormal, and the largest eigenvalues
    of their covariance.

    eigenvalues: descending, at least r of them; total: the sum of all eigenvalues; rank: how many
    of the eigenvalues that were computed are above rounding.
    """

    mean: torch.Tensor
    directions: torch.Tensor
    eigenvalues: torch.Tensor
    total: float
    rank: int

    @property
    def share(self) -> float:
        """Share of the variance that lies in the r directions."""
        return float(self.eigenvalues[: len(self.directions)].sum()) / self.total

    def coordinates(self, features: torch.Tensor) -> torch.Tensor:
        """q_i' (f - mean) of features (..., m): (..., r), float64."""
        return (features.double() - self.mean) @ self.directions.T

    def rebuilt(self, features: torch.Tensor) -> torch.Tensor:
        """mean + Σ_i q_i q_i' (f - mean): the feature without its remainder ε (Ren J. et al. 2025,
        Eq. 3)."""
        return self.mean + self.coordinates(features) @ self.directions


def principal_components(features: torch.Tensor, r: int, shown: int = 100) -> Components:
    """PCA of ``features`` (N, m), in float64: the first ``r`` directions and up to ``shown``
    eigenvalues.

    The sign of a direction is set such that its largest entry is positive. ValueError when the
    features have fewer than r dimensions: then some component would be rounding.
    """
    x = features.double()
    count, size = x.shape
    mean = x.mean(0)
    centred = x - mean
    kept = min(count, size, max(r, shown))
    small = (
        size <= count
    )  # the smaller of covariance and Gram matrix has the same nonzero eigenvalues
    matrix = (centred.T @ centred if small else centred @ centred.T) / count
    side = len(matrix)
    values, vectors = scipy.linalg.eigh(
        matrix.numpy(), subset_by_index=[side - kept, side - 1], driver="evr"
    )
    eigenvalues = torch.from_numpy(values[::-1].copy()).clamp(min=0)
    # Features come in float32: what lies below its rounding is no direction of theirs.
    rank = int(
        (
            eigenvalues > eigenvalues[0] * torch.finfo(torch.float32).eps ** 2 * max(count, size)
        ).sum()
    )
    if eigenvalues[0] == 0:
        rank = 0
    if r > rank:
        raise ValueError(
            f"{r} components were asked for, but the features ({count} vectors of {size} "
            "numbers) span only "
            f"{rank} dimensions: use r = n_players <= {rank}, a wider layer or more samples"
        )
    directions = torch.from_numpy(vectors[:, ::-1][:, :r].copy()).T
    if not small:
        directions = directions @ centred
    directions = directions / directions.norm(dim=1, keepdim=True)
    largest = directions.gather(1, directions.abs().argmax(1, keepdim=True))
    return Components(mean, directions * largest.sign(), eigenvalues, float(matrix.trace()), rank)


class FeatureComponents(Players):
    """The r principal components of one sample's feature; masking one puts the component of the
    baseline feature in.

    feature, baseline: of one shape (*feature shape), the second the feature of the mean input in
    the same network. The masked feature is f_L = mean + Σ_{i in L} f_i + Σ_{i not in L} b_i (Ren J.
    et al. 2025, Section 2): the remainder ε is left out, so f_N differs from f.
    """

    def __init__(
        self, feature: torch.Tensor, baseline: torch.Tensor, components: Components
    ) -> None:
        if feature.shape != baseline.shape or feature.numel() != components.mean.numel():
            raise ValueError(
                f"feature and baseline must have {components.mean.numel()} numbers each, as the "
                "components "
                f"have; got {tuple(feature.shape)} and {tuple(baseline.shape)}"
            )
        self.n, self.shape = len(components.directions), tuple(feature.shape)
        self.components = components
        self.own = components.coordinates(feature.flatten())
        self.other = components.coordinates(baseline.flatten())

    @property
    def whole(self) -> torch.Tensor:
        """f_N (*feature shape), float64: the feature without its remainder."""
        return (self.components.mean + self.own @ self.components.directions).view(self.shape)

    def around(self, x: torch.Tensor) -> FeatureComponents:
        moved = copy.copy(self)
        moved.own = self.components.coordinates(x.flatten())
        return moved

    @property
    def baseline(self) -> torch.Tensor:
        """The feature with every component masked."""
        return (self.components.mean + self.other @ self.components.directions).view(self.shape)

    def masked(self, subsets: torch.Tensor) -> torch.Tensor:
        """(B,) → (B, *feature shape), float64."""
        kept = (subsets[:, None] >> torch.arange(self.n, device=subsets.device) & 1).bool()
        coordinates = torch.where(kept, self.own, self.other)
        return (self.components.mean + coordinates @ self.components.directions).view(
            -1, *self.shape
        )

    def describe(self, i: int) -> str:
        """``component 3: 4.1 % of the variance, coordinate 1.7, masked -0.2``."""
        if not 0 <= i < self.n:
            raise ValueError(f"there is no player {i}; the players are 0..{self.n - 1}")
        share = float(self.components.eigenvalues[i]) / self.components.total
        return (
            f"component {i}: {share:.1%} of the variance, coordinate {float(self.own[i]):.3g}, "
            f"masked {float(self.other[i]):.3g}"
        )

    def to(self, device: torch.device) -> FeatureComponents:
        moved = copy.copy(self)
        moved.own, moved.other = self.own.to(device), self.other.to(device)
        parts = self.components
        moved.components = dataclasses.replace(
            parts, mean=parts.mean.to(device), directions=parts.directions.to(device)
        )
        return moved
