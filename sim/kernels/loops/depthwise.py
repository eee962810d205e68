"""Depthwise convolution by look-up: too few products per output for tables to be worth building.

For a channel and a tap the weight is fixed, so its products are one row of the table by weight.
AVX-512 holds it in registers and finds 32 products at a time (`slide`). Elsewhere it is 1 KiB that
stays in L1 (`depthwise_sums`); three taps are added at a time: a look-up is two loads, and what has
been added so far would be one more and a store.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit

from hw.common.compiled import keep
from sim.kernels.jit.cpu import Cpu
from sim.kernels.jit.function import I8, I32, I64, Compiled, Function, Value, int64
from sim.kernels.loops.lookup import LANES, codes_at, in_registers

BLOCK = 1024  # positions whose sums stay in L1 from tap to tap; whole LANES


@njit("void(uint8[:,:,::1], uint8[:,::1], int32[:,::1], uint64[:,::1], UniTuple(uint64, 2), "
      "int32[:,:,::1])", nogil=True, cache=keep())
def depthwise_sums(planes: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                   by_weight: npt.NDArray[np.int32], taps: npt.NDArray[np.uint64],
                   stride: tuple[int, int], out: npt.NDArray[np.int32]) -> None:
    """out[p, y, x] = sum over taps t of by_weight[weights[p, t], planes[p, ...]].

    planes : uint8[p, h, w], padding included. taps : uint64[t, 2], row and column of each.
    """
    count, step = weights.shape[1], stride[1]
    triples = count // 3 * 3
    for plane in range(out.shape[0]):
        source, chosen = planes[plane], weights[plane]
        for y in range(out.shape[1]):
            sums, top = out[plane, y], np.uint64(y) * stride[0]
            for tap in range(0, triples, 3):
                p, q, r = (by_weight[chosen[tap]], by_weight[chosen[tap + 1]],
                           by_weight[chosen[tap + 2]])
                a, b, c = (source[top + taps[tap, 0]], source[top + taps[tap + 1, 0]],
                           source[top + taps[tap + 2, 0]])
                i, j, k = taps[tap, 1], taps[tap + 1, 1], taps[tap + 2, 1]
                if tap == 0:
                    for x in range(sums.size):
                        at = np.uint64(x) * step
                        sums[x] = p[a[at + i]] + q[b[at + j]] + r[c[at + k]]
                else:
                    for x in range(sums.size):
                        at = np.uint64(x) * step
                        sums[x] += p[a[at + i]] + q[b[at + j]] + r[c[at + k]]
            if not triples:
                sums[:] = 0
            for tap in range(triples, count):
                p, a, i = by_weight[chosen[tap]], source[top + taps[tap, 0]], taps[tap, 1]
                for x in range(sums.size):
                    sums[x] += p[a[np.uint64(x) * step + i]]


@cache
def slide(cpu: Cpu) -> Compiled:
    """Return what slides taps over whole planes, on a CPU that `can_hold` a table.

    - planes : uint8[count, plane_bytes], padding included, with LANES readable bytes more after the
      last shift; weights : uint8[count, taps]; shifts : int64[taps], bytes to each tap;
    - tables : int16[256, 256], products by weight code; starts : int32[count], added;
    - out : int32[count, length], in cache lines; length : positions, a multiple of LANES, those
      included where a window begins at the end of a row.
    """
    function = Function(
        "depthwise", planes=np.uint8, plane_bytes=int, weights=np.uint8, tables=np.int16,
        shifts=np.int64, taps=int, starts=np.int32, out=np.int32, length=int, count=int)
    given, build = function.arguments, function.build
    wide = ir.VectorType(I32, LANES)
    blocks = build.udiv(build.add(given.length, int64(BLOCK - 1)), int64(BLOCK))

    def plane(index: Value) -> None:
        source = function.at(given.planes, index, given.plane_bytes)
        sums = function.at(given.out, index, function.scaled(given.length, 4))
        start = function.repeated(function.load(function.at(given.starts, index, 4), 0, I32, 4),
                                  wide)
        chosen = function.at(given.weights, index, given.taps)

        def block(number: Value) -> None:
            first = function.scaled(number, BLOCK)
            chunks = build.udiv(function.least(build.sub(given.length, first), int64(BLOCK)),
                                int64(LANES))
            out = function.at(sums, first, 4)
            function.loop(chunks, lambda chunk: function.store(
                start, function.at(out, chunk, 4 * LANES), 0, 64))

            def tap(position: Value) -> None:
                weight = build.zext(function.load(function.add(chosen, position), 0, I8, 1), I64)
                entries = in_registers(function, function.at(given.tables, weight, 512))
                seen = function.add(source, first, function.load(
                    function.at(given.shifts, position, 8), 0, I64, 8))

                def chunk(index: Value) -> None:
                    found = entries(codes_at(function, function.at(seen, index, LANES)))
                    at = function.at(out, index, 4 * LANES)
                    function.store(build.add(function.load(at, 0, wide, 64),
                                             build.sext(found, wide)), at, 0, 64)

                function.loop(chunks, chunk)

            function.loop(given.taps, tap)

        function.loop(blocks, block)

    function.loop(given.count, plane)
    return function.compile(cpu)


def depthwise_reference(planes: npt.NDArray[np.uint8], weights: npt.NDArray[np.uint8],
                        by_weight: npt.NDArray[np.int32], taps: npt.NDArray[np.uint64],
                        stride: tuple[int, int], size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return what `depthwise_sums` puts into `out`; size : of an output plane."""
    total = np.zeros((len(planes), *size), np.int32)
    y, x = (np.arange(count) * step for count, step in zip(size, map(int, stride), strict=True))
    for tap, (row, column) in enumerate(taps.astype(np.int64)):
        seen = planes[:, (y + row)[:, None], x + column]
        total += by_weight[weights[:, tap, None, None], seen]
    return total
