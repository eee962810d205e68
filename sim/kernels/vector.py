"""The two inner loops of the row-add kernel as LLVM vectors, compiled by numba.

Numba widens int16 sums to int64 and so defeats LLVM's vectoriser; written as vectors of
sixteen int16 they become one AVX2 (or two SSE2, or NEON) instruction each. No C compiler is
needed. Addresses are uint64; the caller owns the arrays and their bounds.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

LANES = 16  # int16 values in a vector: one tile of output columns
DEPTH = 8  # inner-product terms added at a time: eight tables of 8 KiB each fill L1
TABLE_BYTES = 256 * LANES * 2  # one table: a vector for each activation code
_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_VECTOR = ir.VectorType(_I16, LANES)
_WIDE = ir.VectorType(_I32, LANES)


def _at(builder: Any, base: Any, offset: Any, kind: Any) -> Any:
    return builder.inttoptr(builder.add(base, offset), kind.as_pointer())


def _bytes(count: int) -> Any:
    return ir.Constant(_I64, count)


def _load(builder: Any, base: Any, offset: Any, kind: Any, align: int) -> Any:
    value = builder.load(_at(builder, base, offset, kind))
    value.align = align
    return value


def _store(builder: Any, value: Any, base: Any, offset: Any, kind: Any, align: int) -> None:
    builder.store(value, _at(builder, base, offset, kind)).align = align


@intrinsic
def _build_table(_context: Any, _columns: Any, _weights: Any, _table: Any) -> Any:
    """table[a, j] = columns[weights[j], a] for 16 weights: sixteen transposes of 16 x 16."""
    signature = types.void(types.uint64, types.uint64, types.uint64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        columns, weights, table = arguments
        rows = []
        for lane in range(LANES):
            weight = builder.zext(_load(builder, weights, _bytes(2 * lane), _I16, 2), _I64)
            rows.append(builder.add(columns, builder.mul(weight, _bytes(512))))
        half = LANES // 2
        interleave = [[index // 2 + (LANES if index % 2 else 0) + part * half
                       for index in range(LANES)] for part in (0, 1)]
        masks = [ir.Constant(ir.VectorType(_I32, LANES), mask) for mask in interleave]
        with cgutils.for_range(builder, ir.Constant(_I64, 256 // LANES)) as loop:
            at = builder.mul(loop.index, _bytes(2 * LANES))
            block = [_load(builder, row, at, _VECTOR, 2) for row in rows]
            for _stage in range(4):  # four perfect shuffles transpose 2**4 rows
                block = [builder.shuffle_vector(block[pair], block[pair + half], masks[part])
                         for pair in range(half) for part in (0, 1)]
            at = builder.mul(loop.index, _bytes(2 * LANES * LANES))
            for index, vector in enumerate(block):
                _store(builder, vector, table, builder.add(at, _bytes(2 * LANES * index)),
                       _VECTOR, 32)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _add_rows(_context: Any, _tables: Any, _codes: Any, _sums: Any, _rows: Any,
              _stride: Any) -> Any:
    """sums[m] += tables[0, codes[m, 0]] + ... + tables[7, codes[m, 7]], for every row m.

    stride : bytes from row to row of codes.
    """
    signature = types.void(types.uint64, types.uint64, types.uint64, types.int64, types.int64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        tables, codes, sums, rows, stride = arguments
        with cgutils.for_range(builder, rows) as loop:
            at = builder.mul(loop.index, _bytes(2 * LANES))
            row = builder.mul(loop.index, stride)
            total = _load(builder, sums, at, _VECTOR, 32)
            for term in range(DEPTH):
                code = _load(builder, codes, builder.add(row, _bytes(term)), _I8, 1)
                offset = builder.mul(builder.zext(code, _I64), _bytes(2 * LANES))
                offset = builder.add(offset, _bytes(TABLE_BYTES * term))
                total = builder.add(total, _load(builder, tables, offset, _VECTOR, 32))
            _store(builder, total, sums, at, _VECTOR, 32)
        return context.get_dummy_value()

    return signature, generate


@intrinsic
def _flush(_context: Any, _sums: Any, _out: Any, _rows: Any, _stride: Any) -> Any:
    """out[m] += sums[m], widened to int32; sums[m] = 0. stride : bytes from row to row of out."""
    signature = types.void(types.uint64, types.uint64, types.int64, types.int64)

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        sums, out, rows, stride = arguments
        with cgutils.for_range(builder, rows) as loop:
            at = builder.mul(loop.index, _bytes(2 * LANES))
            to = builder.mul(loop.index, stride)
            wide = builder.sext(_load(builder, sums, at, _VECTOR, 32), _WIDE)
            wide = builder.add(wide, _load(builder, out, to, _WIDE, 4))
            _store(builder, wide, out, to, _WIDE, 4)
            _store(builder, ir.Constant(_VECTOR, None), sums, at, _VECTOR, 32)
        return context.get_dummy_value()

    return signature, generate


@njit("void(uint64, uint64, uint64, uint64, uint64, uint64, int64, int64, int64, int64)",
      nogil=True, cache=True)
def column_tile(columns: int, weights: int, codes: int, out: int, tables: int, sums: int,
                rows: int, blocks: int, out_columns: int, blocks_per_flush: int) -> None:
    """Add one tile of 16 columns for `rows` rows.

    Addresses: columns int16[257, 256] `[weight, act]`; weights uint16[blocks * DEPTH, 16 of
    out_columns], the tile's; codes uint8[rows, blocks * DEPTH]; out int32[rows, out_columns],
    the tile's; tables int16[DEPTH, 256, 16] and sums int16[rows, 16], zero, both aligned to 32
    bytes.
    """
    pending = 0
    for block in range(blocks):
        for term in range(DEPTH):
            _build_table(columns, weights + np.uint64(2 * (block * DEPTH + term) * out_columns),
                         tables + np.uint64(TABLE_BYTES * term))
        _add_rows(tables, codes + np.uint64(DEPTH * block), sums, rows, blocks * DEPTH)
        pending += 1
        if pending == blocks_per_flush or block == blocks - 1:
            _flush(sums, out, rows, 4 * out_columns)
            pending = 0

