"""The papers' small networks, one file per family, with adjustable width.

All take *raw* samples and answer logits (N, classes): frame and normalisation are inside, so that
whatever is done to an input is done to the sample itself.
"""

from .base import InputSpec, Network
from .building import build, find, names

__all__ = ["InputSpec", "Network", "build", "find", "names"]
