"""Parameters of 05_layerwise_change: L3, L4, L8a, L8b, L11, L13, L15-L18."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from .common import Salience, Study, Training, partial

__all__ = ["PROBE_LR", "TABULAR_TRAINING", "Layerwise"]

# Chosen from loss curves alone: the small table is learnt in a few hundred steps, then its test
# loss rises.
TABULAR_TRAINING = Training(
    width=256, lr=0.05, batch=16, steps=2000, n_train=399, first_checkpoint=20
)

# Cheng et al. 2024, Appendix M.2 (MNIST); LeNet, which they do not train, as their MLP-7. On
# CIFAR-10 they use .001 for all.
PROBE_LR = {"mlp7": 0.01, "lenet": 0.01, "vgg11": 0.001, "resnet20": 0.001}


class Layerwise(Study):
    """05_layerwise_change: L3, L4, L8a, L8b, L11, L13, L15-L18."""

    second_draw: bool = Field(
        False,
        description="repeat all with a second draw of players (shown, never a gate); off by "
        "default, for the nulls of the specific readings need the time",
    )
    tabular: Literal["breast_cancer"] = Field(
        "breast_cancer",
        description="L11: table that an MLP-7 is trained and explained on; its columns are the "
        "players",
    )
    tabular_training: Annotated[Training, partial(dict(TABULAR_TRAINING))] = Field(
        TABULAR_TRAINING,
        description="L11: training settings on the table; partial settings keep the other defaults",
    )
    probe_lr: Annotated[dict[str, Annotated[float, Field(gt=0)]], partial(PROBE_LR)] = Field(
        PROBE_LR,
        description="learning rate of the probes per network (Cheng et al. 2024, App. M.2); a "
        "partial table keeps "
        "the other defaults",
    )
    probe_steps: int = Field(
        1000,
        ge=4,
        description="SGD steps of a probe, batch 256, momentum 0.9; not published, chosen "
        "such that the probes' training losses converge",
    )
    probe_tol: float = Field(
        0.01,
        gt=0,
        description="a probe has converged when the last quarter of its steps changed its "
        "training loss by less than this fraction of its fall below "
        "chance",
    )
    salience: Salience = Field(
        "max_per_sample",
        description="when an interaction counts as salient: .05 of the largest of "
        "its sample and layer (Cheng et al. 2024, footnote 7)",
    )

    @model_validator(mode="after")
    def _known_networks(self) -> Layerwise:
        unknown = set(self.probe_lr) - set(PROBE_LR)
        if unknown:
            raise ValueError(
                f"probe_lr names unknown networks {sorted(unknown)}; there are: "
                f"{', '.join(PROBE_LR)}"
            )
        return self
