"""Blocks of 1,024 lanes as LLVM vectors, compiled by numba: gates, products, error sums.

A block of a net is 16 words of 64 lanes, one vector. Addresses are uint64; the caller owns the
arrays and their bounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

WORDS = 16  # of 64 lanes
LANES = 64 * WORDS
BLOCK_BYTES = 8 * WORDS
PRODUCT_BITS = 16

_I16, _I32, _I64 = (ir.IntType(bits) for bits in (16, 32, 64))
_WORDS = ir.VectorType(_I64, WORDS)
_ERRORS = ir.VectorType(_I32, 16)

# Every gate is c0 ^ (c1 & x) ^ (c2 & y) ^ (c3 & x & y): one row per operation of hw.netlist.Op,
# so that no branch has to be predicted.
_ANF = ((1, 1, 0, 0), (0, 0, 0, 1), (0, 1, 1, 1), (0, 1, 1, 0), (1, 0, 0, 1), (1, 1, 1, 1),
        (1, 1, 1, 0), (0, 1, 0, 1), (1, 0, 1, 1))
COEFFICIENTS = np.array(_ANF, np.uint64) * np.uint64(0xFFFFFFFFFFFFFFFF)


def _pointer(builder: Any, address: Any, kind: Any) -> Any:
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder: Any, address: Any, kind: Any, align: int) -> Any:
    value = builder.load(_pointer(builder, address, kind))
    value.align = align
    return value


def _store(builder: Any, value: Any, address: Any, kind: Any, align: int) -> None:
    builder.store(value, _pointer(builder, address, kind)).align = align


def _plus(builder: Any, address: Any, count: int) -> Any:
    return builder.add(address, ir.Constant(_I64, count))


def _broadcast(builder: Any, value: Any, kind: Any) -> Any:
    single = builder.insert_element(ir.Constant(kind, ir.Undefined), value,
                                    ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(single, single, zeros)


def _reduced(builder: Any, vector: Any, kind: Any, name: str = "add") -> Any:
    bits = kind.element.width
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(kind.element, [kind]),
        f"llvm.vector.reduce.{name}.v{kind.count}i{bits}")
    return builder.call(function, [vector])


@intrinsic
def gate(_context: Any, _out: Any, _x: Any, _y: Any, _coefficients: Any) -> Any:
    """Simulate out = gate(x, y) for one block; coefficients : address of a row of COEFFICIENTS."""
    signature = types.void(types.uint64, types.uint64, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        out, left, right, coefficients = arguments
        masks = [_broadcast(builder, _load(builder, _plus(builder, coefficients, 8 * index),
                                           _I64, 8), _WORDS) for index in range(4)]
        x, y = (_load(builder, address, _WORDS, 8) for address in (left, right))
        linear = builder.xor(builder.and_(masks[1], x), builder.and_(masks[2], y))
        both = builder.and_(masks[3], builder.and_(x, y))
        _store(builder, builder.xor(builder.xor(masks[0], linear), both), out, _WORDS, 8)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def differing(_context: Any, _x: Any, _y: Any) -> Any:
    """Return the number of lanes of a block in which two nets differ."""
    signature = types.int64(types.uint64, types.uint64)

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        x, y = (_load(builder, address, _WORDS, 8) for address in arguments)
        count = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_WORDS, [_WORDS]), f"llvm.ctpop.v{WORDS}i64")
        return _reduced(builder, builder.call(count, [builder.xor(x, y)]), _WORDS)

    return signature, generate


@intrinsic
def transpose(_context: Any, _planes: Any) -> Any:
    """Turn 16 planes of product bits into products: four 16 x 16 bit squares in every word.

    planes : uint64[16, WORDS], plane i holding bit i of all lanes. Afterwards, read as
    uint16[16, WORDS, 4], entry [r, j, k] is the product of lane 64 j + 16 k + r.
    """
    signature = types.void(types.uint64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        rows = [_load(builder, _plus(builder, arguments[0], BLOCK_BYTES * index), _WORDS, 8)
                for index in range(PRODUCT_BITS)]
        for distance, mask in ((8, 0x00FF00FF00FF00FF), (4, 0x0F0F0F0F0F0F0F0F),
                               (2, 0x3333333333333333), (1, 0x5555555555555555)):
            shift = ir.Constant(_WORDS, [distance] * WORDS)
            masked = ir.Constant(_WORDS, [mask] * WORDS)
            for index in range(PRODUCT_BITS):
                if index & distance:
                    continue
                low, high = rows[index], rows[index + distance]
                swap = builder.and_(builder.xor(builder.lshr(low, shift), high), masked)
                rows[index + distance] = builder.xor(high, swap)
                rows[index] = builder.xor(low, builder.shl(swap, shift))
        for index, row in enumerate(rows):
            _store(builder, row, _plus(builder, arguments[0], BLOCK_BYTES * index), _WORDS, 8)
        return context.get_dummy_value()

    return signature, generate


def _error_sum(term: Callable[[Any, Any, Any], Any], reduction: str, doc: str) -> Any:
    """Return an intrinsic that reduces a term of error and weight over one block.

    term : function of (builder, error <16 x i32>, weight <16 x i32>) giving <16 x i64>.
    """

    def typed(_context: Any, _products: Any, _exact: Any, _weight: Any, _extend: Any) -> Any:
        signature = types.int64(types.uint64, types.uint64, types.uint64, types.int32)

        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            products, exact, weight, extend = arguments
            flip = _broadcast(builder, extend, _ERRORS)
            total = cgutils.alloca_once_value(builder, ir.Constant(_WORDS, [0] * WORDS))
            with cgutils.for_range(builder, ir.Constant(_I64, LANES // 16)) as loop:
                at16 = builder.mul(loop.index, ir.Constant(_I64, 32))
                at32 = builder.mul(loop.index, ir.Constant(_I64, 64))
                raw = _load(builder, builder.add(products, at16), ir.VectorType(_I16, 16), 8)
                product = builder.sub(builder.xor(builder.zext(raw, _ERRORS), flip), flip)
                error = builder.sub(product, _load(builder, builder.add(exact, at32), _ERRORS, 4))
                value = term(builder, error,
                             _load(builder, builder.add(weight, at32), _ERRORS, 4))
                old = builder.load(total)
                if reduction == "add":
                    new = builder.add(old, value)
                else:
                    new = builder.select(builder.icmp_signed(">", value, old), value, old)
                builder.store(new, total)
            return _reduced(builder, builder.load(total), _WORDS, reduction)

        return signature, generate

    typed.__doc__ = doc
    return intrinsic(typed)


def _absolute(builder: Any, error: Any) -> Any:
    negative = builder.sub(ir.Constant(_ERRORS, [0] * 16), error)
    return builder.select(builder.icmp_signed("<", error, negative), negative, error)


def _wide(builder: Any, vector: Any) -> Any:
    return builder.zext(vector, _WORDS)


def _wide_signed(builder: Any, vector: Any) -> Any:
    return builder.sext(vector, _WORDS)


sum_absolute = _error_sum(
    lambda b, error, weight: b.mul(_wide(b, _absolute(b, error)), _wide(b, weight)), "add",
    """Return the sum of weight |error|. Arguments: addresses of uint16, int32, int32 [LANES].""")
worst_absolute = _error_sum(
    lambda b, error, _weight: _wide(b, _absolute(b, error)), "smax",
    """Return the largest |error|.""")
sum_wrong = _error_sum(
    lambda b, error, weight: _wide(b, b.select(
        b.icmp_signed("!=", error, ir.Constant(_ERRORS, [0] * 16)), weight,
        ir.Constant(_ERRORS, [0] * 16))), "add",
    """Return the weight of the lanes with an error.""")
sum_square = _error_sum(
    lambda b, error, weight: b.mul(b.mul(_wide(b, _absolute(b, error)),
                                         _wide(b, _absolute(b, error))), _wide(b, weight)), "add",
    """Return the sum of weight error^2.""")
sum_error = _error_sum(
    lambda b, error, weight: b.mul(_wide_signed(b, error), _wide_signed(b, weight)), "add",
    """Return the sum of weight error.""")
