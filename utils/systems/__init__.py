"""Systems: network × data set × players × training, one file each.

``find("lenet/mnist_part")`` or a path to a user's file that defines ``SYSTEM``; ``names()`` is what
lies in this folder. A new system is a new file here and nothing else.
"""

from .base import Floor, System
from .changing import changed
from .finding import find, floor_of, ids_in, names, sha256, sha256_of
from .states import missing_packages, state

__all__ = [
    "Floor",
    "System",
    "changed",
    "find",
    "floor_of",
    "ids_in",
    "missing_packages",
    "names",
    "sha256",
    "sha256_of",
    "state",
]
