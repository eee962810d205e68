"""Products added one after the other by an approximate adder, for as many columns as a vector has.

For a tile of columns and a term, what each activation adds is a row of two small tables, as in
`sim.kernels.loops.rowadd`: the upper bits of the product and its low bits, both inverted where it
is negative. The low bits of the sums depend on each other in the order of the terms; they are held
at the upper end of int16, so that their carry is a sign. Nothing of the upper bits comes down to
them: these are a plain sum, of the carries as well.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit

from hw.common.compiled import keep
from hw.multipliers.adder import LOA, ApproximateAdder
from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I16, I32, I64, Compiled, Function, Value, int64
from sim.kernels.loops.lookup import LANES, codes_at, in_registers

DEPTH = 16  # terms whose tables are used together: they stay in L2
CLASSES = 256 + 5  # rows of a table: not a power of two, or tables would share cache sets
WORD = 16  # bits of what holds the low part

Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


def split_products(table: Int32, adder: ApproximateAdder) -> Int16:
    """Return the low and the upper bits of products, int16[2, ...].

    table : products of less than 2**(15 + adder.bits). The low bits are those of the adder, at the
    upper end of int16.
    """
    negative = np.where(table < 0, -1, 0)
    bits = np.abs(table.astype(np.int64)) ^ negative
    return np.stack([bits << WORD - adder.bits, bits >> adder.bits]).astype(np.int16)


@njit("void(int16[:,:,::1], uint8[:,::1], int64, int64, int16[:,:,:,::1])", nogil=True,
      cache=keep())
def fill_tables(products: Int16, weights: Bytes, first: int, acts: int, tables: Int16) -> None:
    """tables[part, term, act] = products[part, act, weights[term]] for `acts` from `first` on.

    products : int16[2, 256, 256]. weights : [terms, lanes]. tables : [2, DEPTH, CLASSES, lanes].
    """
    for part in range(2):
        for term in range(weights.shape[0]):
            for act in range(first, first + acts):
                for lane in range(weights.shape[1]):
                    tables[part, term, act, lane] = products[part, act, weights[term, lane]]


@cache
def look_tables_up(cpu: Cpu) -> Compiled:
    """Return `fill_tables` for CPUs that `can_hold` a row of products.

    products and tables are from the first activation on.
    """
    function = Function("fill", products=np.int16, weights=np.uint8, tables=np.int16, acts=int,
                        terms=int)
    given, row_bytes = function.arguments, 2 * LANES

    def part(number: Value) -> None:
        products, tables = (function.at(address, number, size) for address, size in (
            (given.products, 2 * 256 * 256), (given.tables, DEPTH * CLASSES * row_bytes)))

        def act(number: Value) -> None:
            entries = in_registers(function, function.at(products, number, 2 * 256))
            here = function.at(tables, number, row_bytes)
            function.loop(given.terms, lambda term: function.store(
                entries(codes_at(function, function.at(given.weights, term, LANES))),
                function.at(here, term, CLASSES * row_bytes), 0, row_bytes))

        function.loop(given.acts, act)

    function.loop(int64(2), part)
    return function.compile(cpu)


@cache
def chain_tile(cpu: Cpu, adder: ApproximateAdder, *, terms: int, wide: bool, first: bool,
               last: bool) -> Compiled:
    """Return the loop that adds `terms` products to the sums of `cpu.lanes` columns of each row.

    wide : sums of upper bits are int32, not int16. first : sums start from 0, otherwise from those
    that are kept. last : the sums go to `out`, otherwise they are kept.
    Its arguments, of which tables and sums begin cache lines:

    - source : uint8, the codes; starts : int64[rows], offsets : int64[terms], whose sums say where
      in the source a row has its terms;
    - tables : int16[2, DEPTH, CLASSES, lanes] of `fill_tables`;
    - low_sums, high_sums : int16[rows, lanes], the latter may be int32: sums that are kept;
    - out : int32[rows, lanes], what the sums are added to.
    """
    upper = np.int32 if wide else np.int16
    function = Function("chain", source=np.uint8, starts=np.int64, offsets=np.int64,
                        tables=np.int16, low_sums=np.int16, high_sums=upper, out=np.int32, rows=int)
    given, build, lanes = function.arguments, function.build, cpu.lanes
    low_kind, full = ir.VectorType(I16, lanes), ir.VectorType(I32, lanes)
    high_kind = full if wide else low_kind
    low_bytes, high_bytes = 2 * lanes, np.dtype(upper).itemsize * lanes

    def constant(kind: ir.VectorType, value: int) -> Value:
        return ir.Constant(kind, [value] * lanes)

    def row(number: Value) -> None:
        start = function.add(given.source, function.load(
            function.at(given.starts, number, 8), 0, I64, 8))
        kept = [(function.at(given.low_sums, number, low_bytes), low_kind),
                (function.at(given.high_sums, number, high_bytes), high_kind)]
        low, high = (ir.Constant(kind, None) if first else function.load(address, 0, kind, lanes)
                     for address, kind in kept)
        for term in range(terms):
            offset = function.load(given.offsets, 8 * term, I64, 8)
            code = build.zext(function.load(function.add(start, offset), 0, I8, 1), I64)
            entry = function.at(given.tables, code, low_bytes)
            product, upper = (
                function.load(entry, (first_term + term) * CLASSES * low_bytes, low_kind, low_bytes)
                for first_term in (0, DEPTH))
            low, carry = _added(build, adder, low, product, build.ashr(
                upper, constant(low_kind, WORD - 1)))
            more = build.sub(upper, carry)  # which is -1
            high = build.add(high, build.sext(more, high_kind) if wide else more)
        if last:
            total = build.or_(
                build.shl(high if wide else build.sext(high, full), constant(full, adder.bits)),
                build.lshr(build.zext(low, full), constant(full, WORD - adder.bits)))
            out = function.at(given.out, number, 4 * lanes)
            function.store(build.add(function.load(out, 0, full, lanes), total), out, 0, lanes)
        else:
            for value, (address, _kind) in zip((low, high), kept, strict=True):
                function.store(value, address, 0, lanes)

    function.loop(given.rows, row)
    return function.compile(cpu)


def _added(build: ir.IRBuilder, adder: ApproximateAdder, low: Value, product: Value,
           negative: Value) -> tuple[Value, Value]:
    """Return the low bits of the sum, and the carry out of them: -1 or 0."""
    kind = low.type

    def number(value: int) -> Value:
        return ir.Constant(kind, [value] * kind.count)

    def majority(a: Value, b: Value, c: Value) -> Value:
        return build.or_(build.and_(a, b), build.and_(c, build.or_(a, b)))

    one = build.shl(negative, number(WORD - adder.bits))  # -1 below the low part, if negative
    if adder.kind == LOA:
        carry = majority(low, product, negative)
        return (majority(low, product, build.not_(negative)),
                build.ashr(carry, number(WORD - 1)))
    total = build.sub(build.add(low, product), one)
    if not adder.window:
        return total, negative
    mask = number(-1 << WORD - adder.window)
    a, b = build.and_(low, mask), build.and_(product, mask)
    window = build.sub(build.add(a, b), build.shl(negative, number(WORD - adder.window)))
    carry = build.or_(build.and_(a, b), build.and_(build.or_(a, b), build.not_(window)))
    return total, build.ashr(carry, number(WORD - 1))


def chain_reference(rows: Bytes, table: Int32, weights: Bytes,
                    adder: ApproximateAdder) -> npt.NDArray[np.int64]:
    """Return what `chain_tile` adds to `out`, for a tile of columns.

    rows : uint8[m, terms]. table : int32[256, 256] of codes. weights : uint8[terms, columns].
    """
    total = np.zeros((len(rows), weights.shape[1]), np.int64)
    for term in range(rows.shape[1]):
        total = adder.add(total, table[rows[:, term, None], weights[term]])
    return total
