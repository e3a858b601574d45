"""Real data: an embedded part of MNIST, whole image sets from the data cache, and a table that
comes with scikit-learn.

``load("mnist_part", "train")`` works on a bare clone. ``mnist`` and ``cifar10`` are read from the
folder that ``INTERACTIONS_DATA`` names (default ``data/cache``; layouts in ``data/README.md``),
into which ``reproduce data NAME`` downloads them. A set that is absent is an error, never another
set. Every file is checked against a known checksum.
"""

from .base import About, DamagedData, Kind, MissingData, Raw, Samples, Source, Split
from .loading import available, digest, find, get, load, names

__all__ = [
    "About",
    "DamagedData",
    "Kind",
    "MissingData",
    "Raw",
    "Samples",
    "Source",
    "Split",
    "available",
    "digest",
    "find",
    "get",
    "load",
    "names",
]
