"""Channels-first planes turned into channels-last pixels, sixteen bytes by sixteen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.machine_code import I8, I32, Function, Value, int64

SIZE = 16
Bytes = npt.NDArray[np.uint8]


def turn(planes: Bytes, pixels: Bytes) -> None:
    """Write `pixels[y, x, c] = planes[c, y, x]`.

    planes : uint8[channels, height, width], each plane contiguous. pixels : uint8[height, width,
    channels], each row contiguous.
    """
    channels, height, width = planes.shape
    if height > 1 and planes.strides[1] == width and pixels.strides[0] == width * channels:
        # Rows without gaps are one long row.
        width, height = height * width, 1
    if channels < SIZE or width < SIZE:
        pixels[:] = planes.transpose(1, 2, 0)
        return
    _compiled(this_cpu())(planes.ctypes.data, planes.strides[0], planes.strides[1],
                          pixels.ctypes.data, pixels.strides[1], pixels.strides[0], channels,
                          width, height)


def transposed(build: ir.IRBuilder, rows: Sequence[Value]) -> list[Value]:
    """Return the columns of sixteen vectors of sixteen: four perfect shuffles of the rows."""
    half = SIZE // 2
    masks = [ir.Constant(ir.VectorType(I32, SIZE),
                         [index // 2 + (SIZE if index % 2 else 0) + part * half
                          for index in range(SIZE)]) for part in (0, 1)]
    for _stage in range(4):
        rows = [build.shuffle_vector(rows[pair], rows[pair + half], masks[part])
                for pair in range(half) for part in (0, 1)]
    return list(rows)


def start_of(function: Function, chunk: Value, count: Value) -> Value:
    """Return where a chunk of SIZE begins: the last overlaps the one before, not the end."""
    build = function.build
    wanted, last = function.scaled(chunk, SIZE), build.sub(count, int64(SIZE))
    return build.select(build.icmp_signed("<", wanted, last), wanted, last)


def chunks_of(function: Function, count: Value) -> Value:
    """Return how many chunks of SIZE cover `count`."""
    build = function.build
    return build.udiv(build.add(count, int64(SIZE - 1)), int64(SIZE))


@cache
def _compiled(cpu: Cpu) -> Callable[..., None]:
    function = Function("turn", 9)
    (planes, plane_bytes, plane_row_bytes, pixels, pixel_bytes, pixel_row_bytes, channels, width,
     height) = function.arguments
    vector = ir.VectorType(I8, SIZE)

    def row(y: Value) -> None:
        row_in = function.add(planes, function.scaled(y, plane_row_bytes))
        row_out = function.add(pixels, function.scaled(y, pixel_row_bytes))

        def across(number: Value) -> None:
            x = start_of(function, number, width)

            def deep(index: Value) -> None:
                channel = start_of(function, index, channels)
                source = function.add(row_in, x, function.scaled(channel, plane_bytes))
                target = function.add(row_out, channel, function.scaled(x, pixel_bytes))
                loaded = [function.load(function.add(source, function.scaled(plane_bytes, lane)),
                                        0, vector, 1) for lane in range(SIZE)]
                for pixel, value in enumerate(transposed(function.build, loaded)):
                    function.store(value, function.add(
                        target, function.scaled(pixel_bytes, pixel)), 0, 1)

            function.loop(chunks_of(function, channels), deep)

        function.loop(chunks_of(function, width), across)

    function.loop(height, row)
    return function.compile(cpu)
