"""The AND-OR split of a game into interactions of least strength, with a certificate."""

from .paper import PaperSettings
from .split import Split, split

__all__ = ["PaperSettings", "Split", "split"]
