"""Tables of row-add by permutation: a register pair looks 64 bytes up, on CPUs with AVX-512 VBMI.

A row of a table has the products of one activation with the weights of a tile: entries of a row of
the product table. That row's lower bytes fit in four registers, and so do its upper bytes. Two
permutations, each of two registers, find the lower bytes of two terms of 32 columns, two more the
upper ones. Transposing columns takes six instructions that shuffle for each row of one term.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.function import I8, I16, I32, I64, Function, Value

LANES, BYTES = 32, 64
TERMS = 8  # at once: four pairs, whose indices, masks and centres stay in registers
PERMUTE = "llvm.x86.avx512.vpermi2var.qi.512"
LARGEST = "llvm.vector.reduce.umax.v8i16"
ROW = 512  # bytes of a row: 256 lower, 256 upper


def split_bytes(rows: npt.NDArray[np.int16]) -> npt.NDArray[np.uint8]:
    """Return the lower and upper bytes of each row int16[n, 256], uint8[n, 2, 256]."""
    both = np.ascontiguousarray(rows, "<i2").view(np.uint8).reshape(len(rows), 256, 2)
    return np.ascontiguousarray(both.transpose(0, 2, 1))


class Permuted:
    """Builds tables in a function: `table[c, j] = rows[c, codes[j]] - centres[j]` for each term.

    rows : uint8[classes, 2, 256], see `split_bytes`; a code of 256 or more counts as 0.
    """

    def __init__(self, function: Function, rows: Value) -> None:
        self._function, self._rows = function, rows
        self._bytes, self._words = ir.VectorType(I8, BYTES), ir.VectorType(I16, LANES)
        self._permute = function.external(PERMUTE, self._bytes, [self._bytes] * 3)
        eight = ir.VectorType(I16, TERMS)
        self._largest = function.external(LARGEST, I16, [eight])

    def build(self, codes: Value, centres: Value, occurring: Value, tables: Value,
              table_bytes: int) -> None:
        """Build the tables of TERMS terms, each with as many classes as the longest has.

        codes : uint16, centres : int16[TERMS, LANES]. occurring : uint16[TERMS].
        """
        function, build = self._function, self._function.build
        count = build.zext(build.call(self._largest, [
            function.load(occurring, 0, ir.VectorType(I16, TERMS), 2)]), I64)
        chosen = [function.load(codes, 2 * LANES * term, self._words, 2) for term in range(TERMS)]
        middles = [function.load(centres, 2 * LANES * term, self._words, 2)
                   for term in range(TERMS)]
        end = ir.Constant(self._words, [256] * LANES)
        known = [build.sext(build.icmp_unsigned("<", code, end), self._words) for code in chosen]
        pairs = [self._pair(*chosen[first:first + 2]) for first in range(0, TERMS, 2)]

        def row(number: Value) -> None:
            at = function.at(self._rows, number, ROW)
            parts = [function.load(at, BYTES * part, self._bytes, 1) for part in range(8)]
            target = function.at(tables, number, 2 * LANES)
            for pair, index in enumerate(pairs):
                low, high = (self._found(parts[first:first + 4], index) for first in (0, 4))
                for half in (0, 1):
                    term = 2 * pair + half
                    entries = build.and_(self._joined(low, high, half), known[term])
                    function.store(build.sub(entries, middles[term]), target,
                                   term * table_bytes, 2 * LANES)

        function.loop(count, row)

    def _pair(self, first: Value, second: Value) -> Value:
        """Return the bytes of two terms' codes, eight of one beside eight of the other."""
        build, half = self._function.build, ir.VectorType(I8, LANES)
        order = [8 * part + column + LANES * which
                 for part in range(LANES // 8) for which in (0, 1) for column in range(8)]
        return build.shuffle_vector(*(build.trunc(codes, half) for codes in (first, second)),
                                    ir.Constant(ir.VectorType(I32, BYTES), order))

    def _found(self, parts: list[Value], index: Value) -> Value:
        """Return the bytes of a table of 256 at `index`: the upper bit chooses of two halves."""
        build = self._function.build
        low, high = (build.call(self._permute, [parts[first], index, parts[first + 1]])
                     for first in (0, 2))
        upper = build.icmp_signed("<", index, ir.Constant(self._bytes, None))
        return build.select(upper, high, low)

    def _joined(self, low: Value, high: Value, half: int) -> Value:
        """Return one term's int16 from the lower and upper bytes of a pair."""
        order = [16 * part + 8 * half + column + BYTES * which
                 for part in range(LANES // 8) for column in range(8) for which in (0, 1)]
        joined = self._function.build.shuffle_vector(
            low, high, ir.Constant(ir.VectorType(I32, BYTES), order))
        return self._function.build.bitcast(joined, self._words)
