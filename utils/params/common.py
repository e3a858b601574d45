"""What the notebooks' parameters have in common: strict, frozen models; what a study is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from .. import systems
from ..discovery import nearest
from ..strict import Strict
from ..systems import System, changed
from ..systems.changing import CHANGEABLE
from ..train import Training, Weights, log_spaced

__all__ = ["Common", "Salience", "Study", "distinct", "many"]

Salience = Literal["mean_output", "max_per_sample", "max_over_samples"]


def _seed_list(given: Any) -> Any:
    """A number of seeds stands for 0, 1, …"""
    return (
        tuple(range(given))
        if isinstance(given, int) and not isinstance(given, bool) and given >= 0
        else given
    )


def _absolute(name: str) -> str:
    """A user's file by its whole path: a kernel runs elsewhere than the command that starts it."""
    return str(Path(name).expanduser().resolve()) if name.endswith(".py") else name


def many(**constraints: Any) -> Any:
    """A field that takes the lists which JSON, YAML and notebooks write, keeps a tuple, and stays
    strict inside."""
    return Field(strict=False, **constraints)


def distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """A field validator: ``values``, none of which may stand there twice."""
    if len(set(values)) < len(values):
        raise ValueError("has an entry twice")
    return values


class Common(Strict):
    """What every notebook asks for."""

    profile: str = Field(
        "custom",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="name of this run: results land in results/<profile>/, those of a run of "
        "one's own in a folder of their own below it",
    )
    device: str = Field(
        "auto",
        description="where tensors live: auto (cuda if there is one, else cpu), cpu, cuda:1, mps",
    )
    n_players: int = Field(
        10, ge=2, le=20, description="players n: input variables per image; work grows as 2^n"
    )
    kappa: float = Field(
        0.04,
        ge=0,
        lt=1,
        description="bound of |δ_T| as a fraction of |v(N) - v(∅)| in the split; "
        "0 = the split reproduces v itself (Cheng et al. 2024: 0.04)",
    )
    tol: float = Field(
        1e-3, gt=0, lt=1, description="certified relative gap at which the split of a game may stop"
    )


class Study(Common):
    """What the notebooks share that train networks and judge claims across seeds."""

    systems: tuple[str, ...] = many(
        default=("mlp7_w256/mnist_part", "lenet/mnist_part"),
        min_length=1,
        description="systems judged, network/data, each with verdicts of its own: files of "
        "utils/systems, or paths to files of your own; every two on one data set are a pair",
    )
    change: dict[str, Any] = Field(
        {},
        description="other settings of the systems: {'training': {'steps': 100}} for all, or by "
        "system; a partial table keeps the rest, another width needs a floor of its own",
    )
    seeds: Annotated[
        tuple[Annotated[int, Field(ge=0, lt=2**31)], ...], BeforeValidator(_seed_list)
    ] = many(
        default=(0, 1, 2, 3, 4),
        min_length=1,
        description="independently trained networks, the unit of the intervals; a number k means "
        "0 … k-1",
    )
    images: int = Field(
        40,
        ge=2,
        description="samples explained per network; half of them choose, the other half judge",
    )
    skip_images: int = Field(
        0,
        ge=0,
        description="samples passed over before those that are explained: those, say, on which "
        "another run was looked at",
    )
    image_split: Literal["test", "train"] = Field(
        "test",
        description="which samples are explained: test samples, or, as a "
        "variant, those that the network was trained on",
    )
    checkpoints: int = Field(
        13,
        ge=2,
        description="log-spaced training steps at which interactions are extracted, "
        "initialisation included",
    )
    order_weights: tuple[Annotated[float, Field(gt=-1, lt=1)], ...] = many(
        default=(0.2, -0.2),
        min_length=1,
        description="ε of w(S) = 1 + ε(|S|-1)/n: the ends of the L1 face; the first is primary, "
        "a verdict that differs "
        "at another is INCONCLUSIVE",
    )
    second_draw: bool = Field(
        True, description="repeat every row with a second draw of players, to report the spread"
    )
    micro_batch: int | None = Field(
        None,
        ge=1,
        description="masked inputs in one forward pass; None: found from the network, the same on "
        "every machine; the number to lower where memory is short",
    )

    _no_repeats = field_validator("systems", "seeds", "order_weights")(distinct)

    @field_validator("systems")
    @classmethod
    def _findable(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            systems.find(name)
        return tuple(map(_absolute, names))

    @field_validator("change")
    @classmethod
    def _by_place(cls, change: dict[str, Any]) -> dict[str, Any]:
        return {_absolute(key): value for key, value in change.items()}

    @property
    def chosen(self) -> tuple[System, ...]:
        """The systems of the run, with its changes."""
        return tuple(self.of(name) for name in self.systems)

    def of(self, name: str) -> System:
        """One of ``systems`` with the changes that are for it."""
        everywhere = {k: v for k, v in self.change.items() if k in CHANGEABLE}
        system = changed(systems.find(name), everywhere)
        return changed(system, self.change.get(name, {}))

    def training_of(self, system: System) -> Training | Weights | None:
        """Its training in this notebook; None: it takes no part."""
        return system.training

    @model_validator(mode="after")
    def _known(self) -> Self:
        for key in self.change:
            if key not in CHANGEABLE and key not in self.systems:
                known = (*CHANGEABLE, *self.systems)
                raise ValueError(
                    f"change: {key!r} is neither a setting nor one of systems"
                    f"{nearest(key, known)}; there are: {', '.join(known)}"
                )
        found = self.chosen
        distinct(tuple(system.id for system in found))
        for system in found:
            self._can_be_trained(system)
        return self

    def _can_be_trained(self, system: System) -> None:
        if system.floor is None:
            raise ValueError(
                f"change: {system.id} is another network than the one whose floor is known: give "
                "its own, floor: {value: …, source: …}, the accuracy below which nothing is "
                "concluded"
            )
        training = self.training_of(system)
        if isinstance(training, Training):
            try:
                log_spaced(training.steps, self.checkpoints, training.first_checkpoint)
            except ValueError as error:
                raise ValueError(f"{system.id}: {error}") from None
