"""Convolution as a matrix product: the windows of an image as rows.

The kernels gather them from the image with its channels last. With too few channels for that, and
for callers that want the rows, they are written out (im2col).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt
from numba import njit

from hw.common.compiled import keep
from sim.kernels.jit.workers import run_all, shares
from sim.kernels.loops.turn import SIZE, turn
from sim.kernels.rows import UNIT, Rows, with_slack

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Window:
    """Geometry of a 2-D convolution; pairs are (vertical, horizontal).

    pads : top, left, bottom, right, as in ONNX; None means `same`, with the odd pixel at the
    end (`same_upper`) or the start (`same_lower`).
    """

    kernel: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] | None = (0, 0, 0, 0)
    same_lower: bool = False

    def padding(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Return top, left, bottom, right for an image of that size."""
        if self.pads is not None:
            return self.pads
        starts, ends = [], []
        for size, kernel, stride, dilation in zip((height, width), self.kernel, self.stride,
                                                  self.dilation, strict=True):
            needed = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
            half = (needed + 1) // 2 if self.same_lower else needed // 2
            starts.append(half)
            ends.append(needed - half)
        return starts[0], starts[1], ends[0], ends[1]

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Return the output's height and width for an image of that size."""
        top, left, bottom, right = self.padding(height, width)
        found = [(size + before + after - (kernel - 1) * dilation - 1) // stride + 1
                 for size, before, after, kernel, dilation, stride in (
                     (height, top, bottom, self.kernel[0], self.dilation[0], self.stride[0]),
                     (width, left, right, self.kernel[1], self.dilation[1], self.stride[1]))]
        return found[0], found[1]

    def gather(self, image: Bytes, zero: int, groups: int, *, threads: int) -> list[Rows] | None:
        """Return the windows of each group, to be gathered; None where they cannot be.

        image, zero : as for `rows`. The terms of a row are in the order (kernel row, kernel
        column, channel): `gather_order` gives weights the same. Few channels are gathered a
        kernel row at a time, which takes kernel columns that are neighbours.
        """
        n, channels, height, width = image.shape
        per_group = channels // groups
        by_pixel = per_group % UNIT == 0
        if not by_pixel and self.dilation[1] != 1:
            return None
        top, left, bottom, right = self.padding(height, width)
        out_h, out_w = self.size(height, width)
        tall, wide = height + top + bottom, width + left + right
        starts = _starts((n, out_h, out_w), (tall, wide, per_group), self.stride)
        rows = np.arange(self.kernel[0]) * self.dilation[0] * wide * per_group
        terms = per_group
        if by_pixel:
            columns = np.arange(self.kernel[1]) * self.dilation[1] * per_group
            taps = np.add.outer(rows, columns).reshape(-1)
        else:
            taps, terms = rows, self.kernel[1] * per_group
        image = np.require(image, None, ["C", "W"])
        found = []
        for group in range(groups):
            last = with_slack((n, tall, wide, per_group))
            planes = image[:, group * per_group:(group + 1) * per_group]
            run_all([partial(channels_last, planes[start:end], zero, top, left, last[start:end])
                     for start, end in shares(n, threads, 1)], threads)
            found.append(Rows(source=last.reshape(-1, per_group), starts=starts, taps=taps,
                              span=-(-terms // UNIT) * UNIT, terms=terms, aligned=by_pixel))
        return found

    def gather_order(self, weights: Bytes) -> Bytes:
        """Return weights uint8[k, n] of one group in the order of the terms of `gather`."""
        taps = self.kernel[0] * self.kernel[1]
        k, n = weights.shape
        turned = weights.reshape(k // taps, taps, n).transpose(1, 0, 2)
        return np.ascontiguousarray(turned.reshape(k, n))

    def file_order(self, terms: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return what is given for each term of `gather`, int64[k], in the order of `rows`."""
        return terms.reshape(self.kernel[0] * self.kernel[1], -1).T.reshape(-1)

    def rows(self, image: Bytes, zero: int, groups: int) -> tuple[Bytes, tuple[int, int]]:
        """Return the windows of stored bytes and the output size.

        image : uint8[n, c, h, w]; zero : the byte that stands for 0 and fills the padding.
        Returns uint8[groups, n * out_h * out_w, c / groups * kernel area], the columns in
        the order of ONNX weights (channel, kernel row, kernel column), and (out_h, out_w).
        """
        n, channels, height, width = image.shape
        top, left, _bottom, _right = self.padding(height, width)
        out_h, out_w = self.size(height, width)
        rows = np.empty((groups, n, out_h, out_w, channels // groups, *self.kernel), np.uint8)
        copy_windows(np.ascontiguousarray(image), np.uint8(zero), (top, left), self.stride,
                     self.dilation, rows)
        return rows.reshape(groups, n * out_h * out_w, -1), (out_h, out_w)


@lru_cache(maxsize=16)  # layers of a kind ask for the same
def _starts(windows: tuple[int, int, int], image: tuple[int, int, int],
            stride: tuple[int, int]) -> npt.NDArray[np.int64]:
    """Return where windows [images, y, x] begin in padded images of (height, width, channels)."""
    (count, out_h, out_w), (tall, wide, channels) = windows, image
    starts = ((np.arange(count)[:, None, None] * tall + np.arange(out_h)[:, None] * stride[0])
              * wide + np.arange(out_w) * stride[1])
    return starts.reshape(-1) * channels


@njit("void(uint8[:,:,:,::1], uint8, UniTuple(int64, 2), UniTuple(int64, 2), "
      "UniTuple(int64, 2), uint8[:,:,:,:,:,:,::1])", nogil=True, cache=keep())
def copy_windows(image: Bytes, zero: int, start: tuple[int, int], stride: tuple[int, int],
                 dilation: tuple[int, int], rows: Bytes) -> None:
    """Fill rows[group, image, y, x, channel, kernel row, kernel column]; outside is `zero`."""
    groups, images, out_h, out_w, channels, kernel_h, kernel_w = rows.shape
    height, width = image.shape[2], image.shape[3]
    for group in range(groups):
        for index in range(images):
            for y in range(out_h):
                for x in range(out_w):
                    row = rows[group, index, y, x]
                    for channel in range(channels):
                        plane = image[index, group * channels + channel]
                        for i in range(kernel_h):
                            at_y = y * stride[0] - start[0] + i * dilation[0]
                            for j in range(kernel_w):
                                at_x = x * stride[1] - start[1] + j * dilation[1]
                                inside = 0 <= at_y < height and 0 <= at_x < width
                                row[channel, i, j] = plane[at_y, at_x] if inside else zero


def channels_last(images: Bytes, zero: int, top: int, left: int, out: Bytes) -> None:
    """Write `out[n, y, x, c] = images[n, c, y - top, x - left]`, and `zero` outside.

    images : uint8[n, c, h, w], each plane contiguous. out : uint8[n, height, width, c], padding
    included.
    """
    n, channels, height, width = images.shape
    if out.shape[1:3] != (height, width):
        out[:, :top], out[:, top + height:] = zero, zero
        out[:, :, :left], out[:, :, left + width:] = zero, zero
    inside = out[:, top:top + height, left:left + width]
    if channels >= SIZE and width < SIZE <= height * width:
        # Rows too short to be turned one by one: all in one, then into place.
        turned = np.empty((n, height, width, channels), np.uint8)
        turn(images, turned)
        inside[:] = turned
    else:
        turn(images, inside)
