"""Which labels a network is told: its own, or a share of wrong ones."""

from __future__ import annotations

import numpy as np
import torch

from .config import TrainConfig

__all__ = ["given_labels", "with_label_noise"]


def with_label_noise(
    labels: torch.Tensor, classes: int, rate: float, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels of which round(``rate`` N) are replaced: (N,) int64 → the given labels (N,), where
    they are wrong (N,) bool.

    Which ones is drawn without replacement, and the wrong class uniformly among the others
    (symmetric label noise). The draw is one of ``seed`` alone: networks of different seeds are
    trained on independent noise, so that an interval over seeds also speaks for the choice of
    labels. ``labels`` stay as they are. ValueError for a rate outside [0, 1).
    """
    if not 0 <= rate < 1 or classes < 2:
        raise ValueError(
            f"label noise needs a rate in [0, 1) and at least 2 classes, got {rate} and {classes}"
        )
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    chosen = torch.from_numpy(
        generator.permutation(len(labels))[: round(rate * len(labels))].copy()
    )
    shift = torch.from_numpy(generator.integers(1, classes, len(chosen)))
    given, flipped = labels.clone(), torch.zeros(len(labels), dtype=torch.bool)
    given[chosen] = (labels[chosen] + shift) % classes
    flipped[chosen] = True
    return given, flipped


def given_labels(config: TrainConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network of ``config`` was told about the samples ``config.told()``.

    (N,) int64 and (N,) bool: the given labels and where they differ from that object's own, true
    ``labels``.
    """
    train = config.told()
    if not config.label_noise:
        return train.labels, torch.zeros(len(train), dtype=torch.bool)
    return with_label_noise(train.labels, len(train.classes), config.label_noise, config.seed)
