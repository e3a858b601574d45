"""Sixteen (or eight) games as the lanes of one vector: a numba type for them, and the few
operations the solver needs.

numba vectorises a loop only when it can prove that its arrays do not overlap, which it cannot for
rows of one array. So a row of lanes is a value of its own here: ``load`` and ``store`` move it,
``add`` ... ``clip`` work on it, and LLVM turns it into whatever registers the processor has (one
AVX-512, two AVX, four SSE or NEON). Every operation works lane by lane, so a game's bits do not
depend on the lane it sits in, nor on the games beside it.

The number of lanes is part of an array's type, so that the compiler knows it: (rows, 16) or (rows,
1, 8), told apart by the number of axes.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel import models, register_default
from numba.extending import intrinsic

__all__ = [
    "LANES",
    "add",
    "aligned",
    "choose",
    "clip",
    "columns",
    "div",
    "fma",
    "lanes_of",
    "load",
    "maxabs",
    "mul",
    "splat",
    "store",
    "sub",
    "wide",
    "zero",
]

LANES = 16
_FEW_LANES, _FEW_FROM = 8, 13  # from 13 players on sixteen games fill the second-level cache


def lanes_of(n: int) -> tuple[int, ...]:
    """The axes of lanes of a block of games of ``n`` players: (16,) or (1, 8)."""
    return (LANES,) if n < _FEW_FROM else (1, _FEW_LANES)


def columns(x: np.ndarray) -> np.ndarray:
    """An array of lanes as (rows, lanes), in place, for what works on single lanes."""
    return x.reshape(len(x), -1)


class Lanes(types.Type):
    """One value per game: ``count`` float32 or float64 side by side."""

    def __init__(self, dtype: types.Float, count: int) -> None:
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


def _lanes_in(array: types.Array) -> Lanes:
    """What one row of such an array is."""
    return Lanes(array.dtype, LANES if array.ndim == 2 else _FEW_LANES)


@register_default(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        element = ir.FloatType() if fe_type.dtype.bitwidth == 32 else ir.DoubleType()
        super().__init__(dmm, fe_type, ir.VectorType(element, fe_type.count))


def aligned(shape: tuple[int, ...], dtype: type) -> np.ndarray:
    """Zeros on a 64-byte boundary (a cache line, an AVX-512 register); the last axes hold the
    lanes."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, dtype=np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def _pointer(context, builder, array_type, array, row):
    """Where row ``row`` of a C-contiguous array of lanes starts, as a pointer to one
    vector."""
    struct = context.make_array(array_type)(context, builder, array)
    vector = context.get_value_type(_lanes_in(array_type))
    element = builder.mul(row, ir.Constant(row.type, vector.count))
    return builder.bitcast(cgutils.gep_inbounds(builder, struct.data, element), vector.as_pointer())


@intrinsic
def load(typingctx, array, row):
    """Row ``row`` of an array as lanes."""

    def codegen(context, builder, signature, args):
        return builder.load(
            _pointer(context, builder, signature.args[0], args[0], args[1]),
            align=array.dtype.bitwidth // 8,
        )

    return _lanes_in(array)(array, types.intp), codegen


@intrinsic
def store(typingctx, array, row, value):
    """Write lanes to row ``row``."""

    def codegen(context, builder, signature, args):
        builder.store(
            args[2],
            _pointer(context, builder, signature.args[0], args[0], args[1]),
            align=array.dtype.bitwidth // 8,
        )
        return context.get_dummy_value()

    return types.void(array, types.intp, value), codegen


def _binary(name: str):
    """A lane-wise operation of LLVM by name."""

    @intrinsic
    def operation(typingctx, a, b):
        def codegen(context, builder, signature, args):
            return getattr(builder, name)(*args)

        return a(a, b), codegen

    return operation


add, sub, mul, div = _binary("fadd"), _binary("fsub"), _binary("fmul"), _binary("fdiv")


@intrinsic
def fma(typingctx, a, b, c):
    """a·b + c, fused where the processor can (the same in every lane and on every run)."""

    def codegen(context, builder, signature, args):
        vector = args[0].type
        width = 32 if isinstance(vector.element, ir.FloatType) else 64
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(vector, [vector] * 3),
            f"llvm.fmuladd.v{vector.count}f{width}",
        )
        return builder.call(function, args)

    return a(a, b, c), codegen


@intrinsic
def clip(typingctx, x, limit):
    """x kept inside ±limit."""

    def codegen(context, builder, signature, args):
        value, top = args
        bottom = builder.fneg(top)
        value = builder.select(builder.fcmp_ordered("<", value, top), value, top)
        return builder.select(builder.fcmp_ordered(">", value, bottom), value, bottom)

    return x(x, limit), codegen


@intrinsic
def maxabs(typingctx, a, b):
    """max(a, |b|)."""

    def codegen(context, builder, signature, args):
        a, b = args
        size = builder.select(
            builder.fcmp_ordered("<", b, ir.Constant(b.type, None)), builder.fneg(b), b
        )
        return builder.select(builder.fcmp_ordered(">", size, a), size, a)

    return a(a, b), codegen


@intrinsic
def choose(typingctx, a, b, x, y):
    """x in the lanes where a < b, y elsewhere (also where a or b is NaN)."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return x(a, b, x, y), codegen


@intrinsic
def splat(typingctx, like, value):
    """The number ``value`` in every lane, in the type of ``like``'s elements (an array)."""

    def codegen(context, builder, signature, args):
        vector = context.get_value_type(signature.return_type)
        number = args[1]
        if number.type != vector.element:
            number = (
                builder.fptrunc if isinstance(vector.element, ir.FloatType) else builder.fpext
            )(number, vector.element)
        one = builder.insert_element(
            ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0)
        )
        mask = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
        return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), mask)

    return _lanes_in(like)(like, value), codegen


@intrinsic
def wide(typingctx, x):
    """The same numbers in float64."""
    double = Lanes(types.float64, x.count)

    def codegen(context, builder, signature, args):
        vector = context.get_value_type(double)
        return args[0] if args[0].type == vector else builder.fpext(args[0], vector)

    return double(x), codegen


@intrinsic
def zero(typingctx, like):
    """Zero in every lane, in the type of ``like``'s elements (an array)."""

    def codegen(context, builder, signature, args):
        return ir.Constant(context.get_value_type(signature.return_type), None)

    return _lanes_in(like)(like), codegen
