"""A layer on a device of torch: windows, sums and requantisation, codes in and codes out.

Only stored bytes go to the device and come back. Everything is integer, as `sim.network` defines
it. Images are taken a few at a time, so that what is unfolded stays within BLOCK_BYTES.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sim.network.layer import MappedLayer
from sim.network.windows import Window

BLOCK_BYTES = 2**30  # of rows, products and 64-bit totals held at a time
TOTAL_BYTES = 24  # of a sum while it is requantised
Bytes = npt.NDArray[np.uint8]
Multiply = Callable[[Any, Any], Any]  # tensors uint8[m, k], uint8[k, n] -> int32[m, n]


@dataclass(frozen=True, kw_only=True, eq=False)
class DeviceLayer:
    """What a device keeps of a layer.

    weights : uint8[groups, k, n]. bias : int32[groups * n]. multiplier, shift : int64, likewise,
    None without a requantiser.
    """

    layer: MappedLayer
    device: Any
    weights: Any = field(repr=False)
    bias: Any = field(repr=False)
    multiplier: Any = field(repr=False)
    shift: Any = field(repr=False)

    @classmethod
    def of(cls, layer: MappedLayer, device: Any) -> DeviceLayer:
        """Return the layer on a device."""
        requantizer = layer.requantizer
        multiplier, shift = ((None, None) if requantizer is None else
                             (tensor_of(part, device)
                              for part in (requantizer.multiplier, requantizer.shift)))
        return cls(layer=layer, device=device, weights=tensor_of(layer.weight_codes, device),
                   bias=tensor_of(layer.bias, device), multiplier=multiplier, shift=shift)

    def sums(self, codes: Bytes, multiply: Multiply, table: Any) -> npt.NDArray[np.int32]:
        """Return the accumulators before bias, int32[m, groups * n].

        codes : that the layer reads. multiply : of matrices; table : int32[65536], for depthwise
        layers, whose matrices would be slim.
        """
        return np.concatenate([part.cpu().numpy() for part in self._parts(codes, multiply, table)])

    def codes(self, codes: Bytes, multiply: Multiply, table: Any) -> Bytes:
        """Return what the layer's requantiser makes of the sums, uint8[m, groups * n]."""
        return np.concatenate([self._requantised(part).cpu().numpy()
                               for part in self._parts(codes, multiply, table)])

    def _requantised(self, sums: Any) -> Any:
        import torch

        requantizer = self.layer.requantizer
        assert requantizer is not None, self.layer.name
        total = (sums + self.bias).to(torch.int64) * self.multiplier
        total += torch.ones_like(self.shift) << (self.shift - 1)
        total >>= self.shift
        total += requantizer.zero_point
        total.clamp_(requantizer.low, requantizer.high)
        return (total & 255).to(torch.uint8)  # int8 in the same bits

    def _parts(self, codes: Bytes, multiply: Multiply, table: Any) -> Iterator[Any]:
        """Yield int32[m, groups * n], some images at a time."""
        layer = self.layer
        shape = layer.output_shape(codes.shape)
        if layer.window is None:
            codes = codes.reshape(-1, layer.k)
            rows_each = 1
        else:
            codes = codes[:, :, None] if codes.ndim == 3 else codes  # one row high
            rows_each = math.prod(shape[1:-1])
        width = layer.groups * (2 * layer.k + TOTAL_BYTES * layer.n)
        count = max(1, BLOCK_BYTES // (rows_each * width))
        for first in range(0, len(codes), count):
            part = tensor_of(codes[first:first + count], self.device)
            if layer.is_depthwise:
                yield self._depthwise(part, table)
            else:
                yield self._products(part, multiply)

    def _products(self, codes: Any, multiply: Multiply) -> Any:
        import torch

        window = self.layer.window
        groups = codes[None] if window is None else unfold(
            codes, window, self.layer.padding_code, self.layer.groups)
        found = [multiply(rows, weights)
                 for rows, weights in zip(groups, self.weights, strict=True)]
        return found[0] if len(found) == 1 else torch.cat(found, dim=1)

    def _depthwise(self, codes: Any, table: Any) -> Any:
        """Return one look-up per product, tap by tap."""
        import torch

        window, groups = self.layer.window, self.layer.groups
        assert window is not None, self.layer.name
        taps = windows(codes, window, self.layer.padding_code, groups)[..., 0, :, :]
        taps = taps.reshape(*taps.shape[:4], -1)  # [channel, image, y, x, tap]
        out = torch.zeros(taps.shape[:4], dtype=torch.int32, device=self.device)
        for tap in range(self.layer.k):
            out += table[256 * taps[..., tap].int() + self.weights[:, tap, 0].int().view(
                -1, 1, 1, 1)]
        return out.reshape(groups, -1).t()


def windows(images: Any, window: Window, zero: int, groups: int) -> Any:
    """Return a view [groups, n, out_h, out_w, c / groups, kernel_h, kernel_w] of padded images.

    images : uint8[n, c, h, w]. zero : the byte that fills the padding.
    """
    import torch

    n, channels, height, width = images.shape
    top, left, bottom, right = window.padding(height, width)
    padded = torch.nn.functional.pad(images, (left, right, top, bottom), value=zero).contiguous()
    image, plane, row, pixel = padded.stride()
    per_group, size = channels // groups, window.size(height, width)
    return padded.as_strided(
        (groups, n, *size, per_group, *window.kernel),
        (per_group * plane, image, window.stride[0] * row, window.stride[1] * pixel, plane,
         window.dilation[0] * row, window.dilation[1] * pixel))


def unfold(images: Any, window: Window, zero: int, groups: int) -> Any:
    """Return the windows written out, uint8[groups, m, k], as `Window.rows` does."""
    view = windows(images, window, zero, groups)
    return view.reshape(groups, math.prod(view.shape[1:4]), -1)


def tensor_of(values: npt.NDArray[Any], device: Any) -> Any:
    """Return an array on a device; torch takes contiguous ones that are not read-only."""
    import torch

    return torch.from_numpy(np.require(values, None, ["C", "W"])).to(device)
