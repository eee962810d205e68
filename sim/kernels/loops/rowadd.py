"""Row-add: as many table products as a vector has lanes, in one vector addition.

For a tile of output columns and one term of the inner product, the products of every
activation fit in a small table T[a, 0:lanes] = table[a, weights[k, n0:n0+lanes]] - centre.
Sixteen such tables stay in L2, and a row of activations adds sixteen of their rows. Activations
come as bytes, eight in a load, and are shifted to offsets: to load an offset for every row of a
table would take half of the loads. Sums are int16 for as long as they cannot overflow with the
operands at hand, then they are widened and added to int32: exact by construction.
`sim.kernels.schedule` decides when.

Activations whose rows of the table are equal form one class. Where there are few classes, a term
takes several consecutive k and has a row for every combination of their classes: sixteen classes
make two k in one addition, four make four.

Widening takes no shuffles. Neighbouring int16 lanes belong to columns j and lanes / 2 + j
(`lane_order`) and are read as one int32, d = 2**16 * odd + even: d is added to the sums of the
first columns and d >> 16, which is odd, to those of the others. So that even lanes are not
negative, 2**15 is added to them, by way of the centres. In the end 2**16 times the others is
taken from the first columns (mod 2**32).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, reduce

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I16, I32, I64, Compiled, Function, Value, int64
from sim.kernels.loops.permuted import LANES, Permuted

UNIT = 8  # terms gathered together
DEPTH = 16  # terms of a block, whose tables are used together; the last block may be a unit
STEPS = (1, 2, 4, 8, 16)  # terms between two widenings
BIAS = 2**15  # of even lanes, so that they are not negative
CHUNK = 8  # classes transposed at a time
CHAIN = 4  # additions in a row: with more, their latency counts
BIT_REVERSED = (0, 4, 2, 6, 1, 5, 3, 7)  # where three rounds of interleaving leave the classes


def table_bytes(lanes: int) -> int:
    """Return the distance of two tables: not a power of two, or they would share cache sets."""
    return (256 + 5) * 2 * lanes


def lane_order(lanes: int) -> list[int]:
    """Return the column that each lane of a tile belongs to."""
    return [lane // 2 + lanes // 2 * (lane % 2) for lane in range(lanes)]


def permutes(cpu: Cpu, lanes: int, group: int) -> bool:
    """Return whether tables are built by permutation."""
    return cpu.vbmi and group == 1 and lanes == LANES


@cache
def rowadd_tile(cpu: Cpu, lanes: int, group: int) -> Compiled:
    """Return the loop over a tile of columns, compiled.

    lanes : columns of the tile, `cpu.lanes` or half of it. group : consecutive k of a term.
    Its arguments, of which `out`, `tables` and `table` begin cache lines:

    - columns : int16[257, ...], the table by weight code and class, column 256 zero;
      column_bytes : of a code; in their place, where it `permutes`, by_class : uint8[256, 2, 256],
      see `sim.kernels.loops.permuted.split_bytes`;
    - codes : uint16, centres : int16[units * UNIT * group, lanes] of the weights, in `lane_order`;
    - chosen : uint8[blocks, rows, DEPTH], the row of its table that each term adds;
    - out : int32[rows, lanes], columns in their order; goes_on : 1 to add to what it holds, 0 to
      begin with zero;
    - tables : DEPTH times `table_bytes` of scratch; table : scratch of one;
    - classes : of activations; occurring : uint16[units * UNIT], how many of them a term has,
      counted from the first (group 1 only);
    - steps : uint8[blocks], each one of STEPS.

    Tables and centres are int16 modulo 2**16; the schedule sees to it that sums fit.
    """
    by_permutation = permutes(cpu, lanes, group)
    source: dict[str, type] = ({"by_class": np.uint8} if by_permutation else
                               {"columns": np.int16, "column_bytes": int})
    function = Function(
        "rowadd", **source, codes=np.uint16, centres=np.int16,
        chosen=np.uint8, out=np.int32, tables=np.int16, table=np.int16, classes=int, rows=int,
        occurring=np.uint16, units=int, steps=np.uint8, goes_on=int)
    given = function.arguments
    out, tables, rows, classes = given.out, given.tables, given.rows, given.classes
    build = function.build
    row_bytes = 2 * lanes

    permuted = Permuted(function, given.by_class) if by_permutation else None

    def block(number: Value) -> None:
        skipped = function.scaled(number, DEPTH * group * row_bytes)
        codes, middles = (function.add(given.codes, skipped),
                          function.add(given.centres, skipped))
        terms = build.select(build.icmp_signed("<", function.add(number, number, int64(1)),
                                                given.units),
                             int64(DEPTH), int64(UNIT))

        def table(term: Value) -> None:
            start = function.at(tables, term, table_bytes(lanes))
            first = function.scaled(term, group * row_bytes)

            def transpose(k: int, target: Value, count: Value) -> None:
                at = function.add(first, int64(k * row_bytes))
                _transpose(function, lanes, given.columns, given.column_bytes,
                           function.add(codes, at), function.add(middles, at), target, count)

            count = classes
            if group == 1:
                at = build.add(function.scaled(number, DEPTH), term)
                limit = function.load(function.at(given.occurring, at, 2), 0, I16, 2)
                count = build.zext(limit, I64)
            transpose(0, start, count)
            for later in range(1, group):
                transpose(later, given.table, classes)
                _combine(function, lanes, start, count, given.table, classes)
                count = function.scaled(count, classes)

        if permuted is not None:
            def unit(index: Value) -> None:
                first = function.scaled(index, UNIT * row_bytes)
                at = build.add(function.scaled(number, DEPTH), function.scaled(index, UNIT))
                permuted.build(function.add(codes, first), function.add(middles, first),
                               function.at(given.occurring, at, 2),
                               function.at(tables, index, UNIT * table_bytes(lanes)),
                               table_bytes(lanes))

            function.loop(build.udiv(terms, int64(UNIT)), unit)
        else:
            function.loop(terms, table)
        here = function.at(given.chosen, number, function.scaled(rows, DEPTH))
        wanted = build.zext(function.load(function.add(given.steps, number), 0, I8, 1), I64)
        for size in (UNIT, DEPTH):
            for step in STEPS:
                if step <= size:
                    with build.if_then(build.and_(
                            build.icmp_signed("==", terms, int64(size)),
                            build.icmp_signed("==", wanted, int64(step)))):
                        _add_rows(function, lanes, size, step, here, tables, out, rows)

    # The first columns hold 2**16 times the others as well, as long as terms are added.
    zero, sixteen = (ir.Constant(ir.VectorType(I32, lanes // 2), [value] * (lanes // 2))
                     for value in (0, 16))
    first = build.icmp_signed("==", given.goes_on, int64(0))
    with build.if_else(first) as (fresh, used):
        with fresh:
            _change(function, lanes, out, rows, lambda _low, _high: [zero, zero])
        with used:
            _change(function, lanes, out, rows, lambda low, high: [
                build.add(low, build.shl(high, sixteen))])
    function.loop(build.udiv(build.add(given.units, int64(1)), int64(2)), block)
    _change(function, lanes, out, rows, lambda low, high: [
        build.sub(low, build.shl(high, sixteen))])
    return function.compile(cpu)


def rowadd_reference(columns: npt.NDArray[np.int16], codes: npt.NDArray[np.uint16],
                     centres: npt.NDArray[np.int16], digits: npt.NDArray[np.intp],
                     steps: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return what `rowadd_tile` puts into `out`, or adds to it.

    digits : [rows, terms, group], the class of every k; `chosen` combines them.
    """
    rows, terms, group = digits.shape
    shape = terms, group, codes.shape[1]
    entries = columns[codes.reshape(shape), digits[..., None]] - centres.reshape(shape)
    sums = np.zeros((rows, shape[2]), np.int64)
    for block, step in enumerate(steps.tolist()):
        for start in range(DEPTH * block, min(DEPTH * (block + 1), terms), step):
            part = entries[:, start:start + step].sum(axis=(1, 2), dtype=np.int16)
            sums[:, ::2] += part[:, ::2].astype(np.uint16)  # not negative: see BIAS
            sums[:, 1::2] += part[:, 1::2]
    out = np.empty(sums.shape, np.int32)
    out[:, lane_order(shape[2])] = sums
    return out


