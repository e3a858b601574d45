"""The AND-OR split of a game into interactions of least strength, with a certificate.

What was tried, and what it gave (games of a trained MLP, kappa = .04, on one core of an AVX-512
Xeon):

- Exact (G + I/μ²)^{-1} by a cascade of Givens rotations, games as sixteen lanes: about 3 µs a game
  and iteration at n = 10, 20 at n = 12, 100 at n = 14; eight lanes were 1.2-1.5 times slower per
  game, plain torch 20 times.
- λ by increments: float32 then follows float64 check by check, to a gap of 2e-5; without, a quarter
  of the games of a trained network stalled above 1e-3. At κ' = 0 everything is float64.
- μ = .22/(κ̂ 2^{n/2}) instead of .007/κ̂ for all n: the same at n = 10, twice as fast at n = 14,
  three to twenty times at n = 4. Times the root of the strength expected from the least-norm
  solution (`Schedule.mu`): trained networks, n = 12, 1 %, 509 → 416 iterations on average; iid null
  games, n = 10, .1 %, 1228 → 269, n = 12, 1 %, 2462 → 100.
- Such a μ can be too large for float32 (null games stalled or diverged): those games are float64
  from the start, at 1.6 times the time an iteration.
- Keeping the best bounds of all checks, and certifying averages over the last fifth of all
  iterations: at a gap of .1 %, n = 12, 2280 → 1440 iterations; restarting from such an average when
  it is much better settles the last few.
- A lane takes the next game as soon as it is free: no game waits for the slowest of sixteen.
- The certified solution is the repaired one: exactly feasible, ``objective`` is its strength, but
  dense: 0.05 % of its L1 is dust below 1e-3 of the largest term. To repair on the support of the
  sparse iterate fails (the violation moves to other masks); to tighten κ' until the sparse iterate
  is feasible should cost more than the gap, by the size of the dual (an estimate, not run). So both
  are reported: ``i_and``/``i_or`` (all identities hold) and ``sparse_and``/``sparse_or`` (exact
  zeros, not quite feasible). On the networks' games at a gap of .1 % its excess over κ' never
  passed 1e-3 of max |v - v(∅)|; in units of κ' that can be much: up to 84 % of the games of an
  untrained network (step 0) violate κ' by more than 1 % of it. Null games and a looser gap violate
  it by more. ``Split.infeasibility`` says by how much, game by game.
- Eigenvalues of G from the singular values of its factor, a second pass of the repair, and the last
  rounding put into AND terms: |v - δ - model| is below 1e-14 of v up to n = 20 (from G itself: 3e-9
  at n = 12, divergence from 17).
- κ = 0: five times the usual soft threshold, 425 → 320 iterations at .1 % (n = 10).
- θ = 2 with the new μ: trained networks at .1 % take 18-30 % fewer iterations (n = 12: 3141 →
  2575), at 1 % 5-12 % more, and the sparse iterate's excess doubles, to about 1e-3 of max |v -
  v(∅)|: left at 1.
- No gain: other θ for κ > 0 (.35-2) with the μ before that, accumulating every state instead of
  every fifth, other shares than a fifth.
"""

from .paper import PaperSettings
from .split import Split, split

__all__ = ["PaperSettings", "Split", "split"]
