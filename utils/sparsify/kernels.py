"""The compiled inner loops of the split on a CPU: every array is (rows, 16) or (rows, 1, 8),
one game per lane.

All of numba's cached functions live in this one file, because numba decides by the file of the
outermost function whether its cache is stale.
"""

from __future__ import annotations

import numba

from .cache import compiled
from .lanes import add, choose, clip, div, fma, load, maxabs, mul, splat, store, sub, wide, zero

__all__ = [
    "average",
    "certify",
    "iterate",
    "keep_best",
    "least_norm_mean",
    "put_games",
    "set_inverse",
    "take_games",
]

# transforms run through spans of 2^8 rows (2^9 of eight lanes: 16 KiB of float32) while these are
# in the first-level cache
_SPAN_BITS = 8


def span_bits(axes: int) -> int:
    """log2 of the rows of a span, for arrays with so many ``axes`` (3: eight lanes)."""
    return _SPAN_BITS + axes - 2


@numba.njit(inline="always")
def _span(x):
    return min(x.shape[0], 1 << (_SPAN_BITS + x.ndim - 2))


@numba.njit(inline="always")
def _zeta_range(x, start, stop, h, top, up):
    """Butterflies of strides h, 2h, ... < top on rows start:stop, two at a time; ``up`` sums over
    supersets."""
    while h < top:
        if 4 * h <= top:
            for base in range(start, stop, 4 * h):
                for i in range(base, base + h):
                    a, b, c, d = load(x, i), load(x, i + h), load(x, i + 2 * h), load(x, i + 3 * h)
                    if up:
                        c, a = add(c, d), add(a, b)
                        store(x, i, add(a, c))
                        store(x, i + h, add(b, d))
                        store(x, i + 2 * h, c)
                    else:
                        b, d = add(a, b), add(c, d)
                        store(x, i + h, b)
                        store(x, i + 2 * h, add(a, c))
                        store(x, i + 3 * h, add(b, d))
            h *= 4
        else:
            for base in range(start, stop, 2 * h):
                for i in range(base, base + h):
                    if up:
                        store(x, i, add(load(x, i), load(x, i + h)))
                    else:
                        store(x, i + h, add(load(x, i), load(x, i + h)))
            h *= 2


@numba.njit
def _zeta(x):
    rows = x.shape[0]
    span = _span(x)
    for start in range(0, rows, span):
        _zeta_range(x, start, start + span, 1, span, False)
    _zeta_range(x, 0, rows, span, rows, False)


@numba.njit
def _superset_zeta(x):
    rows = x.shape[0]
    span = _span(x)
    for start in range(0, rows, span):
        _zeta_range(x, start, start + span, 1, span, True)
    _zeta_range(x, 0, rows, span, rows, True)


@numba.njit(inline="always")
def _rotate(x, start, p, q, c, s, back):
    count = p.shape[0]
    for k in range(count):
        r = count - 1 - k if back else k
        i, j = start + p[r], start + q[r]
        a, b = load(x, i), load(x, j)
        cos, sin = splat(x, c[r]), splat(x, s[r])
        if back:
            store(x, i, sub(mul(cos, a), mul(sin, b)))
            store(x, j, fma(cos, b, mul(sin, a)))
        else:
            store(x, i, fma(cos, a, mul(sin, b)))
            store(x, j, sub(mul(cos, b), mul(sin, a)))


@numba.njit
def _solve(x, tables, inverse, work):
    """x ← (G + shift)^{-1} x: to the Schur basis, one small product per multiplet, and back."""
    low, high, dims, counts, places = tables
    rows = x.shape[0]
    span = _span(x)
    for start in range(0, rows, span):
        _rotate(x, start, low[0], low[1], low[2], low[3], False)
    _rotate(x, 0, high[0], high[1], high[2], high[3], False)
    first, place = 0, 0
    for k in range(dims.shape[0]):
        d = dims[k]
        for _ in range(counts[k]):
            for i in range(d):
                store(work, i, load(x, places[place + i]))
            for i in range(d):
                total = zero(x)
                for j in range(d):
                    total = fma(load(inverse, first + i * d + j), load(work, j), total)
                store(x, places[place + i], total)
            place += d
        first += d * d
    _rotate(x, 0, high[0], high[1], high[2], high[3], True)
    for start in range(0, rows, span):
        _rotate(x, start, low[0], low[1], low[2], low[3], True)


