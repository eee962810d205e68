"""Row-add: as many table products as a vector has lanes, in one vector addition.

For a tile of output columns and one term of the inner product, the products of every
activation fit in a small table T[a, 0:lanes] = table[a, weights[k, n0:n0+lanes]] - centre. Eight
such tables stay in the caches, and a row of activations adds eight of their rows. Sums are
int16 for as long as they cannot overflow with the operands at hand, then they are widened and
added to int32: exact by construction. `sim.kernels.schedule` decides when.

Activations whose rows of the table are equal form one class. Where there are few classes, a term
takes several consecutive k and has a row for every combination of their classes: sixteen classes
make two k in one addition, four make four.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from functools import cache

from llvmlite import ir

from sim.kernels.cpu import Cpu
from sim.kernels.machine_code import I8, I16, I32, I64, Function, Value, int64

DEPTH = 8  # terms of a block
CHUNK = 8  # classes transposed at a time
BIT_REVERSED = (0, 4, 2, 6, 1, 5, 3, 7)  # where three rounds of interleaving leave the classes


class Action(IntEnum):
    """What a block does with its sums: where they start, and when they are widened."""

    BEGIN_KEEP = 0  # from zero; kept for the next block
    BEGIN_WIDEN = 1
    GO_ON_KEEP = 2  # from what the block before kept
    GO_ON_WIDEN = 3
    WIDEN_FOURS = 4  # from zero, widened after four terms and after eight
    WIDEN_EACH = 5  # from zero, widened after every term


def table_bytes(lanes: int) -> int:
    """Return the distance of two tables: not a power of two, or they would share cache sets."""
    return (256 + 5) * 2 * lanes


@cache
def rowadd_tile(cpu: Cpu, lanes: int, group: int) -> Callable[..., None]:
    """Return the loop over a tile of columns, compiled.

    lanes : columns of the tile, `cpu.lanes` or half of it. group : consecutive k of a term.

    The function takes, in this order, addresses and sizes:

    - columns int16[257, ...], the table by weight code and class, column 256 zero; its bytes
      per code;
    - codes uint16 and centres int16[blocks * DEPTH * group, lanes] of the weights;
    - offsets uint16[blocks, rows, DEPTH], bytes from the start of a table to the row to add;
    - out int32[rows, lanes]; tables, DEPTH times `table_bytes` of scratch; scratch of one table;
      sums int16[rows, lanes], scratch: all aligned to 64 bytes;
    - classes; uint16[blocks * DEPTH], how many of a term's classes occur, counted from the first
      (group 1 only); rows; blocks; uint8[blocks] of `Action`.

    Tables, centres and sums are int16 modulo 2**16; the schedule sees to it that sums fit.
    """
    return rowadd_function(cpu, lanes, group).compile(cpu)


def rowadd_function(cpu: Cpu, lanes: int, group: int) -> Function:
    """Return the function of `rowadd_tile` before it is compiled."""
    function = Function("rowadd", 14)
    (columns, column_bytes, weights, centres, offsets, out, tables, scratch, sums, classes,
     occurring, rows, blocks, actions) = function.arguments
    build = function.build
    row_bytes = 2 * lanes

    def block(number: Value) -> None:
        skipped = function.scaled(number, DEPTH * group * row_bytes)
        codes, middles = function.add(weights, skipped), function.add(centres, skipped)

        def table(term: Value) -> None:
            start = function.add(tables, function.scaled(term, table_bytes(lanes)))
            first = function.scaled(term, group * row_bytes)

            def transpose(k: int, target: Value, count: Value) -> None:
                at = function.add(first, int64(k * row_bytes))
                _transpose(function, lanes, columns, column_bytes, function.add(codes, at),
                           function.add(middles, at), target, count)

            count = classes
            if group == 1:
                at = build.add(function.scaled(number, DEPTH), term)
                limit = function.load(function.add(occurring, function.scaled(at, 2)), 0, I16, 2)
                count = build.zext(limit, I64)
            transpose(0, start, count)
            for later in range(1, group):
                transpose(later, scratch, classes)
                _combine(function, lanes, start, count, scratch, classes)
                count = function.scaled(count, classes)

        function.loop(int64(DEPTH), table)
        here = function.add(offsets, function.scaled(number, function.scaled(rows, DEPTH * 2)))
        action = function.load(function.add(actions, number), 0, I8, 1)
        for kind in Action:
            with build.if_then(build.icmp_unsigned("==", action, ir.Constant(I8, int(kind)))):
                _add_rows(function, lanes, kind, here, tables, sums, out, rows)

    function.loop(blocks, block)
    return function


def _add_rows(function: Function, lanes: int, kind: Action, offsets: Value, tables: Value,
              sums: Value, out: Value, rows: Value) -> None:
    """For every row, add its eight rows of the tables as `kind` says."""
    build = function.build
    vector, wide = ir.VectorType(I16, lanes), ir.VectorType(I32, lanes)
    size = 2 * lanes
    zero = ir.Constant(vector, None)
    step = {Action.WIDEN_FOURS: 4, Action.WIDEN_EACH: 1}.get(kind, DEPTH)
    keep = kind in (Action.BEGIN_KEEP, Action.GO_ON_KEEP)

    def row(index: Value) -> None:
        sums_at = function.add(sums, function.scaled(index, size))
        out_at = function.add(out, function.scaled(index, 2 * size))
        offset_at = function.add(offsets, function.scaled(index, DEPTH * 2))
        goes_on = kind in (Action.GO_ON_KEEP, Action.GO_ON_WIDEN)
        total = function.load(sums_at, 0, vector, size) if goes_on else zero
        widened = None
        for term in range(DEPTH):
            offset = build.zext(function.load(offset_at, 2 * term, I16, 2), I64)
            total = build.add(total, function.load(function.add(tables, offset),
                                                   term * table_bytes(lanes), vector, size))
            if not keep and (term + 1) % step == 0:
                part = build.sext(total, wide)
                widened = part if widened is None else build.add(widened, part)
                total = zero
        if keep:
            function.store(total, sums_at, 0, size)
        else:
            before = function.load(out_at, 0, wide, 2 * size)
            function.store(build.add(before, widened), out_at, 0, 2 * size)

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
        starts.append(function.add(columns, function.scaled(code, column_bytes)))
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
        target = function.add(table, function.scaled(index, CHUNK * lanes * 2))
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
        value = function.load(function.add(table, function.scaled(row, lanes * 2)), 0, vector,
                              lanes * 2)
        first = function.add(table, function.scaled(function.scaled(row, classes), lanes * 2))

        def inner(number: Value) -> None:
            at = function.scaled(number, lanes * 2)
            added = function.load(function.add(other, at), 0, vector, lanes * 2)
            function.store(build.add(value, added), function.add(first, at), 0, lanes * 2)

        function.loop(classes, inner)

    function.loop(count, outer)
