"""v(x_T) on all 2^n masks of many samples, and from there to interactions."""

from .batches import OutOfMemory, micro_batch
from .explain import explain
from .gradients import integrated_gradients
from .scores import Cost, noise_floor, predict, scores
from .values import SATURATED, SCORES, Score, saturated_share, score_of

__all__ = [
    "SATURATED",
    "SCORES",
    "Cost",
    "OutOfMemory",
    "Score",
    "explain",
    "integrated_gradients",
    "micro_batch",
    "noise_floor",
    "predict",
    "saturated_share",
    "score_of",
    "scores",
]