@compiled
def set_inverse(inverse, lane, shift, dims, values, vectors):
    """Write (G + shift)^{-1} of every dimension into lane ``lane`` of ``inverse`` (Σd², lanes)."""
    first, at = 0, 0
    for k in range(dims.shape[0]):
        d = dims[k]
        for i in range(d):
            for j in range(d):
                total = 0.0
                for a in range(d):
                    total += (
                        vectors[first + i * d + a]
                        * vectors[first + j * d + a]
                        / (values[at + a] + shift)
                    )
                inverse[first + i * d + j, lane] = total
        first += d * d
        at += d


@compiled
def put_games(lanes, games, inputs, v, v64, state, totals, best):
    """Begin game ``games[k]`` of ``inputs`` (games, rows) in lane ``lanes[k]``, from zeros; game -1
    is the zero game.

    All arrays are (rows, lanes) here. Row by row for all lanes at once: a lane is a strided column
    of every array, and so each cache line is fetched once.
    """
    for t in range(v.shape[0]):
        for k in range(lanes.shape[0]):
            lane, game = lanes[k], games[k]
            value = inputs[game, t] if game >= 0 else 0.0
            v64[t, lane] = value
            v[t, lane] = value
            for array in state:
                array[t, lane] = 0.0
            for array in totals:
                array[t, lane] = 0.0
            for array in best:
                array[t, lane] = 0.0


@compiled
def take_games(lanes, games, theta, weights, means, best, sparse, found):
    """Copy the games in ``lanes`` out to rows ``games`` of ``sparse`` (and, or) and ``found`` (and,
    or, λ).

    The sparse iterate is what soft-thresholding by ``theta`` (lanes,)·weights leaves of the
    averaged states ``means`` (and, or), in float64.
    """
    for t in range(weights.shape[0]):
        for k in range(lanes.shape[0]):
            lane, game = lanes[k], games[k]
            limit = theta[lane] * weights[t]
            for half in range(2):
                value = float(means[half][t, lane])
                sparse[half][game, t] = value - min(max(value, -limit), limit)
            for part in range(3):
                found[part][game, t] = best[part][t, lane]


@numba.njit
def _forward(x, y):
    """x ← D(x, y), and y is used up. Rows 0 of both must be 0."""
    _zeta(x)
    _zeta(y)
    rows = x.shape[0]
    total = load(y, rows - 1)
    for t in range(rows):
        store(x, t, add(load(x, t), sub(total, load(y, rows - 1 - t))))


@numba.njit
def _adjoint(x, y):
    """x = λ, λ_∅ = 0; afterwards (Dᵀλ)_and(S) = x[S], (Dᵀλ)_or(S) = y[rows-1] - y[rows-1-S] for S ≠
    ∅."""
    for t in range(x.shape[0]):
        store(y, t, load(x, t))
    _superset_zeta(x)
    _zeta(y)


