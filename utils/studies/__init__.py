"""From a notebook's settings to certified games under every analysis, and to what a judge is told.

``base`` has the two nouns: :class:`Analysis`, one way of reading the same networks, and
:class:`Study`, one system under all of them. A file per notebook says which games its rows need.
"""

from .base import Analysis, Study, analyses

__all__ = ["Analysis", "Study", "analyses"]
