"""Executable appendix: AND-OR interactions of neural networks, extracted, certified and judged."""

import os

# A waiting OpenMP thread spins for milliseconds by default. Where cores are shared (a laptop in
# use, a CI host) each small operation of a small network then waits for a thread that was not
# scheduled: with two other processes on two cores a training step of MLP-7 took 110 ms. To sleep at
# once (OMP_WAIT_POLICY=PASSIVE) costs an idle machine 6 ms a step instead of 2. Ten thousand spins,
# some tens of microseconds, give 2 ms idle and 6 ms contended. Changes no result. OpenMP reads this
# once, when torch is first imported, so it stands here and not in `runtime`; a user's own setting
# is kept.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
