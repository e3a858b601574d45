"""PointNet of width 8 on motorbikes, chairs and monitors, with the nine parts of a motorbike as
players (Ren J. et al. 2025, Fig. 3: PointNet of width 64 on ShapeNet, parts marked by Li and Zhang
2023)."""

from __future__ import annotations

from ..datasets.motorbikes import MOTORBIKES, PARTS
from ..models.pointnet import POINTNET
from ..players.points import PartDraw
from ..probes import ProbeConfig
from ..train import Training
from .base import Floor, System

__all__ = ["SYSTEM"]

# Chosen before any interaction of this system was looked at. The first setting (lr .05, batch 8,
# 48 shapes) ended at a test accuracy of .93 and .97 in two trials, close to the floor, and was
# replaced by this one for its accuracy and its smoother losses: the test loss falls to .05 and
# rises again to three times that (one seed tried). Only motorbikes have parts, so that they are
# what is explained, with at most nine players.
SYSTEM = System(
    data=MOTORBIKES,
    network=POINTNET,
    width=8,
    players=PartDraw(names=PARTS),
    training=Training(lr=0.03, batch=16, steps=500, n_train=60, first_checkpoint=5),
    floor=Floor(
        value=0.90,
        source="ours, fixed before the runs: test accuracy on distinct shapes of three classes "
        "(58 % are chairs) below which a PointNet has not learnt to tell them apart",
    ),
    # As for PointNet on chairs and monitors.
    half_depth="pool",
    read_at="fc1",
    probes=ProbeConfig(lr=0.01),
)
