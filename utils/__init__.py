"""Executable appendix: AND-OR interactions of neural networks, extracted, certified and judged."""

import os

# A waiting OpenMP thread spins by default. On a machine whose cores are shared (a laptop in use, a CI host) each small
# operation of a small network then waits for a thread that was not scheduled: a training step of MLP-7 took 20 ms instead
# of 6. OpenMP reads this once, when torch is first imported, so it stands here and not in `runtime`; a user's own
# setting is kept.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
