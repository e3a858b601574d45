"""Parameters of 04_five_groups: M1 to M12, M14."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from .common import Study, distinct, many

__all__ = ["FiveGroups"]


class FiveGroups(Study):
    """04_five_groups: M1 to M12, M14."""

    n_players: int = Field(
        10,
        ge=2,
        le=14,
        description="principal components r of the layer's features: the players of a "
        "game (the paper: 10); raw patches of M4: as many",
    )
    pca_images: int = Field(
        500, ge=10, description="training images whose features at all checkpoints enter the PCA"
    )
    test_images: int = Field(
        2000,
        ge=10,
        description="M3: test images on which accuracies are compared; below 1000 the row "
        "stays open",
    )
    alphas: tuple[Annotated[int, Field(ge=1)], ...] = many(
        default=(20, 40, 60),
        min_length=1,
        description="M6: numbers of interactions whose model is drawn; 60 is judged",
    )
    paper_patches: int = Field(
        12,
        ge=2,
        le=14,
        description="M4: raw patches of the paper's own comparison, drawn out of "
        "all 4x4 cells of the image; M4 is judged at its 12",
    )
    top: int = Field(
        100,
        ge=5,
        description="M7 to M9: strongest interactions of each image, by max over time of |I|; "
        "the rows are judged at 100",
    )
    margins: tuple[Annotated[float, Field(gt=0, lt=0.5)], ...] = many(
        default=(0.05, 0.1, 0.2),
        min_length=1,
        description="M7 to M10: tolerance η of the grouping rule, as a fraction of "
        "a curve's maximum; M7 and M9 are judged at all three, M10 "
        "and distances from random courses at 0.1",
    )
    widths: tuple[Annotated[int, Field(ge=1)], ...] = many(
        default=(1, 3, 5),
        min_length=1,
        description="M9: checkpoints over which a curve is averaged before it is grouped "
        "(odd), in the layout of Table 3; every row is judged at 3",
    )
    walks: int = Field(
        20, ge=2, description="M7, M10: sets of random courses, each matched to all interactions"
    )
    map_images: int = Field(2, ge=1, description="M11: samples whose attribution maps are drawn")
    toy_steps: int = Field(
        3000, ge=20, description="M12: training steps of the small network on the planted toy data"
    )

    _no_repeats_here = field_validator("alphas", "margins", "widths")(distinct)

    @model_validator(mode="after")
    def _usable(self) -> FiveGroups:
        if 0.1 not in self.margins:
            raise ValueError("margins must contain 0.1, at which M10 is judged")
        if 60 not in self.alphas:
            raise ValueError("alphas must contain 60, the number of interactions that M6 is about")
        if any(width % 2 == 0 for width in self.widths):
            raise ValueError("widths must be odd, so that a smoothed curve is not shifted in time")
        if self.map_images > self.images:
            raise ValueError(f"map_images ({self.map_images}) cannot exceed images ({self.images})")
        return self