def _add_rows(function: Function, lanes: int, terms: int, step: int, chosen: Value,
              tables: Value, out: Value, rows: Value) -> None:
    """For every row, add its rows of the tables; widen after every `step` of them."""
    build = function.build
    vector, wide = ir.VectorType(I16, lanes), ir.VectorType(I32, lanes // 2)
    size = 2 * lanes
    shift = size.bit_length() - 1  # from a number of a row to its place
    sixteen = ir.Constant(wide, [16] * (lanes // 2))

    def row(index: Value) -> None:
        out_at = function.at(out, index, 2 * size)
        chosen_at = function.at(chosen, index, DEPTH)
        low, high = (function.load(out_at, half * size, wide, size) for half in (0, 1))
        bytes_of = [function.load(chosen_at, first, I64, 8) for first in range(0, terms, UNIT)]

        def entry(term: int) -> Value:
            up = shift - term % UNIT * 8
            eight = bytes_of[term // UNIT]
            moved = (build.shl(eight, int64(up)) if up >= 0 else build.lshr(eight, int64(-up)))
            at = function.add(tables, build.and_(moved, int64(255 << shift)))
            return function.load(at, term * table_bytes(lanes), vector, size)

        for first in range(0, terms, step):
            chains = [_sum(build, map(entry, range(start, min(start + CHAIN, first + step))))
                      for start in range(first, first + step, CHAIN)]
            both = build.bitcast(_sum(build, chains), wide)
            low, high = build.add(low, both), build.add(high, build.ashr(both, sixteen))
        function.store(low, out_at, 0, size)
        function.store(high, out_at, size, size)

    function.loop(rows, row)


def _sum(build: ir.IRBuilder, terms: Iterable[Value]) -> Value:
    return reduce(build.add, terms)  # each loaded where it is added


def _change(function: Function, lanes: int, out: Value, rows: Value,
            new: Callable[[Value, Value], list[Value]]) -> None:
    """Store new(low, high) in every row in the place of its halves, or of the first one."""
    wide, size = ir.VectorType(I32, lanes // 2), 2 * lanes

    def row(index: Value) -> None:
        at = function.at(out, index, 2 * size)
        low, high = (function.load(at, half * size, wide, size) for half in (0, 1))
        for half, value in enumerate(new(low, high)):
            function.store(value, at, half * size, size)

    function.loop(rows, row)


def _transpose(function: Function, lanes: int, columns: Value, column_bytes: Value, codes: Value,
               centres: Value, table: Value, classes: Value) -> None:
    """table[c, j] = columns[codes[j], c] - centres[j] for `classes` classes; more are rubbish.

    Eight classes at a time: the 128-bit part p of vector i holds eight classes of column
    8 p + i, and three rounds of interleaving within the parts transpose all parts at once.
    """
    build = function.build
    parts = lanes // 8
    starts = []
    for lane in range(lanes):
        code = build.zext(function.load(codes, 2 * lane, I16, 2), I64)
        starts.append(function.at(columns, code, column_bytes))
    middle = function.load(centres, 0, ir.VectorType(I16, lanes), 2)
    chunks = build.udiv(build.add(classes, int64(CHUNK - 1)), int64(CHUNK))

    def chunk(index: Value) -> None:
        at = function.scaled(index, CHUNK * 2)
        eight = ir.VectorType(I16, 8)
        loaded = [function.load(function.add(start, at), 0, eight, 2) for start in starts]
        vectors = [_join(build, [loaded[8 * part + i] for part in range(parts)])
                   for i in range(8)]
        for width in (1, 2, 4):
            for low in (i for i in range(8) if not i & width):
                a, b = vectors[low], vectors[low + width]
                vectors[low] = _interleave(build, a, b, lanes, width, high=False)
                vectors[low + width] = _interleave(build, a, b, lanes, width, high=True)
        target = function.at(table, index, CHUNK * lanes * 2)
        for row, vector in enumerate(BIT_REVERSED):
            function.store(build.sub(vectors[vector], middle), target, row * lanes * 2, lanes * 2)

    function.loop(chunks, chunk)


def _join(build: ir.IRBuilder, parts: list[Value]) -> Value:
    while len(parts) > 1:
        size = parts[0].type.count
        mask = ir.Constant(ir.VectorType(I32, 2 * size), list(range(2 * size)))
        parts = [build.shuffle_vector(a, b, mask)
                 for a, b in zip(parts[::2], parts[1::2], strict=True)]
    return parts[0]


def _interleave(build: ir.IRBuilder, a: Value, b: Value, lanes: int, width: int, *,
                high: bool) -> Value:
    """Within every eight int16, alternate units of `width` from a half of a and of b."""
    mask = []
    for part in range(0, lanes, 8):
        start = part + (4 if high else 0)
        for unit in range(start, start + 4, width):
            mask += [*range(unit, unit + width), *range(lanes + unit, lanes + unit + width)]
    return build.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, lanes), mask))


def _combine(function: Function, lanes: int, table: Value, count: Value, other: Value,
             classes: Value) -> None:
    """table[r * classes + c] = table[r] + other[c] for r below count, in place from the last."""
    build = function.build
    vector = ir.VectorType(I16, lanes)

    def outer(index: Value) -> None:
        row = build.sub(build.sub(count, int64(1)), index)
        value = function.load(function.at(table, row, lanes * 2), 0, vector, lanes * 2)
        first = function.at(table, function.scaled(row, classes), lanes * 2)

        def inner(number: Value) -> None:
            at = function.scaled(number, lanes * 2)
            added = function.load(function.add(other, at), 0, vector, lanes * 2)
            function.store(build.add(value, added), function.add(first, at), 0, lanes * 2)

        function.loop(classes, inner)

    function.loop(count, outer)
