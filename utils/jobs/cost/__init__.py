"""What jobs cost, said before any is computed: seconds and memory, from their specifications.

``work`` counts what a job has to do (``networks``: how large its network is), ``prices`` says what
each kind of work costs on this machine, ``fitting`` finds that out from jobs whose seconds are
known: ``recorded`` ones of a cache, and the ``small`` ones of ``reproduce plan --calibrate``.
Nothing here decides an output, so no job's key depends on it.
"""

from .prices import seconds
from .work import memory

__all__ = ["memory", "seconds"]
