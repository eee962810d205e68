"""Convolution as a matrix product: the windows of an image as rows (im2col)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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

    def rows(self, image: Bytes, zero: int, groups: int) -> tuple[Bytes, tuple[int, int]]:
        """Return the windows of stored bytes and the output size.

        image : uint8[n, c, h, w]; zero : the byte that stands for 0 and fills the padding.
        Returns uint8[groups, n * out_h * out_w, c / groups * kernel area], the columns in
        the order of ONNX weights (channel, kernel row, kernel column), and (out_h, out_w).
        """
        top, left, bottom, right = self.padding(*image.shape[2:])
        if top or left or bottom or right:
            image = np.pad(image, ((0, 0), (0, 0), (top, bottom), (left, right)),
                           constant_values=zero)
        n, channels = image.shape[:2]
        spans = tuple((kernel - 1) * dilation + 1
                      for kernel, dilation in zip(self.kernel, self.dilation, strict=True))
        view = np.lib.stride_tricks.sliding_window_view(image, spans, axis=(2, 3))
        view = view[:, :, ::self.stride[0], ::self.stride[1],
                    ::self.dilation[0], ::self.dilation[1]]
        size = view.shape[2], view.shape[3]
        view = view.reshape(n, groups, channels // groups, *size, *self.kernel)
        rows = view.transpose(1, 0, 3, 4, 2, 5, 6).reshape(groups, n * size[0] * size[1], -1)
        return np.ascontiguousarray(rows), size