@compiled
def iterate(
    w_and,
    w_or,
    w_e,
    dual,
    s_and,
    s_or,
    s_e,
    v,
    x,
    y,
    lanes,
    weights,
    tables,
    inverse,
    work,
    steps,
    every,
    alpha,
    exact,
):
    """``steps`` iterations; every ``every``-th state is added to the sums ``s_*``, which are
    cleared first.

    lanes, three rows: θ, μκ̂, 1/μ.
    """
    rows = v.shape[0]
    theta, box, per_mu = load(lanes, 0), load(lanes, 1), load(lanes, 2)
    pull, two = splat(v, alpha), splat(v, 2.0)
    for t in range(rows):
        store(x, t, load(dual, t))
        store(s_and, t, zero(v))
        store(s_or, t, zero(v))
        store(s_e, t, zero(v))
    _adjoint(x, y)
    total = load(y, rows - 1)
    store(x, 0, zero(v))
    for s in range(rows // 2):
        r = rows - 1 - s
        g_s, g_r = sub(total, load(y, r)), sub(total, load(y, s))
        limit_s, limit_r = mul(theta, splat(x, weights[s])), mul(theta, splat(x, weights[r]))
        _aim_row(x, s, load(w_and, s), load(x, s), limit_s, two)
        _aim_row(x, r, load(w_and, r), load(x, r), limit_r, two)
        _aim_row(y, s, load(w_or, s), g_s, limit_s, two)
        _aim_row(y, r, load(w_or, r), g_r, limit_r, two)
    for step in range(steps):
        keep = (step + 1) % every == 0
        _zeta(x)
        _zeta(y)
        total = load(y, rows - 1)
        for t in range(rows):
            value = sub(add(load(x, t), sub(total, load(y, rows - 1 - t))), load(v, t))
            if not exact:
                slack = load(w_e, t)
                slack = sub(sub(mul(two, clip(slack, box)), slack), mul(per_mu, load(dual, t)))
                value = fma(slack, per_mu, value)
            store(x, t, value)
        _solve(x, tables, inverse, work)
        for t in range(rows):
            lam = add(load(dual, t), load(x, t))
            store(dual, t, lam)
            store(x, t, lam)
            store(y, t, lam)
            if not exact:
                slack = load(w_e, t)
                slack = sub(slack, mul(pull, fma(lam, per_mu, sub(slack, clip(slack, box)))))
                store(w_e, t, slack)
                if keep:
                    store(s_e, t, add(load(s_e, t), slack))
        _superset_zeta(x)
        _zeta(y)
        total = load(
            y, rows - 1
        )  # not x[0], the same sum in another order: OR row 0 must get exactly nothing
        store(x, 0, zero(v))
        for s in range(rows // 2):
            _move(
                w_and,
                w_or,
                s_and,
                s_or,
                x,
                y,
                s,
                rows - 1 - s,
                total,
                theta,
                weights,
                pull,
                two,
                keep,
            )


@numba.njit(inline="always")
def _move(w_and, w_or, s_and, s_or, x, y, s, r, total, theta, weights, pull, two, keep):
    """W_x -= α(u + Dᵀλ) on rows s and r = its complement, and x, y = W_x - 2u - Dᵀλ for the next
    iteration."""
    g_s, g_r = sub(total, load(y, r)), sub(total, load(y, s))
    limit_s, limit_r = mul(theta, splat(x, weights[s])), mul(theta, splat(x, weights[r]))
    _move_row(w_and, s_and, x, s, load(x, s), limit_s, pull, two, keep)
    _move_row(w_and, s_and, x, r, load(x, r), limit_r, pull, two, keep)
    _move_row(w_or, s_or, y, s, g_s, limit_s, pull, two, keep)
    _move_row(w_or, s_or, y, r, g_r, limit_r, pull, two, keep)


@numba.njit(inline="always")
def _aim_row(out, row, w, gradient, limit, two):
    store(out, row, sub(sub(w, mul(two, clip(w, limit))), gradient))


@numba.njit(inline="always")
def _move_row(w, sums, out, row, gradient, limit, pull, two, keep):
    value = load(w, row)
    value = sub(value, mul(pull, add(clip(value, limit), gradient)))
    store(w, row, value)
    _aim_row(out, row, value, gradient, limit, two)
    if keep:
        store(sums, row, add(load(sums, row), value))


@compiled
def least_norm_mean(out, v, x, y, tables, inverse, work):
    """Row 0 of ``out`` ← the mean of |Dᵀ G^{-1} v| over the 2(2^n - 1) interactions: the size of a
    typical one."""
    rows = v.shape[0]
    for t in range(rows):
        store(x, t, load(v, t))
    _solve(x, tables, inverse, work)
    _adjoint(x, y)
    total, size = load(y, rows - 1), zero(v)
    for s in range(1, rows):
        size = add(
            size,
            add(maxabs(zero(v), load(x, s)), maxabs(zero(v), sub(total, load(y, rows - 1 - s)))),
        )
    store(out, 0, mul(size, splat(v, 0.5 / (rows - 1))))


@numba.njit(inline="always")
def _add_adjoint(a, o, x, y):
    """(a, o) += Dᵀ of what :func:`_adjoint` has left in x and y."""
    rows = x.shape[0]
    total = load(y, rows - 1)
    for s in range(1, rows):
        store(a, s, add(load(a, s), load(x, s)))
        store(o, s, add(load(o, s), sub(total, load(y, rows - 1 - s))))


@numba.njit(inline="always")
def _residual(a, o, x, y, v):
    """x ← v - D(a, o)."""
    for t in range(x.shape[0]):
        store(x, t, load(a, t))
        store(y, t, load(o, t))
    _forward(x, y)
    for t in range(x.shape[0]):
        store(x, t, sub(load(v, t), load(x, t)))


@compiled
def average(sums, totals, want, share, count):
    """sums ← their mean of ``count`` states; in lanes where ``want`` > 0 the mean of all since
    ``totals`` was cleared.

    ``sums`` and ``totals`` are three arrays each. ``totals`` collects the sums, ``share`` is one
    over the states it holds; ``want`` ≠ 0 clears it. Both of one row.
    """
    nothing, one = zero(want), splat(want, 1.0 / count)
    wanted, part = load(want, 0), load(share, 0)
    ends = maxabs(nothing, wanted)
    for k in range(3):
        recents, wholes = sums[k], totals[k]
        for t in range(recents.shape[0]):
            recent = load(recents, t)
            whole = add(load(wholes, t), recent)
            store(recents, t, choose(nothing, wanted, mul(part, whole), mul(one, recent)))
            store(wholes, t, choose(nothing, ends, nothing, whole))


@compiled
def certify(
    m_and,
    m_or,
    m_e,
    v,
    a,
    o,
    e,
    dual,
    x,
    y,
    lanes,
    out,
    weights,
    tables,
    inverse,
    gram,
    work,
    exact,
):
    """From averaged states W, in float64: feasible (a, o), ``dual``, and their bounds in ``out``.

    lanes, four rows: θ, μκ̂, 1/μ, κ̂. out, two rows: weighted L1 of (a, o), lower bound.
    ``inverse`` is (G + 1/μ²)^{-1} by lane, ``gram`` G^{-1}.
    """
    rows = v.shape[0]
    theta, box, per_mu, bound = load(lanes, 0), load(lanes, 1), load(lanes, 2), load(lanes, 3)
    for t in range(rows):
        limit = mul(theta, splat(v, weights[t]))
        w_a, w_o = wide(load(m_and, t)), wide(load(m_or, t))
        u_a, u_o = clip(w_a, limit), clip(w_o, limit)
        store(x, t, u_a)
        store(y, t, u_o)
        store(a, t, sub(w_a, u_a))
        store(o, t, sub(w_o, u_o))
    _forward(x, y)
    for t in range(rows):
        w_e = wide(load(m_e, t))
        slack = clip(w_e, box)
        store(e, t, mul(slack, per_mu))
        store(dual, t, fma(sub(w_e, slack), per_mu, load(x, t)))
    _solve(dual, tables, inverse, work)
    if not exact:  # the nearest (z, e) on Dz + e/μ = v, jointly
        _residual(a, o, x, y, v)
        for t in range(rows):
            store(x, t, sub(load(x, t), load(e, t)))
        _solve(x, tables, inverse, work)
        _adjoint(x, y)
        _add_adjoint(a, o, x, y)
    for _ in range(2):  # the second time for the rounding of the first
        _residual(a, o, x, y, v)
        for t in range(rows):
            residual = load(x, t)
            store(x, t, sub(residual, clip(residual, bound)))
        _solve(x, tables, gram, work)
        _adjoint(x, y)
        _add_adjoint(a, o, x, y)
    _bounds(v, a, o, dual, x, y, bound, out, weights)


@numba.njit(inline="always")
def _bounds(v, a, o, dual, x, y, bound, out, weights):
    rows = v.shape[0]
    for t in range(rows):
        store(x, t, load(dual, t))
    _adjoint(x, y)
    total, scale = load(y, rows - 1), zero(v)
    upper, linear, size = zero(v), zero(v), zero(v)
    for s in range(1, rows):
        weight, per_weight, lam = splat(v, weights[s]), splat(v, 1.0 / weights[s]), load(dual, s)
        scale = maxabs(scale, mul(per_weight, load(x, s)))
        scale = maxabs(scale, mul(per_weight, sub(total, load(y, rows - 1 - s))))
        upper = fma(weight, add(maxabs(zero(v), load(a, s)), maxabs(zero(v), load(o, s))), upper)
        linear = fma(lam, load(v, s), linear)
        size = add(size, maxabs(zero(v), lam))
    store(out, 0, upper)
    store(out, 1, div(sub(linear, mul(bound, size)), maxabs(splat(v, 1e-300), scale)))


@compiled
def keep_best(out, best, a, o, dual, best_a, best_o, best_dual):
    """In every lane: the (a, o) of the smaller upper bound and the dual of the larger lower bound
    seen so far."""
    upper, lower, least, most = load(out, 0), load(out, 1), load(best, 0), load(best, 1)
    for t in range(a.shape[0]):
        store(best_a, t, choose(upper, least, load(a, t), load(best_a, t)))
        store(best_o, t, choose(upper, least, load(o, t), load(best_o, t)))
        store(best_dual, t, choose(most, lower, load(dual, t), load(best_dual, t)))
    store(best, 0, choose(upper, least, upper, least))
    store(best, 1, choose(most, lower, lower, most))
