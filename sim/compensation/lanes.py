"""Loops over `LANES` channels at a time as LLVM vectors, compiled by numba.

LLVM does not vectorise such short loops over arrays that could overlap. Every sum has one order and
nothing is fused, so that CPUs with other vectors give the same bits. Addresses are uint64; the
caller owns the arrays and their bounds.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16
SUMS = 8  # that stay in registers
BYTES = 4 * LANES  # of a row

_I8, _I32, _I64, _F32 = ir.IntType(8), ir.IntType(32), ir.IntType(64), ir.FloatType()
_ROW, _CODES = ir.VectorType(_F32, LANES), ir.VectorType(_I32, LANES)


def _at(builder: Any, address: Any, index: Any, size: Any) -> Any:
    if isinstance(index, int):
        index = ir.Constant(_I64, index)
    if isinstance(size, int):
        size = ir.Constant(_I64, size)
    return builder.add(address, builder.mul(index, size))


def _load(builder: Any, address: Any, kind: Any) -> Any:
    value = builder.load(builder.inttoptr(address, kind.as_pointer()))
    value.align = 1 if kind is _I8 else 4
    return value


def _store(builder: Any, value: Any, address: Any) -> None:
    builder.store(value, builder.inttoptr(address, value.type.as_pointer())).align = 4


def _repeated(builder: Any, value: Any, kind: Any) -> Any:
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(_I32, 0))
    return builder.shuffle_vector(single, single, ir.Constant(_CODES, [0] * LANES))


@intrinsic
def add_products(_context: Any, _out: Any, _shares: Any, _across: Any, _along: Any, _rows: Any,
                 _count: Any) -> Any:
    """out[s] += sum over i < count of shares[s, i] * rows[i], i in order, for `SUMS` rows of out.

    out : float32[SUMS, LANES]. shares : float32, `across` bytes from s to s + 1 and `along` from i
    to i + 1. rows : float32[count, LANES].
    """
    signature = types.void(types.uint64, types.uint64, types.int64, types.int64, types.uint64,
                           types.int64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        out, shares, across, along, rows, count = arguments
        totals = [cgutils.alloca_once_value(builder, _load(builder, _at(
            builder, out, index, BYTES), _ROW)) for index in range(SUMS)]
        with cgutils.for_range(builder, count) as loop:
            row = _load(builder, _at(builder, rows, loop.index, BYTES), _ROW)
            first = _at(builder, shares, loop.index, along)
            for index, total in enumerate(totals):
                share = _load(builder, _at(builder, first, index, across), _F32)
                builder.store(builder.fadd(builder.load(total), builder.fmul(
                    _repeated(builder, share, _ROW), row)), total)
        for index, total in enumerate(totals):
            _store(builder, builder.load(total), _at(builder, out, index, BYTES))
        return context.get_dummy_value()

    return signature, generate


def _least(terms: int) -> Any:
    """Return an intrinsic that finds, in each lane, the code of least cost.

    Arguments: addresses of best float32[LANES] and code int32[LANES], which what is less replaces,
    the first of equals; of costs float32[codes], parts float32[codes, terms] and fits
    float32[terms, LANES], whose products are added in order; and the number of codes.
    """
    def typed(_context: Any, _best: Any, _code: Any, _costs: Any, _parts: Any, _fits: Any,
              _codes: Any) -> Any:
        signature = types.void(*[types.uint64] * 5, types.int64)

        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            best, code, costs, parts, fits, codes = arguments
            kept = [_load(builder, _at(builder, fits, term, BYTES), _ROW) for term in range(terms)]
            least = cgutils.alloca_once_value(builder, _load(builder, best, _ROW))
            found = cgutils.alloca_once_value(builder, _load(builder, code, _CODES))
            with cgutils.for_range(builder, codes) as loop:
                total = _repeated(builder, _load(
                    builder, _at(builder, costs, loop.index, 4), _F32), _ROW)
                first = _at(builder, parts, loop.index, 4 * terms)
                for term, fit in enumerate(kept):
                    part = _load(builder, _at(builder, first, term, 4), _F32)
                    total = builder.fadd(total, builder.fmul(_repeated(builder, part, _ROW), fit))
                before = builder.load(least)
                less = builder.fcmp_ordered("<", total, before)
                builder.store(builder.select(less, total, before), least)
                own = _repeated(builder, builder.trunc(loop.index, _I32), _CODES)
                builder.store(builder.select(less, own, builder.load(found)), found)
            _store(builder, builder.load(least), best)
            _store(builder, builder.load(found), code)
            return context.get_dummy_value()

        return signature, generate

    return intrinsic(typed)


least_of_one, least_of_sums = _least(1), _least(SUMS)


def _sum_of_rows(taking: bool) -> Any:
    """Return an intrinsic that sums chosen rows, in order, in registers.

    Arguments: addresses of total float32[LANES], which is written, of rest float32[m, LANES] and of
    chosen int32[count], its rows; their number. taking : addresses of taken float32[256, LANES] and
    of acts uint8[m], too: rest[i] -= taken[acts[i]] before it is added.
    """
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        total, rest, chosen, count, *change = arguments
        summed = cgutils.alloca_once_value(builder, ir.Constant(_ROW, [0.0] * LANES))
        with cgutils.for_range(builder, count) as loop:
            row = builder.zext(_load(builder, _at(builder, chosen, loop.index, 4), _I32), _I64)
            place = _at(builder, rest, row, BYTES)
            left = _load(builder, place, _ROW)
            if taking:
                taken, acts = change
                act = builder.zext(_load(builder, builder.add(acts, row), _I8), _I64)
                left = builder.fsub(left, _load(builder, _at(builder, taken, act, BYTES), _ROW))
                _store(builder, left, place)
            builder.store(builder.fadd(builder.load(summed), left), summed)
        _store(builder, builder.load(summed), total)
        return context.get_dummy_value()

    def plain(_context: Any, _total: Any, _rest: Any, _chosen: Any, _count: Any) -> Any:
        return types.void(*[types.uint64] * 3, types.int64), generate

    def taken(_context: Any, _total: Any, _rest: Any, _chosen: Any, _count: Any, _taken: Any,
              _acts: Any) -> Any:
        return types.void(*[types.uint64] * 3, types.int64, *[types.uint64] * 2), generate

    return intrinsic(taken if taking else plain)


sum_rows, take_and_sum_rows = _sum_of_rows(taking=False), _sum_of_rows(taking=True)
