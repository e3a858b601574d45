"""The parameters of every notebook: strict, frozen models whose defaults stand on one screen, each
with a why.

A new notebook is one class here (or in a file beside), one line of ``PARAMS``, and the same names
and defaults in its parameters cell.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator, model_validator

from .. import systems
from .common import Common, Salience, Study, distinct, many
from .features import FiveGroups
from .identified import Identified
from .layerwise import Layerwise
from .modalities import Modalities
from .multi_order import MultiOrder
from .noisy import NoisyLabels
from .shared import Agreement

__all__ = ["PARAMS", "Sparsity", "StartHere", "TheoreticalFit", "TwoPhase"]


class StartHere(Common):
    """00_start_here: one network, one image, from scores to a verdict."""

    kappa: float = Field(
        0.04,
        gt=0,
        lt=1,
        description="bound of |δ_T| as a fraction of |v(N) - v(∅)|; the split with 0 "
        "is shown beside it",
    )
    system: str = Field(
        "lenet/mnist_part",
        description="system to train and explain, network/data, or a path to a file of your own",
    )
    seed: int = Field(
        0, ge=0, lt=2**31, description="seed of the weights and of the order of samples"
    )
    steps: int = Field(
        300, ge=1, description="training steps; few, so that the notebook takes seconds"
    )
    image: int = Field(0, ge=0, description="which test image is explained (its position)")
    order_weight: float = Field(
        0.2, gt=-1, lt=1, description="ε of w(S) = 1 + ε(|S|-1)/n: which end of the L1 face"
    )

    @field_validator("system")
    @classmethod
    def _known(cls, name: str) -> str:
        systems.find(name)
        return name


class Sparsity(Study):
    """01_sparsity: D1, D2, L1, L2, L7, L12, F4, M15."""

    kappas: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = many(
        default=(0.03, 0.04, 0.05),
        min_length=2,
        description="values of kappa whose interactions L12 compares (Cheng et al. 2024, App. J)",
    )
    mass: float = Field(
        0.9,
        gt=0,
        lt=1,
        description="D2: share of Σ|I| that the strongest interactions must hold; another "
        "share is a sensitivity without verdict",
    )
    salience: Salience = Field(
        "max_over_samples",
        description="L2: when an interaction counts as salient (names and "
        "thresholds: utils.metrics.salience); another rule is a "
        "sensitivity without verdict",
    )
    count_images: int = Field(
        100,
        ge=2,
        description="L2: images that its count is taken over, as in the paper (CIFAR-10: "
        "30); the threshold is a maximum over them, so another number is a "
        "sensitivity without verdict",
    )
    probe_steps: int = Field(
        1000,
        ge=4,
        description="L12: SGD steps of the probes that read two inner layers, as in "
        "05_layerwise_change",
    )
    size_players: tuple[Annotated[int, Field(ge=2, le=16)], ...] = many(
        default=(),
        description="M15: numbers of players over which the growth of the salient count is "
        "fitted; none = "
        "M15 is not run",
    )

    _distinct_sizes = field_validator("size_players", "kappas")(distinct)

    @model_validator(mode="after")
    def _kappa_among(self) -> Sparsity:
        if self.kappa not in self.kappas:
            raise ValueError(
                f"kappas must contain kappa ({self.kappa}), to which the others are compared"
            )
        if len(self.size_players) in (1, 2):
            raise ValueError("size_players needs at least 3 numbers of players, or none")
        return self


class TwoPhase(Study):
    """02_two_phase_dynamics: D3a, D3b, D4, D11a, D11b."""

    # 13: simulated, D4 has a power of .8 with them at 5 networks (utils.power.two_phase).
    checkpoints: int = Field(
        13,
        ge=6,
        le=20,
        description="log-spaced training steps at which interactions are extracted, "
        "initialisation included",
    )
    time_points: int = Field(
        6, ge=3, description="checkpoints drawn as bars per order, as in the papers' figure"
    )
    kappa: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split; 0 = "
        "the split reproduces v itself (Chen et al. 2024: 0.02)",
    )
    salience: Salience = Field(
        "mean_output",
        description="D3: when an interaction counts as salient in the figure and the "
        "sensitivity; the primary mean order has no threshold",
    )

    @model_validator(mode="after")
    def _points_among(self) -> TwoPhase:
        if self.time_points > self.checkpoints:
            raise ValueError(
                f"time_points ({self.time_points}) cannot exceed checkpoints ({self.checkpoints})"
            )
        return self


class TheoreticalFit(Study):
    """03_theoretical_fit: D5 to D10, D15."""

    checkpoints: int = Field(
        13,
        ge=6,
        description="log-spaced training steps, initialisation included, among which the second "
        "phase is looked for",
    )
    second_draw: bool = Field(
        False, description="not used here: the fits of a second draw of players are not shown"
    )
    fit_images: int = Field(
        100,
        ge=8,
        description="D10: test images whose distributions are predicted; another number is a "
        "sensitivity without verdict",
    )

    kappa: float = Field(
        0.02,
        ge=0,
        lt=1,
        description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split, as in "
        "02_two_phase_dynamics (the same splits serve both)",
    )
    sizes: tuple[Annotated[int, Field(ge=2, le=12)], ...] = many(
        default=(4, 6, 8, 10),
        min_length=1,
        description="D5, D6, D7, D9: numbers of players of the synthetic games; a dense solve "
        "takes memory 4^n",
    )
    norm_sizes: tuple[Annotated[int, Field(ge=2, le=20)], ...] = many(
        default=(8, 10, 12, 14, 16),
        min_length=1,
        description="D8: numbers of players for which the ratios of row norms are computed, a "
        "panel each",
    )
    weight_noise: tuple[Annotated[float, Field(gt=0)], ...] = many(
        default=(0.02, 0.1),
        min_length=1,
        description="D6: Gaussian noise on a trained network's weights, as a fraction of each "
        "tensor's root mean square; "
        "the first is judged",
    )
    noise_copies: int = Field(
        16, ge=2, description="D6: noisy copies of each trained network, whose variances are taken"
    )
    noise_images: int = Field(4, ge=1, description="D6: images on which each noisy copy is scored")
    tau: float = Field(
        0.03,
        ge=0,
        description="D10: salience threshold of the reported variant and of the figure's second "
        "row, as a fraction of E|v(N) - v(∅)| (the paper's 0.03)",
    )

    _no_repeats_here = field_validator("sizes", "norm_sizes", "weight_noise")(distinct)


PARAMS: dict[str, type[Common]] = {
    "00_start_here": StartHere,
    "01_sparsity": Sparsity,
    "02_two_phase_dynamics": TwoPhase,
    "03_theoretical_fit": TheoreticalFit,
    "04_five_groups": FiveGroups,
    "05_layerwise_change": Layerwise,
    "06_iou_stability": Agreement,
    "07_noisy_labels": NoisyLabels,
    "08_what_the_split_identifies": Identified,
    "09_multi_order": MultiOrder,
    "10_modalities": Modalities,
}
