"""The parameters of every notebook: strict, frozen models whose defaults stand on one screen, each with a why.

A new notebook is one class here, one line of ``PARAMS``, and the same names and defaults in its parameters cell.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from .. import paths

__all__ = ["PARAMS", "TRAINING", "Common", "Sparsity", "StartHere", "Strict", "Study", "TheoreticalFit", "Training",
           "TwoPhase"]

Dataset = Literal["mnist_part", "mnist", "cifar10"]
Network = Literal["mlp7", "lenet", "vgg11", "resnet20"]
Salience = Literal["mean_output", "max_per_sample", "max_over_samples"]


class Strict(BaseModel):
    """No unknown field, no conversion ('10' is no 10, True is no 1), no change afterwards, no NaN."""

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)


class Training(Strict):
    """How one network is trained: plain SGD, one learning rate, no augmentation."""

    width: int | None = Field(None, ge=1, description="hidden units of a layer; None = the paper's width")
    lr: float = Field(gt=0, description="learning rate of plain SGD")
    batch: int = Field(ge=1, description="samples per step")
    steps: int = Field(ge=1, description="training steps; chosen so that the test loss turns up again (over-fitting)")
    n_train: int = Field(ge=10, description="training images, class-balanced")
    first_checkpoint: int = Field(1, ge=1, description="first checkpoint after initialisation: a step at which the loss has "
                                                       "hardly moved")


# Chosen from loss curves alone, before any interaction was looked at: in every seed the test loss falls, then rises.
TRAINING: dict[str, Training] = {
    "mlp7": Training(width=256, lr=0.1, batch=64, steps=4000, n_train=12000, first_checkpoint=20),
    "lenet": Training(lr=0.1, batch=16, steps=4000, n_train=2500, first_checkpoint=10),
    "vgg11": Training(lr=0.01, batch=128, steps=10000, n_train=10000),
    "resnet20": Training(lr=0.05, batch=128, steps=10000, n_train=10000),
}


def _training_table(given: Any) -> Any:
    """A partial table keeps the defaults of what it does not name: {"lenet": {"steps": 100}} changes only that."""
    if not isinstance(given, Mapping) or not all(isinstance(row, Mapping | Training) for row in given.values()):
        return given
    table: dict[str, Any] = {name: row.model_dump() for name, row in TRAINING.items()}
    for name, row in given.items():
        table[name] = {**table.get(name, {}), **(row.model_dump() if isinstance(row, Training) else row)}
    return table


def _seed_list(given: Any) -> Any:
    """A number of seeds stands for 0, 1, …"""
    return tuple(range(given)) if isinstance(given, int) and not isinstance(given, bool) and given >= 0 else given


def _many(**constraints: Any) -> Any:
    """A field that takes the lists which JSON, YAML and notebooks write, keeps a tuple, and stays strict inside."""
    return Field(strict=False, **constraints)


class Common(Strict):
    """What every notebook asks for."""

    profile: str = Field("custom", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
                         description="name of this run: results land in results/<profile>/")
    device: str = Field("auto", description="where tensors live: auto (cuda if there is one, else cpu), cpu, "
                                            "cuda:1, mps")
    dataset: Dataset = Field("mnist_part", description="data set that the networks are trained on and explained on")
    n_players: int = Field(10, ge=2, le=20, description="players n: input variables per image; work grows as 2^n")
    kappa: float = Field(0.04, ge=0, lt=1, description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split; "
                                                       "0 = the split reproduces v itself (Cheng et al. 2024: 0.04)")
    tol: float = Field(1e-3, gt=0, lt=1, description="certified relative gap at which the split of a game may stop")

    @property
    def results(self) -> Path:
        """Folder for this run's verdicts and figures: results/<profile>."""
        return paths.results(self.profile)


class StartHere(Common):
    """00_start_here: one network, one image, from scores to a verdict."""

    kappa: float = Field(0.04, gt=0, lt=1, description="bound of |δ_T| as a fraction of |v(N) - v(∅)|; the split with 0 "
                                                       "is shown beside it")
    network: Network = Field("lenet", description="network to train and to explain")
    seed: int = Field(0, ge=0, description="seed of the weights and of the order of samples")
    steps: int = Field(300, ge=1, description="training steps; few, so that the notebook takes seconds")
    image: int = Field(0, ge=0, description="which test image is explained (its position)")
    order_weight: float = Field(0.2, gt=-1, lt=1, description="ε of w(S) = 1 + ε(|S|-1)/n: which end of the L1 face")


