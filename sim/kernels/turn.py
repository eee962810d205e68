"""Channels-first planes turned into channels-last pixels, sixteen bytes by sixteen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.cpu import Cpu, this_cpu
from sim.kernels.machine_code import I8, I32, Compiled, Function, Value, int64

SIZE = 16
Bytes = npt.NDArray[np.uint8]


def turn(planes: Bytes, pixels: Bytes) -> None:
    """Write `pixels[n, y, x, c] = planes[n, c, y, x]`.

    planes : uint8[images, channels, height, width], each plane contiguous. pixels : uint8[images,
    height, width, channels], each row contiguous.
    """
    images, channels, height, width = planes.shape
    if pixels.strides[1] == width * channels:
        width, height = height * width, 1  # rows without gaps are one long row
    if channels < SIZE or width < SIZE:
        pixels[:] = planes.transpose(0, 2, 3, 1)
        return
    _compiled(this_cpu())(planes.ctypes.data, planes.strides[0], planes.strides[1],
                          planes.strides[2], pixels.ctypes.data, pixels.strides[0],
                          pixels.strides[1], channels, width, height, images)


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
def _compiled(cpu: Cpu) -> Compiled:
    function = Function("turn", 11)
    (planes, image_bytes, plane_bytes, row_bytes, pixels, pixel_image_bytes, pixel_row_bytes,
     channels, width, height, images) = function.arguments
    vector = ir.VectorType(I8, SIZE)

    def image(number: Value) -> None:
        first_in = function.add(planes, function.scaled(number, image_bytes))
        first_out = function.add(pixels, function.scaled(number, pixel_image_bytes))
        function.loop(height, lambda y: row(
            function.add(first_in, function.scaled(y, row_bytes)),
            function.add(first_out, function.scaled(y, pixel_row_bytes))))

    def row(row_in: Value, row_out: Value) -> None:

        def across(number: Value) -> None:
            x = start_of(function, number, width)

            def deep(index: Value) -> None:
                channel = start_of(function, index, channels)
                source = function.add(row_in, x, function.scaled(channel, plane_bytes))
                target = function.add(row_out, channel, function.scaled(x, channels))
                loaded = [function.load(function.add(source, function.scaled(plane_bytes, lane)),
                                        0, vector, 1) for lane in range(SIZE)]
                for pixel, value in enumerate(transposed(function.build, loaded)):
                    function.store(value, function.add(
                        target, function.scaled(channels, pixel)), 0, 1)

            function.loop(chunks_of(function, channels), deep)

        function.loop(chunks_of(function, width), across)

    function.loop(images, image)
    return function.compile(cpu)
