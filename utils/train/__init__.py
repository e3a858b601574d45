"""Training: losses often, weights at log-spaced steps, the same bits again, also after a kill."""

from .config import TrainConfig, Training, Weights, log_spaced
from .labels import given_labels, with_label_noise
from .loop import DivergedError, fit
from .run import Run, load_run

__all__ = [
    "DivergedError",
    "Run",
    "TrainConfig",
    "Training",
    "Weights",
    "fit",
    "given_labels",
    "load_run",
    "log_spaced",
    "with_label_noise",
]
