"""Channels-first planes turned into channels-last pixels, sixteen bytes by sixteen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
from llvmlite import ir

from sim.kernels.jit.cpu import Cpu, this_cpu
from sim.kernels.jit.function import I8, I32, Compiled, Function, Value, int64
from sim.kernels.jit.handle import Handle

Bytes = npt.NDArray[np.uint8]
SIZE = 16


def turn(planes: Bytes, pixels: Bytes) -> None:
    """Write `pixels[n, y, x, c] = planes[n, c, y, x]`.

    planes : uint8[images, channels, height, width], each plane contiguous. pixels : uint8[images,
    height, width, channels], each row contiguous.
    """
    images, channels, height, width = planes.shape
    if pixels.strides[1] == width * channels:
        width, height = height * width, 1  # rows without gaps are one long row
    if channels < SIZE or width < SIZE:
        pixels[:] = turn_reference(planes)
        return
    _compiled(this_cpu())(
        planes=Handle.of(planes), image_bytes=planes.strides[0], plane_bytes=planes.strides[1],
        row_bytes=planes.strides[2], pixels=Handle.of(pixels),
        pixel_image_bytes=pixels.strides[0], pixel_row_bytes=pixels.strides[1],
        channels=channels, width=width, height=height, images=images)


def turn_reference(planes: Bytes) -> Bytes:
    """Return what `turn` writes."""
    return planes.transpose(0, 2, 3, 1)


@cache
def _compiled(cpu: Cpu) -> Compiled:
    function = Function(
        "turn", planes=np.uint8, image_bytes=int, plane_bytes=int, row_bytes=int, pixels=np.uint8,
        pixel_image_bytes=int, pixel_row_bytes=int, channels=int, width=int, height=int,
        images=int)
    given, vector = function.arguments, ir.VectorType(I8, SIZE)

    def image(number: Value) -> None:
        first_in = function.at(given.planes, number, given.image_bytes)
        first_out = function.at(given.pixels, number, given.pixel_image_bytes)
        function.loop(given.height, lambda y: row(function.at(first_in, y, given.row_bytes),
                                                  function.at(first_out, y, given.pixel_row_bytes)))

    def row(row_in: Value, row_out: Value) -> None:
        def across(number: Value) -> None:
            x = start_of(function, number, given.width)

            def deep(index: Value) -> None:
                channel = start_of(function, index, given.channels)
                source = function.add(row_in, x, function.scaled(channel, given.plane_bytes))
                target = function.add(row_out, channel, function.scaled(x, given.channels))
                loaded = [function.load(function.at(source, given.plane_bytes, lane), 0, vector, 1)
                          for lane in range(SIZE)]
                for pixel, value in enumerate(transposed(function.build, loaded)):
                    function.store(value, function.at(target, given.channels, pixel), 0, 1)

            function.loop(chunks_of(function, given.channels), deep)

        function.loop(chunks_of(function, given.width), across)

    function.loop(given.images, image)
    return function.compile(cpu)


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
    wanted, last = function.scaled(chunk, SIZE), function.build.sub(count, int64(SIZE))
    return function.least(wanted, last)


def chunks_of(function: Function, count: Value) -> Value:
    """Return how many chunks of SIZE cover `count`."""
    return function.build.udiv(function.build.add(count, int64(SIZE - 1)), int64(SIZE))