class Study(Common):
    """What the notebooks share that train networks and judge claims across seeds."""

    networks: tuple[Network, ...] = _many(default=("mlp7", "lenet"), min_length=1,
                                          description="networks judged, each with a verdict of its own")
    training: Annotated[dict[str, Training], BeforeValidator(_training_table)] = Field(
        TRAINING, description="training settings per network; a partial table keeps the other defaults")
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_seed_list)] = _many(
        default=(0, 1, 2, 3, 4), min_length=1,
        description="independently trained networks, the unit of the intervals; a number k means 0 … k-1")
    images: int = Field(20, ge=2, description="images explained per network; half of them choose, the other half judge")
    checkpoints: int = Field(13, ge=2, description="log-spaced training steps at which interactions are extracted, "
                                                   "initialisation included")
    order_weights: tuple[Annotated[float, Field(gt=-1, lt=1)], ...] = _many(
        default=(0.2, -0.2), min_length=1,
        description="ε of w(S) = 1 + ε(|S|-1)/n: the ends of the L1 face; the first is primary, a verdict that differs "
                    "at another is INCONCLUSIVE")
    second_draw: bool = Field(True, description="repeat every row with a second draw of players, to report the spread")

    @field_validator("networks", "seeds", "order_weights")
    @classmethod
    def _distinct(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("has an entry twice")
        return values


class Sparsity(Study):
    """01_sparsity: D1, D2, L1, L2, L12."""

    kappas: tuple[Annotated[float, Field(ge=0, lt=1)], ...] = _many(
        default=(0.03, 0.04, 0.05), min_length=2,
        description="values of kappa whose interactions L12 compares (Cheng et al. 2024, App. J)")
    mass: float = Field(0.9, gt=0, lt=1, description="D2, L2: share of Σ|I| that the strongest interactions must hold")
    salience: Salience = Field("max_over_samples", description="L2: when an interaction counts as salient (names and "
                                                               "thresholds: utils.metrics.salience)")

    @model_validator(mode="after")
    def _kappa_among(self) -> Sparsity:
        if self.kappa not in self.kappas:
            raise ValueError(f"kappas must contain kappa ({self.kappa}), to which the others are compared")
        return self


class TwoPhase(Study):
    """02_two_phase_dynamics: D3, D4, D11."""

    # At most 20: a random walk per seed is called two phases in 2 % of simulated runs at 12 checkpoints, 11 % at 40.
    checkpoints: int = Field(13, ge=6, le=20, description="log-spaced training steps at which interactions are extracted, "
                                                          "initialisation included")
    time_points: int = Field(6, ge=3, description="checkpoints drawn as bars per order, as in the papers' figure")
    kappa: float = Field(0.02, ge=0, lt=1, description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split; 0 = "
                                                       "the split reproduces v itself (Chen et al. 2024: 0.02)")
    salience: Salience = Field("mean_output", description="D3: when an interaction counts as salient in the figure and the "
                                                          "sensitivity; the primary mean order has no threshold")

    @model_validator(mode="after")
    def _points_among(self) -> TwoPhase:
        if self.time_points > self.checkpoints:
            raise ValueError(f"time_points ({self.time_points}) cannot exceed checkpoints ({self.checkpoints})")
        return self


class TheoreticalFit(Study):
    """03_theoretical_fit: D5 to D10."""

    kappa: float = Field(0.02, ge=0, lt=1, description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split, as in "
                                                       "02_two_phase_dynamics (the same splits serve both)")
    sizes: tuple[Annotated[int, Field(ge=2, le=12)], ...] = _many(
        default=(4, 6, 8, 10), min_length=1,
        description="D5, D6, D7, D9: numbers of players of the synthetic games; a dense solve takes memory 4^n")
    norm_sizes: tuple[Annotated[int, Field(ge=2, le=20)], ...] = _many(
        default=(8, 10, 12, 14, 16), min_length=1,
        description="D8: numbers of players for which the ratios of row norms are computed, a panel each")
    weight_noise: tuple[Annotated[float, Field(gt=0)], ...] = _many(
        default=(0.02, 0.1), min_length=1,
        description="D6: Gaussian noise on a trained network's weights, as a fraction of each tensor's root mean square; "
                    "the first is judged")
    noise_copies: int = Field(16, ge=2, description="D6: noisy copies of each trained network, whose variances are taken")
    noise_images: int = Field(4, ge=1, description="D6: images on which each noisy copy is scored")
    tau: float = Field(0.03, ge=0, description="D10: salience threshold of the reported variant and of the figure's second "
                                               "row, as a fraction of E|v(N) - v(∅)| (the paper's 0.03)")

    @field_validator("sizes", "norm_sizes", "weight_noise")
    @classmethod
    def _no_repeats(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(set(values)) < len(values):
            raise ValueError("has an entry twice")
        return values


PARAMS: dict[str, type[Common]] = {
    "00_start_here": StartHere,
    "01_sparsity": Sparsity,
    "02_two_phase_dynamics": TwoPhase,
    "03_theoretical_fit": TheoreticalFit,
}
