"""Parameters of 07_noisy_labels: D13, M13."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..systems import System
from ..train import Training
from .common import Salience, Study

__all__ = ["NoisyLabels"]


class NoisyLabels(Study):
    """07_noisy_labels: D13, M13."""

    n_players: int = Field(
        10,
        ge=4,
        le=20,
        description="players n (D13: patches, M13: feature components); at least 4, "
        "since orders 4 and above are in question; work grows as 2^n",
    )
    kappa: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split; 0 = the "
        "split reproduces v itself (Chen et al. 2024: 0.02)",
    )
    label_noise: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="share of the training labels that is replaced by another "
        "class, drawn anew in every seed; the papers' is not published",
    )
    images: int = Field(
        60,
        ge=2,
        description="mislabelled training images compared per network, and as many clean ones",
    )
    image_split: Literal["train"] = Field(
        "train",
        description="which images are explained: mislabelled training images and clean ones",
    )
    checkpoints: int = Field(
        6,
        ge=2,
        description="log-spaced training steps whose features the components of M13 are taken "
        "from; interactions are extracted at the first and the last",
    )
    pca_images: int = Field(
        500,
        ge=10,
        description="M13: training images whose features at all checkpoints enter the PCA",
    )
    salience: Salience = Field(
        "mean_output",
        description="when an interaction counts as salient in the figures; the "
        "statistic has no threshold",
    )

    def training_of(self, system: System) -> Training | None:
        """On wrong labels."""
        return system.memorising

    @model_validator(mode="after")
    def _enough_images(self) -> NoisyLabels:
        for system in self.chosen:
            training = self.training_of(system)
            if training is not None and training.n_train < self.pca_images:
                raise ValueError(
                    f"pca_images ({self.pca_images}) cannot exceed memorising.n_train "
                    f"({training.n_train}) of {system.id}"
                )
        return self
