"""Parameters of 06_iou_stability: L5, L6, L9, L10, L14, D12, D16."""

from __future__ import annotations

from pydantic import Field

from .common import Salience, Study

__all__ = ["Agreement"]


class Agreement(Study):
    """06_iou_stability: L5, L6, L9, L10, L14, D12, D16."""

    n_players: int = Field(
        10,
        ge=5,
        le=20,
        description="players n: input variables per image; at least 5, so that "
        "orders above n/2 are not orders 1 and 2",
    )
    pair_images: int = Field(
        100,
        ge=2,
        description="L5, L9: images on which two networks meet (Cheng et al. 2024: 100): "
        "images without salient sets of high order are left out",
    )
    salience: Salience = Field(
        "max_per_sample",
        description="when an interaction counts as salient (names and thresholds: "
        "utils.metrics.salience; Cheng et al. 2024, footnote 7)",
    )
    noise: float = Field(
        0.02,
        gt=0,
        description="L6, L10, L14: standard deviation of the Gaussian noise (pixels: 0 to 1)",
    )
    noise_draws: int = Field(
        30, ge=2, description="L6, L10: draws of the noise per image, each split again"
    )
    noise_images: int = Field(20, ge=2, description="L6, L10: training images that carry noise")
    min_sets: int = Field(
        5,
        ge=1,
        description="L6, L10: salient sets (of all images) without which an order is left out",
    )
    class_images: int = Field(
        30,
        ge=2,
        description="D12: images per class in each of the two halves of training images and "
        "in the test images; the verdict says how many would do",
    )
    class_checkpoints: int = Field(
        0,
        ge=0,
        description="D16: checkpoints at which class means are taken (4 in the "
        "reference profile); 0: the row is not run",
    )
    class_players: int = Field(
        9,
        ge=4,
        le=20,
        description="D12: players, cells of a central grid that all images share; 9 "
        "and not the paper's 10 to keep the default run within half an "
        "hour",
    )
    mean_tol: float = Field(
        0.01,
        gt=0,
        lt=1,
        description="D12: as tol, for its many games, of which only means are taken",
    )
