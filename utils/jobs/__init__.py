"""Frozen, content-hashed specifications of everything expensive; ``ensure(job)`` loads or
computes."""

from .base import Job, content_digest, ensure, finished
from .cache import Entry, entries, prune
from .side_by_side import ensure_all

__all__ = ["Entry", "Job", "content_digest", "ensure", "ensure_all", "entries", "finished", "prune"]
