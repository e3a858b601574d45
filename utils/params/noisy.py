"""Parameters of 07_noisy_labels: D13, M13."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .common import TRAINING, Network, Salience, Study, Training, partial
from .features import LAYERS

__all__ = ["MEMORISING", "NoisyLabels"]

# Few images and enough steps that wrong labels are learnt by heart; chosen from training accuracies
# alone, before any interaction was looked at. The networks that are not run by default are trained
# as elsewhere, on fewer images.
MEMORISING: dict[str, Training] = {
    "mlp7": Training(width=256, lr=0.1, batch=32, steps=3500, n_train=1000, first_checkpoint=20),
    "lenet": Training(lr=0.1, batch=16, steps=3000, n_train=1000, first_checkpoint=10),
    "vgg11": TRAINING["vgg11"].model_copy(update={"n_train": 5000}),
    "resnet20": TRAINING["resnet20"].model_copy(update={"n_train": 5000}),
}


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
    training: Annotated[dict[str, Training], partial(MEMORISING)] = Field(
        MEMORISING,
        description="training settings per network, long enough to memorise; a partial table "
        "keeps the other "
        "defaults",
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
    layers: Annotated[dict[Network, str], partial(LAYERS)] = Field(
        LAYERS,
        description="M13: layer whose features are taken apart, per network: about half depth; a "
        "partial table "
        "keeps the other defaults",
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

    @model_validator(mode="after")
    def _enough_images(self) -> NoisyLabels:
        for network in self.networks:
            if self.training[network].n_train < self.pca_images:
                raise ValueError(
                    f"pca_images ({self.pca_images}) cannot exceed training.{network}.n_train "
                    f"({self.training[network].n_train})"
                )
        return self
